"""The decisions of GlideinWMS 3.10, as golden-factory recorded them: production code with the
differences of docs/differences.md taken back, each where it is named.

`UpstreamDecision` reproduces every recorded case. So what production decides otherwise is explained
by these differences, and by nothing else: with some of them `adopted` it decides as production does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from glideinwms.factory.decide.demand import SupplyDecision
from glideinwms.factory.decide.entry import EntryDecision, EntryInput, Key
from glideinwms.factory.decide.entry_sets import FileCount
from glideinwms.factory.decide.excess import LEVELS, first_removal
from glideinwms.factory.decide.limits import LimitTotals, PilotCounts, shown_limit
from glideinwms.factory.decide.pilot_demand import PilotDemand
from glideinwms.factory.decide.pilot_states import (
    IDLE,
    QUEUED_CODES,
    RUN,
    UNSUBMITTED,
    state_code,
)
from glideinwms.factory.decide.sanitise import (
    Sanitised,
    anything_to_do,
    ready_to_release,
    sanitise_steps,
)
from glideinwms.factory.plan import (
    QUEUED,
    RUNNING,
    WAIT,
    FactoryEntryPlan,
    ParkedRemoval,
    PilotRelease,
    PilotRemoval,
    Placement,
    RequestPlan,
    StatusCounts,
)
from glideinwms.factory.policy import Limits
from glideinwms.factory.snapshot import PilotGroup, QueuedPilot, Request
from glideinwms.lib.reasons import Adjustment, Reason

# First column of docs/differences.md.
WHOSE = "whose pilots a request's are"
COMPARED = "what excess removal compares with"
RUNNING_ONES = "running pilots and an excess of idle ones"
PARKED = "removal of running pilots by request"
REMOVAL_RATE = "removal rate while sanitising"
RELEASE_RATE = "release rate"
LIMITS_SHOWN = "limits triggered in the ads"
ENTRY_SETS = "entry sets"
NOT_ALLOWED = "a Frontend that is not allowed"
ORDER = "order of requests"
LIMIT_SUMS = "limits within one cycle"
SEVERAL_NAMES = "limits of a Frontend with several names"
ALL_DIFFERENCES = frozenset(
    {
        WHOSE,
        COMPARED,
        RUNNING_ONES,
        PARKED,
        REMOVAL_RATE,
        RELEASE_RATE,
        LIMITS_SHOWN,
        ENTRY_SETS,
        NOT_ALLOWED,
        ORDER,
        LIMIT_SUMS,
        SEVERAL_NAMES,
    }
)


class UpstreamTotals(LimitTotals):
    """Totals that do not grow with submissions. `aliases`: class of a request -> the class whose
    pilots and limits 3.10 looks at, that of the first Frontend with the identity.
    """

    def __init__(
        self, given: EntryInput, aliases: Mapping[str, str], adopted: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(given.policy, given.queue.groups, given.classes)
        self.adopted = adopted
        if SEVERAL_NAMES in adopted:
            aliases = {}
        self.published = dict(self.classes)
        self.classes = {
            key: self.classes[aliases.get(key, key)]
            for key in self.classes
            if aliases.get(key, key) in self.classes
        }

    def add(self, key: str, n: int) -> None:
        """Difference: limits within one cycle."""
        if LIMIT_SUMS in self.adopted:
            super().add(key, n)

    def triggered(self) -> dict[str, str]:
        """Difference: limits triggered in the ads."""
        if LIMITS_SHOWN in self.adopted:
            return super().triggered()
        entry, reached = self.entry, {}
        if entry.idle >= entry.limits.idle:
            reached["IdleGlideinsPerEntry"] = shown_limit(entry.idle, entry.limits.idle)
        if entry.total >= entry.limits.glideins:
            total = entry.total + entry.held
            reached["TotalGlideinsPerEntry"] = shown_limit(total, entry.limits.glideins)
        if entry.held >= entry.limits.held:
            reached["HeldGlideinsPerEntry"] = shown_limit(entry.held, entry.limits.held)
        for key, counts in self.published.items():
            if counts.idle > counts.limits.idle:
                reached[f"IdlePerClass_{key}"] = shown_limit(counts.idle, counts.limits.idle)
            if (total := counts.total + counts.held) > counts.limits.glideins:
                reached[f"TotalPerClass_{key}"] = shown_limit(total, counts.limits.glideins)
        return reached


class UpstreamDecision(EntryDecision):
    """One entry as 3.10 decides on it."""

    def __init__(
        self,
        given: EntryInput,
        now: float,
        rng: random.Random,
        aliases: Mapping[str, str],
        adopted: frozenset[str] = frozenset(),
    ) -> None:
        self.adopted = adopted
        super().__init__(given, now, rng)
        self.totals: UpstreamTotals = UpstreamTotals(given, aliases, adopted)
        self.limits = self.totals.triggered()
        self.aliases = aliases
        self.downtime_leaked = False

    def plan(self) -> FactoryEntryPlan:
        """Difference: removal rate while sanitising (the pass was done twice)."""
        plan = super().plan()
        if REMOVAL_RATE in self.adopted:
            return plan
        return replace(plan, removals=plan.removals * 2, releases=plan.releases * 2)

    def sanitise(self, pilots: Sequence[QueuedPilot] | None = None) -> Sanitised:
        """Differences: the removal rate of a pass, the release rate."""
        if pilots is None:
            pilots = self.given.queue.exceptions
        ours = super().sanitise(pilots)
        steps = sanitise_steps(pilots, self.given.codes, self.entry)
        cap = self.entry.remove_max_per_cycle
        removals = tuple(
            PilotRemoval(step.group, step.reason, ids=step.ids, cap=cap, force=step.force)
            for step in steps
            if step.ids
        )
        ready = ready_to_release(pilots, self.given.codes)
        releases = (PilotRelease(ready, self.entry.release_max_per_cycle + 1),) if ready else ()
        return Sanitised(
            ours.removals if REMOVAL_RATE in self.adopted else removals,
            ours.releases if RELEASE_RATE in self.adopted else releases,
            anything_to_do(pilots, self.given.codes, steps),
        )

    def requests(self) -> list[RequestPlan]:
        """Difference: order of requests."""
        if ORDER in self.adopted:
            return super().requests()
        return [self.request(request) for request in self.given.requests]

    def _key(self, item: PilotGroup | QueuedPilot | Request, frontend: str) -> Key:
        """Difference: whose pilots a request's are."""
        return super()._key(item, frontend if WHOSE in self.adopted else "")

    def _effective(self, request: Request) -> tuple[int, list[Adjustment]]:
        """Difference: a Frontend that is not allowed."""
        if NOT_ALLOWED in self.adopted:
            return super()._effective(request)
        if request.whitelisted and self.downtime_leaked:
            adjustment = Adjustment(Reason.FACTORY_DOWNTIME, request.idle, 0)
            return 0, [adjustment] if request.idle else []
        self.downtime_leaked = self.downtime_leaked or not request.whitelisted
        return super()._effective(request)

    def _supply(self, request: Request, idle: int, own: StatusCounts) -> SupplyDecision:
        supply = super()._supply(request, idle, own)
        if supply.path != ("excess",):
            return supply
        return replace(supply, removal=self._excess(self._demand(request, idle, own)))

    def _excess(self, demand: PilotDemand) -> PilotRemoval | None:
        """Differences: the pilots of the whole class are compared; running ones go for idle ones."""
        allowed = LEVELS.get(demand.level, ())
        if not allowed:
            return None
        of_class: PilotCounts | StatusCounts = self.totals.classes[demand.key]
        if COMPARED in self.adopted:
            of_class = demand.own
        idle_over = of_class.idle - demand.asked_idle - demand.margin
        total_over = of_class.idle + of_class.running - demand.max_glideins - demand.margin
        too_many = RUNNING in allowed and total_over > 0
        if idle_over > 0 or too_many:
            by_total = too_many and of_class.running + demand.asked_idle > demand.max_glideins
            states = [s for s in allowed if too_many or s != RUNNING]
            if RUNNING_ONES not in self.adopted:
                states = list(allowed)
            return first_removal(states, total_over if by_total else idle_over, demand)
        held = demand.candidates.held
        if RUNNING in allowed and demand.max_glideins == 0 and of_class.held > 0 and held:
            return PilotRemoval("excess", Reason.EXCESS_RUNNING, ids=held, cap=demand.max_remove)
        return None

    def _remembered(self, plan: RequestPlan, request: Request) -> RequestPlan:
        """Difference: removal of running pilots by request."""
        return super()._remembered(plan, request) if PARKED in self.adopted else plan

    def _limited(
        self, request: Request, removal: PilotRemoval
    ) -> tuple[PilotRemoval | None, ParkedRemoval | None, list[Adjustment]]:
        """Difference: removal of running pilots by request."""
        if PARKED in self.adopted:
            return super()._limited(request, removal)
        return removal, None, []

    def _submit(self, plan: RequestPlan, request: Request, need: int) -> RequestPlan:
        """Difference: entry sets (planned pilots count as submitted)."""
        plan = super()._submit(plan, request, need)
        if ENTRY_SETS in self.adopted:
            return plan
        self.dealt.clear()
        return replace(plan, work=need)

    def _deal(self, request: Request, need: int) -> tuple[Placement, ...]:
        """Difference: entry sets (a full CE loses its turn, only the request's pilots count)."""
        files = [sub_entry.submit_file for sub_entry in self.entry.sub_entries] or ["job.condor"]
        plain = self.entry.selection_algorithm != "Default" or len(files) == 1
        if plain or ENTRY_SETS in self.adopted:
            return super()._deal(request, need)
        order = list(files)
        self.rng.shuffle(order)
        pilots = file_counts(self._groups(request))
        idle_share = self.entry.limits.idle // len(files)
        total_share = self.entry.limits.glideins // len(files)
        dealt = dict.fromkeys(files, 0)
        for turn in range(need):
            file = order[turn % len(order)]
            queued = pilots.get(file, FileCount())
            idle = queued.idle + dealt[file]
            if idle < idle_share and idle + queued.running < total_share:
                dealt[file] += 1
        return tuple(Placement(file, n) for file, n in dealt.items() if n)


