"""Counting jobs per entry (protocol 5.4, 5.5): straight, proportional, only here, in glideins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil

from glideinwms.frontend.decide.counters import Sliced
from glideinwms.frontend.decide.matching import Matcher
from glideinwms.frontend.decide.plan import JobCounts
from glideinwms.frontend.decide.safe import cpus
from glideinwms.frontend.decide.tables import Entry, JobTable, Value

TYPES = ("IdleAll", "Idle", "OldIdle", "Idle_3600", "VomsIdle", "Running")
# Shares are added up in units of 2^-60 job: exact for ceil() unless a true share lies within 1e-9 above a whole number.
UNIT = 1 << 60
NEAR = UNIT // 10**9


@dataclass(slots=True)
class TypeCount:
    """Jobs of one type, by the mask of the entries they match and their cores."""

    size: int
    by_mask: dict[tuple[int, int], int] = field(default_factory=dict)

    def straight(self) -> list[int]:
        """Jobs that match, by entry."""
        return self._sum(lambda mask, cores, jobs: jobs)

    def cores(self) -> list[int]:
        """RequestCpus of the jobs that match, summed up."""
        return self._sum(lambda mask, cores, jobs: jobs * cores)

    def shares(self) -> list[int]:
        """Proportional counts in units: each job is shared evenly among the entries that it matches."""
        return self._sum(lambda mask, cores, jobs: jobs * UNIT // mask.bit_count())

    def only_here(self) -> list[int]:
        """Jobs whose only entry is this one."""
        counts = [0] * self.size
        for (mask, _), jobs in self.by_mask.items():
            if mask and not mask & (mask - 1):
                counts[mask.bit_length() - 1] += jobs
        return counts

    def _sum(self, weight: Callable[[int, int, int], int]) -> list[int]:
        total = Sliced(self.size)
        for (mask, cores), jobs in self.by_mask.items():
            if mask:
                total.add(mask, weight(mask, cores, jobs))
        return total.totals()

    @property
    def unmatched(self) -> int:
        """Jobs that match no entry."""
        return sum(jobs for (mask, _), jobs in self.by_mask.items() if not mask)


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
    straight, cores, units, here = count.straight(), count.cores(), count.shares(), count.only_here()
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
    values: tuple[Value | None, ...]
    idle: int
    masks: tuple[int, ...]


@dataclass(slots=True)
class Tally:
    """All job types of one group, and who was rejected by what: per conjunct, entries rejected first -> jobs."""

    size: int
    conjuncts: int
    types: dict[str, TypeCount] = field(init=False)
    first_rejected: list[dict[int, int]] = field(init=False)
    unmatched: list[Unmatched] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.types = {t: TypeCount(self.size) for t in TYPES}
        self.first_rejected = [{} for _ in range(self.conjuncts)]

    def rejected(self) -> list[list[int]]:
        """Per conjunct and entry the idle jobs that it rejected first."""
        found = []
        for by_mask in self.first_rejected:
            total = Sliced(self.size)
            for mask, jobs in by_mask.items():
                total.add(mask, jobs)
            found.append(total.totals())
        return found


def job_of(table: JobTable, values: Sequence[Value | None]) -> dict[str, Value]:
    """The attributes that a class defines."""
    return {n: v for n, v in zip(table.names, values, strict=True) if v is not None}


def request_cpus(value: Value | None) -> int:
    """RequestCpus, 1 where absent or no number."""
    try:
        return 1 if value is None else int(value)
    except (ValueError, OverflowError):
        return 1


def tally(tables: Sequence[JobTable], matcher: Matcher, size: int) -> Tally:
    """Match every class once and add its jobs up."""
    result = Tally(size, len(matcher.law))
    for table in tables:
        _tally_table(table, matcher, result)
    return result


def _tally_table(table: JobTable, matcher: Matcher, result: Tally) -> None:
    look, everything, rejections = matcher.bind(table.names), matcher.everything, result.first_rejected
    cpus_at = table.names.index("RequestCpus") if "RequestCpus" in table.names else -1
    by_type = [result.types[t].by_mask for t in TYPES]
    for row in table.rows:
        masks, remaining, idle = look(row.values), everything, row.idle
        for mask, by_mask in zip(masks, rejections, strict=True):
            rejected = remaining & ~mask
            if rejected:
                if idle:
                    by_mask[rejected] = by_mask.get(rejected, 0) + idle
                remaining &= mask
        if not remaining and idle:
            result.unmatched.append(Unmatched(table, row.values, idle, tuple(masks)))
        key = remaining, 1 if cpus_at < 0 else request_cpus(row.values[cpus_at])
        good = (idle, row.idle_600, row.idle_3600, row.voms) if table.good else (0, 0, 0, 0)
        for jobs, sums in zip((idle, *good, row.running), by_type, strict=True):
            if jobs:
                sums[key] = sums.get(key, 0) + jobs
