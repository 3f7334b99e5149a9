"""What a Frontend's decision costs: one group, inputs of `inputs/synth.py`, 10 schedds.

Rows: `decide_cpu_s` (cold: job ads one by one into classes, slots, counts, requests with reasons), `warm_cpu_s` (class
tables, 1 % new classes), `rss_mb` (a process that reads class tables only), each with `jobs`, `classes`, `entries` and
`digest`, the sha256 of the outputs; `exponent` of the CPU over 4 doublings, `in` = classes or entries.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.inputs import synth
from glideinwms.frontend.decide import MatchCache, decide
from glideinwms.frontend.plan import FrontendPlan
from glideinwms.frontend.policy import (
    SCHEMA,
    CredentialPolicy,
    Expression,
    FrontendPolicy,
    GroupPolicy,
    MatchAttribute,
    StageTriple,
)
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.lib.daemon.loop import collected_after
from tests.support.single_jobs import group_input, read_queue

NAMES = tuple(n for n, _ in synth.JOB_MATCH_ATTRS)
SCHEDDS = 10
SIZES = ((100_000, 1000, 1000), (100_000, 10_000, 1000), (1_000_000, 100_000, 100))
GROUP = GroupPolicy(
    synth.GROUP,
    True,
    "fe",
    StageTriple("http://fe", "d", "s"),
    (Expression(synth.MATCH_EXPR, "bench:1"),),
    "true",
    "true",
    "true",
    tuple(MatchAttribute(n) for n in NAMES),
    (),
    (),
    (),
    (CredentialPolicy("cred0", "grid_proxy", "grid", "frontend"),),
    {},
    {},
)
POLICY = FrontendPolicy(
    SCHEMA, "g", "v", synth.FE_NAME, *[""] * 9, StageTriple("", "", ""), (GROUP,)
)


def run(full: bool) -> Iterator[dict[str, Any]]:
    """The rows; the size of each is the same with and without --full, which adds repetitions."""
    for jobs, classes, entries in SIZES:
        with_ = {"jobs": jobs, "classes": classes, "entries": entries}
        for row in alone(jobs, classes, entries, 3 if full and jobs < 10**6 else 1):
            yield {**row, **with_}
    for what in ("classes", "entries"):
        sizes = [250 * 2**k for k in range(5)]
        times = [least(5, (c, 1000) if what == "classes" else (1000, c)) for c in sizes]
        yield {
            "name": "exponent",
            "value": slope(sizes, times),
            "unit": "",
            "in": what,
            "sizes": f"{sizes[0]}-{sizes[-1]}",
            "cpu_s": [round(t, 4) for t in times],
        }


def alone(*size: int) -> Iterator[dict[str, Any]]:
    """Rows of one size: CPU in one process, memory in another that never sees a job."""
    for what in ("cpu", "memory"):
        argv = [sys.executable, "-m", "benchmarks.frontend", what, *map(str, size)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
        )
        yield from map(json.loads, done.stdout.splitlines())


def entries_of(n: int) -> list[EntryState]:
    """Entries as the Factory publishes them."""
    made = synth.gen_entries(n)
    return [EntryState(k[1], k[0], e["attrs"], e["params"], e["monitor"]) for k, e in made.items()]


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what came out; the collector waits, as in a daemon's cycle."""
    with collected_after():
        began = time.process_time()
        result = work()
        return time.process_time() - began, result


def decided(given: GroupInput, cache: MatchCache) -> FrontendPlan:
    """One cycle's decision."""
    total = {"frontend_total": given.total, "frontend_idle": given.idle, "pool_total": given.total}
    snapshot = FrontendSnapshot(synth.SERVER_TIME, (given,), **total, pool_idle=given.idle)
    return decide(snapshot, POLICY, synth.SERVER_TIME, random.Random(1), cache)


def digest(plan: FrontendPlan) -> str:
    """sha256 of all numbers: counts of every type, requests, removal, clauses that rejected."""
    [group] = plan.groups
    if group.problems:
        raise RuntimeError(group.problems)
    out = [
        [
            e.entry,
            sorted((t, c.count, c.prop, c.hereonly, c.prop_mc) for t, c in e.jobs.items()),
            e.idle,
            e.max_glideins,
            e.removal,
            e.vector,
            sorted(e.rejected.items()),
        ]
        for e in group.entries
    ]
    return hashlib.sha256(json.dumps([out, group.unmatched_jobs]).encode()).hexdigest()[:16]


