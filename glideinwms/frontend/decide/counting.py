"""Counting jobs per entry (protocol 5.4, 5.5): straight, proportional, only here, in glideins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from glideinwms.frontend.decide.counters import Sliced
from glideinwms.frontend.decide.matching import Matcher
from glideinwms.frontend.decide.plan import JobCounts
from glideinwms.frontend.decide.pyexpr import cpus
from glideinwms.frontend.decide.tables import Entry, JobTable, Value

TYPES = ("IdleAll", "Idle", "OldIdle", "Idle_3600", "VomsIdle", "Running")
# Shares are added up in units of 2^-60 job: exact for ceil() unless a true share lies within 1e-9 above a whole number.
UNIT = 1 << 60
NEAR = UNIT // 10**9


@dataclass(slots=True)
class TypeCount:
    """Jobs of one type: by final mask and cores."""

    size: int
    by_mask: dict[int, int] = field(default_factory=dict)
    straight: Sliced = field(init=False)
    cores: Sliced = field(init=False)

    def __post_init__(self) -> None:
        self.straight, self.cores = Sliced(self.size), Sliced(self.size)

    def add(self, mask: int, jobs: int, request_cpus: int) -> None:
        """Jobs with equal mask and cores."""
        self.by_mask[mask] = self.by_mask.get(mask, 0) + jobs
        self.straight.add(mask, jobs)
        self.cores.add(mask, jobs * request_cpus)

    def shares(self) -> list[int]:
        """Proportional counts in units: each job is shared evenly among the entries that it matches."""
        total = Sliced(self.size)
        for mask, jobs in self.by_mask.items():
            if mask:
                total.add(mask, jobs * UNIT // mask.bit_count())
        return total.totals()

    def only_here(self) -> list[int]:
        """Jobs whose only entry is this one."""
        counts = [0] * self.size
        for mask, jobs in self.by_mask.items():
            if mask and not mask & (mask - 1):
                counts[mask.bit_length() - 1] += jobs
        return counts

    @property
    def unmatched(self) -> int:
        """Jobs that match no entry."""
        return self.by_mask.get(0, 0)


def round_up(units: int) -> int:
    """Ceiling of a share in units; what is within 1e-9 of a whole number is that number."""
    return (units + UNIT - 1 - NEAR) // UNIT if units > NEAR else 0


def glidein_cores(entry: Entry) -> int:
    """Cores of one glidein: CPUS x NODES (protocol 5.5)."""
    try:
        nodes = max(int(entry.attrs.get("GLIDEIN_NODES", 1)), 1)
    except (TypeError, ValueError):
        nodes = 1
    return max(cpus(entry.attrs) * nodes, 1)


def counts(count: TypeCount, entries: Sequence[Entry]) -> list[JobCounts]:
    """The four numbers of one job type for every entry. prop_mc in doubles, in the deployed order of operations."""
    straight, cores, units, here = count.straight.totals(), count.cores.totals(), count.shares(), count.only_here()
    rows = []
    for i, entry in enumerate(entries):
        if not straight[i]:
            rows.append(JobCounts())
            continue
        exact = _whole(units[i])
        mc = ceil((cores[i] * exact / straight[i]) / glidein_cores(entry))
        rows.append(JobCounts(straight[i], round_up(units[i]), here[i], mc))
    return rows


def _whole(units: int) -> float:
    """A share as a double; a whole number exactly when it is one."""
    near = (units + NEAR) // UNIT
    return float(near) if abs(near * UNIT - units) <= NEAR else units / UNIT


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A class of idle jobs that matched nothing."""

    table: JobTable
    job: Mapping[str, Value]
    idle: int
    masks: tuple[int, ...]


@dataclass(slots=True)
class Tally:
    """All job types of one group, and who was rejected by what."""

    size: int
    conjuncts: int
    types: dict[str, TypeCount] = field(init=False)
    first_rejected: list[Sliced] = field(init=False)
    unmatched: list[Unmatched] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.types = {t: TypeCount(self.size) for t in TYPES}
        self.first_rejected = [Sliced(self.size) for _ in range(self.conjuncts)]


def job_of(table: JobTable, values: Sequence[Value | None]) -> dict[str, Value]:
    """The attributes that a class defines."""
    return {n: v for n, v in zip(table.names, values, strict=True) if v is not None}


def request_cpus(job: Mapping[str, Value]) -> int:
    """RequestCpus, 1 where absent or no number."""
    try:
        return int(job.get("RequestCpus", 1))
    except (TypeError, ValueError):
        return 1


def tally(tables: Sequence[JobTable], matcher: Matcher, size: int) -> Tally:
    """Match every class once and add its jobs up."""
    result = Tally(size, len(matcher.law))
    for table in tables:
        for row in table.rows:
            job = job_of(table, row.values)
            masks = matcher.masks(job)
            remaining = matcher.everything
            for index, mask in enumerate(masks):
                rejected = remaining & ~mask
                if rejected and row.idle:
                    result.first_rejected[index].add(rejected, row.idle)
                remaining &= mask
            cores = request_cpus(job)
            idle = row.idle if table.good else 0
            for name, jobs in (
                ("IdleAll", row.idle),
                ("Idle", idle),
                ("OldIdle", row.idle_600 if table.good else 0),
                ("Idle_3600", row.idle_3600 if table.good else 0),
                ("VomsIdle", row.voms if table.good else 0),
                ("Running", row.running),
            ):
                if jobs:
                    result.types[name].add(remaining, jobs, cores)
            if not remaining and row.idle:
                result.unmatched.append(Unmatched(table, job, row.idle, tuple(masks)))
    return result
