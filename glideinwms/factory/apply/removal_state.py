"""Keep on disk what limits the removal of running pilots (decision 16), but no pilots (decision 9)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from glideinwms.factory.decide.removal_limit import expired, parked_id
from glideinwms.factory.plan import ParkedRemoval
from glideinwms.factory.snapshot import Approval, RunningRemovals, TakenRemoval
from glideinwms.lib.daemon import state_file
from glideinwms.lib.files import write_atomic
from glideinwms.lib.jsondata import to_json

APPROVAL_LIFE = 24 * 3600.0


class RemovalLimitFile:
    """`<state>/rail.json`: running pilots taken in the last hour, approvals that still hold, what
    is parked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rail = self._load()

    def _load(self) -> RunningRemovals:
        lost = "removals of the last hour, approvals and parked removals"
        return state_file.load(self.path, RunningRemovals, RunningRemovals(), lost=lost)

    def current(self, now: float) -> RunningRemovals:
        """Without what no longer counts."""
        self.rail = expired(self.rail, now)
        return self.rail

    def took(self, taken: TakenRemoval) -> None:
        """Running pilots were removed: less is left of their approval."""
        name = parked_id(taken.entry, taken.request)
        approvals = tuple(
            replace(a, left=max(0, a.left - taken.n)) if a.id == name else a
            for a in self.rail.approvals
        )
        self.rail = replace(self.rail, taken=(*self.rail.taken, taken), approvals=approvals)
        self._save(self.rail)

    def remember(self, parked: Iterable[ParkedRemoval], now: float) -> None:
        """Keep what was parked in this cycle: a removal by an operator of the Frontend is asked for
        in one cycle only, and can be approved later.
        """
        fresh = {p.id: p for p in parked if p.since == now}
        if not fresh:
            return
        others = tuple(p for p in self.rail.parked if p.id not in fresh)
        self.rail = replace(self.rail, parked=(*others, *fresh.values()))
        self._save(self.rail)

    def approve(self, parked: ParkedRemoval, who: str, now: float) -> Approval:
        """An operator's word for a parked removal: so many pilots, within a day."""
        approval = Approval(parked.id, now + APPROVAL_LIFE, who, parked.n)
        others = tuple(a for a in self.rail.approvals if a.id != parked.id)
        waiting = tuple(p for p in self.rail.parked if p.id != parked.id)
        approved = replace(self.rail, approvals=(*others, approval), parked=waiting)
        self._save(approved)
        self.rail = approved
        return approval

    def _save(self, rail: RunningRemovals) -> None:
        write_atomic(self.path, json.dumps(to_json(rail)), 0o640)
