"""A Frontend cannot write into the submit description: no new line, no macro, no other command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideinwms.factory.collect.credential_store import Owner
from glideinwms.factory.submit.description import SubmitSpec, describe, sub_entries
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.errors import CondorError
from glideinwms.lib.reasons import Reason
from tests.unit.factory.builders import SECRETS, entry, policy, request, request_ad, trust

EVIL = (
    "x\nexecutable = /bin/evil",
    "$ENV(HOME)",
    "$(Cluster)",
    "a b",
    'x"',
    "x\x00y",
    "x\r",
    "`id`",
    "x;y",
)
KEY_PAIR = {
    "SecurityName": "fe",
    "SecurityClass": "frontend",
    "PublicKey": "PUB",
    "PrivateKey": "PRV",
    "GlideinProxy": "PRX",
}


@pytest.mark.parametrize("evil", EVIL)
def test_sealed_texts_are_held_to_harmless_characters(tmp_path: Path, evil: str) -> None:
    row = trust(tmp_path).request(request_ad({**SECRETS, "ScitokenId": evil}))
    assert row.refusal is not None and row.refusal.reason is Reason.BAD_VALUE and not row.credential
    asked = trust(tmp_path, entry(auth_method="scitoken+project_id"))
    row = asked.request(request_ad({**SECRETS, "ProjectId": evil}))
    assert row.refusal is not None and row.refusal.reason is Reason.BAD_VALUE and not row.extra


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("name", ["RemoteUsername", "VMId", "VMType"])
def test_texts_of_batch_and_cloud_entries(tmp_path: Path, name: str, evil: str) -> None:
    cloud = name != "RemoteUsername"
    place = entry(
        auth_method="key_pair+vm_id+vm_type" if cloud else "key_pair",
        gridtype="ec2" if cloud else "batch slurm",
    )
    judge = trust(tmp_path, place)
    for cred_id in ("PUB", "PRV", "PRX"):
        judge.store.store_credential(Owner("feuser", "fe"), "fe.main", cred_id, b"text")
    texts = {"VMId": "ami-1", "VMType": "m5.large"} if cloud else {}
    good = judge.request(
        request_ad(
            {**KEY_PAIR, **texts, "RemoteUsername": "me"} if not cloud else {**KEY_PAIR, **texts}
        )
    )
    assert good.refusal is None, good.refusal
    row = judge.request(request_ad({**KEY_PAIR, **texts, name: evil}))
    assert row.refusal is not None and row.refusal.reason is Reason.BAD_VALUE


@pytest.mark.parametrize("name", ["a b", "x\nexecutable=/bin/evil", "$(x)", 'q"', "", "é"])
def test_names_of_parameters(tmp_path: Path, name: str) -> None:
    row = trust(tmp_path).request(request_ad(params={name: "x"}))
    assert row.refusal is not None and row.refusal.reason is Reason.BAD_VALUE


@pytest.mark.parametrize("value", ["x\nexecutable=/bin/evil", "a\tb", "x\r", "\x01"])
def test_values_of_parameters(tmp_path: Path, value: Any) -> None:
    ad = request_ad(params={"P": "x"})
    row = trust(tmp_path).request({**ad, "GlideinParamP": value})
    assert row.refusal is not None and row.refusal.reason is Reason.BAD_VALUE
    for odd in ([1], {"a": 1}):
        assert trust(tmp_path).request({**ad, "GlideinParamP": odd}).refusal is not None


@pytest.mark.parametrize(
    "field", ["web_sign256", "web_group_sign256", "web_sign", "web_url", "group_name"]
)
@pytest.mark.parametrize("evil", ["x\nexecutable=/bin/evil", "$ENV(HOME)", "a b"])
def test_stage_parameters(tmp_path: Path, field: str, evil: str) -> None:
    ad = request_ad(**{field: evil})
    name = next(k for k, v in ad.items() if v in (evil, evil.replace("\n", "\\n")))
    row = trust(tmp_path).request({**ad, name: evil})
    assert row.refusal is not None and row.refusal.reason in (Reason.BAD_WEB, Reason.BAD_NAME)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4),
    st.text(max_size=12),
    st.text(max_size=12),
)
def test_whatever_a_good_request_says_stays_inside_its_own_value(
    tmp_path: Path, params: dict[str, str], scitoken_id: str, sign256: str
) -> None:
    """Of any request that is taken, the description has one line a command, and no macro but our
    own numbers.
    """
    ad = request_ad({**SECRETS, "ScitokenId": scitoken_id})
    ad |= {f"GlideinParam{k}": v for k, v in params.items()} | {"WebDescriptSign256": sign256}
    row = trust(tmp_path).request(ad)
    if row.refusal is not None:
        return
    place = policy(tmp_path)
    made = describe(
        SubmitSpec(place, place.entries[0], sub_entries(place.entries[0])[0], row, "id", "20260101")
    )
    for name, text in made.items():
        assert not any(ord(c) < 32 for c in name + text)
        assert "$" not in text.replace("$(Cluster)", "").replace("$(Process)", ""), name


@pytest.mark.parametrize(
    "evil",
    [{"My.A": '"x"\nexecutable = /bin/evil'}, {"My.A\nexecutable": "1"}, {"arguments": "a\x00b"}],
)
def test_nothing_with_a_new_line_is_ever_submitted(evil: dict[str, str]) -> None:
    """The last line of defence, whoever built the description: the schedd is not even asked."""
    nowhere = ScheddAddress("s", "<127.0.0.1:1>")
    with pytest.raises(CondorError, match="has control characters"):
        htc.submit(nowhere, {"executable": "/bin/true", **evil}, 1)
    with pytest.raises(CondorError, match="has control characters"):
        htc.submit(nowhere, {"executable": "/bin/true"}, 1, [evil])


def test_an_ordinary_request_still_passes(tmp_path: Path) -> None:
    params = {
        "GLIDEIN_Collector": "c:9618?sock=x,d:9618",
        "FE_EXPR": 'ifThenElse(x>1,"a","b")',
        "N": 7,
        "D": "$(A) 100%",
    }
    assert trust(tmp_path).request(request_ad(params=params)).refusal is None
    assert replace(request(), params=params).params == params
