"""Decide on all requests of one entry in a cycle, then on its sanitising (protocol 4.3)."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from glideinwms.factory.decide.demand import SupplyDecision, keep_idle
from glideinwms.factory.decide.entry_sets import FileCount, deal
from glideinwms.factory.decide.limits import LimitTotals
from glideinwms.factory.decide.pilot_demand import Candidates, PilotDemand
from glideinwms.factory.decide.pilot_states import (
    IDLE_OTHER,
    QUEUED_CODES,
    RUN,
    UNSUBMITTED,
    count,
    state_code,
)
from glideinwms.factory.decide.removal_limit import RunningRemovalLimit
from glideinwms.factory.decide.sanitise import Codes, Sanitised, held_in_order, sanitise
from glideinwms.factory.plan import (
    RUNNING,
    FactoryEntryPlan,
    ParkedRemoval,
    PilotRemoval,
    Placement,
    RequestPlan,
    StatusCounts,
)
from glideinwms.factory.policy import EntryPolicy
from glideinwms.factory.snapshot import (
    Health,
    PilotGroup,
    PilotQueue,
    QueuedPilot,
    Request,
    RunningRemovals,
)
from glideinwms.lib.reasons import Adjustment, Reason, Refusal

Key = tuple[str, str, str, str]
"""ClientName, SecurityName:class, class and credential: which pilots are a request's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInput:
    """Everything that a decision about one entry depends on.

    `classes` has every `SecurityName:class` that the Factory knows, `class_down` those that are in
    downtime at the entry. `down` is the comment of a downtime of the entry, or None. `frozen` says
    why nothing may be decided, or is "".
    """

    policy: EntryPolicy
    queue: PilotQueue
    requests: Sequence[Request]
    classes: Sequence[str]
    down: str | None = None
    class_down: frozenset[str] = frozenset()
    codes: Codes = field(default_factory=dict)
    rail: RunningRemovals = field(default_factory=RunningRemovals)
    health: Sequence[Health] = ()
    frozen: str = ""


