"""Our glidefactory(+global, +client) ads from the deployed Factory's own configuration, against the ads it wrote."""

from __future__ import annotations

import ast
import tarfile
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.apply.ads import EntryReport, client_ads, entry_ad, global_ad
from glideinwms.factory.plan import FactoryEntryPlan, RequestPlan, StatusCounts
from glideinwms.factory.policy import (
    EntryPolicy,
    FactoryPolicy,
    Limits,
    StageTriple,
    SubmitAttribute,
)
from glideinwms.factory.snapshot import Request
from glideinwms.lib.wire import parse_long_form
from glideinwms.lib.wire.crypto import FactoryKey
from tests.unit.factory.builders import IDENTITY, policy
from tests.unit.factory.decide.upstream import parse_class_limits

PACKED = Path(__file__).parents[2] / "data" / "golden-wire" / "golden-wire.tgz"
ENTRIES = ("CMS_T2_XX_Alpha_ce01", "OSG-Beta.ce-02", "AWS_Gamma", "GCE_Delta")
CLASSES = ("fe_service:frontend", "fe_service:group_special", "other_service:frontend")
OURS = {"GlideinWMSVersion", "DaemonStartTime", "UpdateSequenceNumber", "ReqClientIdentity"}
NOW = 1795347008.0
# which of the client's sums in glidefactoryclient is fed by which item of its requests (protocol
# 7.1)
FED = {
    "JobsIdle": "Idle",
    "JobsRunning": "Running",
    "JobsRunHere": "RunningHere",
    "GlideIdle": "GlideinsIdle",
    "GlideRunning": "GlideinsRunning",
    "GlideTotal": "GlideinsTotal",
    "CoresIdle": "GlideinsIdleCores",
    "CoresRunning": "GlideinsRunningCores",
    "CoresTotal": "GlideinsTotalCores",
}


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("golden")
    with tarfile.open(PACKED) as tar:
        tar.extractall(base)
    return next(base.rglob("ads")).parent


def table(path: Path) -> dict[str, Any]:
    """A deployed `.cfg` or `.descript` file; values of the former are Python literals."""
    rows = [
        line.partition(" \t")
        for line in path.read_text().splitlines()
        if line and not line.startswith("#")
    ]
    literal = path.suffix == ".cfg"
    return {k: ast.literal_eval(v) if literal else v for k, _, v in rows}


def load(golden: Path, name: str, sums: dict[str, Any]) -> EntryPolicy:
    work = golden / "stage/factory-workdir"
    folder = work / f"entry_{name}"
    d = table(folder / "job.descript")

    def limits(prefix: str) -> Limits:
        return Limits(*(int(d[f"{prefix}Max{k}"]) for k in ("Glideins", "Idle", "Held")))

    default = limits("DefaultPerFrontend")
    special = {k: d[f"PerFrontendMax{k}"] for k in ("Idle", "Held", "Glideins")}
    named = [k for k in CLASSES if any(f"{k};" in text for text in special.values())]
    lines = tuple(SubmitAttribute(k, str(v)) for k, v in table(folder / "submit_attrs.cfg").items())
    return EntryPolicy(
        name,
        True,
        d["Schedd"],
        d["Gatekeeper"],
        d["GridType"],
        d["AuthMethod"],
        d["TrustDomain"],
        StageTriple("", sums["WebEntryDescriptFile"], sums["WebEntryDescriptSign"]),
        limits("PerEntry"),
        default,
        parse_class_limits(
            default,
            idle=special["Idle"],
            held=special["Held"],
            glideins=special["Glideins"],
            known=named,
        ),
        {**table(work / "attributes.cfg"), **table(folder / "attributes.cfg")},
        {**table(work / "params.cfg"), **table(folder / "params.cfg")},
        published_submit_attrs=lines,
    )


def written(golden: Path, name: str) -> dict[str, dict[str, Any]]:
    return {str(ad["Name"]): ad for ad in parse_long_form((golden / "ads" / name).read_text())}


def served(theirs: dict[str, Any], client: str, entry: str) -> tuple[Request, RequestPlan]:
    """A request and its row that come to the numbers that the deployed ad tells of a client."""
    get = {k: int(theirs[f"GlideinMonitorClientMonitor{k}"]) for k in FED}
    numbers = {
        k: int(theirs[f"GlideinMonitorRequested{k}"])
        for k in ("Idle", "MaxGlideins", "AdjustedIdle")
    }
    request = Request(
        f"H_{entry}@{client}",
        entry,
        client,
        idle=numbers["Idle"],
        max_glideins=numbers["MaxGlideins"],
        last_heard=NOW,
        identity=IDENTITY,
        monitor={FED[k]: v for k, v in get.items()},
    )
    row = RequestPlan(
        request.name,
        entry,
        client,
        "",
        "",
        request.idle,
        request.max_glideins,
        numbers["AdjustedIdle"],
    )
    return request, row


