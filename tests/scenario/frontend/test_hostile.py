"""Whatever one job, slot, ad, credential or operator's command holds: all others are served in the same cycle.

Each test puts one hostile item for each field and each value among good ones; unit tests try them one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.collect.queries import slots
from glideinwms.frontend.policy import CredentialPolicy, MatchAttribute
from glideinwms.lib.wire import GlideFactoryGlobal
from tests.scenario.frontend.frontend_harness import FACTORY, WMS, FrontendHarness, at
from tests.support.hostile_values import JSON, TOKENS
from tests.unit.frontend.build_frontend import KEY
from tests.unit.frontend.decide.golden import expression
from tests.unit.frontend.hostile_ads import VALUES

LAW = (
    'job["Wants"] in glidein["attrs"].get("Serves", "x,good").split(",") and job["RequestCpus"] <= 8 and '
    'int(glidein["attrs"].get("GLIDEIN_CPUS", 1)) * 2 > 0 and re.match("[A-Z]", glidein["attrs"]["GLIDEIN_Site"])'
    " is not None"
)
JOB_FIELDS = (
    "EnteredCurrentStatus",
    "ServerTime",
    "QDate",
    "RequestCpus",
    "Wants",
    "User",
    "Owner",
    "ProjectName",
    "x509UserProxyFirstFQAN",
    "RemoteHost",
    "JobUniverse",
    "Requirements",
)
ENTRY_FIELDS = (
    "Name",
    "FactoryName",
    "GlideinName",
    "EntryName",
    "SupportedSignTypes",
    "DaemonStartTime",
    "PubKeyID",
    "GLIDEIN_In_Downtime",
    "GLIDEIN_Site",
    "GLIDEIN_CPUS",
    "GLIDEIN_ESTIMATED_CPUS",
    "GLIDEIN_NODES",
    "GLIDEIN_TrustDomain",
    "GLIDEIN_SupportedAuthenticationMethod",
    "GLIDEIN_Max_Walltime",
    "GLIDEIN_Gatekeeper",
    "GlideinParamCONDOR_VERSION",
    "GlideinMonitorStatusIdle",
    "Serves",
)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[FrontendHarness]:
    made = FrontendHarness(tmp_path)
    names = tuple(MatchAttribute(n) for n in ("Wants", "RequestCpus"))
    own = made.group(match=expression(LAW), job_attrs=names)
    other = made.group("other", match=expression("job['Wants'] == 'good'"), job_attrs=names)
    projects = made.group(
        "projects", match=expression(LAW), job_attrs=names, selection_plugin="ProxyProjectName"
    )
    made.write(groups=(own, other, projects))
    made.start()
    made.jobs(20, wants="good", RequestCpus=1, ProjectName="p")
    made.pilots("A", busy=2, idle=1)
    with made.world.installed():
        yield made


def served(scene: FrontendHarness) -> dict[str, tuple[int, int, str]]:
    """The requests of one cycle that ends well, with every input known."""
    scene.cycle()
    status = scene.status()
    assert status.error == ""
    for name, shown in status.summary["groups"].items():
        assert not shown["frozen"] and not shown["held"], (name, shown["problems"])
    assert status.summary["failed"] == []
    return {entry: asked for entry, asked in scene.requests().items() if entry in "ABC"}


def hostile(
    item: Mapping[str, Any], names: Iterable[str], key: str = ""
) -> Iterator[dict[str, Any]]:
    """The item once for each attribute and hostile value. `key`: the attribute that tells items
    apart.
    """
    number = 0
    for name in names:
        for kind, value in VALUES.items():
            if kind != "slow expression":
                number += 1
                yield {**item, **({key: f"bad{number}"} if key else {}), name: value}


def test_jobs(scene: FrontendHarness) -> None:
    good = served(scene)
    assert set(good) == {"A", "B", "C"} and good["B"][0] > 0
    for status in (1, 2):
        for attributes in hostile(
            {"Wants": "bad", "JobStatus": status, "ProjectName": "p", "RequestCpus": 1}, JOB_FIELDS
        ):
            scene.schedds["schedd1"].add(1, **attributes)
    for _ in range(2):  # the second time by the way that worked
        found = served(scene)
        assert set(found) == set(good) and all(found[e][0] > 0 for e in "BC")
        assert scene.main()["jobs"]["idle"] >= 20
    assert any("EnteredCurrentStatus is no time" in problem for problem in scene.main()["problems"])


def test_slots(scene: FrontendHarness) -> None:
    good = served(scene)
    item = {**scene.slots[0], "GLIDEIN_Entry_Name": "bad"}
    names = sorted(set(slots.PROJECTION) - {"Name"})
    for number, attributes in enumerate(hostile(item, names, "Name")):
        scene.extra.append({**attributes, "MyAddress": f"<10.0.0.2:{number}>"})
    assert served(scene) == good
    assert scene.main()["slots"]["total"] >= 3
    assert any(" slots: GLIDE" in problem for problem in scene.main()["problems"])


def test_entries(scene: FrontendHarness) -> None:
    good = served(scene)
    for number, change in enumerate(hostile({}, ENTRY_FIELDS)):
        scene.entries[WMS][f"bad{number}"] = {**change, "MyAddress": f"<10.0.0.3:{number}>"}
    found = served(scene)
    assert set(found) == set(good) and all(found[e][1] > 0 for e in "BC")
    told = {ad["GlideFactoryName"] for ad in scene.user.ads("glideresource")}
    assert {at(e) for e in "ABC"} <= told, "the resources of the good entries are told as well"
    assert any("malformed and left out" in problem for problem in scene.main()["problems"])


def test_keys(scene: FrontendHarness) -> None:
    good = served(scene)
    ad = GlideFactoryGlobal(
        name="other@factory",
        factory_name="factory",
        glidein_name="other",
        key_id=KEY.public.key_id,
        key_pem=KEY.public.pem,
    ).to_ad()
    fields = ["Name", "PubKeyType", "PubKeyValue", "PubKeyID", "GlideinName", "FactoryName"]
    for number, attributes in enumerate(hostile(ad, fields, "Name")):
        scene.pools[WMS].put({**attributes, "MyAddress": f"<10.0.0.4:{number}>"}, identity=FACTORY)
    assert served(scene) == good


def test_answers(scene: FrontendHarness) -> None:
    good = served(scene)
    ad = {
        "MyType": "glidefactoryclient",
        "GlideinMyType": "glidefactoryclient",
        "Name": "x",
        "ReqGlidein": at("A"),
        "ReqClientName": "fe.main",
        "GlideinMonitorTotalStatusIdle": 3,
    }
    for number, attributes in enumerate(
        hostile(ad, [*list(ad)[2:], "GlideinMonitorStatus_ReasonText"], "Name")
    ):
        own = {**attributes, "MyAddress": f"<10.0.0.5:{number}>"}
        scene.pools[WMS].put(own, "UPDATE_LICENSE_AD", FACTORY)
    assert served(scene) == good


def test_schedd_ads(scene: FrontendHarness) -> None:
    good = served(scene)
    ad = {"MyType": "Scheduler", "Name": "bad", "MyAddress": "<10.0.0.6:1>", "MaxJobsRunning": 10}
    fields = [
        "Name",
        "MyAddress",
        "TotalRunningJobs",
        "MaxJobsRunning",
        "CurbMatchmaking",
        "TransferQueueNumUploading",
        "TransferQueueMaxUploading",
    ]
    for attributes in hostile(ad, fields, "Name"):
        scene.user.put(attributes, "UPDATE_SCHEDD_AD")
    assert served(scene) == good


# as many as it takes at `MAX_COMMANDS_PER_CYCLE`
MOST_CYCLES = 3


def test_commands(scene: FrontendHarness) -> None:
    good = served(scene)
    box = scene.base / "work/state/requests"
    for number, content in enumerate(JSON.values()):
        (box / f"{number:032x}.json").write_bytes(content)
    for number, value in enumerate(VALUES.values()):
        if isinstance(value, str | int | float | bool | list | dict):
            for field in ("id", "verb", "args", "who", "time"):
                word = {
                    "id": "x",
                    "verb": "remove",
                    "args": {"level": "nonsense"},
                    "who": "me",
                    "time": 1.0,
                }
                (box / f"{field}{number:030x}.json").write_text(json.dumps({**word, field: value}))
    (box / "link.json").symlink_to("/dev/zero")
    for _ in range(MOST_CYCLES):
        assert served(scene) == good
    assert not [p for p in box.glob("*.json") if not p.name.endswith(".answer.json")]


@pytest.mark.parametrize("kind", ["scitoken", "grid_proxy", "username_password", "auth_file"])
def test_credentials(scene: FrontendHarness, kind: str) -> None:
    good = served(scene)
    bad = []
    for number, text in enumerate([*TOKENS.values(), *map(str, VALUES.values())]):
        path = scene.base / f"bad{number}"
        path.write_bytes(text.encode(errors="replace"))
        bad.append(
            CredentialPolicy(
                str(path), kind, "elsewhere", "fe", absfname=str(path), keyabsfname=str(path)
            )
        )
    groups = [replace(g, credentials=(*bad, *g.credentials)) for g in scene.policy.groups]
    scene.write(groups=tuple(groups))
    scene.runner.reload()
    assert served(scene) == good
