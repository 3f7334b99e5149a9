"""Recorded cycles: read back, decided anew with the production code, compared (decision 18)."""

from __future__ import annotations

import random
from pathlib import Path

from glideinwms.frontend.decide import decide
from glideinwms.frontend.plan import FrontendEntryPlan, FrontendPlan
from glideinwms.frontend.policy import SCHEMA, FrontendPolicy
from glideinwms.frontend.snapshot import FrontendSnapshot
from glideinwms.lib.daemon import policy_file, records
from glideinwms.lib.jsondata import to_json

Record = records.Record[FrontendSnapshot, FrontendPlan]
NOTHING = FrontendPlan(())


def read(state: Path, cycle: int | None = None) -> Record:
    """The record of a cycle, the newest by default; a StateError if it is not kept any more."""
    folder = state / "cycles"
    data = records.newest(folder) if cycle is None else records.of_cycle(folder, cycle)
    return records.parse(data, str(folder), FrontendSnapshot, NOTHING)


def read_file(path: Path) -> Record:
    """A record's file, or a snapshot as plain JSON; a StateError says what is wrong with it."""
    return records.parse(records.load(path), str(path), FrontendSnapshot, NOTHING)


def load_policy(path: Path) -> FrontendPolicy:
    """A policy in any file."""
    return policy_file.load(FrontendPolicy, path, SCHEMA, "frontend")


def replay(kept: Record, policy: FrontendPolicy) -> FrontendPlan:
    """What today's code decides on the recorded inputs."""
    return decide(kept.snapshot, policy, kept.began, random.Random(kept.seed))


def differences(
    old: FrontendPlan, new: FrontendPlan
) -> dict[str, dict[str, tuple[FrontendEntryPlan | None, FrontendEntryPlan | None]]]:
    """Group -> entry -> (recorded, replayed), where they differ."""
    found: dict[str, dict[str, tuple[FrontendEntryPlan | None, FrontendEntryPlan | None]]] = {}
    before, after = (
        {(g.name, e.entry): e for g in p.groups for e in g.entries} for p in (old, new)
    )
    for group, entry in sorted({*before, *after}):
        pair = before.get((group, entry)), after.get((group, entry))
        if to_json(pair[0]) != to_json(pair[1]):
            found.setdefault(group, {})[entry] = pair
    return found
