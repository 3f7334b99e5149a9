"""Whatever is killed, hung or full while pilots are submitted: nothing is doubled, nothing is forgotten."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from glideinwms.demo import process
from glideinwms.factory.policy import Limits
from tests.grid.factory.grid_factory import GridFactory
from tests.grid.waiting import wait_for
from tests.support.small_disk import fill, small_disk

NOWHERE = "ce@nowhere.demo 127.0.0.1:1"
STEP, ROUNDS = 40, 10
ROOMY = Limits(10000, 10000, 10000)


def queue_log(rig: GridFactory) -> int:
    """Size of the schedd's transaction log: grows while a submit goes on."""
    return sum(p.stat().st_size for p in (rig.grid["wms"].home / "spool").glob("job_queue.log*"))


def workers(daemon: subprocess.Popen[bytes]) -> list[int]:
    """The reader processes of a daemon."""
    return process.children(daemon.pid)


def strike(
    rig: GridFactory, target: str, daemon: subprocess.Popen[bytes]
) -> subprocess.Popen[bytes]:
    """Kill the target; the daemon that runs afterwards."""
    if target == "worker":
        for pid in workers(daemon):
            process.kill(pid, signal.SIGKILL)
    elif target == "schedd":
        rig.grid["wms"].signal("SCHEDD", signal.SIGKILL)
    else:
        daemon.kill()
        daemon.wait()
        return rig.start()
    return daemon


@pytest.mark.slow
@pytest.mark.parametrize("target", ["worker", "daemon", "schedd"])
def test_killed_at_random_instants_of_a_submit(
    target: str, make_rig: Callable[..., GridFactory]
) -> None:
    rng = random.Random(f"seed of {target}")
    rig = make_rig(
        ("wms",), options={"wms": {"MASTER_BACKOFF_CONSTANT": "1", "MASTER_BACKOFF_CEILING": "1"}}
    )
    entry = rig.entry("A", NOWHERE, submit_cluster_size=1, limits=ROOMY, class_default=ROOMY)
    rig.write(entries=(entry,), loop_delay=0.5)
    daemon = rig.start()
    wait_for("a first cycle", rig.seen)
    hits = 0
    for n in range(1, ROUNDS + 1):
        wanted, size, began = n * STEP, queue_log(rig), time.time()
        rig.ask(idle=wanted, wait=False)
        end = time.monotonic() + 60
        while queue_log(rig) == size:
            assert time.monotonic() < end, "no submit began"
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.2))
        daemon = strike(rig, target, daemon)
        wait_for(f"all pilots of round {n}", lambda wanted=wanted: count(rig) >= wanted, 120)
        cycle = rig.status().cycle
        wait_for("two more cycles", lambda cycle=cycle: rig.status().cycle >= cycle + 2)
        assert count(rig) == wanted
        hits += interrupted(rig, began)
    assert hits, "no submit was interrupted"


def interrupted(rig: GridFactory, since: float) -> bool:
    """Whether the pilots of a round were not submitted in one go: the kill came in between."""
    times = sorted(line["time"] for line in rig.audit("submit") if line["time"] >= since)
    return any(b - a > 0.4 for a, b in itertools.pairwise(times))


def count(rig: GridFactory) -> int:
    """Pilots in the queue; -1 while the schedd is away."""
    try:
        return len(rig.queue())
    except (AssertionError, IndexError):
        return -1


