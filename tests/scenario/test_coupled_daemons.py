"""Frontend and Factory together, many cycles in seconds: jobs become pilots, and secrets stay where they belong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from glideinwms.cli.main import main as gwms
from glideinwms.lib.condor.htc import Expr
from glideinwms.lib.credentials.ids import credential_id
from glideinwms.lib.credentials.tokens import Signer, claims_of
from glideinwms.lib.daemon import audit, log, operator_commands, status
from glideinwms.lib.errors import CryptoError
from glideinwms.lib.files import write_atomic
from tests.scenario.coupled_daemons import FRONTEND, PASSWORD, SCITOKEN, WMS, CoupledDaemons
from tests.support import secret_scan


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[CoupledDaemons]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.setup("both", tmp_path / "logs", level="DEBUG", console=False)
    yield CoupledDaemons(tmp_path)
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level


def seen(pair: CoupledDaemons, who: str) -> status.Status:
    return status.read(pair.base / who / "state/status.json")


def no_errors(pair: CoupledDaemons) -> None:
    for who in ("factory", "frontend"):
        assert seen(pair, who).error == "", seen(pair, who).error


def test_idle_jobs_become_pilots_and_no_more_than_are_wanted(pair: CoupledDaemons) -> None:
    pair.jobs.add(7, Wants="x")
    for _ in range(12):
        pair.turn()
        no_errors(pair)
        pair.queue.set("JobStatus == 1", JobStatus=2, GridJobStatus="RUNNING")
    most = pair.wms.ads("glideclient")[0]["ReqMaxGlideins"]
    assert 7 <= most <= 10 and pair.queue.count() == most, (
        "as many as are asked for, in some turns, and none more"
    )
    job = next(iter(pair.queue.jobs.values()))
    assert (
        job["GlideinClient"] == "fe.main"
        and job["GlideinEntryName"] == "A"
        and job["JobUniverse"] == 9
    )
    assert len({job["GlideinSubmitId"] for job in pair.queue.jobs.values()}) > 1
    assert {ad["Name"] for ad in pair.wms.ads("glidefactory")} == {"A@inst@fact"}
    assert [ad["GlideClientName"] for ad in pair.user.ads("glideresource")] == ["fe.main"]


def test_a_policy_file_decides_which_jobs_become_pilots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.py"
    path.write_text(
        "def match(job, glidein):\n    return job['Wants'] + glidein['attrs']['GLIDEIN_Site'][-1] == 'yesA'\n"
    )
    pair = CoupledDaemons(tmp_path, policy_files=(str(path),))
    pair.jobs.add(2, Wants="yes")
    pair.jobs.add(9, Wants="no")
    pair.turn(4)
    no_errors(pair)
    assert pair.wms.ads("glideclient")[0]["ReqMaxGlideins"] == 3 and 0 < pair.queue.count() <= 3
    words = [
        "frontend",
        "explain",
        "--work-dir",
        str(pair.base / "frontend"),
        "--class",
        "RequestCpus=1",
        "--class",
    ]
    with pytest.raises(SystemExit, match=r"^1$"):
        gwms([*words, "Wants=no"])
    assert f"A@inst@fact: policy {path}:match returned False" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"^0$"):
        gwms([*words, "Wants=yes"])
    path.write_text("def match(job, glidein):\n    return False\n")
    pair.turn(1)
    no_errors(pair)
    assert pair.wms.ads("glideclient")[0]["ReqIdleGlideins"] == 0, (
        "what is changed counts with the next cycle"
    )


GENERATOR = """
import jwt
def get_credential(logger, group, entry, trust_domain):
    if FAILS:
        raise RuntimeError("the issuer is away")
    claims = {"sub": f"{group} {entry['name']}", "aud": entry["gatekeeper"].split()[-1], "exp": 4_000_000_000}
    return jwt.encode(claims, b"an-issuers-own-secret-of-some-length"), 3600
