"""Recorded cycles: read back, decided anew with the production code, compared (design 3)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from glideinwms.factory.decide import decide
from glideinwms.factory.plan import EntryPlan, Plan
from glideinwms.factory.policy import SCHEMA, FactoryPolicy
from glideinwms.factory.snapshot import Snapshot
from glideinwms.lib import policyfile, records
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import to_json

Record = records.Record[Snapshot, Plan]
NOTHING = Plan(())


def read(state: Path, cycle: int | None = None) -> Record:
    """The record of a cycle, the newest by default; a StateError if it is not kept any more."""
    folder = state / "cycles"
    data = records.newest(folder) if cycle is None else records.of_cycle(folder, cycle)
    return records.parse(data, str(folder), Snapshot, NOTHING)


def plans(state: Path, since: float = 0.0) -> Iterator[Plan]:
    """The plans of the cycles that began later and are still kept, oldest first; those that cannot be read are left
    out."""
    for path in sorted((state / "cycles").glob("*.json.gz")):
        try:
            kept = read_file(path)
        except StateError:
            continue
        if kept.began >= since:
            yield kept.plan


def read_file(path: Path) -> Record:
    """A record's file, or a snapshot as plain JSON; a StateError says what is wrong with it."""
    return records.parse(records.load(path), str(path), Snapshot, NOTHING)


def load_policy(path: Path) -> FactoryPolicy:
    """A policy in any file."""
    return policyfile.load(FactoryPolicy, path, SCHEMA, "factory")


def replay(kept: Record, policy: FactoryPolicy) -> Plan:
    """What today's code decides on the recorded inputs."""
    return decide(kept.snapshot, policy, kept.began, random.Random(kept.seed))


def differences(old: Plan, new: Plan) -> dict[str, tuple[EntryPlan | None, EntryPlan | None]]:
    """Entries whose plans differ: name -> (recorded, replayed)."""
    before, after = ({e.entry: e for e in p.entries} for p in (old, new))
    names = sorted({*before, *after})
    return {
        n: (before.get(n), after.get(n)) for n in names if to_json(before.get(n)) != to_json(after.get(n))
    }  # fmt: skip
