"""The deployed Frontend's requests through our checks, against what the deployed Factory stored and passed on."""

from __future__ import annotations

import base64
import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.collect.request_validation import RequestValidator
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy, FrontendTrust, Limits, StageTriple
from glideinwms.factory.snapshot import Request
from glideinwms.factory.submit.arguments import arguments
from glideinwms.factory.submit.cloud import user_data
from glideinwms.factory.submit.description import SubmitSpec, sub_entries
from glideinwms.lib.wire import parse_long_form
from glideinwms.lib.wire.crypto import FactoryKey
from tests.unit.factory.builders import ROOMY, policy

PACKED = Path(__file__).parents[2] / "data" / "golden-wire" / "golden-wire.tgz"
CYCLE1 = ("03-fe-main-cycle1-requests.ad", "05-fe-special-cycle1-requests.ad")
SENT = [
    "00-AWS_Gamma-vofe-1.main",
    "01-AWS_Gamma-vofe-1.special",
    "02-CMS_T2_XX_Alpha_ce01-vofe-1.special",
    "03-OSG-Beta.ce-02-vofe-1.main",
]
DEFAULTS = {
    "GLIDEIN_Report_Failed": "NEVER",
    "CONDOR_OS": "default",
    "CONDOR_ARCH": "default",
    "CONDOR_VERSION": "default",
    "GLIDEIN_Collector": "Fake",
}
NOW = 1795347008.0


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("golden")
    with tarfile.open(PACKED) as tar:
        tar.extractall(base)
    return next(base.rglob("ads")).parent


def entry(
    golden: Path, name: str, auth: str, grid: str, layout: str, domain: str, **params: str
) -> EntryPolicy:
    captured = [
        json.loads(p.read_text()) for p in sorted((golden / "args").glob(f"*-{name}-*.json"))
    ]
    env = captured[0]["environment"] if captured else {"ENTRY_DESCRIPT": "", "ENTRY_SIGN": ""}
    return EntryPolicy(
        name,
        True,
        "schedd_glideins1@gfactory.example.org",
        "ce",
        grid,
        auth,
        domain,
        StageTriple("", env["ENTRY_DESCRIPT"], env["ENTRY_SIGN"]),
        ROOMY,
        Limits(5000, 100, 50),
        {},
        {},
        {**DEFAULTS, **params},
        slots_layout=layout,
        work_dir="AUTO",
    )


@pytest.fixture(scope="module")
def factory(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> FactoryPolicy:
    known = (
        FrontendTrust(
            "fe_service",
            "vofrontend@fe.example.org",
            {"frontend": "feuser", "group_special": "feuser_sp"},
        ),
        FrontendTrust("other_service", "other@fe2.example.org", {"frontend": "otheruser"}),
    )
    entries = (
        entry(
            golden,
            "CMS_T2_XX_Alpha_ce01",
            "grid_proxy",
            "condor",
            "partitionable",
            "grid",
            GLIDEIN_Job_Max_Time="34800",
        ),
        entry(golden, "OSG-Beta.ce-02", "scitoken", "condor", "partitionable", "OSG"),
        entry(
            golden,
            "AWS_Gamma",
            "key_pair+vm_id+vm_type",
            "ec2",
            "fixed",
            "cloud",
            VM_MAX_LIFETIME="7200",
        ),
        entry(golden, "GCE_Delta", "auth_file+vm_id+vm_type", "gce", "partitionable", "cloud-g"),
    )
    env = json.loads((golden / "args" / f"{SENT[0]}.json").read_text())["environment"]
    stage = StageTriple(env["GLIDEIN_WEB_URL"], env["MAIN_DESCRIPT"], env["MAIN_SIGN"])
    return policy(
        tmp_path_factory.mktemp("factory"),
        *entries,
        factory_name="OSGfactory",
        glidein_name="gfactory_v3",
        frontends=known,
        stage=stage,
    )


@pytest.fixture(scope="module")
def rows(golden: Path, factory: FactoryPolicy) -> dict[str, Request]:
    """Our rows by name, after storing what the global ads brought."""
    pair = FactoryKey.load(golden / "crypto/rsa.key")
    judge = RequestValidator(factory, {pair.public.key_id: pair}, NOW)
    stamp = {"AuthenticatedIdentity": "vofrontend@fe.example.org", "LastHeardFrom": int(NOW)}
    ads = [
        {**a, **stamp}
        for name in CYCLE1
        for a in parse_long_form((golden / "ads" / name).read_text())
    ]
    for ad in ads:
        if ad["GlideinMyType"] == "glideclientglobal":
            for item in judge.credentials(ad):
                judge.store.store_credential(item.owner, item.client, item.cred_id, item.data)
    return {str(a["Name"]): judge.request(a) for a in ads if a["GlideinMyType"] == "glideclient"}


def test_same_files_are_stored(
    golden: Path, factory: FactoryPolicy, rows: dict[str, Request]
) -> None:
    deployed = json.loads((golden / "ads/factory-reader.json").read_text())["credential_files"]
    base = Path(factory.client_proxies_dir)
    for name, file in deployed.items():
        path = ours_of(base, name)
        text = path.read_text()
        if name.endswith("_compressed"):
            assert unpacked(text) == unpacked(file["content"])
        else:
            assert text == file["content"], name
        assert path.stat().st_mode & 0o777 == int(file["mode"], 8)
    assert set(base.rglob("credential_*")) == {ours_of(base, name) for name in deployed}


def ours_of(base: Path, deployed: str) -> Path:
    """Where we keep a file of the deployed Factory: in a directory of its Frontend's own."""
    path = base / Path(deployed).relative_to("/var/lib/gwms-factory/client-proxies")
    return path.parent / "frontend_fe_service" / path.name


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text.rpartition("glidein_credentials=")[2]))


