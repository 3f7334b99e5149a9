"""How long the idle jobs of each class have waited: the parts of 600 s and of 3600 s (decision 3)."""

from __future__ import annotations

from collections.abc import Iterable

from glideinwms.frontend.collect.queries.job_groups import (
    ClassCounts,
    Classes,
    ScheddQueue,
    group_rows,
    row_boundary,
    schedd_time,
    summary_count,
)
from glideinwms.frontend.collect.queries.job_values import (
    ENTERED,
    Values,
    age_of,
    class_of,
    jobs_of,
)
from glideinwms.lib.bounded import moment_or
from glideinwms.lib.condor import htc

AGES = 15_000
BLOCKS, BLOCK = 8, 50
GROUPED, TIMED, SCALED = "grouped", "timed", "scaled"


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
    else by the times that jobs share, unless each is known to be `alone` with its own; else scaled
    from the totals. GROUPED, TIMED or SCALED.
    """
    schedd = queue.schedd
    idle = f"({constraint}) && (JobStatus=?=1)"
    # one that does not say since when is young
    young = f"({idle}) && ((time()-{ENTERED} < 3600) =!= false)"
    old = f"({idle}) && (time()-{ENTERED} >= 600)"
    n_old = summary_count(htc.summary_jobs(schedd, old), "Jobs")
    # each look at the queue costs the schedd a scan: the other side may not matter
    if n_old <= raw:
        for values, age, n in job_ages(queue, old, names, n_old):
            if values in classes:
                add_old(classes[values], age, n)
        return bound_ages(classes)
    n_young = summary_count(htc.summary_jobs(schedd, young), "Jobs")
    if n_young > raw:
        shared = not alone and times_are_shared(schedd, idle, max(n_old, n_young), raw)
        if shared and _grouped_ages(queue, idle, names, classes, raw):
            return TIMED
        total = max(sum(c.idle for c in classes.values()), 1)
        for c in classes.values():
            c.idle_600, c.idle_3600 = c.idle * n_old // total, c.idle * (total - n_young) // total
        bound_ages(classes)
        return SCALED
    for c in classes.values():
        c.idle_600 = c.idle_3600 = c.idle
    for values, age, n in job_ages(queue, young, names, n_young):
        if values in classes:
            classes[values].idle_3600 -= n
            classes[values].idle_600 -= n if age < 600 else 0
    return bound_ages(classes)


def times_are_shared(schedd: htc.ScheddAddress, constraint: str, jobs: int, most: int) -> bool:
    """Whether a grouping by time would have at most `most` rows, by some eight blocks of neighbours
    in the queue: jobs that were submitted together share their times. Distinct times cost the
    schedd ten times as much as classes, and a million of them more than it can do in time. `jobs`
    is how many there are.
    """
    block = max(BLOCK, 2 * jobs // max(most, 1))
    part = f"((ClusterId * 31 + ProcId / {block}) % {max(1, jobs // (BLOCKS * block))} == 0) && ({constraint})"
    found = [
        moment_or(job.get(ENTERED), 0.0)
        for job in htc.query_jobs(schedd, part, [ENTERED], 2 * BLOCKS * block)
    ]
    return bool(found) and jobs * len(set(found)) <= most * len(found)


def add_old(counts: ClassCounts, age: float, n: int) -> None:
    counts.idle_600 += n if age >= 600 else 0
    counts.idle_3600 += n if age >= 3600 else 0


def bound_ages(classes: Classes) -> str:
    """Jobs came and went between the questions: keep 0 <= idle_3600 <= idle_600 <= idle."""
    for c in classes.values():
        c.idle_600 = min(max(c.idle_600, 0), c.idle)
        c.idle_3600 = min(max(c.idle_3600, 0), c.idle_600)
    return GROUPED


def job_ages(
    queue: ScheddQueue, constraint: str, names: tuple[str, ...], total: int
) -> Iterable[tuple[Values, float, int]]:
    if not total:
        return
    for job in htc.query_jobs(queue.schedd, constraint, [*names, ENTERED, "ServerTime"]):
        with row_boundary(queue.odd, job):
            yield class_of(job, names, queue.odd), age_of(job, None, queue.odd), 1


def _grouped_ages(
    queue: ScheddQueue, idle: str, names: tuple[str, ...], classes: Classes, most: int
) -> bool:
    """Jobs submitted in bulk share their times. False if there are too many of them."""
    clock = schedd_time(queue.schedd)
    rows = group_rows(queue.schedd, idle, (*names, ENTERED), most)
    for row in rows or ():
        with row_boundary(queue.odd, row):
            counts = classes.get(class_of(row, names, queue.odd))
            if counts is not None:
                add_old(counts, age_of(row, clock, queue.odd), jobs_of(row))
    bound_ages(classes)
    return rows is not None
