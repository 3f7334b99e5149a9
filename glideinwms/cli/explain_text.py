"""Describe the decision for one group at one entry, line by line, for the `explain` commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glideinwms.frontend.decide.explain import Verdict
from glideinwms.frontend.plan import FrontendEntryPlan, FrontendPlan, GroupPlan
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.frontend.snapshot import GroupInput, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRequest:
    """What another group asks of the same entry.

    `same_jobs`: both groups read a schedd in common with the same job query, so its jobs count in
    both. As in GlideinWMS 3.10, no group knows the demand of another.
    """

    group: str
    idle: int
    max: int
    jobs: int
    same_jobs: bool

    def line(self) -> str:
        """Describe it for people."""
        same = ", part of them the same jobs" if self.same_jobs else ""
        return (
            f"  group {self.group} asks there too: {self.idle} idle pilots, at most {self.max}, "
            f"for its share of {self.jobs} idle jobs{same}"
        )


class OtherRequests:
    """Requests of all groups, by entry."""

    def __init__(
        self, plan: FrontendPlan, policy: FrontendPolicy, inputs: Mapping[str, GroupInput]
    ) -> None:
        queries = {group.name: group.job_query for group in policy.groups}
        self._reads = {
            name: {(table.schedd, queries.get(name)) for table in given.jobs if table.good}
            for name, given in inputs.items()
        }
        self._asked: dict[tuple[str, str], list[tuple[str, FrontendEntryPlan]]] = {}
        for group in plan.groups:
            for entry in group.entries:
                if entry.jobs["Idle"].count:
                    key = (entry.entry, entry.pool)
                    self._asked.setdefault(key, []).append((group.name, entry))

    def beside(self, group: GroupPlan, entry: FrontendEntryPlan) -> list[OtherRequest]:
        """Return what the other groups ask of the entry for jobs that match there."""
        return [
            OtherRequest(
                group=name,
                idle=other.idle,
                max=other.max_glideins,
                jobs=other.jobs["Idle"].count,
                same_jobs=bool(self._reads[name] & self._reads[group.name]),
            )
            for name, other in self._asked.get((entry.entry, entry.pool), ())
            if name != group.name
        ]


def entry_lines(group: GroupPlan, entry: FrontendEntryPlan, given: GroupInput) -> list[str]:
    """Describe the jobs, the request and its adjustments, credentials, the Factory, and pilots."""
    idle = entry.jobs["Idle"]
    margin = f" beyond {entry.margin}" if entry.margin else ""
    answers = given.told.get(entry.entry, {})
    return [
        f"{group.name} at {entry.entry}: {idle.count} idle jobs match, {idle.hereonly} only here; "
        f"its share is {idle.prop} jobs, {idle.prop_mc} pilots",
        *_rejections(group, entry),
        f"  request: {entry.idle} idle pilots, at most {entry.max_glideins}, "
        f"remove {entry.removal}{margin}",
        *(f"    {adjustment}" for adjustment in entry.clips),
        *removal_lines(entry, given),
        *(
            f"  credential {share.credential}: {share.idle} idle, at most {share.max_glideins}"
            for share in entry.shares
        ),
        *(f"  left out {refusal.where}: {refusal}" for refusal in entry.refusals),
        *(f"  the Factory reports {name}: {value}" for name, value in answers.items()),
        _pilots(entry, given),
    ]


def _rejections(group: GroupPlan, entry: FrontendEntryPlan) -> list[str]:
    lines = []
    for index, jobs in entry.rejected.items():
        text, origin = group.conjuncts[int(index)]
        lines.append(f"  {jobs} jobs rejected by {text}  ({origin})")
    return lines


def removal_lines(entry: FrontendEntryPlan, given: GroupInput) -> list[str]:
    """Describe what the removal level is based on (protocol 5.7)."""
    if given.action:
        return [f"    removal by an operator's command: {given.action}"]
    if doubts := [*given.unknown, *given.held]:
        return [f"    nothing is removed on old answers: {'; '.join(doubts)}"]
    counters = entry.counters
    if entry.removal == "NO" and not counters.no_jobs:
        return []
    return [
        f"    consecutive cycles without idle jobs for it: {counters.no_jobs}, "
        f"with all its slots idle: {counters.all_idle}, without slots: {counters.no_slots}"
    ]


def _pilots(entry: FrontendEntryPlan, given: GroupInput) -> str:
    slots = given.slots.get(entry.entry)
    if slots is None:
        return "  pilots: none has joined the pool"
    counts = slots.counts
    return (
        f"  pilots: {counts.total} slots, {counts.running} running, "
        f"{counts.idle} idle, {counts.failed} failed"
    )


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Describe why entries do not match."""
    return [_verdict(verdict) for verdict in verdicts if not verdict.matches]


def _verdict(verdict: Verdict) -> str:
    if verdict.returned:
        return f"  {verdict.entry}: {verdict.origin} returned {verdict.returned}"
    why = verdict.conjunct or str(verdict.reason)
    sides = (values(verdict.job_values), values(verdict.entry_values), verdict.error)
    seen = "; ".join(filter(None, sides))
    return f"  {verdict.entry}: {why}  ({verdict.origin or verdict.reason}): {seen}"


def values(attributes: Mapping[str, Value | None] | None) -> str:
    """Format attributes: `A='x', B undefined`."""
    return ", ".join(
        f"{name} undefined" if value is None else f"{name}={value!r}"
        for name, value in (attributes or {}).items()
    )
