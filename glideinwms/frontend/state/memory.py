"""What the Frontend remembers between cycles and over restarts: removal counters, and what it last asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.frontend.plan import GroupPlan
from glideinwms.frontend.snapshot import Counters, PublishedGroup
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import read_text, write_atomic
from glideinwms.lib.jsondata import dumps, from_json, parse

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """By request name. `sure_at`: when the group last decided with every input known (epoch
    seconds).
    """

    counters: dict[str, Counters] = field(default_factory=dict)
    last: dict[str, PublishedGroup] = field(default_factory=dict)
    sure_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """By group. `sequence` numbers the ads in the user pool."""

    schema: int = SCHEMA
    groups: dict[str, GroupMemory] = field(default_factory=dict)
    sequence: int = 0

    def group(self, name: str) -> GroupMemory:
        """A group's memory; an empty one for a new group."""
        return self.groups.get(name, GroupMemory())


def after(old: GroupMemory, plan: GroupPlan, sent: Collection[str], now: float) -> GroupMemory:
    """The memory after a cycle that sent requests for the entries in `sent`. With an input unknown,
    entries that are not in the plan keep what is remembered; else they have left, and are
    forgotten.
    """
    counters = {e.entry: e.counters for e in plan.entries}
    last = {
        e.entry: PublishedGroup(e.idle, e.max_glideins) for e in plan.entries if e.entry in sent
    }
    kept = {n: p for n, p in old.last.items() if n not in last and (plan.frozen or n in counters)}
    if plan.frozen:
        counters = {**old.counters, **counters}
    return GroupMemory(counters, {**kept, **last}, old.sure_at if plan.frozen else now)


def save(path: Path, memory: Memory) -> None:
    """Keep it for the next start."""
    write_atomic(path, dumps(memory), 0o640)


def load(path: Path, warn: Callable[[str], object]) -> Memory:
    """The memory of the last run; an empty one if there is none, or if it cannot be read (`warn` is
    told why).
    """
    if not path.exists():
        return Memory()
    try:
        memory = from_json(Memory, parse(read_text(path), str(path)))
    except (ValueError, StateError) as error:
        warn(f"counters and last requests are not used: {error}")
        return Memory()
    return memory if memory.schema == SCHEMA else Memory()