@pytest.mark.slow
def test_a_hung_schedd_freezes_only_its_entries(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig(("wms",))
    rig.write(entries=(rig.entry("A", NOWHERE),))
    rig.start()
    rig.ask(idle=2)
    wait_for("pilots", lambda: len(rig.queue()) == 2)
    pid = rig.grid["wms"].pid("SCHEDD")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("the entry frozen", lambda: "frozen" in rig.seen()["entries"]["A"], 120)
        began = rig.status().cycle
        wait_for("further cycles", lambda: rig.status().cycle >= began + 2, 180)
        assert not rig.status().error
        assert rig.ads("glidefactory")
    finally:
        os.kill(pid, signal.SIGCONT)
    rig.ask(idle=5)
    wait_for("work goes on", lambda: len(rig.queue()) == 5, 120)


@pytest.mark.slow
def test_a_hung_collector_freezes_everything_and_ends_well(
    make_rig: Callable[..., GridFactory],
) -> None:
    rig = make_rig(("wms",))
    rig.write(entries=(rig.entry("A", NOWHERE),))
    rig.start()
    rig.ask(idle=3, level="ALL")
    wait_for("pilots", lambda: len(rig.queue()) == 3)
    pid = rig.grid["wms"].pid("COLLECTOR")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("all frozen", lambda: "frozen" in rig.seen()["entries"]["A"], 120)
        began = rig.status().cycle
        wait_for("further cycles", lambda: rig.status().cycle >= began + 2, 120)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert len(rig.queue()) == 3, "nothing was removed while nothing was known"
    rig.ask(idle=5)
    wait_for("work goes on", lambda: len(rig.queue()) == 5, 120)


def test_gridmanager_and_ce_are_killed(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig()
    rig.start()
    rig.ask(idle=3, top=3)
    schedd = rig.grid["wms"].pid("SCHEDD")
    manager = wait_for(
        "a gridmanager",
        lambda: [p for p in process.children(schedd) if process.program(p) == "condor_gridmanager"],
    )
    process.kill(manager[0], signal.SIGKILL)
    rig.grid["ce_a"].signal("SCHEDD", signal.SIGKILL)
    wait_for("all running", lambda: len(rig.queue("JobStatus == 2")) == 3, 180)
    assert len(rig.queue()) == 3


@pytest.fixture
def disk(run_dir: Path) -> Iterator[Path]:
    """A file system of 256 kB for the client logs."""
    with small_disk(run_dir / "small", "256k") as path:
        yield path


def test_full_disk_under_the_client_logs(make_rig: Callable[..., GridFactory], disk: Path) -> None:
    """The Factory runs on: while the disk is full nothing is submitted, and it says why; then it
    goes on by itself.
    """
    rig = make_rig(("wms",))
    rig.write(entries=(rig.entry("A", NOWHERE),), client_log_dir=str(disk / "logs"))
    rig.start()
    rig.ask(idle=2)
    wait_for("pilots", lambda: len(rig.queue()) == 2)
    filler = fill(disk)
    rig.ask(idle=6)
    seen = wait_for("the refusal", lambda: rig.seen() if rig.seen()["refused"] else None)
    assert seen["submitted"] == 0 and seen["refused"] == {"LogDirectoryUnwritable": 1}
    assert "full" in seen["refusals"][0]["text"]
    [ad] = wait_for(
        "the reason in the ad", lambda: [a for a in rig.ads("glidefactoryclient") if reason(a)]
    )
    assert reason(ad) == "LogDirectoryUnwritable"
    assert not rig.status().error and len(rig.queue()) == 2
    filler.unlink()
    wait_for("the rest", lambda: len(rig.queue()) == 6)
    wait_for("no refusal", lambda: not rig.seen()["refused"])
    assert len(rig.queue()) == 6


def reason(ad: Mapping[str, object]) -> object:
    """Why a client gets less."""
    return ad.get("GlideinMonitorStatus_Reason")


def test_killed_with_pilots_running(make_rig: Callable[..., GridFactory]) -> None:
    """kill -9 of the Factory: its pilots go on, the next one counts them and adds nothing."""
    rig = make_rig()
    daemon = rig.start()
    rig.ask(idle=2, top=2)
    wait_for("running", lambda: len(rig.queue("JobStatus == 2")) == 2, 180)
    before = {(j["ClusterId"], j["ProcId"]) for j in rig.queue()}
    daemon.kill()
    daemon.wait()
    rig.start()
    began = rig.status().cycle
    wait_for("two cycles of the next one", lambda: rig.status().cycle >= began + 2)
    assert {(j["ClusterId"], j["ProcId"]) for j in rig.queue()} == before
    assert rig.seen()["entries"]["A"]["running"] == 2
