"""Counting jobs per entry (protocol 5.4, 5.5): straight, proportional, only here, in glideins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from glideinwms.frontend.decide.match.builtins import cpus
from glideinwms.frontend.decide.match.matcher import Matcher
from glideinwms.frontend.decide.packed_sums import JOBS, Places, packed, spread, unpacked
from glideinwms.frontend.plan import JobCounts
from glideinwms.frontend.snapshot import EntryState, JobClassRow, JobTable, Value
from glideinwms.lib.bounded import count_or

TYPES = ("IdleAll", "Idle", "OldIdle", "Idle_3600", "VomsIdle", "Running")
# Shares are added up in units of 2^-60 job: exact for ceil() unless a true share lies within 1e-9
# above a whole number.
UNIT = 1 << 60
NEAR = UNIT // 10**9
MAX_CPUS = 2**31 - 1


def round_up(units: int) -> int:
    """Ceiling of a share in units; what is within 1e-9 of a whole number is that number."""
    return (units + UNIT - 1 - NEAR) // UNIT if units > NEAR else 0


def glidein_cores(entry: EntryState) -> int:
    """Cores of one glidein: CPUS x NODES (protocol 5.5)."""
    nodes = max(count_or(entry.attrs.get("GLIDEIN_NODES", 1), 1), 1)
    return min(max(cpus(entry.attrs) * nodes, 1), MAX_CPUS)


def counts(found: MatchTally, entries: Sequence[EntryState]) -> dict[str, list[JobCounts]]:
    """The four numbers of each job type for every entry. prop_mc in doubles, in the order of
    GlideinWMS 3.10 of operations.
    """
    sums, sizes = found.sums(), [glidein_cores(e) for e in entries]
    rows: dict[str, list[JobCounts]] = {}
    for kind, name in enumerate(TYPES):
        if not found.types[name]:
            rows[name] = [NONE] * len(entries)
            continue
        here = found.only_here(name)
        rows[name] = [
            _counts(*unpacked(sums[i], kind), here.get(1 << i, 0), sizes[i])
            for i in range(len(entries))
        ]
    return rows


NONE = JobCounts()


def _counts(jobs: int, cores: int, share: int, here: int, size: int) -> JobCounts:
    if not jobs:
        return NONE
    return JobCounts(jobs, round_up(share), here, ceil((cores * _whole(share) / jobs) / size))


def _whole(units: int) -> float:
    """A share as a double; a whole number exactly when it is one."""
    near = (units + NEAR) // UNIT
    return float(near) if abs(near * UNIT - units) <= NEAR else units / UNIT


@dataclass(frozen=True, slots=True)
class UnmatchedCounts:
    """A class of idle jobs that matched nothing."""

    table: JobTable
    values: tuple[Value | None, ...]
    idle: int
    masks: tuple[int, ...]


@dataclass(slots=True)
class MatchTally:
    """All job types of one group: type -> (mask of the entries that match, cores) -> jobs; `left`:
    mask that is left before each conjunct and after the last -> idle jobs, each time in a field of
    `JOBS` bits; `places`: bits of masks that were met before.
    """

    everything: int
    size: int
    conjuncts: int
    types: dict[str, dict[tuple[int, int], int]] = field(
        default_factory=lambda: {t: {} for t in TYPES}
    )
    left: dict[int, int] = field(default_factory=dict)
    places: Places = field(default_factory=dict)
    unmatched: list[UnmatchedCounts] = field(default_factory=list)

    def sums(self) -> list[int]:
        """By entry the packed (jobs, cores, share) of each type. Each job is shared evenly among
        its entries.
        """
        weights: dict[int, int] = {}
        for kind, name in enumerate(TYPES):
            for (mask, cores), jobs in self.types[name].items():
                if mask:
                    weight = packed(kind, jobs, jobs * cores, jobs * UNIT // mask.bit_count())
                    weights[mask] = weights.get(mask, 0) + weight
        return spread(weights, self.size, self.places)

    def only_here(self, name: str) -> dict[int, int]:
        """Jobs whose only entry is the one with this bit."""
        found: dict[int, int] = {}
        for (mask, _), jobs in self.types[name].items():
            if not mask & (mask - 1):
                found[mask] = found.get(mask, 0) + jobs
        return found

    def rejected(self) -> list[list[int]]:
        """Per conjunct and entry the idle jobs that it rejected first: what was left, less what is
        left after it.
        """
        totals, low = spread(self.left, self.size, self.places), (1 << JOBS) - 1
        shifts = [k * JOBS for k in range(self.conjuncts)]
        return [[(t >> at & low) - (t >> at + JOBS & low) for t in totals] for at in shifts]


def job_of(table: JobTable, values: Sequence[Value | None]) -> dict[str, Value]:
    """The attributes that a class defines."""
    return {n: v for n, v in zip(table.names, values, strict=True) if v is not None}


def request_cpus(value: Value | None) -> int:
    """RequestCpus, 1 where absent or no number; bounded, since users write it."""
    if type(value) is int and 0 <= value <= MAX_CPUS:
        return value
    try:
        return 1 if value is None else min(max(int(value), 0), MAX_CPUS)
    except (ValueError, OverflowError, TypeError):
        return 1


def tally(tables: Sequence[JobTable], matcher: Matcher, size: int) -> MatchTally:
    """Match every class once and add its jobs up."""
    result = MatchTally(matcher.everything, size, len(matcher.rules), places=matcher.places)
    expensive = [
        (table, row) for table in tables for row in _tally_table(table, table.rows, matcher, result)
    ]
    matcher.budget.deferring = False
    # Classes that exceed the budget match nothing; those with most jobs come first.
    for table, row in sorted(expensive, key=lambda pair: -(pair[1].idle + pair[1].running)):
        _tally_table(table, [row], matcher, result)
    return result


def _tally_table(
    table: JobTable, rows: Sequence[JobClassRow], matcher: Matcher, result: MatchTally
) -> list[JobClassRow]:
    """Add rows of a table to the result. Return the rows whose matching is deferred."""
    look, everything, left = matcher.bind(table.names), matcher.everything, result.left
    budget, deferred = matcher.budget, []
    cpus_at = table.names.index("RequestCpus") if "RequestCpus" in table.names else -1
    by_type = [result.types[t] for t in TYPES]
    for row in rows:
        masks, remaining, idle, at = look(row.values), everything, row.idle, 0
        if budget.deferred and budget.take_deferred():
            deferred.append(row)
            continue
        before, fields = everything, idle
        for mask in masks:
            remaining &= mask
            if remaining != before:
                left[before] = left.get(before, 0) + fields
                before, fields = remaining, 0
            at += JOBS
            fields |= idle << at
        left[before] = left.get(before, 0) + fields
        if not remaining and idle:
            result.unmatched.append(UnmatchedCounts(table, row.values, idle, tuple(masks)))
        key = remaining, 1 if cpus_at < 0 else request_cpus(row.values[cpus_at])
        good = (idle, row.idle_600, row.idle_3600, row.voms) if table.good else (0, 0, 0, 0)
        for jobs, sums in zip((idle, *good, row.running), by_type, strict=True):
            if jobs:
                sums[key] = sums.get(key, 0) + jobs
    return deferred