@pytest.fixture(scope="module")
def ours(
    golden: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FactoryPolicy, dict[str, EntryReport]]:
    ads = written(golden, "07-factory-entries-after-work.ad")
    entries = [load(golden, n, ads[f"{n}@gfactory_v3@OSGfactory"]) for n in ENTRIES]
    one = ads["AWS_Gamma@gfactory_v3@OSGfactory"]
    stage = StageTriple(one["WebURL"], one["WebDescriptFile"], one["WebDescriptSign"])
    made = policy(
        tmp_path_factory.mktemp("f"),
        *entries,
        factory_name="OSGfactory",
        glidein_name="gfactory_v3",
        stage=stage,
    )
    clients = written(golden, "08-factory-clients.ad").values()
    told = {}
    for name in ENTRIES:
        pairs = [served(c, c["ReqClientName"], name) for c in clients if c["ReqEntryName"] == name]
        down = ads[f"{name}@gfactory_v3@OSGfactory"]
        prefix = "GlideinMonitorStatus_GlideFactoryLimit"
        limits = {
            k[len(prefix) :]: v
            for c in clients
            if c["ReqEntryName"] == name
            for k, v in c.items()
            if k.startswith(prefix)
        }
        plan = FactoryEntryPlan(
            name,
            "",
            StatusCounts(),
            {},
            limits,
            bool(down["GLIDEIN_In_Downtime"]),
            str(down["GLIDEIN_Downtime_Comment"]),
            "",
            tuple(p for _, p in pairs),
        )
        start = "GlideinMonitor"
        completed = {
            k[len(start) :]: v for k, v in down.items() if k.startswith(f"{start}CompletedJobs")
        }
        owners = {r.client: IDENTITY for r, _ in pairs}
        told[name] = EntryReport(
            plan, {r.name: r for r, _ in pairs}, completed=completed, owners=owners
        )
    return made, told


def completed(ad: dict[str, Any]) -> dict[str, Any]:
    """The statistics of finished pilots, which these ads do not come from."""
    start = "GlideinMonitor"
    return {k[len(start) :]: v for k, v in ad.items() if k.startswith(f"{start}CompletedJobs")}


def compare(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert {k: v for k, v in mine.items() if k not in OURS} == {
        k: v for k, v in theirs.items() if k not in OURS
    }
    assert {k for k in theirs if k in OURS} <= set(mine)


def test_global_ad(golden: Path, ours: tuple[FactoryPolicy, dict[str, EntryReport]]) -> None:
    [theirs] = written(golden, "01-factory-global.ad").values()
    key = FactoryKey.load(golden / "crypto/rsa.key").public
    compare(global_ad(ours[0], key, int(NOW)).to_ad(), theirs)


@pytest.mark.parametrize("name", ENTRIES)
def test_entry_ads(
    name: str, golden: Path, ours: tuple[FactoryPolicy, dict[str, EntryReport]]
) -> None:
    made, told = ours
    key = FactoryKey.load(golden / "crypto/rsa.key").public
    entry = next(e for e in made.entries if e.name == name)
    theirs = written(golden, "07-factory-entries-after-work.ad")[f"{name}@gfactory_v3@OSGfactory"]
    compare(entry_ad(made, entry, told[name], key, NOW, int(NOW)).to_ad(), theirs)
    first = written(golden, "02-factory-entries-first.ad")[f"{name}@gfactory_v3@OSGfactory"]
    down = told[name].plan
    idle = FactoryEntryPlan(
        name, "", in_downtime=down.in_downtime, downtime_comment=down.downtime_comment
    )
    nobody = EntryReport(idle, {}, completed=completed(first))
    compare(entry_ad(made, entry, nobody, key, NOW, int(NOW)).to_ad(), first)


@pytest.mark.parametrize("name", ENTRIES)
def test_client_ads(
    name: str, golden: Path, ours: tuple[FactoryPolicy, dict[str, EntryReport]]
) -> None:
    made, told = ours
    entry = next(e for e in made.entries if e.name == name)
    theirs = {
        k: a
        for k, a in written(golden, "08-factory-clients.ad").items()
        if a["ReqEntryName"] == name
    }
    mine = {a.name: a.to_ad() for a in client_ads(made, entry, told[name], NOW, {})}
    assert mine.keys() == theirs.keys()
    for key in theirs:
        compare(mine[key], theirs[key])
