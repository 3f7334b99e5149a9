"""A daemon seen from outside: stopped, hung, or with a file system that takes nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glideinwms.lib.daemon import heartbeat, liveness, status, storage
from glideinwms.lib.daemon.liveness import Liveness
from glideinwms.lib.files import locked
from glideinwms.testing import FakeClock
from tests.support.small_disk import fill, small_disk
from tests.unit.lib.daemon.test_loop import Policy, Toy, machine, process, wait_status


def look(work: Path, now: float | None = None) -> Liveness:
    return liveness.look(work / "state", "toy", time.time() if now is None else now)


def wait_look(work: Path, ok: Callable[[Liveness], bool]) -> Liveness:
    end = time.monotonic() + 300
    while not ok(found := look(work)):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """The directory as a mount that takes no writes; what is open already goes on."""
    done = subprocess.run(["mount", "--bind", path, path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_a_stopped_daemon_is_seen_at_once_and_since_when(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("g1")
    with process(tmp_path) as daemon:
        wait_status(tmp_path, lambda s: s.cycle >= 1)
        assert not wait_look(tmp_path, lambda f: not f.hangs).problems
        daemon.send_signal(signal.SIGSTOP)
        found = wait_look(tmp_path, lambda f: bool(f.hangs))
        assert found.running and found.pid == daemon.pid
        assert re.match(
            rf"is stopped by a signal \(pid {daemon.pid}\), no sign of life since 20\d\d-",
            found.hangs,
        )
        daemon.send_signal(signal.SIGCONT)
        wait_look(tmp_path, lambda f: not f.hangs)


@pytest.mark.parametrize(
    "delay, well, hung", [(1.0, 9.9, 10.1), (60.0, 119.0, 121.0), (300.0, 599.0, 601.0)]
)
def test_a_step_that_never_ends_is_a_hang_after_two_loop_delays(
    tmp_path: Path, delay: float, well: float, hung: float
) -> None:
    toy, seen = Toy(policy=Policy("g1", delay)), []

    def between(step: str) -> None:
        if step == "apply":
            seen.extend(look(tmp_path, toy.clock() + later).hangs for later in (well, hung))

    toy.between = between
    with locked(tmp_path / "state" / status.LOCK, "toy"):
        machine(toy, tmp_path).once()
    assert seen[0] == ""
    assert seen[1].startswith(f"hangs (pid {os.getpid()}): no sign of life since ")
    assert seen[1].endswith(f"in step apply of cycle 1; a cycle is due every {delay:g} s")


def test_a_daemon_that_oversleeps_hangs_too(tmp_path: Path) -> None:
    toy = Toy(policy=Policy("g1", 60.0))
    with locked(tmp_path / "state" / status.LOCK, "toy"):
        machine(toy, tmp_path).once()
        assert look(tmp_path, toy.clock() + 119).hangs == ""
        assert "has not begun the next cycle" in look(tmp_path, toy.clock() + 121).hangs


def test_a_daemon_without_a_heartbeat_is_judged_by_its_status(tmp_path: Path) -> None:
    toy = Toy(policy=Policy("g1", 60.0))
    with locked(tmp_path / "state" / status.LOCK, "toy"):
        machine(toy, tmp_path).once()
        (tmp_path / "state" / heartbeat.NAME).unlink()
        assert look(tmp_path, toy.clock() + 119).hangs == ""
        assert look(tmp_path, toy.clock() + 121).hangs


@pytest.mark.parametrize("shift, words", [(-7200, "behind"), (7200, "ahead")])
def test_a_daemon_with_a_wrong_clock_is_told_from_one_that_hangs(
    tmp_path: Path, shift: int, words: str
) -> None:
    toy = Toy(clock=FakeClock(time.time() + shift), policy=Policy("g1", 60.0))
    with locked(tmp_path / "state" / status.LOCK, "toy"):
        machine(toy, tmp_path).once()
        found = look(tmp_path)
    assert found.hangs == ""
    [problem] = found.problems
    assert re.fullmatch(rf"the daemon's clock is 7\d\d\d s {words}: compare the clocks", problem)


def test_a_daemon_that_does_not_run_does_not_hang(tmp_path: Path) -> None:
    toy = Toy()
    with locked(tmp_path / "state" / status.LOCK, "toy"):
        machine(toy, tmp_path).once()
    found = look(tmp_path, toy.clock() + 1e6)
    assert not found.running and found.hangs == "" and found.shown is not None


def test_the_numbers_of_a_dead_process_are_not_those_of_the_next(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("g1")
    with process(tmp_path, "once") as daemon:
        assert daemon.wait(300) == 0
    with locked(tmp_path / "state" / status.LOCK, "toy"):
        found = look(tmp_path)
        assert found.running and found.first_cycle and found.pid == os.getpid()
        assert found.told is not None and found.shown is None
    assert look(tmp_path).shown is not None


def test_a_full_state_directory_is_said_by_a_daemon_that_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "work", "1m") as work:
        (work / "policy").write_text("g1")
        with process(work) as daemon:
            wait_status(work, lambda s: s.cycle >= 1)
            filler = fill(work)
            found = wait_look(work, lambda f: "No space left on device" in " ".join(f.problems))
            assert found.hangs == "" and found.pid == daemon.pid
            filler.unlink()
            wait_look(work, lambda f: not f.problems)
            daemon.terminate()
            assert daemon.wait(300) == 0


def test_a_read_only_state_directory_is_said_by_a_daemon_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("g1")
    with process(tmp_path) as daemon:
        wait_status(tmp_path, lambda s: s.cycle >= 1)
        with read_only(tmp_path / "state"):
            found = wait_look(tmp_path, lambda f: "Read-only file system" in " ".join(f.problems))
            assert found.hangs == "" and found.pid == daemon.pid
        wait_look(tmp_path, lambda f: not f.problems)


def test_why_a_directory_cannot_be_written(tmp_path: Path) -> None:
    assert storage.problem(tmp_path) == "" == storage.problem(tmp_path / "missing")
    (tmp_path / "ro").mkdir()
    with read_only(tmp_path / "ro"):
        assert storage.problem(tmp_path / "ro") == f"the file system of {tmp_path}/ro is read-only"
    with small_disk(tmp_path / "full", "64k") as disk:
        fill(disk)
        where = storage.Directory(disk, "nothing is published", ours=False)
        assert storage.problems([where]) == [
            f"the file system of {disk} is full: nothing is published"
        ]


def test_a_heartbeat_with_many_long_problems_still_fits() -> None:
    beat = heartbeat.Heartbeat(
        pid=1, cycle=2, step="sleep", time=3.0, loop_delay=4.0, problems=("é" * 5000,) * 50
    )
    assert len(heartbeat.record_of(beat)) == heartbeat.RECORD_BYTES


@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 4096, b'{"pid": "x"}'])
def test_a_heartbeat_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / heartbeat.NAME).write_bytes(content)
    assert heartbeat.read(tmp_path) is None
