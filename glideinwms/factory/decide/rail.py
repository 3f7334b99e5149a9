"""The rail before running pilots (decision 16): a few an hour by request, the rest waits for an operator's word."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from glideinwms.factory.plan import RUNNING, Parked, Removal
from glideinwms.factory.snapshot import Rail
from glideinwms.lib.reasons import Clip, Reason

WINDOW = 3600.0
MINIMUM = 5
SHARE = 10


def parked_id(entry: str, request: str) -> str:
    """The name under which an operator approves: the same as long as the request wants the same removal."""
    return hashlib.sha256(f"{entry}\n{request}".encode()).hexdigest()[:8]


class RunningRail:
    """What may still be removed of one entry's running pilots this hour."""

    def __init__(self, entry: str, running: int, rail: Rail, now: float) -> None:
        self.entry = entry
        self.budget = max(MINIMUM, running // SHARE)
        self.left = self.budget - sum(t.n for t in expired(rail, now).taken if t.entry == entry)
        self.approved = {a.id for a in rail.approvals if a.expires > now}

    def pass_through(self, request: str, removal: Removal) -> tuple[Removal | None, Parked | None, list[Clip]]:
        """The part of a removal that may go on now, and what is parked of it. Held pilots in it always pass."""
        if RUNNING not in removal.states:
            return removal, None, []
        name = parked_id(self.entry, request)
        if name in self.approved:
            return removal, None, []
        n = max(0, min(removal.n, removal.cap, self.left))
        self.left -= n
        if n >= min(removal.n, removal.cap):
            return removal, None, []
        clip = Clip(Reason.RUNNING_REMOVAL_PARKED, removal.n, n, self.budget - self.left, self.budget, name)
        parked = Parked(name, self.entry, request, removal.n - n)
        if n == 0 and not removal.ids:
            return None, parked, [clip]
        return replace(removal, n=n, states=removal.states if n else ()), parked, [clip]


def expired(rail: Rail, now: float) -> Rail:
    """Without what no longer counts, nor what lies more than WINDOW ahead since the clock was set back."""
    return Rail(
        tuple(t for t in rail.taken if abs(now - t.when) < WINDOW), tuple(a for a in rail.approvals if a.expires > now)
    )
