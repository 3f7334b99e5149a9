"""Limit the removal of running pilots by request (decision 16).

A few are removed in an hour; the rest is parked until an operator approves it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from glideinwms.factory.plan import RUNNING, ParkedRemoval, PilotRemoval
from glideinwms.factory.snapshot import RunningRemovals
from glideinwms.lib.reasons import Adjustment, Reason

WINDOW = 3600.0
PARKED_LIFE = 4 * 3600.0
MINIMUM = 5
SHARE = 10


def parked_id(entry: str, request: str) -> str:
    """The name under which an operator approves: the same as long as the request wants the same
    removal.
    """
    return hashlib.sha256(f"{entry}\n{request}".encode()).hexdigest()[:8]


class RunningRemovalLimit:
    """How many running pilots of one entry may still be removed in this hour."""

    def __init__(self, entry: str, running: int, rail: RunningRemovals, now: float) -> None:
        self.entry = entry
        self.budget = max(MINIMUM, running // SHARE)
        self.left = self.budget - sum(t.n for t in expired(rail, now).taken if t.entry == entry)
        self.now = now
        self.granted = {a.id: a.left for a in rail.approvals if a.expires > now}
        self.waiting = {p.id: p for p in expired(rail, now).parked}

    def pass_through(
        self, request: str, removal: PilotRemoval
    ) -> tuple[PilotRemoval | None, ParkedRemoval | None, list[Adjustment]]:
        """The part of a removal that may go on now, and what is parked of it. Held pilots in it
        always pass.
        """
        if RUNNING not in removal.states:
            return removal, None, []
        name = parked_id(self.entry, request)
        granted = self.granted.get(name, 0)
        room = max(0, self.left) + granted
        n = min(removal.n, removal.cap, room)
        self.left -= max(0, n - granted)
        if removal.n <= room:
            return removal, None, []
        # what this cycle's cap leaves is parked too: the request may not ask again
        parked = ParkedRemoval(name, self.entry, request, removal.n - n, self.now)
        clips = []
        if n < min(removal.n, removal.cap):
            used = self.budget - self.left
            clips.append(
                Adjustment(Reason.RUNNING_REMOVAL_PARKED, removal.n, n, used, self.budget, name)
            )
        if n == 0 and not removal.ids:
            return None, parked, clips
        return replace(removal, n=n, states=removal.states if n else ()), parked, clips

    def remembered(
        self, request: str, running: int, cap: int
    ) -> tuple[PilotRemoval | None, ParkedRemoval | None]:
        """What the request asked for in an earlier cycle, and does not now: removed if it was
        approved, else still parked, as far as so many pilots run.
        """
        name = parked_id(self.entry, request)
        if n := min(self.granted.get(name, 0), running, cap):
            return PilotRemoval("approved", Reason.EXCESS_RUNNING, (RUNNING,), n, cap=n), None
        waiting = self.waiting.get(name)
        n = min(waiting.n, running) if waiting else 0
        return None, replace(waiting, n=n) if waiting and n else None


def expired(rail: RunningRemovals, now: float) -> RunningRemovals:
    """Without what no longer counts, nor what lies far ahead since the clock was set back."""
    return RunningRemovals(
        tuple(t for t in rail.taken if abs(now - t.when) < WINDOW),
        tuple(a for a in rail.approvals if a.expires > now),
        tuple(p for p in rail.parked if abs(now - p.since) < PARKED_LIFE),
    )
