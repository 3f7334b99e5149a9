"""Our request ads, built from the inputs that the deployed Frontend had, against the ads it wrote (golden-wire)."""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.apply import request_ads
from glideinwms.frontend.collect.queries import factory_ads
from glideinwms.frontend.policy import (
    Expression,
    FrontendPolicy,
    GroupLimits,
    GroupPolicy,
    MaxCurb,
    StageTriple,
    WmsPool,
)
from glideinwms.lib.wire import Seal, parse_long_form
from glideinwms.lib.wire.crypto import PublicKey, SymmetricKey
from glideinwms.lib.wire.names import RequestName

PACKED = Path(__file__).parents[3] / "data" / "golden-wire" / "golden-wire.tgz"
CYCLES = {
    "main-cycle1": "03-fe-main-cycle1-requests.ad",
    "main-cycle2": "09-fe-main-cycle2-requests.ad",
    "special-cycle1": "05-fe-special-cycle1-requests.ad",
    "special-cycle2": "11-fe-special-cycle2-requests.ad",
}
KEYS = ("ReqEncKeyCode",)  # RSA-OAEP is random; everything else must be equal
OURS = ("GlideinWMSVersion",)


def member(name: str) -> str:
    with tarfile.open(PACKED) as tar:
        found = next(m for m in tar.getmembers() if m.name.endswith(name))
        file = tar.extractfile(found)
        assert file is not None
        return file.read().decode()


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(member("ads/expected.json"))
    return data


@pytest.fixture(scope="module")
def public() -> PublicKey:
    return PublicKey.from_pem(member("crypto/rsa.pub.pem"))


def seal_of(inputs: dict[str, Any], public: PublicKey) -> Seal:
    key = SymmetricKey.from_code(inputs["sym_key_code"])
    return Seal(key, public.key_id, public.wrap(key.code()), key.encrypt_hex(inputs["identity"]))


def policy_of(ad: dict[str, Any], inputs: dict[str, Any]) -> tuple[FrontendPolicy, GroupPolicy]:
    """The policy that stands behind a golden glideclient: its stage and limits are the
    configuration's.
    """
    c = {k[len("GlideinConfig") :]: v for k, v in ad.items() if k.startswith("GlideinConfig")}

    def curb(name: str, suffix: str = "") -> MaxCurb:
        who, what = name.split(":")
        return MaxCurb(c[f"{who}Max{what}{suffix}"], c[f"{who}Curb{what}{suffix}"])

    limits = GroupLimits(
        max_running=c["GroupMaxRunningPerEntry"],
        min_running=c["GroupMinRunningPerEntry"],
        max_idle=c["GroupMaxIdlePerEntry"],
        reserve_idle=c["GroupReserveIdlePerEntry"],
        idle_vms_per_entry=MaxCurb(c["GroupMaxIdleVMsPerEntry"], c["GroupCurbIdleVMsPerEntry"]),
        running_total=curb("Group:RunningTotal"),
        idle_vms_total=curb("Group:IdleVMsTotal"),
    )
    params = inputs["requests"][0]["glidein_params"]
    own = {k: v for k, v in params.items() if k not in ("GLIDEIN_Collector", "GLIDECLIENT_ReqNode")}
    group = GroupPolicy(
        name=ad["GroupName"],
        enabled=True,
        security_name=inputs["security_name"],
        stage=StageTriple(
            ad["WebGroupURL"], ad["WebGroupDescriptFile"], ad["WebGroupDescriptSign"]
        ),
        match=(Expression("True", "test"),),
        job_query="True",
        factory_query="True",
        start_expr="True",
        job_attrs=(),
        factory_attrs=(),
        schedds=(),
        wms_pools=(WmsPool(*inputs["factory_pool"]),),
        credentials=(),
        params=own,
        attrs={},
        limits=limits,
    )
    policy = FrontendPolicy(
        schema=1,
        generation="g",
        version="v",
        frontend_name=ad["FrontendName"],
        work_dir="",
        stage_dir="",
        log_dir="",
        monitoring_url=ad["WebMonitoringURL"],
        user_collector="",
        pilot_collectors=params["GLIDEIN_Collector"],
        pilot_ccbs="",
        passwords_dir="",
        tokens_dir="",
        stage=StageTriple(ad["WebURL"], ad["WebDescriptFile"], ad["WebDescriptSign"]),
        groups=(group,),
        running_total=curb("Frontend:RunningTotal"),
        idle_vms_total=curb("Frontend:IdleVMsTotal"),
        running_total_global=curb("Frontend:RunningTotal", "Global"),
        idle_vms_total_global=curb("Frontend:IdleVMsTotal", "Global"),
    )
    return policy, group


