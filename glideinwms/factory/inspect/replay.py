"""Recorded cycles: read back, decided anew with the production code, compared (decision 18)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from glideinwms.factory.decide import decide
from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan
from glideinwms.factory.policy import SCHEMA, FactoryPolicy
from glideinwms.factory.snapshot import FactorySnapshot
from glideinwms.lib.daemon import policy_file, records
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import to_json

Record = records.Record[FactorySnapshot, FactoryPlan]
NOTHING = FactoryPlan(())


def read(state: Path, cycle: int | None = None) -> Record:
    """The record of a cycle, the newest by default; a StateError if it is not kept any more."""
    folder = state / "cycles"
    data = records.newest(folder) if cycle is None else records.of_cycle(folder, cycle)
    return records.parse(data, str(folder), FactorySnapshot, NOTHING)


def plans(state: Path, since: float = 0.0) -> Iterator[FactoryPlan]:
    """The plans of the cycles that began later and are still kept, oldest first; those that cannot
    be read are left out.
    """
    for path in sorted((state / "cycles").glob("*.json.gz")):
        try:
            kept = read_file(path)
        except StateError:
            continue
        if kept.began >= since:
            yield kept.plan


def read_file(path: Path) -> Record:
    """A record's file, or a snapshot as plain JSON; a StateError says what is wrong with it."""
    return records.parse(records.load(path), str(path), FactorySnapshot, NOTHING)


def load_policy(path: Path) -> FactoryPolicy:
    """A policy in any file."""
    return policy_file.load(FactoryPolicy, path, SCHEMA, "factory")


def replay(kept: Record, policy: FactoryPolicy) -> FactoryPlan:
    """What today's code decides on the recorded inputs."""
    return decide(kept.snapshot, policy, kept.began, random.Random(kept.seed))


def differences(
    old: FactoryPlan, new: FactoryPlan
) -> dict[str, tuple[FactoryEntryPlan | None, FactoryEntryPlan | None]]:
    """Entries whose plans differ: name -> (recorded, replayed)."""
    before, after = ({e.entry: e for e in p.entries} for p in (old, new))
    names = sorted({*before, *after})
    return {
        n: (before.get(n), after.get(n))
        for n in names
        if to_json(before.get(n)) != to_json(after.get(n))
    }
