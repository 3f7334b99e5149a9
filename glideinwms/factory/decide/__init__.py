"""Snapshot and policy to plan: pure, no clock, no I/O (decision 18)."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

from glideinwms.factory.decide.entry import EntryDecision, EntryInput
from glideinwms.factory.decide.pilot_states import HELD
from glideinwms.factory.decide.sanitise import recoverable_codes
from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import (
    FactorySnapshot,
    Health,
    PilotGroup,
    PilotQueue,
    QueuedPilot,
    Request,
)
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.errors import place_of
from glideinwms.lib.reasons import Reason, Refusal

__all__ = ["decide", "entry_input"]


def decide(
    snapshot: FactorySnapshot, policy: FactoryPolicy, now: float, rng: random.Random
) -> FactoryPlan:
    """What to submit, remove and release at every enabled entry, each number with its clips.

    Equal snapshots, policies and seeds give equal plans, whatever the order of their rows. An entry
    whose schedd may not be decided on is frozen; so are all submissions when the requests are not
    known.
    """
    table = _Table(snapshot, policy)
    entries = sorted((e for e in policy.entries if e.enabled), key=lambda e: e.name)
    plans = []
    for entry in entries:
        plans.append(_plan(table, entry, now, f"{rng.random()} {entry.name}"))
    known = {e.name for e in entries}
    lost = tuple(
        Refusal(Reason.UNKNOWN_ENTRY, r.name, f"there is no entry {r.entry}")
        for r in sorted(snapshot.requests.value or (), key=lambda r: r.name)
        if r.entry not in known and r.refusal is None
    )
    return FactoryPlan(tuple(plans), (*snapshot.refusals, *lost))


def _plan(table: _Table, entry: EntryPolicy, now: float, seed: str) -> FactoryEntryPlan:
    """The plan of one entry. Requests that cannot be decided on are refused, an entry that cannot
    is frozen.
    """
    try:
        given = table.of(entry, now)
        try:
            return EntryDecision(given, now, random.Random(seed)).plan()
        except Exception:  # noqa: BLE001 - some request of this entry: the next lines find out which
            sound = [_sound(given, request, now, seed) for request in given.requests]
            return EntryDecision(replace(given, requests=sound), now, random.Random(seed)).plan()
    except Exception as error:  # noqa: BLE001 - the boundary of one entry
        return FactoryEntryPlan(
            entry.name, entry.schedd_name, frozen=f"cannot be decided on: {place_of(error)}"
        )


def _sound(given: EntryInput, request: Request, now: float, seed: str) -> Request:
    """The request, refused if no decision can be made on it alone."""
    try:
        EntryDecision(replace(given, requests=[request]), now, random.Random(seed)).plan()
    except Exception as error:  # noqa: BLE001 - the boundary of one request
        return replace(request, refusal=Refusal(Reason.MALFORMED_AD, request.name, place_of(error)))
    return request


def entry_input(
    snapshot: FactorySnapshot, policy: FactoryPolicy, entry: EntryPolicy, now: float
) -> EntryInput:
    """The inputs of one entry, as `decide` uses them; for `explain`."""
    return _Table(snapshot, policy).of(entry, now)


class _Table:
    """The snapshot by entry."""

    def __init__(self, snapshot: FactorySnapshot, policy: FactoryPolicy) -> None:
        self.snapshot, self.policy = snapshot, policy
        self.codes = recoverable_codes(policy.recoverable_exitcodes)
        self.classes = tuple(f"{f.name}:{c}" for f in policy.frontends for c in f.usernames)
        self.groups: dict[str, list[PilotGroup]] = defaultdict(list)
        self.pilots: dict[str, list[QueuedPilot]] = defaultdict(list)
        self.requests: dict[str, list[Request]] = defaultdict(list)
        self.schedds = {s.name: s for s in snapshot.schedds}
        home = {e.name: e.schedd_name for e in policy.entries}
        for schedd in snapshot.schedds:
            # an entry that moved may have pilots elsewhere: the limits count them, but nothing here
            # acts on them
            for group in schedd.queue.value.groups if schedd.queue.value else ():
                if group.status != HELD or home.get(group.entry) == schedd.name:
                    self.groups[group.entry].append(group)
            for pilot in schedd.queue.value.exceptions if schedd.queue.value else ():
                if home.get(pilot.entry) == schedd.name:
                    self.pilots[pilot.entry].append(pilot)
        for request in snapshot.requests.value or ():
            self.requests[request.entry].append(request)
        self.health: dict[str, list[Health]] = defaultdict(list)
        for health in snapshot.health:
            self.health[health.entry].append(health)

    def of(self, entry: EntryPolicy, now: float) -> EntryInput:
        lines = self.snapshot.downtimes
        down = downtime_file.factory_down(lines, now) or downtime_file.entry_down(
            lines, now, entry.name
        )
        split = [(key, *key.split(":", 1)) for key in self.classes] if lines else []
        return EntryInput(
            policy=entry,
            queue=PilotQueue(
                tuple(self.groups[entry.name]), tuple(sorted(self.pilots[entry.name], key=_oldest))
            ),
            requests=self.requests[entry.name],
            classes=self.classes,
            down=down.comment if down else None,
            class_down=frozenset(
                key
                for key, frontend, security_class in split
                if downtime_file.class_down(lines, now, entry.name, frontend, security_class)
            ),
            codes=self.codes,
            rail=self.snapshot.rail,
            health=self.health[entry.name],
            frozen=self._frozen(entry),
        )

    def _frozen(self, entry: EntryPolicy) -> str:
        schedd = self.schedds.get(entry.schedd_name)
        if schedd is None:
            return f"schedd {entry.schedd_name} was not asked"
        if schedd.frozen:
            return schedd.frozen
        return "" if self.snapshot.requests.value is not None else "requests are not known"


def _oldest(pilot: QueuedPilot) -> tuple[int, str]:
    return -(pilot.age or 0), pilot.id