class EntryDecision:
    """Decides for one entry, request after request."""

    def __init__(self, given: EntryInput, now: float, rng: random.Random) -> None:
        self.given = given
        self.entry = given.policy
        self.rng = rng
        self.groups: dict[Key, list[PilotGroup]] = defaultdict(list)
        self.exceptions: dict[Key, list[QueuedPilot]] = defaultdict(list)
        for group in given.queue.groups:
            self.groups[self._key(group, group.frontend)].append(group)
        for pilot in given.queue.exceptions:
            self.exceptions[self._key(pilot, pilot.frontend)].append(pilot)
        self.totals = LimitTotals(self.entry, given.queue.groups, given.classes)
        self.counts = count(given.queue.groups)
        self.limits = self.totals.triggered()
        self.removal_limit = RunningRemovalLimit(
            self.entry.name, self.counts.running, given.rail, now
        )
        self.health = {
            (name, health.client): health
            for health in given.health
            for name in health.frontend.split(",")
        }
        # Frontends that share a user name share one limit.
        self.caps = {health: health.cap for health in given.health if health.cap is not None}
        self.dealt: Counter[str] = Counter()

    def plan(self) -> FactoryEntryPlan:
        """Return everything that is to be done for this entry."""
        requests = self.requests()
        nothing_done = all(row.work == 0 or row.placements for row in requests)
        end = self.sanitise() if nothing_done and not self.given.frozen else None
        return FactoryEntryPlan(
            entry=self.entry.name,
            schedd=self.entry.schedd_name,
            counts=self.counts,
            clients=self._clients(),
            limits=self.limits,
            in_downtime=self.given.down is not None,
            downtime_comment=self.given.down or "",
            frozen=self.given.frozen,
            requests=tuple(requests),
            removals=end.removals if end else (),
            releases=end.releases if end else (),
            unless_submitted=any(row.placements for row in requests),
            failing="; ".join(h.text for h in self.given.health if h.cap is not None),
        )

    def _clients(self) -> dict[str, dict[str, StatusCounts]]:
        """Return the entry's pilots by ClientName, then by the Frontend that they belong to."""
        clients: dict[str, dict[str, list[PilotGroup]]] = defaultdict(lambda: defaultdict(list))
        for group in self.given.queue.groups:
            clients[group.client][group.frontend.partition(":")[0]].append(group)
        return {
            client: {frontend: count(groups) for frontend, groups in frontends.items()}
            for client, frontends in clients.items()
        }

    def sanitise(self, pilots: Sequence[QueuedPilot] | None = None) -> Sanitised:
        """Sanitise the given pilots, or all of the entry (protocol 4.7)."""
        if pilots is None:
            pilots = self.given.queue.exceptions
        return sanitise(pilots, self.given.codes, self.entry)

    def requests(self) -> list[RequestPlan]:
        """Return every request's plan, by name. The requests are served in an order that is drawn
        in each cycle, so that no Frontend always comes first where a limit is tight.
        """
        order = sorted(self.given.requests, key=lambda request: request.name)
        self.rng.shuffle(order)
        plans = [self.request(request) for request in order]
        return sorted(plans, key=lambda plan: plan.request)

    def request(self, request: Request) -> RequestPlan:
        """Decide on one request, from its refusal to its placements."""
        key = request.security_key
        plan = RequestPlan(
            request=request.name,
            entry=self.entry.name,
            client=request.client,
            security_key=key,
            credential=request.credential,
            idle=request.idle,
            max_glideins=request.max_glideins,
            own=count(self._groups(request)),
        )
        if refusal := self._refusal(request):
            return replace(plan, refusal=refusal)
        idle, adjustments = self._effective(request)
        supply = self._supply(request, idle, plan.own)
        plan = replace(
            plan, effective_idle=idle, clips=(*adjustments, *supply.clips), path=supply.path
        )
        return self._remembered(self._act(plan, request, supply), request)

    def _refusal(self, request: Request) -> Refusal | None:
        if request.refusal is not None:
            return request.refusal
        key = request.security_key
        if key not in self.totals.classes:
            text = f"security class {key} is not configured"
            return Refusal(Reason.UNKNOWN_CLASS, request.name, text)
        if self.given.frozen:
            return Refusal(Reason.FROZEN, self.entry.schedd_name, self.given.frozen)
        return None

    def _supply(self, request: Request, idle: int, own: StatusCounts) -> SupplyDecision:
        pilots = self.exceptions.get(self._key(request, request.security_key), [])
        return keep_idle(self._demand(request, idle, own), self.totals, self.sanitise(pilots))

    def _remembered(self, plan: RequestPlan, request: Request) -> RequestPlan:
        """Add what an earlier cycle parked, where this one removes or parks no running pilots."""
        if plan.parked is not None or any(RUNNING in r.states for r in plan.removals):
            return plan
        running = sum(group.count for group in self._groups(request) if group.status == RUN)
        removal, parked = self.removal_limit.remembered(
            request.name, running, self.entry.remove_max_per_cycle
        )
        if removal is None:
            return replace(plan, parked=parked)
        return replace(plan, removals=(*plan.removals, removal), work=max(plan.work, 1))

    def _act(self, plan: RequestPlan, request: Request, supply: SupplyDecision) -> RequestPlan:
        if supply.need > 0:
            return self._submit(plan, request, supply.need)
        if supply.sanitised:
            held = supply.sanitised
            return replace(
                plan, removals=held.removals, releases=held.releases, work=int(held.found)
            )
        if supply.removal is None:
            return plan
        removal, parked, adjustments = self._limited(request, supply.removal)
        return replace(
            plan,
            removals=(removal,) if removal else (),
            parked=parked,
            clips=(*plan.clips, *adjustments),
            work=int(bool(removal)),
        )

    def _limited(
        self, request: Request, removal: PilotRemoval
    ) -> tuple[PilotRemoval | None, ParkedRemoval | None, list[Adjustment]]:
        """Apply the limit on removals of running pilots."""
        return self.removal_limit.pass_through(request.name, removal)

    def _submit(self, plan: RequestPlan, request: Request, need: int) -> RequestPlan:
        adjustments = list(plan.clips)
        guards = self._guards(request)
        for health in guards:
            cap = self.caps[health]
            if need > cap:
                reason = Reason.CLIENT_THROTTLED if health.frontend else Reason.ENTRY_THROTTLED
                adjustments.append(Adjustment(reason, need, cap, None, cap, health.text))
                need = cap
        placements = self._deal(request, need)
        placed = sum(placement.n for placement in placements)
        if placed < need:
            reason = Reason.FACTORY_TOTAL_PER_ENTRY
            detail = "no CE of the entry set has room"
            adjustments.append(Adjustment(reason, need, placed, detail=detail))
        self.totals.add(request.security_key, placed)
        self.dealt.update({placement.file: placement.n for placement in placements})
        for health in guards:
            self.caps[health] -= placed
        return replace(
            plan, planned=need, placements=placements, clips=tuple(adjustments), work=placed
        )

    def _guards(self, request: Request) -> list[Health]:
        """Return the limits that failing pilots set to a request: the entry's and its client's."""
        of_entry = self.health.get(("", ""))
        of_client = self.health.get(
            (request.security_name, request.client), self.health.get((request.security_name, ""))
        )
        guards = (of_entry, of_client)
        return [health for health in guards if health is not None and health in self.caps]

    def _deal(self, request: Request, need: int) -> tuple[Placement, ...]:
        files = [sub_entry.submit_file for sub_entry in self.entry.sub_entries] or ["job.condor"]
        order = list(files)
        if len(files) > 1:
            self.rng.shuffle(order)
        return deal(
            need,
            files=files,
            order=order,
            algorithm=self.entry.selection_algorithm,
            pilots=self._file_counts(),
            limits=self.entry.limits,
        )

    def _file_counts(self) -> dict[str, FileCount]:
        """Count everybody's pilots by submit file, with those placed in this cycle."""
        idle = Counter(self.dealt)
        running: Counter[str] = Counter()
        for group in self.given.queue.groups:
            if state_code(group.status, group.grid_status) in (UNSUBMITTED, *QUEUED_CODES):
                idle[group.submit_file] += group.count
            elif group.status == RUN:
                running[group.submit_file] += group.count
        return {file: FileCount(idle[file], running[file]) for file in {*idle, *running}}

    def _groups(self, request: Request) -> list[PilotGroup]:
        return self.groups.get(self._key(request, request.security_key), [])

    def _key(self, item: PilotGroup | QueuedPilot | Request, frontend: str) -> Key:
        """Return whose pilots these are (protocol 4.3, step 11).

        Unlike in GlideinWMS 3.10 the Frontend is part of it: its name was proved, while anybody may
        write a ClientName and a credential's id.
        """
        return item.client, frontend, item.security_class, item.credential

    def _effective(self, request: Request) -> tuple[int, list[Adjustment]]:
        """Apply steps 3, 5, 6 and 10 of protocol 4.3: downtimes and entry limits take the idle
        number to zero, never the maximum.
        """
        reason, detail = self._no_submission(request)
        if reason is None:
            return request.idle, []
        return 0, [Adjustment(reason, request.idle, 0, detail=detail)] if request.idle else []

    def _no_submission(self, request: Request) -> tuple[Reason | None, str]:
        """Return why nothing may be submitted for a request, with a detail."""
        if not request.whitelisted:
            return Reason.NOT_ALLOWED, ""
        if self.given.down is not None:
            return Reason.FACTORY_DOWNTIME, self.given.down
        if request.security_key in self.given.class_down:
            return Reason.CLASS_DOWNTIME, ""
        blocked = self.totals.blocked()
        return (blocked[0] if blocked else None), ""

    def _demand(self, request: Request, idle: int, own: StatusCounts) -> PilotDemand:
        groups = self._groups(request)
        running = sum(group.count for group in groups if group.status == RUN)
        # JobStatus 2 with an unknown GridJobStatus counts as running and as queued.
        other = sum(
            group.count
            for group in groups
            if state_code(group.status, group.grid_status) == IDLE_OTHER
        )
        pilots = self.exceptions.get(self._key(request, request.security_key), [])
        return PilotDemand(
            key=request.security_key,
            idle=idle,
            asked_idle=request.idle,
            max_glideins=request.max_glideins,
            level=request.remove_level,
            margin=request.remove_margin,
            own=own,
            candidates=Candidates(
                wait=own.wait,
                queued=own.pending + own.stage_in + other,
                running=running,
                held=held_in_order(pilots, self.given.codes),
            ),
            max_submit=self.entry.submit_max_per_cycle,
            max_remove=self.entry.remove_max_per_cycle,
        )
