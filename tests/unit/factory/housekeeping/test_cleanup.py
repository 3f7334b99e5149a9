"""Old logs go by the configured retention, credentials by their last use; what a queued pilot names stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glideinwms.factory.housekeeping.cleanup import Cleaner, LastUse, kind_of
from glideinwms.lib.daemon.policy_file import Retention
from glideinwms.lib.daemon.retention import DAY, sweep
from tests.unit.factory.builders import NOW, policy

KEEP = {"job": Retention(7, 3, 1), "condor": Retention(14, 3, 100), "process": Retention(2, 1, 100)}


def put(path: Path, days: float, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - days * DAY, NOW - days * DAY))
    return path


def test_by_age_then_by_size(tmp_path: Path) -> None:
    old, big, young, small = (
        put(tmp_path / f"job.{n}.0.out", d, s)
        for n, d, s in ((1, 8, 10), (2, 5, 700_000), (3, 2, 700_000), (4, 4, 10))
    )
    gone = sweep(tmp_path, KEEP, NOW, (), kind_of)
    assert set(gone) == {old, big}
    assert {p for p in tmp_path.iterdir()} == {young, small}


def test_only_files_of_ours_and_not_those_in_use(tmp_path: Path) -> None:
    followed = put(tmp_path / "condor_activity_20260101_fe.main.log", 30)
    other = put(tmp_path / "condor_activity_20260102_fe.main.log", 30)
    foreign = put(tmp_path / "notes.txt", 300)
    ours = put(tmp_path / "factory.log.2026-01-01", 3)
    current = put(tmp_path / "factory.log", 30)
    (tmp_path / "job.9.0.err").symlink_to(foreign)
    assert set(sweep(tmp_path, KEEP, NOW, {str(followed)}, kind_of)) == {other, ours}
    assert followed.exists() and foreign.exists() and current.exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("job.1.0.out", "job"),
        ("job.1.0.err", "job"),
        ("job.1.0.txt", ""),
        ("completed_jobs_20260101.log", "summary"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(Path(name)) == kind


def test_credentials_live_by_use_not_by_mtime(tmp_path: Path) -> None:
    used, idle, queued, packed = (
        put(tmp_path / f"credential_c_{n}", 100)
        for n in ("USED", "IDLE", "QUEUED", "QUEUED_compressed")
    )
    table = LastUse(tmp_path / "credentials.json")
    files = [used, idle, queued, packed]
    assert table.sweep(files, 30 * DAY, NOW, set()) == [], "a first look forgives whatever age"
    later = NOW + 31 * DAY
    table = LastUse(tmp_path / "credentials.json")
    table.touch([str(used)], later - DAY)
    assert table.sweep(files, 30 * DAY, later, {str(queued)}) == [idle]
    assert used.exists() and queued.exists() and packed.exists()


def test_nothing_goes_while_a_schedd_does_not_say_what_it_names(tmp_path: Path) -> None:
    p = policy(tmp_path, retention=KEEP)
    log = put(Path(p.client_log_dir, "user_feuser/glidein_inst/entry_A/job.1.0.out"), 30)
    answers: list[set[str] | None] = [None]
    cleaner = Cleaner(LastUse(tmp_path / "c.json"), lambda _: answers[0])
    cleaner.run(p, NOW)
    cleaner.run(p, NOW + 3600)
    assert log.exists()
    answers[0] = set()
    for minute in range(3):
        cleaner.run(p, NOW + 3660 + minute * 60)
    assert not log.exists()


def test_what_cannot_be_read_or_removed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials.json").write_text("[broken")
    assert LastUse(tmp_path / "credentials.json").times == {}
    stuck = put(tmp_path / "job.1.0.out", 30)
    free = put(tmp_path / "job.2.0.out", 30)
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert sweep(tmp_path, KEEP, NOW, (), kind_of) == [free]
