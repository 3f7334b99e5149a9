"""Job classes of one schedd, counted inside a reader process (decisions 1-3, 23). Only aggregates leave it.

GroupBy gives the classes, and their sum is checked: a GroupBy whose constraint names something it does not group on
answers zero rows without an error. Where the sum does not hold, or there are too many rows, the real constraint is
asked raw in slices that are folded one by one. Each question costs the schedd a look at its whole queue. So the check
of a grouping that takes nearly all of the queue is the queue's own size, which costs no evaluation; and in a large
queue that has not been read before, a sample tells first whether jobs share their times, so that one grouping may give
both classes and ages.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.queries.job_values import (
    ENTERED,
    MAX_JOBS,
    Oddities,
    Value,
    Values,
    age_of,
    class_of,
    jobs_of,
)
from glideinwms.lib.bounded import count_or, moment_or, reason
from glideinwms.lib.condor import htc
from glideinwms.lib.errors import CondorError, Unreachable

STATUS = "JobStatus"
FQAN = "x509UserProxyFirstFQAN"
QUEUED = "((JobStatus=?=1)||(JobStatus=?=2))"
SLICE = 50_000
AGES = 15_000
BLOCKS, BLOCK = 8, 50
GROUPED, TIMED, SCALED, SLICED = "grouped", "timed", "scaled", "sliced"
ROW_CAP = 200_000
TOLERANCE_SHARE, TOLERANCE_JOBS = 0.01, 20
SERVER_TIME = re.compile(r"\bServerTime\b", re.IGNORECASE)


@dataclass(slots=True)
class ClassCounts:
    """Jobs of one class: idle, idle for at least 600 and 3600 s, running, idle with a VOMS
    attribute.
    """

    idle: int = 0
    idle_600: int = 0
    idle_3600: int = 0
    running: int = 0
    voms: int = 0


Classes = dict[Values, ClassCounts]


@dataclass(slots=True)
class ClassReading:
    """One schedd's classes under one job query, and how they were had."""

    classes: Classes = field(default_factory=dict)
    method: str = GROUPED
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class ScheddQueue:
    """A schedd, and how many jobs of everybody are idle or running there."""

    schedd: htc.ScheddAddress
    queued: int
    odd: Oddities = field(default_factory=Oddities)

    def count(self, constraint: str) -> int:
        """How many jobs a constraint takes."""
        return _int(htc.summary_jobs(self.schedd, constraint), "Jobs")


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
    queries: Sequence[Mapping[str, Any]],
    row_cap: int = ROW_CAP,
    slice_size: int = SLICE,
) -> dict[str, Any]:
    """Answer several job queries of one schedd. Each of `queries` is {"query": ClassAd text,
    "names": [attributes],
    "extras": [attributes counted by themselves], "method": what worked last time, or ""}:
    "grouped", "timed" (the
    times are among the columns: one question less), "scaled" (ages are estimated), "sliced".

    Returns {"tables": [...], "all_queued": jobs of everybody idle or running (the witness of
    decision 15), "odd":
    [[reason, jobs]] where users wrote values that had to be replaced}; a table is
    {"rows": [[values, idle, idle_600, idle_3600, running, voms]], "method", "estimated", "jobs",
    "extras": {attribute:
    [[value, idle, running]]}}.
    """
    schedd = htc.ScheddAddress(name, address)
    summary = htc.summary_jobs(schedd, "false")
    queue = ScheddQueue(schedd, _int(summary, "AllusersIdle") + _int(summary, "AllusersRunning"))
    bounds = ReadLimits(row_cap, slice_size, min(slice_size, AGES, row_cap))
    readings = [
        _read(queue, q["query"], tuple(q["names"]), str(q.get("method", "")), bounds)
        for q in queries
    ]
    tables = [
        {
            **_table(r),
            "extras": {
                n: count_by(queue, constraint_of(q["query"]), n, row_cap) for n in q["extras"]
            },
        }
        for q, r in zip(queries, readings, strict=True)
    ]
    return {"tables": tables, "all_queued": queue.queued, "odd": queue.odd.rows()}


def _table(reading: ClassReading) -> dict[str, Any]:
    rows = [
        [list(values), c.idle, c.idle_600, c.idle_3600, c.running, c.voms]
        for values, c in reading.classes.items()
    ]
    jobs = sum(c.idle + c.running for c in reading.classes.values())
    return {"rows": rows, "method": reading.method, "estimated": reading.estimated, "jobs": jobs}


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


def _int(ad: Mapping[str, Any], name: str) -> int:
    return count_or(ad.get(name, 0), 0, high=MAX_JOBS)


def constraint_of(query: str) -> str:
    """Idle and running jobs that a job query takes."""
    return f"{QUEUED} && ({rewrite(query)})"


