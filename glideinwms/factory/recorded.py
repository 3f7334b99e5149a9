"""Recorded cycles: read back, decided anew with the production code, compared (design 3)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glideinwms.factory.decide import decide
from glideinwms.factory.plan import EntryPlan, Plan
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import Snapshot
from glideinwms.lib import records
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import from_json, to_json


@dataclass(frozen=True, slots=True)
class Record:
    """One cycle as it was: its inputs, its seed, what was decided."""

    cycle: int
    began: float
    seed: int
    generation: str
    snapshot: Snapshot
    plan: Plan


def read(state: Path, cycle: int | None = None) -> Record:
    """The record of a cycle, the newest by default; a StateError if it is not kept any more."""
    folder = state / "cycles"
    if cycle is None:
        data = records.newest(folder)
    else:
        path = folder / f"{cycle:08d}.json.gz"
        if not path.exists():
            raise StateError(f"cycle {cycle} is not kept", where=str(folder), hint="see the file names there")
        data = records.load(path)
    return _record(data, str(folder))


def _record(data: dict[str, Any], where: str) -> Record:
    number = int(data["cycle"])
    return Record(
        number,
        float(data["began"]),
        int(data["seed"]),
        str(data["generation"]),
        from_json(Snapshot, data["snapshot"], where=f"{where} cycle {number} snapshot", ignore_unknown=True),
        from_json(Plan, data["plan"], where=f"{where} cycle {number} plan", ignore_unknown=True),
    )


def replay(record: Record, policy: FactoryPolicy) -> Plan:
    """What today's code decides on the recorded inputs."""
    return decide(record.snapshot, policy, record.began, random.Random(record.seed))


def differences(old: Plan, new: Plan) -> dict[str, tuple[EntryPlan | None, EntryPlan | None]]:
    """Entries whose plans differ: name -> (recorded, replayed)."""
    before, after = ({e.entry: e for e in p.entries} for p in (old, new))
    names = sorted({*before, *after})
    return {
        n: (before.get(n), after.get(n)) for n in names if to_json(before.get(n)) != to_json(after.get(n))
    }  # fmt: skip
