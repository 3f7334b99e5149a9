"""What a submit description holds, and what a request cannot bring into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.factory.policy import EntryPolicy, SubEntry, SubmitAttribute
from glideinwms.factory.snapshot import Value
from glideinwms.factory.submit.description import (
    Description,
    SubmitSpec,
    describe,
    idle_lifetime,
    sub_entries,
)
from glideinwms.lib.errors import ConfigError
from tests.unit.factory.builders import entry, policy, request


def description(e: EntryPolicy, files: dict[str, str], sub: int = 0) -> Description:
    return describe(
        SubmitSpec(
            policy(Path("/x"), e), e, sub_entries(e)[sub], request(files=files), "uuid", "20261124"
        )
    )


@pytest.mark.parametrize(
    ("gridtype", "auth_method", "given"),
    [
        ("condor", "grid_proxy", True),
        ("batch slurm", "key_pair", True),
        ("arc", "scitoken", True),
        ("arc", "grid_proxy+project_id", True),
        ("arc", "grid_proxy", False),
        ("arc", "x509_cert", False),
        ("arc", "scitoken,grid_proxy", True),
        ("ec2", "key_pair", False),
        ("gce", "auth_file", False),
    ],
)
def test_which_pilots_have_a_scitoken(gridtype: str, auth_method: str, given: bool) -> None:
    """Protocol 4.10: a CE of type arc that wants a proxy gets no token, as neither attribute nor
    command.
    """
    made = description(entry(gridtype=gridtype, auth_method=auth_method), {"scitoken": "/t"})
    named = {
        k.lower().removeprefix("my.").replace("_", "")
        for k, v in made.items()
        if v.strip('"') == "/t"
    }
    assert named == ({"scitokensfile"} if given else set())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("864000", 864000),
        (" 5 ", 5),
        ("0", 0),
        ("-3", 0),
        ("never", 0),
        ("", 0),
        ("²", 0),
        ("9" * 30, 2**31 - 1),
        ("9" * 5000, 0),
    ],
)
def test_idle_lifetimes(text: str, seconds: int) -> None:
    assert idle_lifetime(text) == seconds


def test_each_ce_of_a_set_has_its_own_work_directory_and_web_cache() -> None:
    subs = (
        SubEntry("a", "a a:9619", "condor", "job.a.condor", work_dir="OSG"),
        SubEntry(
            "b",
            "b b:9619",
            "condor",
            "job.b.condor",
            work_dir="TMPDIR",
            proxy_url="http://squid:3128",
        ),
    )
    e = entry(sub_entries=subs, work_dir="OSG")
    for number, (where, proxy) in enumerate((("OSG", "None"), ("TMPDIR", "http://squid:3128"))):
        made = description(e, {}, number)
        assert made["My.GlideinWorkDir"] == f'"{where}"'
        assert f" -proxy {proxy} " in made["arguments"] and f" -dir {where} " in made["arguments"]


def line(text: str, params: dict[str, Value] | None = None) -> str:
    """What a submit_attr becomes."""
    e = entry(submit_attrs=(SubmitAttribute("+x", text),), attrs={"GLIDEIN_Max_Walltime": 3600})
    row = request(params=params or {}, files={"idtoken": "/id"})
    return describe(
        SubmitSpec(policy(Path("/x"), e), e, sub_entries(e)[0], row, "uuid", "20261124")
    )["My.x"]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("2880", "2880"),
        ('"$ENV(GLIDEIN_CLIENT) of $ENV(GLIDEIN_FRONTEND_NAME)"', '"fe.main of fe:frontend"'),
        ("$ENV(GLIDEIN_MAX_WALLTIME:60) / 60", "3600 / 60"),
        ('"$ENV(GLIDEIN_PARAM_Queue)"', '"long"'),
        ('"$ENV(IDTOKENS_FILE)"', '"/id"'),
        ('"$ENV(X509_USER_PROXY)"', '"$ENV(X509_USER_PROXY)"'),
        ('"$ENV(HOME)"', '"$ENV(HOME)"'),
    ],
)
def test_submit_attrs_name_what_the_deployed_environment_has(text: str, made: str) -> None:
    assert line(text, {"Queue": "long"}) == made


@pytest.mark.parametrize("value", ["$(Cluster)", "1 || true", 'a"b', "$ENV(HOME)", "a\\b", "a\nb"])
def test_no_value_of_a_request_breaks_a_submit_attr(value: str) -> None:
    with pytest.raises(ConfigError, match="GLIDEIN_PARAM_Queue"):
        line('"$ENV(GLIDEIN_PARAM_Queue)"', {"Queue": value})