def count_by(
    queue: ScheddQueue, constraint: str, name: str, row_cap: int = ROW_CAP
) -> list[list[Any]]:
    """[value, idle, running] per value of one attribute, two columns wide; raw where grouping does
    not add up.
    """
    counts: dict[Value, list[int]] = {}
    rows = _checked(queue, constraint, (name, STATUS), row_cap)
    if rows is None:
        rows = htc.query_jobs(queue.schedd, constraint, [name, STATUS])
    for row in rows:
        [value] = class_of(row, (name,), queue.odd)
        if value is not None:
            counts.setdefault(value, [0, 0])[0 if row.get(STATUS) == 1 else 1] += jobs_of(row)
    return [[value, *n] for value, n in counts.items()]


def rewrite(query: str) -> str:
    """ServerTime is only in the reply, never in the queue: time() means the same there (decision
    2).
    """
    return SERVER_TIME.sub("time()", query) if query.strip() else "true"


def attributes_of(constraint: str) -> list[str]:
    """The job attributes a constraint names, in their own spelling, sorted."""
    import classad2

    refs = classad2.ClassAd().externalRefs(classad2.ExprTree(constraint))
    cut = (r.split(".", 1)[-1] if r.lower().startswith(("my.", "target.")) else r for r in refs)
    return sorted({r for r in cut if r.lower() != "currenttime"}, key=str.lower)


def union(*parts: Iterable[str]) -> list[str]:
    """Attribute names once each (ClassAd names ignore case), in order of first appearance."""
    seen: dict[str, str] = {}
    for part in parts:
        for name in part:
            seen.setdefault(name.lower(), name)
    return list(seen.values())


def close(found: int, total: int) -> bool:
    """Whether two counts of a living queue agree: within 1 % or 20 jobs."""
    return abs(found - total) <= max(TOLERANCE_JOBS, TOLERANCE_SHARE * total)


def _group(
    schedd: htc.ScheddAddress, constraint: str, names: Sequence[str], row_cap: int
) -> list[htc.Ad] | None:
    """Rows of a GroupBy over `names` and whatever the constraint names; None if there are too many
    to be worth it, or
    so many that the schedd did not get them ready in time (it answers other questions: the next one
    tells).
    """
    columns = union(names, attributes_of(constraint))
    try:
        rows = htc.group_jobs(schedd, constraint, columns, row_cap + 1)
    except Unreachable:
        raise
    except CondorError:
        return None
    return None if len(rows) > row_cap else rows


def _checked(
    queue: ScheddQueue, constraint: str, names: Sequence[str], row_cap: int
) -> list[htc.Ad] | None:
    """Rows of a GroupBy that add up to what its constraint takes; None if they do not, or if there
    are too many.
    """
    rows = _group(queue.schedd, constraint, names, row_cap)
    if rows is None:
        return None
    found = sum(jobs_of(row) for row in rows)
    if found and close(found, queue.queued):
        return rows
    total = queue.count(constraint)
    return rows if close(found, total) and (found or not total) else None


def _grouped(
    queue: ScheddQueue, constraint: str, names: tuple[str, ...], row_cap: int
) -> ClassReading | None:
    rows = _checked(queue, constraint, (*names, STATUS, FQAN), row_cap)
    if rows is None:
        return None
    classes: Classes = {}
    for row in rows:
        with _row(queue.odd, row):
            _count(classes.setdefault(class_of(row, names, queue.odd), ClassCounts()), row)
    return ClassReading(classes, GROUPED)


