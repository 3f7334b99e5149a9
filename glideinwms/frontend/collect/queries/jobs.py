"""Job classes of one schedd, counted inside a reader process (decisions 1-3, 23). Only aggregates leave it.

Each query makes the schedd scan its whole queue, so the number of queries is kept small. A grouping that takes nearly
the whole queue is checked against the queue's size, which costs no scan. In a large queue that was not read before, a
sample tells whether jobs share their times: then one grouping gives both classes and ages. Where groupings do not add
up, or have too many rows, the jobs are fetched in slices, and each slice is counted before the next one is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.answers import JobClasses, JobQuery, ScheddJobs, ValueCount
from glideinwms.frontend.collect.queries.job_ages import (
    AGES,
    GROUPED,
    SCALED,
    TIMED,
    add_old,
    split_ages,
    times_are_shared,
)
from glideinwms.frontend.collect.queries.job_groups import (
    FQAN,
    ROW_CAP,
    STATUS,
    ClassCounts,
    Classes,
    ScheddQueue,
    checked_rows,
    constraint_of,
    count_by,
    row_boundary,
    schedd_time,
    summary_count,
    union,
)
from glideinwms.frontend.collect.queries.job_values import (
    ENTERED,
    Oddities,
    age_of,
    class_of,
    jobs_of,
)
from glideinwms.lib.condor import htc

SLICE = 50_000
SLICED = "sliced"


@dataclass(slots=True)
class ClassReading:
    """One schedd's classes under one job query, and how they were had."""

    classes: Classes = field(default_factory=dict)
    method: str = GROUPED
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """At most so many rows of a grouping, so many jobs fetched raw at a time, so many of either for
    their ages.
    """

    rows: int = ROW_CAP
    raw: int = SLICE
    ages: int = AGES


def read_jobs(
    name: str,
    address: str,
    queries: Sequence[JobQuery],
    row_cap: int = ROW_CAP,
    slice_size: int = SLICE,
) -> ScheddJobs:
    """Answer several job queries of one schedd.

    The `method` of a query says how to start: "grouped", "timed" (the times are among the columns,
    which saves a query), "scaled" (ages are estimated) or "sliced". The method that worked is part
    of the answer.
    """
    schedd = htc.ScheddAddress(name, address)
    summary = htc.summary_jobs(schedd, "false")
    queued = summary_count(summary, "AllusersIdle") + summary_count(summary, "AllusersRunning")
    queue = ScheddQueue(schedd, queued)
    bounds = ReadLimits(row_cap, slice_size, min(slice_size, AGES, row_cap))
    readings = [_read(queue, q.query, q.names, q.method, bounds) for q in queries]
    tables = [
        _table(
            query,
            reading,
            {n: count_by(queue, constraint_of(query.query), n, row_cap) for n in query.extras},
        )
        for query, reading in zip(queries, readings, strict=True)
    ]
    return ScheddJobs(
        tables=tuple(tables), all_queued=queue.queued, odd=queue.odd.summary(), address=address
    )


def _table(
    query: JobQuery, reading: ClassReading, extras: dict[str, list[ValueCount]]
) -> JobClasses:
    counts = list(reading.classes.values())
    idle = [c.idle for c in counts]
    running = [c.running for c in counts]
    return JobClasses(
        query=query.query,
        names=query.names,
        values=list(reading.classes),
        idle=idle,
        idle_600=[c.idle_600 for c in counts],
        idle_3600=[c.idle_3600 for c in counts],
        running=running,
        voms=[c.voms for c in counts],
        jobs=sum(idle) + sum(running),
        method=reading.method,
        estimated=reading.estimated,
        extras=extras,
    )


def _read(
    queue: ScheddQueue, query: str, names: tuple[str, ...], method: str, bounds: ReadLimits
) -> ClassReading:
    constraint, schedd = constraint_of(query), queue.schedd
    if not queue.queued:
        return ClassReading()
    sampled = not method and queue.queued > bounds.ages
    if method == TIMED or (
        sampled and times_are_shared(schedd, constraint, queue.queued, bounds.ages)
    ):
        timed = _timed(queue, constraint, names, bounds.ages)
        if timed is not None:
            return timed
    reading = _grouped(queue, constraint, names, bounds.rows) if method != SLICED else None
    if reading is None:
        return _sliced(queue, constraint, names, bounds.raw)
    if not reading.classes:
        return reading
    alone = method == SCALED or sampled
    reading.method = split_ages(queue, constraint, names, reading.classes, bounds.ages, alone=alone)
    reading.estimated = reading.method == SCALED
    if (
        reading.method == TIMED
        and 2 * sum(c.running for c in reading.classes.values()) > bounds.ages
    ):
        reading.method = GROUPED  # running jobs seldom share their times
    return reading


def _grouped(
    queue: ScheddQueue, constraint: str, names: tuple[str, ...], row_cap: int
) -> ClassReading | None:
    rows = checked_rows(queue, constraint, (*names, STATUS, FQAN), row_cap)
    if rows is None:
        return None
    classes: Classes = {}
    for row in rows:
        with row_boundary(queue.odd, row):
            _count(classes.setdefault(class_of(row, names, queue.odd), ClassCounts()), row)
    return ClassReading(classes, GROUPED)


def _count(counts: ClassCounts, row: Mapping[str, Any]) -> None:
    jobs = jobs_of(row)
    if row.get(STATUS) != 1:
        counts.running += jobs
        return
    counts.idle += jobs
    counts.voms += jobs if FQAN in row else 0


def _timed(
    queue: ScheddQueue, constraint: str, names: tuple[str, ...], most: int
) -> ClassReading | None:
    """Classes and ages by one grouping; None if it has too many rows, or does not add up."""
    clock = schedd_time(queue.schedd)
    rows = checked_rows(queue, constraint, (*names, STATUS, FQAN, ENTERED), most)
    if rows is None:
        return None
    classes: Classes = {}
    for row in rows:
        with row_boundary(queue.odd, row):
            counts = classes.setdefault(class_of(row, names, queue.odd), ClassCounts())
            _count(counts, row)
            if row.get(STATUS) == 1:
                add_old(counts, age_of(row, clock, queue.odd), jobs_of(row))
    return ClassReading(classes, TIMED)


def _sliced(queue: ScheddQueue, constraint: str, names: tuple[str, ...], raw: int) -> ClassReading:
    """The real constraint, raw, in slices of some `raw` jobs, each folded before the next is asked
    (decision 1).
    """
    slices = -(-queue.count(constraint) // raw)
    if not slices:
        return ClassReading()
    classes: Classes = {}
    wanted = union(names, (STATUS, ENTERED, "ServerTime", FQAN))
    for k in range(slices):
        part = (
            constraint
            if slices == 1
            else f"({constraint}) && ((ClusterId + ProcId) % {slices} == {k})"
        )
        for job in htc.query_jobs(queue.schedd, part, wanted):
            with row_boundary(queue.odd, job):
                fold_job(classes, job, names, queue.odd)
    return ClassReading(classes, SLICED)


def fold_job(classes: Classes, job: Mapping[str, Any], names: Sequence[str], odd: Oddities) -> None:
    """Count one job ad (it carries JobStatus, EnteredCurrentStatus, ServerTime)."""
    counts = classes.setdefault(class_of(job, names, odd), ClassCounts())
    if job.get(STATUS) != 1:
        counts.running += 1
        return
    counts.idle += 1
    add_old(counts, age_of(job, None, odd), 1)
    counts.voms += FQAN in job
