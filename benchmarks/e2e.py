"""The main job end to end, on real daemons, at the demo's own intervals.

Each round has a grid of its own, so that the gridmanager starts anew as it does for a first pilot. `added_s` is our
part of the way: (pilot's QDate - user job's QDate) + (start of condor_master - start of glidein_startup.sh); the rest
is HTCondor's. `floor_s` is the same jobs on a startd that is started directly when they are submitted.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from glideinwms.demo import jobs
from glideinwms.demo.full_stack import SIDES, Chain
from glideinwms.demo.grid import Grid
from glideinwms.demo.jobs import CLASSES
from glideinwms.demo.pool import descendants
from glideinwms.demo.portable import Condor, default_cache, ensure_condor
from glideinwms.demo.progress import Watch

DEADLINE, JOB_SECONDS, IDLE_SECONDS = 240.0, 1, 20.0
TICK = os.sysconf("SC_CLK_TCK")
RUNNABLE = tuple(c for c in CLASSES if c.entries)
STARTD = """
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD
NUM_CPUS = 8
MEMORY = 16000
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = True
RUNBENCHMARKS = False
STARTER_ALLOW_RUNAS_OWNER = False
"""


def fresh() -> Path:
    """A directory for one grid, with a short name."""
    above = default_cache() / "run"
    above.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="b", dir=above))
    path.chmod(0o755)
    return path


def pilot_start(base: Path) -> float | None:
    """Seconds that the quickest pilot took from its first line to condor_master, from stdout on the
    worker nodes.
    """
    took = []
    for path in base.glob("ce_*/execute/dir_*/_condor_stdout"):
        text = path.read_text(errors="replace")
        begun = re.search(r"Starting glidein_startup.sh at .*\((\d+)\)", text)
        master = re.search(r"=== Condor starting .*\((\d+)\)", text)
        if begun and master:
            took.append(float(master[1]) - float(begun[1]))
    return min(took, default=None)


def one_round(chain: Chain) -> dict[str, float]:
    """Submit, wait until all jobs are done; the times of this round."""
    began = time.time()
    watch = Watch(chain, jobs.submit(chain.grid, JOB_SECONDS), began)
    pilot = None
    while True:
        look = watch.look(time.time())
        pilot = pilot_start(chain.grid.base) if pilot is None else pilot
        if watch.done(look):
            break
        if time.time() > began + DEADLINE:
            raise SystemExit(f"e2e: not all jobs are done after {DEADLINE:.0f} s: {look}")
        time.sleep(0.2)
    ran = watch.runnable(look.jobs)
    submitted = min(j.submitted for j in ran)
    return {
        "first_job_s": min(j.ended for j in ran) - submitted,
        "all_done_s": max(j.ended for j in ran) - submitted,
        "added_s": watch.phases["pilot in the WMS schedd"] - submitted + (pilot or 0.0),
        "request_to_pilot_s": watch.phases["pilot in the WMS schedd"] - submitted,
        "pilot_start_s": pilot or 0.0,
    }


def floor(condor: Condor) -> float:
    """The same jobs with a startd of the user pool itself, started when they are submitted: seconds
    to the last.
    """
    base = fresh()
    try:
        with Grid(base / "g", condor.prefix, ("user",)) as grid:
            kinds = jobs.submit(grid, JOB_SECONDS, RUNNABLE)
            pool = grid["user"]
            pool.config.write_text(pool.config.read_text() + STARTD)
            pool.tool("condor_reconfig", "-master")
            log = jobs.EventLog(jobs.jobs_dir(grid) / "jobs.log", kinds)
            end = time.monotonic() + DEADLINE
            while time.monotonic() < end:
                found = log.read()
                if all(j.state == "done" for j in found) and len(found) == len(kinds):
                    return max(j.ended for j in found) - min(j.submitted for j in found)
                time.sleep(0.2)
            raise SystemExit(
                f"e2e: the floor's jobs are not done after {DEADLINE:.0f} s: {log.read()}"
            )
    finally:
        shutil.rmtree(base, ignore_errors=True)


def cpu(pids: Sequence[int]) -> float:
    """CPU seconds that processes and their reaped children have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(f) for f in fields[11:15])
    return total / TICK


def memory(pid: int) -> tuple[float, float]:
    """(PSS, RSS) of a process in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Pss|Rss): +(\d+) kB", text, re.M))
    return int(found["Pss"]) / 1024, int(found["Rss"]) / 1024


def idle(chain: Chain, side: str) -> Iterator[dict[str, Any]]:
    """What a daemon costs while nothing is asked of it: CPU of its whole tree per cycle, and
    memory.
    """
    pids = [chain.daemons[side].pid, *descendants(chain.daemons[side].pid)]
    first = chain.wait_cycle(side)
    before = cpu(pids)
    time.sleep(IDLE_SECONDS)
    last = chain.wait_cycle(side)
    cycles = max(1, last.cycle - first.cycle)
    sizes = [memory(p) for p in pids]
    common = {"daemon": side, "loop_delay": last.loop_delay}
    spent = (cpu(pids) - before) * 1000 / cycles
    yield {
        "name": "idle_cycle_cpu_ms",
        "value": round(spent, 1),
        "unit": "ms",
        **common,
        "cycles": cycles,
    }
    tree = round(sum(p for p, _ in sizes), 1)
    yield {
        "name": "rss_mb",
        "value": tree,
        "unit": "MB",
        **common,
        "kind": "PSS of the tree",
        "processes": len(pids),
    }
    largest = round(max(r for _, r in sizes), 1)
    yield {
        "name": "rss_mb",
        "value": largest,
        "unit": "MB",
        **common,
        "kind": "RSS of the largest process",
    }


def run(full: bool) -> Iterator[dict[str, Any]]:
    """Median of five rounds with `full`, of one without."""
    condor = ensure_condor()
    rounds: list[dict[str, float]] = []
    for number in range(5 if full else 1):
        base = fresh()
        try:
            with Chain(Grid(base / "g", condor.prefix), condor) as chain:
                if number == 0:
                    for side in SIDES:
                        yield from idle(chain, side)
                rounds.append(one_round(chain))
        finally:
            shutil.rmtree(base, ignore_errors=True)
    common = {"jobs": sum(c.count for c in RUNNABLE), "job_s": JOB_SECONDS, "rounds": len(rounds)}
    for name in rounds[0]:
        values = sorted(r[name] for r in rounds)
        spread = {"min": round(values[0], 1), "max": round(values[-1], 1)}
        yield {
            "name": name,
            "value": round(statistics.median(values), 1),
            "unit": "s",
            **common,
            **spread,
        }
    yield {"name": "floor_s", "value": round(floor(condor), 1), "unit": "s", **common}
