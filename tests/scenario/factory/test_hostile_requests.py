"""What another Frontend can do with a Frontend's public ads: nothing that shows a secret or moves its pilots."""

from __future__ import annotations

import gzip
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.lib.bounded import MAX_REASON
from glideinwms.lib.reasons import Reason
from glideinwms.lib.wire.opening import NOT_OPENED
from tests.scenario.factory.factory_harness import FactoryHarness
from tests.unit.factory.builders import CLIENT, IDENTITY, global_ad, request_ad, seal

OTHER, STRANGER = "other@fe2.example.org", "evil@wms.demo"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2aWN0aW0ifQ.c2VjcmV0LXNpZ25hdHVyZQ"
PIECE = 12


def texts(scene: FactoryHarness) -> str:
    """All that anybody but the Factory can read: its state and logs, the collector's ads, the jobs
    in the queue.
    """
    jobs = scene.schedd.query("true", [], -1, "", "condor@fake")
    found = [json.dumps(scene.wms.ads(), default=str), *map(str, jobs)]
    for path in scene.base.rglob("*"):
        if path.is_file() and "proxies" not in path.parts and path.name != "rsa.key":
            data = path.read_bytes()
            found.append(
                (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
            )
    return "\n".join(found)


def attack(scene: FactoryHarness, ad: dict[str, Any], sender: str) -> None:
    scene.wms.put(
        {k: v for k, v in ad.items() if k not in ("LastHeardFrom", "AuthenticatedIdentity")},
        "UPDATE_MASTER_AD",
        sender,
    )


@pytest.mark.parametrize("sender", [OTHER, STRANGER])
@pytest.mark.parametrize("first", [True, False])
def test_a_secret_sent_as_an_identity_is_not_published(
    tmp_path: Path, sender: str, first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy of a public ad with the sealed token in the place of the identity, by a registered
    Frontend or anybody, before or after the Factory has seen the ad itself.
    """
    caplog.set_level(logging.DEBUG)
    s = FactoryHarness(tmp_path)
    s.ask(idle=1, token=TOKEN)
    if not first:
        s.cycle()
    public = s.asked["A fe.main"]
    for value in (
        public["GlideinEncParamfrontend_scitoken"],
        public["GlideinEncParamSecurityName"],
    ):
        attack(s, {**public, "Name": f"HASH_{value[:8]}@fe.main", "ReqEncIdentity": value}, sender)
    attack(
        s,
        {**global_ad({"SecurityName": TOKEN}, s.seal), "Name": "g", "ReqEncIdentity": value},
        sender,
    )
    s.cycle(2)
    assert s.schedd.count() == 1
    shown = texts(s) + caplog.text
    assert TOKEN in (tmp_path / "proxies").rglob("*.scitoken").__next__().read_text()
    assert not [
        TOKEN[n : n + PIECE] for n in range(len(TOKEN) - PIECE) if TOKEN[n : n + PIECE] in shown
    ]
    refused = {(r["reason"], r["text"]) for r in s.status()["refusals"]}
    assert refused == {(Reason.BAD_ENVELOPE, NOT_OPENED)}


MISTAKES: dict[str, dict[str, str | bytes]] = {
    "as the Frontend's name": {"SecurityName": TOKEN},
    "as the class": {"SecurityClass": TOKEN},
    "as the token's id": {"ScitokenId": TOKEN},
    "as a proxy's id": {"SubmitProxy": TOKEN},
    "as bytes": {"VMId": TOKEN.encode() + b"\xff"},
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("method", ["scitoken", "grid_proxy"])
def test_a_secret_under_the_wrong_name_is_not_published(
    tmp_path: Path, mistake: dict[str, str | bytes], method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A Frontend that mixes its values up is refused without showing them."""
    caplog.set_level(logging.DEBUG)
    s = FactoryHarness(tmp_path)
    s.write(entries=(replace(s.policy.entries[0], auth_method=method),))
    s.runner.reload()
    good = {"SecurityName": "fe", "SecurityClass": "frontend", "ScitokenId": "TOKENIDX"}
    attack(s, request_ad({**good, **mistake}, s.seal), IDENTITY)
    attack(
        s,
        global_ad(
            {"SecurityName": "fe", "AAAAAAAA": "x", "SecurityClassAAAAAAAA": TOKEN, **mistake}
        ),
        IDENTITY,
    )
    s.cycle(2)
    shown = texts(s) + caplog.text
    assert not [
        TOKEN[n : n + PIECE] for n in range(len(TOKEN) - PIECE) if TOKEN[n : n + PIECE] in shown
    ]


def test_reasons_are_short_wherever_they_go(tmp_path: Path) -> None:
    """A value of a megabyte is not sent on: neither in an ad nor in the status, the records or the
    log.
    """
    s = FactoryHarness(tmp_path)
    long = "http://v/stage?" + "x" * 1_000_000 + ";"
    s.ask(idle=1, web_url=long)
    s.ask(idle=1, client="fe." + "n" * 1000, group_name="g" * 1_000_000 + "\x07")
    s.cycle()
    assert {
        len(r["text"]) <= MAX_REASON and len(r["where"]) <= MAX_REASON
        for r in s.status()["refusals"]
    } == {True}
    for ad in s.wms.ads("glidefactoryclient"):
        assert len(str(ad.get("GlideinMonitorStatus_ReasonText", ""))) <= MAX_REASON
    assert (tmp_path / "work/state/status.json").stat().st_size < 100_000


def test_what_the_daemon_leaves_is_not_for_everybody(tmp_path: Path) -> None:
    """Files below the work directory may be read by the daemon's group, not by all."""
    s = FactoryHarness(tmp_path)
    s.ask(idle=1)
    s.cycle(2)
    modes = {
        p.name: p.stat().st_mode & 0o777
        for p in (tmp_path / "work/state").rglob("*")
        if p.is_file()
    }
    assert "status.json" in modes
    assert CLIENT in texts(s)
    assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o027}


def client_ads(scene: FactoryHarness) -> list[dict[str, Any]]:
    return scene.wms.ads("glidefactoryclient")


def forged(scene: FactoryHarness, security_name: str = "other", **changes: Any) -> dict[str, Any]:
    """A request of OTHER under the ClientName of fe, well sealed by OTHER."""
    secrets = {
        "SecurityName": security_name,
        "SecurityClass": "frontend",
        "ScitokenId": "I",
        "frontend_scitoken": "e.e",
    }
    return request_ad(secrets, seal(OTHER), name="HASHEVIL_A@inst@fact@fe.main", idle=7, **changes)


@pytest.mark.parametrize("first", ["owner", "other"])
@pytest.mark.parametrize("security_name", ["other", "fe"])
def test_nothing_of_another_frontend_stands_in_a_frontends_ad(
    tmp_path: Path, first: str, security_name: str
) -> None:
    """A request of somebody else under a Frontend's ClientName, served or refused, changes no word
    and no number of the ad that answers the Frontend, once it has pilots or requests of its own.
    """
    s = FactoryHarness(tmp_path)
    if first == "owner":
        s.ask(idle=2)
        s.cycle()
    attack(s, forged(s, security_name), OTHER)
    s.ask(idle=2)
    s.cycle(2)
    for _ in range(3):
        attack(s, forged(s, security_name), OTHER)
        s.cycle()
    answers = [ad for ad in client_ads(s) if ad["ReqClientName"] == CLIENT]
    [ad] = answers
    assert ad["ReqClientIdentity"] == IDENTITY
    assert (ad["GlideinMonitorRequestedIdle"], ad["GlideinMonitorStatusIdle"]) == (2, 2)
    assert OTHER not in str(ad) and ad.get("GlideinMonitorStatus_Reason") in (
        None,
        Reason.REQUEST_COVERED,
    )


def test_a_client_name_of_a_configured_frontend_cannot_be_taken_before_it_appears(
    tmp_path: Path,
) -> None:
    s = FactoryHarness(tmp_path)
    for _ in range(2):
        attack(s, forged(s), OTHER)
        s.cycle()
    assert client_ads(s) == []
    assert s.schedd.count() == 7, "its pilots are its own business"
    [warning] = s.status()["warnings"]
    assert warning["where"] == CLIENT
    assert f"{OTHER} use it, but it belongs to {IDENTITY}" in warning["text"]
    s.ask(idle=2)
    s.cycle()
    assert {ad["ReqClientIdentity"] for ad in client_ads(s)} == {IDENTITY}


def test_another_client_name_belongs_to_its_first_user(tmp_path: Path) -> None:
    """GlideinWMS 3.10 allows a Frontend a frontend_name that is not its security_name."""
    s = FactoryHarness(tmp_path)
    s.ask(idle=2, client="vo-v1_0.main")
    s.cycle()
    attack(s, forged(s, client_name="vo-v1_0.main"), OTHER)
    s.cycle()
    [ad] = client_ads(s)
    assert (ad["ReqClientName"], ad["ReqClientIdentity"]) == ("vo-v1_0.main", IDENTITY)
    [warning] = s.status()["warnings"]
    assert warning["where"] == "vo-v1_0.main"


def test_a_stranger_is_not_answered_under_a_frontends_name(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    attack(s, forged(s), STRANGER)
    s.cycle(2)
    assert client_ads(s) == []
    assert s.status()["refused"] == {Reason.BAD_ENVELOPE: 1}


def test_an_operators_submission_never_goes_to_whoever_forged_the_client_name(
    tmp_path: Path,
) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=0)
    attack(s, forged(s), OTHER)
    s.cycle()
    attack(s, forged(s), OTHER)
    before = s.schedd.count()
    answer = s.say("submit", entry="A", client=CLIENT, n="1")
    assert "several Frontends use the ClientName" in str(answer)
    assert s.schedd.count() == before