def file_counts(groups: Iterable[PilotGroup]) -> dict[str, FileCount]:
    """Pilots by submit file; all of JobStatus 1 are idle ones."""
    counts: dict[str, FileCount] = {}
    for group in groups:
        seen = counts.get(group.submit_file, FileCount())
        if group.status == IDLE:
            seen = replace(seen, idle=seen.idle + group.count)
        elif group.status == RUN:
            seen = replace(seen, running=seen.running + group.count)
        counts[group.submit_file] = seen
    return counts


def removal_state(status: int, grid_status: str | None) -> tuple[str, ...]:
    """Return the states of WAIT, QUEUED, RUNNING in which excess removal takes a pilot (protocol
    4.6): JobStatus 2 of any class counts as running, one with a strange GridJobStatus also as
    queued.
    """
    states: tuple[str, ...] = ()
    code = state_code(status, grid_status)
    if code == UNSUBMITTED:
        states = (WAIT,)
    elif code in QUEUED_CODES:
        states = (QUEUED,)
    return (*states, RUNNING) if status == RUN else states


def parse_class_limits(
    default: Limits, *, idle: str, held: str, glideins: str, known: Iterable[str]
) -> dict[str, Limits]:
    """Limits of each known class from the `fe:class;N,...` lists of 3.10: the last one of a class
    counts, unknown classes and bad numbers are left out, nothing is trimmed (protocol 9.7/10).
    """
    of_glideins, of_idle, of_held = _overrides(glideins), _overrides(idle), _overrides(held)
    return {
        key: Limits(
            of_glideins.get(key, default.glideins),
            of_idle.get(key, default.idle),
            of_held.get(key, default.held),
        )
        for key in known
    }


def _overrides(text: str) -> Mapping[str, int]:
    numbers: dict[str, int] = {}
    for item in text.split(","):
        key, _, number = item.partition(";")
        try:
            numbers[key] = int(number.partition(";")[0])
        except ValueError:
            continue
    return numbers