@pytest.mark.parametrize("name", SENT)
def test_same_command_line_and_files(
    name: str, golden: Path, factory: FactoryPolicy, rows: dict[str, Request], tmp_path: Path
) -> None:
    sent = json.loads((golden / "args" / f"{name}.json").read_text())
    row = rows[sent["request_ad"]]
    assert row.refusal is None, row.refusal
    env = sent["environment"]
    assert (row.credential, row.username) == (env["GLIDEIN_CREDENTIAL_ID"], sent["username"])
    assert (row.security_key, row.idle_lifetime) == (
        env["GLIDEIN_FRONTEND_NAME"],
        env["GLIDEIN_IDLE_LIFETIME"],
    )
    e = next(e for e in factory.entries if e.name == sent["entry"])
    [sub] = sub_entries(e)
    cloud = e.gridtype == "ec2"
    line = arguments(factory, e, sub, row, numbered=not cloud)
    assert line == (golden / "args" / f"{name}.args.txt").read_text().rstrip("\n")
    if cloud:
        order = SubmitSpec(factory, e, sub, row, "id", "20261122")
        assert (
            user_data(order).strip()
            == (golden / "args" / f"{name}.user-data.ini").read_text().strip()
        )
    compare_files(row, env, Path(factory.client_proxies_dir))


def compare_files(row: Request, env: dict[str, Any], base: Path) -> None:
    roles = {
        "IDTOKENS_FILE": "idtoken",
        "SCITOKENS_FILE": "scitoken",
        "ACCESS_KEY_FILE": "public_key",
        "SECRET_KEY_FILE": "private_key",
        "GLIDEIN_PROXY_FNAME": "glidein_proxy",
    }
    for variable, role in roles.items():
        if variable in env:
            assert row.files[role] == str(ours_of(base, env[variable])), role
    if "IMAGE_ID" in env:
        assert (row.extra["VMId"], row.extra["VMType"]) == (env["IMAGE_ID"], env["INSTANCE_TYPE"])


def test_same_requests_are_served(golden: Path, rows: dict[str, Request]) -> None:
    read = json.loads((golden / "ads/factory-reader.json").read_text())["findGroupWork"]
    for requests in read.values():
        for name, deployed in requests.items():
            row = rows[name]
            assert row.idle == deployed["requests"]["IdleGlideins"]
            assert row.max_glideins == deployed["requests"]["MaxGlideins"]
            assert {k: row.params[k] for k in deployed["params"]} == deployed["params"]
            assert row.monitor == deployed["monitor"]