def measure(jobs: int, classes: int, entries: int, times: int) -> Iterator[dict[str, Any]]:
    """Cold from job ads and slot ads, then warm with one class in a hundred new."""
    queues, running = synth.gen_jobs(jobs, classes, entries, SCHEDDS)
    found, raw = entries_of(entries), synth.gen_entries(entries)
    slots = list(synth.gen_slots(queues, running, raw)[None].values())

    def cold(cache: MatchCache) -> tuple[GroupInput, FrontendPlan]:
        folded = [
            read_queue(s, iter(q.values()), NAMES, synth.SERVER_TIME) for s, q in queues.items()
        ]
        given = group_input(GROUP, synth.FE_NAME, folded, found, slots, cache)
        return given, decided(given, cache)

    spent, (given, plan), cache = math.inf, cold(MatchCache()), MatchCache()
    for _ in range(times):
        cache = MatchCache()
        took, (given, plan) = cpu(lambda c=cache: cold(c))  # type: ignore[misc]
        spent = min(spent, took)
    yield {"name": "decide_cpu_s", "value": spent, "unit": "s", "digest": digest(plan)}
    spent, told = math.inf, ""
    for cycle in range(times):
        changed = replace(given, jobs=tuple(renewed(t, cycle) for t in given.jobs))
        took, plan = cpu(lambda c=changed: decided(c, cache))  # type: ignore[misc]
        spent, told = min(spent, took), told or digest(plan)
    yield {"name": "warm_cpu_s", "value": spent, "unit": "s", "digest": told, "new": "1%"}


def renewed(table: JobTable, cycle: int) -> JobTable:
    """Every hundredth class (at least one) wants another memory, in each cycle one that no cycle
    before has met.
    """
    at = table.names.index("RequestMemory")
    rows = list(table.rows)
    for i in range(0, len(rows), 100):
        values = list(rows[i].values)
        values[at] = 1234 + i + 50_000 * cycle
        rows[i] = replace(rows[i], values=tuple(values))
    return replace(table, rows=tuple(rows))


def tables(jobs: int, classes: int, entries: int) -> tuple[JobTable, ...]:
    """Class tables without any job: jobs/classes each, most of them idle."""
    n = jobs // classes
    rows: list[list[JobClassRow]] = [[] for _ in range(SCHEDDS)]
    for i, one in enumerate(synth.gen_classes(classes, entries)):
        idle = n - n * 3 // 10
        values = tuple(one[k] for k in NAMES)
        rows[i % SCHEDDS].append(
            JobClassRow(values, idle, idle * 2 // 3, idle // 3, n - idle, idle)
        )
    return tuple(JobTable(f"schedd{s}", NAMES, tuple(r)) for s, r in enumerate(rows))


def memory(jobs: int, classes: int, entries: int) -> Iterator[dict[str, Any]]:
    """Peak RSS of a whole process that decides from class tables."""
    _, plan = cpu(
        lambda: decided(
            GroupInput(GROUP.name, tables(jobs, classes, entries), tuple(entries_of(entries))),
            MatchCache(),
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield {
        "name": "rss_mb",
        "value": peak,
        "unit": "MB",
        "digest": digest(plan),
        "from": "class tables",
    }


def least(times: int, size: tuple[int, int]) -> float:
    """CPU of a cold decision from class tables, the best of some."""
    given = GroupInput(GROUP.name, tables(100 * size[0], *size), tuple(entries_of(size[1])))
    return min(cpu(lambda: decided(given, MatchCache()))[0] for _ in range(times))


def slope(sizes: list[int], times: list[float]) -> float:
    """Least squares of log(time) over log(size)."""
    xs, ys = [math.log(s) for s in sizes], [math.log(t) for t in times]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum(
        (a - x) ** 2 for a in xs
    )


def main(what: str, *size: str) -> None:
    """One measurement in this process, a row a line."""
    numbers = [int(n) for n in size]
    for row in measure(*numbers) if what == "cpu" else memory(*numbers[:3]):  # type: ignore[call-arg]
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
