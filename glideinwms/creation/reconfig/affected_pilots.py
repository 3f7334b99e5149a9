"""Which pilots in the queue a change of entries meets: counted in the newest recorded cycle of the Factory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glideinwms.factory.inspect import replay
from glideinwms.lib.errors import GwmsError

STATES = {1: "idle", 2: "running", 5: "held"}


@dataclass(frozen=True, slots=True)
class Pilots:
    """Of one entry. They keep the generation that they were submitted with; its limits are the new
    ones at once.
    """

    idle: int = 0
    running: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Affected:
    """Pilots of `entries` at epoch `time`, when cycle `cycle` was recorded; `unknown` names schedds
    that had not answered by then.
    """

    cycle: int
    time: float
    entries: dict[str, Pilots]
    unknown: tuple[str, ...] = ()


def affected(work_dir: Path, entries: Iterable[str]) -> Affected | None:
    """Their pilots, or None where no cycle is recorded or it cannot be read: a plan does not depend
    on it.
    """
    try:
        record = replay.read(work_dir / "state")
    except GwmsError:
        return None
    counts: dict[str, dict[str, int]] = {name: {} for name in entries}
    unknown = []
    for schedd in record.snapshot.schedds:
        if schedd.queue.value is None:
            unknown.append(schedd.name)
            continue
        for group in schedd.queue.value.groups:
            if group.entry in counts and (state := STATES.get(group.status)):
                counts[group.entry][state] = counts[group.entry].get(state, 0) + group.count
    return Affected(
        record.cycle, record.began, {n: Pilots(**c) for n, c in counts.items()}, tuple(unknown)
    )
