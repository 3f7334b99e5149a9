"""All requests of one entry in one cycle, and the sanitising at its end (protocol 4.3)."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from glideinwms.factory.decide.demand import PilotDemand, SupplyDecision, keep_idle
from glideinwms.factory.decide.entry_sets import FileCount, deal
from glideinwms.factory.decide.excess import Candidates
from glideinwms.factory.decide.limits import LimitTotals
from glideinwms.factory.decide.pilot_states import (
    IDLE,
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


@dataclass(frozen=True, slots=True)
class EntryInput:
    """What bears on one entry. `classes`: every `SecurityName:class` the Factory knows.
    `class_down`: those in
    downtime here. `aliases`: class of a request -> the class whose limits the deployed program uses
    (strict only).
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
    aliases: Mapping[str, str] = field(default_factory=dict)
    frozen: str = ""


class EntryDecision:
    """Decides for one entry, request after request."""

    def __init__(
        self, given: EntryInput, now: float, rng: random.Random, *, strict: bool = False
    ) -> None:
        self.given = given
        self.entry = given.policy
        self.rng = rng
        self.strict = strict
        self.groups: dict[Key, list[PilotGroup]] = defaultdict(list)
        self.exceptions: dict[Key, list[QueuedPilot]] = defaultdict(list)
        for group in given.queue.groups:
            self.groups[self._key(group, group.frontend)].append(group)
        for pilot in given.queue.exceptions:
            self.exceptions[self._key(pilot, pilot.frontend)].append(pilot)
        self.totals = LimitTotals(self.entry, given.queue.groups, given.classes)
        self.counts = count(given.queue.groups)
        self.limits = self.totals.triggered(strict=strict)
        self.rail = RunningRemovalLimit(self.entry.name, self.counts.running, given.rail, now)
        self.health = {
            (name, health.client): health
            for health in given.health
            for name in health.frontend.split(",")
        }
        # Frontends that share a user name share one limit.
        self.caps = {health: health.cap for health in given.health if health.cap is not None}
        self.dealt: Counter[str] = Counter()
        self.leaked_down = False

    def plan(self) -> FactoryEntryPlan:
        """Everything for this entry."""
        rows = self.requests()
        idle = all(r.work == 0 or r.placements for r in rows)
        end = self.sanitise() if idle and not self.given.frozen else None
        passes = 2 if self.strict else 1
        clients: dict[str, dict[str, list[PilotGroup]]] = defaultdict(lambda: defaultdict(list))
        for group in self.given.queue.groups:
            clients[group.client][group.frontend.partition(":")[0]].append(group)
        return FactoryEntryPlan(
            self.entry.name,
            self.entry.schedd_name,
            self.counts,
            {
                client: {name: count(g) for name, g in found.items()}
                for client, found in clients.items()
            },
            self.limits,
            self.given.down is not None,
            self.given.down or "",
            self.given.frozen,
            tuple(rows),
            end.removals * passes if end else (),
            end.releases * passes if end else (),
            any(r.placements for r in rows),
            "; ".join(h.text for h in self.given.health if h.cap is not None),
        )

    def sanitise(self, pilots: Sequence[QueuedPilot] | None = None) -> Sanitised:
        """Protocol 4.7 over all pilots of the entry, or those given."""
        e = self.entry
        return sanitise(
            self.given.queue.exceptions if pilots is None else pilots,
            self.given.codes,
            e.stale_idle,
            e.stale_running,
            e.remove_max_per_cycle,
            e.release_max_per_cycle,
            strict=self.strict,
        )

    def requests(self) -> list[RequestPlan]:
        """Every request's row, in the order given; mended: served in an order drawn anew each
        cycle, so that no
        Frontend always comes first where a limit is tight.
        """
        if self.strict:
            return [self.request(r) for r in self.given.requests]
        order = sorted(self.given.requests, key=lambda r: r.name)
        self.rng.shuffle(order)
        return sorted((self.request(r) for r in order), key=lambda row: row.request)

    def request(self, request: Request) -> RequestPlan:
        """One request, from its refusal to its placements."""
        key = self.given.aliases.get(request.security_key, request.security_key)
        row = RequestPlan(
            request.name,
            self.entry.name,
            request.client,
            request.security_key,
            request.credential,
            request.idle,
            request.max_glideins,
            own=count(self._groups(request)),
        )
        refusal = request.refusal
        if refusal is None and key not in self.totals.classes:
            refusal = Refusal(
                Reason.UNKNOWN_CLASS, request.name, f"security class {key} is not configured"
            )
        if refusal is None and self.given.frozen:
            refusal = Refusal(Reason.FROZEN, self.entry.schedd_name, self.given.frozen)
        if refusal is not None:
            return replace(row, refusal=refusal)
        idle, clips = self._effective(request)
        ask = self._ask(request, key, idle, row.own)
        own = self.exceptions.get(self._key(request, request.security_key), [])
        supply = keep_idle(ask, self.totals, self.sanitise(own), strict=self.strict)
        row = replace(row, effective_idle=idle, clips=(*clips, *supply.clips), path=supply.path)
        row = self._act(row, request, key, supply)
        return row if self.strict else self._remembered(row, request)

    def _remembered(self, row: RequestPlan, request: Request) -> RequestPlan:
        """With what an earlier cycle parked, where this one removes or parks no running pilots."""
        if row.parked is not None or any(RUNNING in r.states for r in row.removals):
            return row
        running = sum(g.count for g in self._groups(request) if g.status == RUN)
        removal, parked = self.rail.remembered(
            request.name, running, self.entry.remove_max_per_cycle
        )
        if removal is None:
            return replace(row, parked=parked)
        return replace(row, removals=(*row.removals, removal), work=max(row.work, 1))

    def _act(
        self, row: RequestPlan, request: Request, key: str, supply: SupplyDecision
    ) -> RequestPlan:
        if supply.need > 0:
            return self._submit(row, request, key, supply.need)
        if supply.sanitised:
            held = supply.sanitised
            return replace(
                row, removals=held.removals, releases=held.releases, work=int(held.found)
            )
        if supply.removal is None:
            return row
        removal, parked, clips = self._railed(request, supply.removal)
        return replace(
            row,
            removals=(removal,) if removal else (),
            parked=parked,
            clips=(*row.clips, *clips),
            work=int(bool(removal)),
        )

    def _railed(
        self, request: Request, removal: PilotRemoval
    ) -> tuple[PilotRemoval | None, ParkedRemoval | None, list[Adjustment]]:
        if self.strict:
            return removal, None, []
        return self.rail.pass_through(request.name, removal)

    def _submit(self, row: RequestPlan, request: Request, key: str, need: int) -> RequestPlan:
        clips = list(row.clips)
        guards = self._guards(request)
        for health in guards:
            cap = self.caps[health]
            if need > cap:
                reason = Reason.CLIENT_THROTTLED if health.frontend else Reason.ENTRY_THROTTLED
                clips.append(Adjustment(reason, need, cap, None, cap, health.text))
                need = cap
        placements = self._deal(request, need)
        placed = sum(p.n for p in placements)
        if placed < need:
            clips.append(
                Adjustment(
                    Reason.FACTORY_TOTAL_PER_ENTRY,
                    need,
                    placed,
                    detail="no CE of the entry set has room",
                )
            )
        if not self.strict:
            self.totals.add(key, placed)
            self.dealt.update({p.file: p.n for p in placements})
            for health in guards:
                self.caps[health] -= placed
        work = need if self.strict else placed
        return replace(row, planned=need, placements=placements, clips=tuple(clips), work=work)

    def _guards(self, request: Request) -> list[Health]:
        """Return the limits that failing pilots set to a request: the entry's and its client's."""
        of_entry = self.health.get(("", ""))
        of_client = self.health.get(
            (request.security_name, request.client), self.health.get((request.security_name, ""))
        )
        return [
            health for health in (of_entry, of_client) if health is not None and health in self.caps
        ]

    def _deal(self, request: Request, need: int) -> tuple[Placement, ...]:
        files = [s.submit_file for s in self.entry.sub_entries] or ["job.condor"]
        order = list(files)
        if len(files) > 1:
            self.rng.shuffle(order)
        seen = self._groups(request) if self.strict else self.given.queue.groups
        have = self._file_counts(seen)
        limits = self.entry.limits
        return deal(
            need,
            files,
            order,
            self.entry.selection_algorithm,
            have,
            limits.idle,
            limits.glideins,
            strict=self.strict,
        )

    def _file_counts(self, groups: Sequence[PilotGroup]) -> dict[str, FileCount]:
        idle: dict[str, int] = defaultdict(int)
        running: dict[str, int] = defaultdict(int)
        for g in groups:
            code = state_code(g.status, g.grid_status)
            if g.status == IDLE if self.strict else code in (UNSUBMITTED, *QUEUED_CODES):
                idle[g.submit_file] += g.count
            elif g.status == RUN:
                running[g.submit_file] += g.count
        for file, n in self.dealt.items():
            idle[file] += n
        return {file: FileCount(idle[file], running[file]) for file in {*idle, *running}}

    def _groups(self, request: Request) -> list[PilotGroup]:
        return self.groups.get(self._key(request, request.security_key), [])

    def _key(self, of: PilotGroup | QueuedPilot | Request, frontend: str) -> Key:
        """Whose pilots these are (protocol 4.3/11). Mended: the Frontend too, which was proved; a
        client's name and a credential's id are what anybody may write.
        """
        return of.client, "" if self.strict else frontend, of.security_class, of.credential

    def _effective(self, request: Request) -> tuple[int, list[Adjustment]]:
        """Protocol 4.3/3, 4.3/5, 4.3/6, 4.3/10: downtime and entry limits take the idle number to
        zero, never the maximum.
        """
        reason, detail = None, ""
        if not request.whitelisted:
            reason = Reason.NOT_ALLOWED
            self.leaked_down = self.strict
        elif self.given.down is not None or self.leaked_down:
            reason, detail = Reason.FACTORY_DOWNTIME, self.given.down or ""
        elif request.security_key in self.given.class_down:
            reason = Reason.CLASS_DOWNTIME
        elif blocked := self.totals.blocked():
            reason = blocked[0]
        if reason is None:
            return request.idle, []
        return 0, [Adjustment(reason, request.idle, 0, detail=detail)] if request.idle else []

    def _ask(self, request: Request, key: str, idle: int, own: StatusCounts) -> PilotDemand:
        running = sum(g.count for g in self._groups(request) if g.status == RUN)
        strange = sum(
            g.count
            for g in self._groups(request)
            if state_code(g.status, g.grid_status) == IDLE_OTHER
        )
        held = held_in_order(
            self.exceptions.get(self._key(request, request.security_key), []), self.given.codes
        )
        mine = Candidates(own.wait, own.pending + own.stage_in + strange, running, held)
        return PilotDemand(
            key,
            idle,
            request.idle,
            request.max_glideins,
            request.remove_level,
            request.remove_margin,
            own,
            mine,
            self.entry.submit_max_per_cycle,
            self.entry.remove_max_per_cycle,
        )
