"""A start in place of a deployed Factory: its key, downtimes, credentials and queued pilots are ours (decision 38)."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from glideinwms.lib.wire.crypto import FactoryKey
from tests.scenario.factory.factory_harness import FactoryHarness, entry

PACKED = Path(__file__).parents[2] / "data" / "golden-wire" / "golden-wire.tgz"
PILOT = {
    "GlideinFactory": "fact",
    "GlideinName": "inst",
    "GlideinEntryName": "A",
    "GlideinClient": "fe.main",
    "GlideinEntrySubmitFile": "entry_A/job.condor",
    "GlideinFrontendName": "fe:frontend",
    "GlideinCredentialIdentifier": "TOKENIDX",
    "GlideinSecurityClass": "frontend",
    "JobUniverse": 9,
}


def member(name: str) -> bytes:
    with tarfile.open(PACKED) as tar:
        file = tar.extractfile(next(m for m in tar.getmembers() if m.name.endswith(name)))
        assert file is not None
        return file.read()


@pytest.mark.parametrize(("age", "kept"), [(300, True), (5000, False)])
def test_the_key_is_kept_for_the_grace_time(age: float, kept: bool, tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    path = tmp_path / "work/rsa.key"
    path.write_bytes(member("crypto/rsa.key"))
    os.utime(path, (s.world.clock() - age,) * 2)
    theirs = FactoryKey.load(path).public.key_id
    s.start()
    s.cycle()
    [ad] = s.wms.ads("glidefactoryglobal")
    assert (ad["PubKeyID"] == theirs) is kept
    assert theirs in s.daemon.request_reader.keys, "requests sealed for it are still opened"
    s.world.clock.advance(1000)
    s.cycle()
    assert (theirs in s.daemon.request_reader.keys) is kept
    assert not (tmp_path / "work/rsa.key.bak").exists()


def test_requests_for_the_old_key_are_served_in_the_grace_time(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=2)
    path = tmp_path / "work/rsa.key"
    os.utime(path, (s.world.clock() - 5000,) * 2)
    s.start()
    s.cycle()
    assert s.schedd.count() == 2
    s.world.clock.advance(1000)
    s.ask(idle=9)
    s.cycle()
    assert s.status()["refused"] == {"UnknownKey": 1}


def test_its_downtimes_hold(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    text = member("stage/factory-workdir/glideinWMS.downtimes").decode()
    (tmp_path / "work/glideinWMS.downtimes").write_text(text.replace("GCE_Delta", "A"))
    s.world.clock.advance(10 * 365 * 86400)
    s.ask(idle=2)
    s.cycle()
    assert s.row().in_downtime
    assert s.schedd.count() == 0


def test_its_credentials_serve(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    folder = tmp_path / "proxies/user_feuser/glidein_inst"
    folder.mkdir(parents=True)
    token = folder / "credential_fe.main_A.scitoken"
    token.write_text("theirs\n")
    token.chmod(0o600)
    s.ask(idle=1)
    del s.asked["A fe.main"]["GlideinEncParamfrontend_scitoken"]
    s.cycle()
    [job] = s.schedd.jobs.values()
    assert job["SciTokensFile"] == str(token)


def test_its_pilots_are_counted_limited_and_removed(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.schedd.add(6, **PILOT)
    s.ask(idle=8)
    s.cycle()
    assert s.schedd.count() == 8, "6 of theirs, 2 of ours"
    s.ask(idle=0, top=0, remove_excess="WAIT")
    s.cycle(2)
    assert s.schedd.count() == 0


def test_pilots_of_another_factory_or_of_users_are_left_alone(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.schedd.add(3, **{**PILOT, "GlideinFactory": "another"})
    s.schedd.add(3, **{**PILOT, "GlideinName": "second"})
    s.schedd.add(4)
    s.ask(idle=0, top=0, remove_excess="ALL")
    s.cycle(3)
    assert s.schedd.count() == 10


def test_unused_credentials_go_and_those_of_queued_pilots_stay(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path, entry(stale_idle=10**9))
    s.ask(idle=1)
    s.cycle()
    folder = tmp_path / "proxies/user_feuser/glidein_inst"
    old = folder / "credential_fe.gone_A.scitoken"
    old.write_text("x")
    [token] = [p for p in folder.rglob("*") if p.name.endswith("fe.main_A.scitoken")]
    s.forget()
    s.cycle()
    for _ in range(34):
        s.world.clock.advance(86400)
        s.cycle()
    assert not old.exists() and token.exists()
    assert [line["file"] for line in s.audit("credential_removed")] == [str(old)]
    s.schedd.forget("true")
    for _ in range(32):
        s.world.clock.advance(86400)
        s.cycle()
    assert not token.exists()