@contextlib.contextmanager
def _row(odd: Oddities, row: Mapping[str, Any]) -> Iterator[None]:
    """The boundary of one row: one that nobody foresaw is left out and counted."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the boundary of one row of a job query
        odd.note(reason(f"left out, {type(error).__name__}: {error}"), jobs_of(row))


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
    clock = _schedd_time(queue.schedd)
    rows = _checked(queue, constraint, (*names, STATUS, FQAN, ENTERED), most)
    if rows is None:
        return None
    classes: Classes = {}
    for row in rows:
        with _row(queue.odd, row):
            counts = classes.setdefault(class_of(row, names, queue.odd), ClassCounts())
            _count(counts, row)
            if row.get(STATUS) == 1:
                _add_old(counts, age_of(row, clock, queue.odd), jobs_of(row))
    return ClassReading(classes, TIMED)


def split_ages(
    queue: ScheddQueue,
    constraint: str,
    names: tuple[str, ...],
    classes: Classes,
    raw: int = AGES,
    *,
    alone: bool = False,
) -> str:
    """Fill idle_600 and idle_3600 by asking a side of at most `raw` jobs one by one (decision 3);
    else by the times
    that jobs share, unless each is known to be `alone` with its own; else scaled from the totals.
    GROUPED, TIMED or
    SCALED.
    """
    schedd = queue.schedd
    idle = f"({constraint}) && (JobStatus=?=1)"
    # one that does not say since when is young
    young = f"({idle}) && ((time()-{ENTERED} < 3600) =!= false)"
    old = f"({idle}) && (time()-{ENTERED} >= 600)"
    n_old = _int(htc.summary_jobs(schedd, old), "Jobs")
    # each look at the queue costs the schedd a scan: the other side may not matter
    if n_old <= raw:
        for values, age, n in _ages(queue, old, names, n_old):
            if values in classes:
                _add_old(classes[values], age, n)
        return _bound(classes)
    n_young = _int(htc.summary_jobs(schedd, young), "Jobs")
    if n_young > raw:
        shared = not alone and times_are_shared(schedd, idle, max(n_old, n_young), raw)
        if shared and _grouped_ages(queue, idle, names, classes, raw):
            return TIMED
        total = max(sum(c.idle for c in classes.values()), 1)
        for c in classes.values():
            c.idle_600, c.idle_3600 = c.idle * n_old // total, c.idle * (total - n_young) // total
        _bound(classes)
        return SCALED
    for c in classes.values():
        c.idle_600 = c.idle_3600 = c.idle
    for values, age, n in _ages(queue, young, names, n_young):
        if values in classes:
            classes[values].idle_3600 -= n
            classes[values].idle_600 -= n if age < 600 else 0
    return _bound(classes)


def times_are_shared(schedd: htc.ScheddAddress, constraint: str, jobs: int, most: int) -> bool:
    """Whether a grouping by time would have at most `most` rows, by some eight blocks of neighbours
    in the queue: jobs
    that were submitted together share their times. Distinct times cost the schedd ten times as much
    as classes, and a
    million of them more than it can do in time. `jobs` is how many there are.
    """
    block = max(BLOCK, 2 * jobs // max(most, 1))
    part = f"((ClusterId * 31 + ProcId / {block}) % {max(1, jobs // (BLOCKS * block))} == 0) && ({constraint})"
    found = [
        moment_or(job.get(ENTERED), 0.0)
        for job in htc.query_jobs(schedd, part, [ENTERED], 2 * BLOCKS * block)
    ]
    return bool(found) and jobs * len(set(found)) <= most * len(found)


def _add_old(counts: ClassCounts, age: float, n: int) -> None:
    counts.idle_600 += n if age >= 600 else 0
    counts.idle_3600 += n if age >= 3600 else 0


def _bound(classes: Classes) -> str:
    """Jobs came and went between the questions: keep 0 <= idle_3600 <= idle_600 <= idle."""
    for c in classes.values():
        c.idle_600 = min(max(c.idle_600, 0), c.idle)
        c.idle_3600 = min(max(c.idle_3600, 0), c.idle_600)
    return GROUPED


def _ages(
    queue: ScheddQueue, constraint: str, names: tuple[str, ...], total: int
) -> Iterable[tuple[Values, float, int]]:
    if not total:
        return
    for job in htc.query_jobs(queue.schedd, constraint, [*names, ENTERED, "ServerTime"]):
        with _row(queue.odd, job):
            yield class_of(job, names, queue.odd), age_of(job, None, queue.odd), 1


def _grouped_ages(
    queue: ScheddQueue, idle: str, names: tuple[str, ...], classes: Classes, most: int
) -> bool:
    """Jobs submitted in bulk share their times. False if there are too many of them."""
    clock = _schedd_time(queue.schedd)
    rows = _group(queue.schedd, idle, (*names, ENTERED), most)
    for row in rows or ():
        with _row(queue.odd, row):
            counts = classes.get(class_of(row, names, queue.odd))
            if counts is not None:
                _add_old(counts, age_of(row, clock, queue.odd), jobs_of(row))
    _bound(classes)
    return rows is not None


def _schedd_time(schedd: htc.ScheddAddress) -> float:
    """The schedd's clock, by a job that has no ServerTime of its own: the schedd adds it to its
    answer only.
    """
    job = htc.query_jobs(
        schedd, "JobStatus =?= 1 && ServerTime =?= undefined", [ENTERED, "ServerTime"], 1
    )
    return moment_or(job[0].get("ServerTime"), 0.0) if job else 0.0


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
            with _row(queue.odd, job):
                fold_job(classes, job, names, queue.odd)
    return ClassReading(classes, SLICED)


def fold_job(classes: Classes, job: Mapping[str, Any], names: Sequence[str], odd: Oddities) -> None:
    """Count one job ad (it carries JobStatus, EnteredCurrentStatus, ServerTime)."""
    counts = classes.setdefault(class_of(job, names, odd), ClassCounts())
    if job.get(STATUS) != 1:
        counts.running += 1
        return
    counts.idle += 1
    _add_old(counts, age_of(job, None, odd), 1)
    counts.voms += FQAN in job
