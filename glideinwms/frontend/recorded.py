"""Recorded cycles: read back, decided anew with the production code, compared (design 3)."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glideinwms.frontend.decide import decide
from glideinwms.frontend.decide.plan import EntryPlan, Plan
from glideinwms.frontend.decide.tables import Snapshot
from glideinwms.frontend.policy import SCHEMA, FrontendPolicy
from glideinwms.lib import policyfile, records
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
        return record(records.newest(folder), str(folder))
    path = folder / f"{cycle:08d}.json.gz"
    if not path.exists():
        raise StateError(f"cycle {cycle} is not kept", where=str(folder), hint="see the file names there")
    return record(records.load(path), str(path))


def read_file(path: Path) -> Record:
    """A record's file, or a snapshot as plain JSON; a StateError says what is wrong with it."""
    if path.suffix == ".gz":
        return record(records.load(path), str(path))
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StateError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(data, dict):
        raise StateError("is no snapshot", where=str(path), hint="give a file of state/cycles")
    if "snapshot" not in data:
        data = {"snapshot": data, "began": data.get("now", 0.0)}
    return record(data, str(path))


def record(data: dict[str, Any], where: str) -> Record:
    """From a record's plain data; what a bare snapshot lacks is 0 or empty."""
    try:
        return Record(
            int(data.get("cycle", 0)),
            float(data["began"]),
            int(data.get("seed", 0)),
            str(data.get("generation", "")),
            from_json(Snapshot, data["snapshot"], where=f"{where} snapshot", ignore_unknown=True),
            from_json(Plan, data.get("plan", {"groups": []}), where=f"{where} plan", ignore_unknown=True),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"is no record of a cycle: {error!r}", where=where) from error


def load_policy(path: Path) -> FrontendPolicy:
    """A policy in any file."""
    return policyfile.load(FrontendPolicy, path, SCHEMA, "frontend")


def replay(kept: Record, policy: FrontendPolicy) -> Plan:
    """What today's code decides on the recorded inputs."""
    return decide(kept.snapshot, policy, kept.began, random.Random(kept.seed))


def differences(old: Plan, new: Plan) -> dict[str, dict[str, tuple[EntryPlan | None, EntryPlan | None]]]:
    """Group -> entry -> (recorded, replayed), where they differ."""
    found: dict[str, dict[str, tuple[EntryPlan | None, EntryPlan | None]]] = {}
    before, after = ({(g.name, e.entry): e for g in p.groups for e in g.entries} for p in (old, new))
    for group, entry in sorted({*before, *after}):
        pair = before.get((group, entry)), after.get((group, entry))
        if to_json(pair[0]) != to_json(pair[1]):
            found.setdefault(group, {})[entry] = pair
    return found