def published(c: dict[str, Any], contents: dict[str, str]) -> request_ads.PublishedAds:
    words = c["type"].split("+")
    sealed = {}
    ids = {"key_pair": ("PublicKey", "PrivateKey"), "username_password": ("Username", "Password")}
    for word, (public, private) in ids.items():
        if word in words:
            sealed |= {public: c["id"], private: c["id_of_key_file"]}
    one = {"grid_proxy": "SubmitProxy", "scitoken": "ScitokenId", "auth_file": "AuthFile"}
    sealed |= {name: c["id"] for word, name in one.items() if word in words}
    if c["pilot_file"]:
        sealed["GlideinProxy"] = c["id_of_pilot_file"]
    sealed |= {n: c[k] for n, k in (("VMId", "vm_id"), ("VMType", "vm_type")) if c[k]}
    ids_here = [i for i in (c["id"], c["id_of_key_file"], c["id_of_pilot_file"]) if i]
    files = tuple((i, contents[i].encode()) for i in ids_here if i in contents)
    return request_ads.PublishedAds(c["id"], c["name_hash"], c["security_class"], files, sealed)


def without(ad: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in ad.items() if k not in KEYS + OURS}


def wire(name: str) -> list[dict[str, Any]]:
    """The ads of a golden file, values typed as written."""
    return list(parse_long_form(member(f"ads/{name}")))


@pytest.mark.parametrize("cycle", CYCLES)
def test_requests_equal_the_deployed_ones(
    cycle: str, expected: dict[str, Any], public: PublicKey
) -> None:
    inputs = expected["frontend_inputs"][cycle]
    golden = wire(CYCLES[cycle])
    opened = next(f for f in expected["files"] if f["file"] == CYCLES[cycle])["ads"]
    contents = next(a for a in opened if a["MyType"] == "glideclientglobal")["decrypted"]
    credentials = {c["name_hash"]: published(c, contents) for c in inputs["credentials"]}
    sealed = seal_of(inputs, public)
    policy, group = policy_of(next(a for a in golden if a["MyType"] == "glideclient"), inputs)
    seen = 0
    for want in golden:
        if want["MyType"] == "glideclientglobal":
            got = request_ads.global_ad(
                policy,
                group,
                want["Name"].removesuffix("@" + want["ClientName"]),
                sealed,
                list(credentials.values()),
                "master",
            ).to_ad()
        else:
            request = next(r for r in inputs["requests"] if r["args"][1] == want["ReqName"])
            credential = credentials[want["Name"].split("_", 1)[0]]
            per = request["glidein_monitors_per_cred"].get(credential.id, {})
            monitor = {
                **request["glidein_monitors"],
                **{k: v for k, v in per.items() if k != "ScaledRunning"},
            }
            monitor |= (
                {"RunningHere": per["GlideinsRunning"], "Running": per["ScaledRunning"]}
                if per
                else {}
            )
            numbers = request_ads.AdNumbers(
                want["ReqIdleGlideins"],
                want["ReqMaxGlideins"],
                request["remove_excess_str"],
                request["remove_excess_margin"],
                request["args"][5],
                monitor,
            )
            got = request_ads.client_ad(
                policy,
                group,
                group.wms_pools[0],
                RequestName.parse(want["ReqName"]),
                sealed,
                credential,
                numbers,
                request["glidein_params_to_encrypt"],
                "master",
            ).to_ad()
        assert without(got) == without(want), want["Name"]
        assert got["ReqEncKeyCode"] != "" and len(str(got["ReqEncKeyCode"])) == len(
            want["ReqEncKeyCode"]
        )
        seen += 1
    assert seen == len(golden) > 1


