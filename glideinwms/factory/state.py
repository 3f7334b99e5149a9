"""What the Factory keeps on disk between cycles: never pilots (decision 9), only the rail's memory (decision 16)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from glideinwms.factory.decide.rail import expired
from glideinwms.factory.snapshot import Approval, Rail, Taken
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import read_text, write_atomic
from glideinwms.lib.jsondata import from_json, to_json

APPROVAL_LIFE = 24 * 3600.0


class RailFile:
    """`<state>/rail.json`: running pilots taken in the last hour, approvals that still hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rail = self._load()

    def _load(self) -> Rail:
        if not self.path.exists():
            return Rail()
        try:
            return from_json(Rail, json.loads(read_text(self.path)), where=str(self.path), ignore_unknown=True)
        except ValueError as error:
            raise StateError(
                f"is not JSON: {error}", where=str(self.path), hint="remove it: approvals are forgotten"
            ) from error

    def current(self, now: float) -> Rail:
        """Without what no longer counts."""
        self.rail = expired(self.rail, now)
        return self.rail

    def took(self, taken: Taken) -> None:
        """Running pilots were removed."""
        self.rail = replace(self.rail, taken=(*self.rail.taken, taken))
        self._save(self.rail)

    def approve(self, name: str, who: str, now: float) -> Approval:
        """An operator's word for a parked removal, good for a day."""
        approval = Approval(name, now + APPROVAL_LIFE, who)
        others = tuple(a for a in self.rail.approvals if a.id != name)
        approved = replace(self.rail, approvals=(*others, approval))
        self._save(approved)
        self.rail = approved
        return approval

    def _save(self, rail: Rail) -> None:
        write_atomic(self.path, json.dumps(to_json(rail)), 0o640)
