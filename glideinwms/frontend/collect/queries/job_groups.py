"""Groupings of a schedd's jobs, checked: the classes of jobs come from GroupBy queries (decisions 1, 2).

A GroupBy whose constraint names an attribute that it does not group on answers zero rows without an error. So each
grouping includes the attributes of its constraint, and its sum is checked.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.answers import ValueCount
from glideinwms.frontend.collect.queries.job_values import (
    ENTERED,
    MAX_JOBS,
    Oddities,
    Values,
    class_of,
    jobs_of,
)
from glideinwms.lib.bounded import count_or, moment_or, reason
from glideinwms.lib.condor import htc
from glideinwms.lib.errors import CondorError, Unreachable

STATUS = "JobStatus"
FQAN = "x509UserProxyFirstFQAN"
QUEUED = "((JobStatus=?=1)||(JobStatus=?=2))"
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


@dataclass(frozen=True, slots=True)
class ScheddQueue:
    """A schedd, and how many jobs of everybody are idle or running there."""

    schedd: htc.ScheddAddress
    queued: int
    odd: Oddities = field(default_factory=Oddities)

    def count(self, constraint: str) -> int:
        """How many jobs a constraint takes."""
        return summary_count(htc.summary_jobs(self.schedd, constraint), "Jobs")


def summary_count(ad: Mapping[str, Any], name: str) -> int:
    return count_or(ad.get(name, 0), 0, high=MAX_JOBS)


def constraint_of(query: str) -> str:
    """Idle and running jobs that a job query takes."""
    return f"{QUEUED} && ({rewrite(query)})"


def count_by(
    queue: ScheddQueue, constraint: str, name: str, row_cap: int = ROW_CAP
) -> list[ValueCount]:
    """Count the jobs per value of one attribute. The jobs are fetched one by one where the grouping
    does not add up.
    """
    counts: dict[str | int | float | bool, list[int]] = {}
    rows = checked_rows(queue, constraint, (name, STATUS), row_cap)
    if rows is None:
        rows = htc.query_jobs(queue.schedd, constraint, [name, STATUS])
    for row in rows:
        [value] = class_of(row, (name,), queue.odd)
        if value is not None:
            counts.setdefault(value, [0, 0])[0 if row.get(STATUS) == 1 else 1] += jobs_of(row)
    return [
        ValueCount(value=value, idle=idle, running=running)
        for value, (idle, running) in counts.items()
    ]


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


def group_rows(
    schedd: htc.ScheddAddress, constraint: str, names: Sequence[str], row_cap: int
) -> list[htc.Ad] | None:
    """Rows of a GroupBy over `names` and whatever the constraint names; None if there are too many
    to be worth it, or so many that the schedd did not get them ready in time (it answers other
    questions: the next one tells).
    """
    columns = union(names, attributes_of(constraint))
    try:
        rows = htc.group_jobs(schedd, constraint, columns, row_cap + 1)
    except Unreachable:
        raise
    except CondorError:
        return None
    return None if len(rows) > row_cap else rows


def checked_rows(
    queue: ScheddQueue, constraint: str, names: Sequence[str], row_cap: int
) -> list[htc.Ad] | None:
    """Rows of a GroupBy that add up to what its constraint takes; None if they do not, or if there
    are too many.
    """
    rows = group_rows(queue.schedd, constraint, names, row_cap)
    if rows is None:
        return None
    found = sum(jobs_of(row) for row in rows)
    if found and close(found, queue.queued):
        return rows
    total = queue.count(constraint)
    return rows if close(found, total) and (found or not total) else None


@contextlib.contextmanager
def row_boundary(odd: Oddities, row: Mapping[str, Any]) -> Iterator[None]:
    """The boundary of one row: one that nobody foresaw is left out and counted."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the boundary of one row of a job query
        odd.note(reason(f"left out, {type(error).__name__}: {error}"), jobs_of(row))


def schedd_time(schedd: htc.ScheddAddress) -> float:
    """The schedd's clock, by a job that has no ServerTime of its own: the schedd adds it to its
    answer only.
    """
    job = htc.query_jobs(
        schedd, "JobStatus =?= 1 && ServerTime =?= undefined", [ENTERED, "ServerTime"], 1
    )
    return moment_or(job[0].get("ServerTime"), 0.0) if job else 0.0