def test_nothing_secret_leaves_without_a_key(expected: dict[str, Any]) -> None:
    inputs = expected["frontend_inputs"]["main-cycle1"]
    golden = wire("03-fe-main-cycle1-requests.ad")
    policy, group = policy_of(next(a for a in golden if a["MyType"] == "glideclient"), inputs)
    secret = request_ads.PublishedAds("ID", "H", "class", (("ID", b"very secret"),))
    ad = request_ads.global_ad(policy, group, "i@f", None, [secret], "master").to_ad()
    assert not [k for k in ad if k.startswith(("GlideinEncParam", "Req"))]


def test_empty_values_are_never_sealed(expected: dict[str, Any], public: PublicKey) -> None:
    inputs = expected["frontend_inputs"]["main-cycle1"]
    golden = wire("03-fe-main-cycle1-requests.ad")
    policy, group = policy_of(next(a for a in golden if a["MyType"] == "glideclient"), inputs)
    credential = request_ads.PublishedAds("ID", "H", "class", (("ID", b""),), {"VMId": ""})
    ad = request_ads.client_ad(
        policy,
        group,
        group.wms_pools[0],
        RequestName("e", "i", "f"),
        seal_of(inputs, public),
        credential,
        request_ads.AdNumbers(1, 1),
        {"e.idtoken": ""},
        "master",
    )
    assert set(ad.enc_params) == {"SecurityClass", "SecurityName"}


@pytest.mark.parametrize(
    "name", ["04-fe-main-cycle1-glideresource.ad", "10-fe-main-cycle2-glideresource.ad"]
)
def test_resources_equal_the_deployed_ones(name: str, expected: dict[str, Any]) -> None:
    reader = json.loads(member("ads/frontend-reader.json"))
    entries = {row["key"][1]: row["value"] for row in reader["query_entries"]}
    clients = {
        re.sub(r"@vofe-1\.main$", "", row["key"][1]): row["value"]
        for row in reader["query_factoryclients"]
    }
    inputs = expected["frontend_inputs"]["main-cycle1"]
    golden = wire("03-fe-main-cycle1-requests.ad")
    policy, group = policy_of(next(a for a in golden if a["MyType"] == "glideclient"), inputs)
    cycle2 = name.startswith("10")
    factory = wire("07-factory-entries-after-work.ad" if cycle2 else "02-factory-entries-first.ad")
    monitors = {ad["Name"]: factory_ads.split(ad)["monitor"] for ad in factory}
    for want in wire(name):
        entry = entries[want["GlideFactoryName"]]
        vector = [want[f"GlideClientMonitor{k}"] for k in request_ads.VECTOR]
        prefixes = ("GlideClientLimit", "GlideClientCurb")
        strings = {
            k.removeprefix(p): v for p in prefixes for k, v in want.items() if k.startswith(p)
        }
        monitor = clients.get(want["GlideFactoryName"], {}).get("monitor", {}) if cycle2 else {}
        got = request_ads.resource_ad(
            policy,
            group,
            want["GlideFactoryName"],
            entry["attrs"],
            monitors[want["GlideFactoryName"]],
            monitor,
            vector,
            strings,
            want["GLIDEIN_In_Downtime"] == "True",
            "master",
            0,
        ).to_ad()
        texts = [k for k in want if re.match("GlideClient(Matching|Constraint)", k)]
        ignore = {*OURS, *texts}
        assert {k: v for k, v in got.items() if k not in ignore} == {
            k: v for k, v in want.items() if k not in ignore
        }
        assert set(texts) <= set(got)


def test_the_four_expressions_of_a_resource(expected: dict[str, Any]) -> None:
    golden = wire("03-fe-main-cycle1-requests.ad")
    policy, group = policy_of(golden[-1], expected["frontend_inputs"]["main-cycle1"])
    law = (Expression("a", "global"), Expression("b", "group"))
    group = replace(
        group, match=law, job_query="(g) && (p)", factory_query="(f)", start_expr="(s) && (t)"
    )
    ad = request_ads.resource_ad(
        policy, group, "E@i@f", {}, {}, {}, [0] * 17, {}, False, "master", 0
    ).to_ad()
    assert [
        ad[f"GlideClient{n}Expr"]
        for n in (
            "MatchingGlideinCondor",
            "ConstraintJobCondor",
            "MatchingInternalPython",
            "ConstraintFactoryCondor",
        )
    ] == [
        "(a) and (b)",
        "(g) && (p)",
        "(f)",
        "(s) && (t)",
    ]