"""


def test_what_a_generator_makes_for_an_entry_opens_its_ce(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = CoupledDaemons(tmp_path, generator=GENERATOR.replace("FAILS", "False"))
    pair.jobs.add(3, Wants="x")
    pair.turn(5)
    no_errors(pair)
    assert pair.queue.count() > 0
    job = next(iter(pair.queue.jobs.values()))
    claims = claims_of(Path(str(job["ScitokensFile"])).read_text())
    [shown] = seen(pair, "frontend").summary["groups"]["main"]["credentials"]
    assert (shown["made_by"], shown["made"]) == ("mine", 1)
    with pytest.raises(SystemExit):
        gwms(["frontend", "status", "--work-dir", str(pair.base / "frontend")])
    assert (
        "credential mine (scitoken, demo): made by generator mine, cached for 1 of its entries"
        in capsys.readouterr().out
    )
    assert claims["sub"] == "main A" and job["GlideinCredentialIdentifier"] == credential_id("mine")
    assert claims["aud"] == str(pair.wms.ads("glidefactory")[0]["GLIDEIN_Gatekeeper"]).split()[-1]


def test_a_generator_that_fails_asks_for_nothing_and_says_why(tmp_path: Path) -> None:
    pair = CoupledDaemons(tmp_path, generator=GENERATOR.replace("FAILS", "True"))
    pair.jobs.add(3, Wants="x")
    pair.turn(3)
    no_errors(pair)
    assert pair.queue.count() == 0 and pair.wms.ads("glideclient") == []
    [problem] = seen(pair, "frontend").summary["groups"]["main"]["problems"]
    assert "generator mine made nothing that is valid: RuntimeError: the issuer is away" in problem
    write_atomic(
        pair.base / "frontend/plugin.d/mine.py", GENERATOR.replace("FAILS", "False") + "# mended"
    )
    pair.turn(3)
    assert pair.queue.count() > 0


def test_a_stop_withdraws_every_ad(pair: CoupledDaemons) -> None:
    pair.jobs.add(2, Wants="x")
    pair.turn(4)
    assert (
        pair.wms.ads("glideclient")
        and pair.wms.ads("glidefactory")
        and pair.wms.ads("glidefactoryglobal")
    )
    for one in (pair.frontend, pair.factory):
        one.daemon.stop(one.policy)
    pair.world.clock.advance(1)
    kinds = (
        "glidefactory",
        "glidefactoryglobal",
        "glidefactoryclient",
        "glideclient",
        "glideclientglobal",
    )
    assert not [k for k in kinds if pair.wms.ads(k)]
    assert not pair.user.ads("glideresource") and not pair.user.ads("glidefrontendmonitor")


def test_another_identity_with_a_copied_request_gets_nothing(pair: CoupledDaemons) -> None:
    pair.jobs.add(5, Wants="x")
    pair.turn(1)
    copies = [{**ad, "Name": f"X{ad['Name']}"} for ad in pair.wms.ads("glideclient")]
    assert copies and pair.queue.count() == 0
    pair.frontend.daemon.stop(pair.frontend.policy)
    pair.world.clock.advance(1)
    for ad in copies:
        pair.wms.put(ad, "UPDATE_MASTER_AD", "evil@wms.demo")
    pair.factory.once()
    assert pair.queue.count() == 0 and seen(pair, "factory").error == ""
    pair.wms.put(copies[0], "UPDATE_MASTER_AD", FRONTEND)
    pair.world.clock.advance(60)
    pair.factory.once()
    assert pair.queue.count() > 0, "the same from its owner is served"


def test_malformed_requests_stop_no_other(pair: CoupledDaemons) -> None:
    pair.jobs.add(5, Wants="x")
    pair.turn(2)
    good = pair.wms.ads("glideclient")[0]
    bad = [
        {**good, "ReqIdleGlideins": "many"},
        {**good, "ReqIdleGlideins": Expr("1/0")},
        {**good, "ReqEncKeyCode": "zz"},
        {**good, "ClientName": "../../etc"},
        {**good, "GlideinEncParamSecurityName": "00" * 16},
        {**good, "GlideinParamX": "a\nexecutable = /bin/evil"},
        {**good, "WebSignType": [1, 2]},
        {"MyType": "glideclient", "GlideinMyType": "glideclient", "ReqGlidein": good["ReqGlidein"]},
    ]
    for number, ad in enumerate(bad):
        pair.wms.put(
            {**ad, "Name": f"BAD{number}_{good['ReqName']}@fe.main"}, "UPDATE_MASTER_AD", FRONTEND
        )
    pair.turn(3)
    no_errors(pair)
    assert (
        pair.queue.count() >= 1
        and sum(seen(pair, "factory").summary["refused"].values()) == len(bad) - 1
    )
    assert all(job["Cmd"].endswith("glidein_startup.0.sh") for job in pair.queue.jobs.values())


def test_no_secret_leaves_its_place(pair: CoupledDaemons) -> None:
    """Neither records, status, logs, audit, ads in the clear, job ads nor readings hold a token or
    a key.
    """
    pair.jobs.add(5, Wants="x")
    pair.turn(6)
    # things go wrong as well: their messages are where secrets leak
    good = pair.wms.ads("glideclient")[0]
    pair.wms.put(
        {**good, "ReqEncIdentity": "00" * 16, "Name": "B1_A@inst@fact@fe.main"},
        "UPDATE_MASTER_AD",
        FRONTEND,
    )
    pair.wms.put(
        {**good, "GlideinEncParamBad": "11" * 16, "Name": "B2_A@inst@fact@fe.main"},
        "UPDATE_MASTER_AD",
        FRONTEND,
    )
    operator_commands.put(pair.base / "factory/state/requests", "nonsense", {"a": "b"})
    pair.turn(2)
    pair.queue.hung_after = True
    pair.jobs.add(30, Wants="x")
    pair.turn(2)
    pair.queue.hung_after, pair.queue.down, pair.jobs.down = False, True, True
    pair.turn(2)
    (pair.base / "frontend/ce.scitoken").chmod(0o600)
    made = [p.read_text().strip() for p in (pair.base / "factory/proxies").rglob("*.idtoken")]
    assert len(made) == 1 and claims_of(made[0])["sub"].startswith("SiteA@")
    signer = Signer.load(pair.base / "frontend/passwords.d/FRONTEND", "user.demo")
    key = pair.factory.daemon.keys[0]
    known: dict[str, str | bytes] = {
        "the CE's token": SCITOKEN,
        "the pilot's token": made[0],
        "the signing key": PASSWORD,
        "the master key": signer.key,
        "the Factory's key": (pair.base / "factory/rsa.key").read_bytes(),
    }
    for number, ad in enumerate(pair.wms.ads("glideclient")):
        try:
            symmetric = key.unwrap(str(ad["ReqEncKeyCode"]))
        except CryptoError:
            continue
        known[f"symmetric key {number}"] = symmetric.key
    assert sum(n.startswith("symmetric") for n in known) >= 1

    def may(path: Path) -> bool:
        own = {"rsa.key", "rsa.key.bak", "ce.scitoken", "FRONTEND"}
        return path.name in own or "proxies" in path.parts

    assert secret_scan.in_files(pair.base, known, may) == []
    stored = [p for p in (pair.base / "factory/proxies").rglob("credential_*") if p.is_file()]
    assert any(SCITOKEN in p.read_text() for p in stored), "they did travel"
    every = [*pair.wms.ads(), *pair.user.ads()]
    assert secret_scan.in_data("ads", every, known) == []
    jobs = [dict(job.items()) for job in pair.queue.jobs.values()]
    assert jobs and secret_scan.in_data("job ads", jobs, known) == []
    for who in ("factory", "frontend"):
        assert secret_scan.in_data(who, seen(pair, who), known) == []
        assert secret_scan.in_data(f"repr of the {who}", getattr(pair, who).daemon, known) == []
    calls = [c for pool in (pair.factory_pool, pair.frontend_pool) for c in pool.calls]
    assert (
        len(calls) > 50
        and secret_scan.in_data("calls", [(c.endpoint, c.function, c.args) for c in calls], known)
        == []
    )
    assert list(audit.read(pair.base / "factory/state/audit.jsonl", act="submit"))
    assert (pair.base / "logs/both.log").stat().st_size > 1000


def test_both_sides_agree_on_what_the_wire_carries(pair: CoupledDaemons) -> None:
    pair.jobs.add(3, Wants="x")
    pair.turn(3)
    told = {ad["MyType"] for ad in (*pair.wms.ads(), *pair.user.ads())}
    assert {
        "glidefactory",
        "glidefactoryglobal",
        "glidefactoryclient",
        "glideclient",
        "glideclientglobal",
        "glideresource",
        "glidefrontendmonitor",
    } <= told
    assert {ad["AuthenticatedIdentity"] for ad in pair.wms.ads("glideclient")} == {FRONTEND}
    assert pair.wms.address == WMS
