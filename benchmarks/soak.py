"""Runs the demo grid for a long time under a trickle of jobs, and measures what grows.

`scripts/bench soak --minutes N`: 5 minutes by default, 120 with `--full`. The daemons run at the demo's intervals (one
cycle a second), so that two hours have as many cycles as five days at the default loop delay. A cluster of three short
jobs is submitted every 20 seconds; pilots come and go all the time.

Each sample is a row per measure: `factory_rss_mb`, `factory_readers_pss_mb`, `frontend_open_files`,
`factory_state_mb`, and so on. At the end there is one row per measure with its slope per hour, fitted by least squares
to the samples after the first quarter, when caches are full. Ctrl-C ends the run early and still prints the slopes.
The run fails if a daemon ends or completes no cycle for two minutes.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.e2e import cpu, fresh
from glideinwms.demo import jobs
from glideinwms.demo.full_stack import SIDES, Chain
from glideinwms.demo.grid import Grid
from glideinwms.demo.jobs import JobClass
from glideinwms.demo.pool import descendants
from glideinwms.demo.portable import ensure_condor

MINUTES, FULL_MINUTES = 5.0, 120.0
SAMPLES = 60
MIN_SAMPLE_SECONDS = 5.0
SUBMIT_SECONDS, JOB_SECONDS = 20.0, 3
MAX_SECONDS_WITHOUT_CYCLE = 120.0
TRICKLE = (JobClass(name="trickle", count=3, entries=("Alpha", "Beta")),)
UNITS = {
    "rss_mb": "MB",
    "pss_mb": "MB",
    "open_files": "files",
    "threads": "threads",
    "processes": "processes",
}
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """All measures at one moment; `minute` since the start of the run."""

    minute: float
    values: Mapping[str, float]


def measure_processes(group: str, pids: Iterable[int]) -> dict[str, float]:
    """Sums over the processes of a group; one that has just ended counts nothing."""
    sums = dict.fromkeys(UNITS, 0.0)
    for pid in pids:
        process = Path(f"/proc/{pid}")
        try:
            rollup = (process / "smaps_rollup").read_text()
            files = len(list((process / "fd").iterdir()))
            threads = len(list((process / "task").iterdir()))
        except OSError:
            continue
        sizes = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", rollup, re.M))
        sums["rss_mb"] += int(sizes["Rss"]) / 1024
        sums["pss_mb"] += int(sizes["Pss"]) / 1024
        sums["open_files"] += files
        sums["threads"] += threads
        sums["processes"] += 1
    return {f"{group}_{name}": value for name, value in sums.items()}


def tree_size(top: Path) -> tuple[int, int]:
    """(bytes, files) below a directory that others write to."""
    size = count = 0
    for folder, _, names in os.walk(top):
        for name in names:
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
            count += 1
    return size, count


def measure_side(chain: Chain, side: str) -> dict[str, float]:
    """Everything of one daemon: its main process, its readers, its directories."""
    main = chain.daemons[side].pid
    readers = descendants(main)
    values = measure_processes(side, [main]) | measure_processes(f"{side}_readers", readers)
    values[f"{side}_cpu_s"] = cpu(
        [pid for pid in (main, *readers) if Path(f"/proc/{pid}/stat").exists()]
    )
    areas = {
        "state": chain.work(side) / "state",
        "log": chain.home(side) / "log",
        "client": chain.home(side) / "client",
    }
    for name, path in areas.items():
        size, count = tree_size(path)
        values[f"{side}_{name}_mb"] = size / MEGABYTE
        values[f"{side}_{name}_files"] = count
    return values


def unit_of(measure: str) -> str:
    """The unit that a measure's name ends with."""
    known = UNITS | {
        "_mb": "MB",
        "_files": "files",
        "_cpu_s": "s",
        "cycles": "cycles",
        "jobs": "jobs",
    }
    return next(unit for ending, unit in known.items() if measure.endswith(ending))


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Least squares through (minute, value); 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def slopes(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    """One row per measure: its slope after the first quarter of the run, its first and last value."""
    settled = [s for s in samples if s.minute >= samples[-1].minute / 4] if samples else []
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample in settled:
        for name, value in sample.values.items():
            points[name].append((sample.minute, value))
    for name, series in points.items():
        yield {
            "name": f"{name}_per_hour",
            "value": round(slope_per_hour(series), 2),
            "unit": f"{unit_of(name)}/h",
            "first": round(samples[0].values[name], 2),
            "settled": round(series[0][1], 2),
            "last": round(series[-1][1], 2),
            "samples": len(series),
        }


@dataclass(slots=True)
class Trickle:
    """Submits a few jobs at fixed intervals, and counts those that ended well."""

    grid: Grid
    due: float = 0.0
    submitted: int = 0
    log: jobs.EventLog | None = None

    def step(self, now: float) -> None:
        """Submit if it is time."""
        if now >= self.due:
            self.submitted += len(jobs.submit(self.grid, JOB_SECONDS, TRICKLE))
            self.due = now + SUBMIT_SECONDS

    def counts(self) -> dict[str, float]:
        """Jobs submitted and done so far."""
        self.log = self.log or jobs.EventLog(jobs.jobs_dir(self.grid) / "jobs.log", {})
        done = sum(job.state == "done" for job in self.log.read())
        return {"submitted_jobs": self.submitted, "done_jobs": done}


@dataclass(slots=True)
class Health:
    """Follows the cycles of a daemon."""

    side: str
    ended: float = 0.0
    first: int = 0
    cycle: int = 0
    failed: int = 0

    def look(self, chain: Chain) -> None:
        """Count what has happened since the last look; SystemExit if the daemon makes no progress."""
        chain.check()
        told = chain.status(self.side)
        if told is None or time.time() - told.cycle_ended > MAX_SECONDS_WITHOUT_CYCLE:
            raise SystemExit(
                f"soak: the {self.side} completed no cycle for {MAX_SECONDS_WITHOUT_CYCLE:.0f} s"
            )
        self.first = self.first or told.cycle
        self.failed += bool(told.error) and told.cycle != self.cycle
        self.cycle = told.cycle


def run_samples(chain: Chain, minutes: float) -> Iterator[Sample]:
    """Keep the grid busy for so many minutes; a sample at regular intervals."""
    began = time.monotonic()
    interval = max(MIN_SAMPLE_SECONDS, minutes * 60 / SAMPLES)
    trickle, health = Trickle(chain.grid), [Health(side) for side in SIDES]
    for number in itertools.count():
        due = began + number * interval
        if due > began + minutes * 60:
            return
        while True:
            for one in health:
                one.look(chain)
            trickle.step(time.monotonic())
            if time.monotonic() >= due:
                break
            time.sleep(min(1.0, max(0.0, due - time.monotonic())))
        values = {
            name: value for side in SIDES for name, value in measure_side(chain, side).items()
        }
        values |= trickle.counts()
        for one in health:
            values |= {
                f"{one.side}_cycles": one.cycle - one.first,
                f"{one.side}_failed_cycles": one.failed,
            }
        yield Sample(round((time.monotonic() - began) / 60, 2), values)


def run(full: bool, minutes: float = 0.0) -> Iterator[dict[str, Any]]:
    """Rows of samples as they are taken, then the slopes."""
    condor, base = ensure_condor(), fresh()
    samples: list[Sample] = []
    try:
        with Chain(Grid(base / "g", condor.prefix), condor) as chain:
            try:
                for sample in run_samples(chain, minutes or (FULL_MINUTES if full else MINUTES)):
                    samples.append(sample)
                    for name, value in sample.values.items():
                        yield {
                            "name": name,
                            "value": round(value, 2),
                            "unit": unit_of(name),
                            "minute": sample.minute,
                        }
            except KeyboardInterrupt:
                print("soak: interrupted; the slopes of what was measured follow", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    yield from slopes(samples)
