"""Every input as a Reading that survives a restart, and the judgement of suspicious answers (decision 15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from glideinwms.frontend.collect.answers import PoolSlots, ScheddAds, ScheddJobs, WmsPoolAds
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import read_text, write_atomic
from glideinwms.lib.jsondata import dumps, from_json, parse

T = TypeVar("T")

SCHEMA = 2
SUSPECT_ABOVE, SUSPECT_SHARE = 100, 0.1
RELEARN = 600.0
SAME_START = 5.0


@dataclass(frozen=True, slots=True)
class SuspectAnswer:
    """A suspicious answer that waits for a second one like it: what it counted, and what its
    witness said.
    """

    count: int
    witness: int


@dataclass(frozen=True)  # with slots, HeldInput[X](...) fails in Python 3.11
class HeldInput(Generic[T]):
    """One endpoint's reading, the count and witness of its last good answer, and a suspect if there
    is one. `started`: when the collector that answered had been started, by its own clock (-1: it
    does not say); `restart_seen`: when we saw that it is another start (0: it is the same).
    """

    reading: Reading[T]
    count: int = 0
    witness: int = -1
    suspect: SuspectAnswer | None = None
    started: float = -1.0
    restart_seen: float = 0.0

    def failed(self, error: str) -> HeldInput[T]:
        """The endpoint did not answer: the last good value stays."""
        return replace(self, reading=replace(self.reading, error=error))

    def answered(
        self, value: T, count: int, witness: int, began: float, started: float = -1.0
    ) -> HeldInput[T]:
        """The endpoint answered. An answer that looks like a failure is held back once; a collector
        that was started anew is not believed that something has gone until everybody had time to
        report to it.
        """
        suspect = SuspectAnswer(count, witness)
        if (
            dropped(self.count, count)
            and disagrees(self, count, witness)
            and not _again(self.suspect, suspect)
        ):
            text = f"counts {count} after {self.count}, while its witness counts {witness}: held"
            return replace(self, reading=replace(self.reading, error=text), suspect=suspect)
        seen = self._restart(began, started)
        if seen and count < self.count and began - seen < RELEARN:
            text = f"counts {count} after {self.count}, but was restarted {began - seen:.0f} s ago: held"
            return replace(self, reading=replace(self.reading, error=text), restart_seen=seen)
        fresh = replace(self.reading, value=value, taken_at=began, error="")
        return HeldInput(fresh, count, witness, started=started)

    def _restart(self, began: float, started: float) -> float:
        """When we first saw that the collector is not the one that gave the last good answer; 0 if
        it is.
        """
        if started < 0 or self.started < 0 or abs(started - self.started) <= SAME_START:
            return 0.0
        return self.restart_seen or began


def dropped(before: int, now: int) -> bool:
    """Zero after something, or less than a tenth of more than 100."""
    return (now == 0 and before > 0) or (before > SUSPECT_ABOVE and now < SUSPECT_SHARE * before)


def disagrees(old: HeldInput[Any], count: int, witness: int) -> bool:
    """Whether the witness saw no such drop: it still counts more than the answer and lost less than
    half as many. A witness of -1 is absent, and agrees with nothing but is no evidence either.
    """
    if witness < 0:
        return False
    lost = old.witness - witness if old.witness >= 0 else 0
    return witness > count and 2 * lost < old.count - count


def _again(before: SuspectAnswer | None, now: SuspectAnswer) -> bool:
    """Two equal answers in a row, with witnesses that agree with each other."""
    return (
        before is not None and _near(before.count, now.count) and _near(before.witness, now.witness)
    )


def _near(a: int, b: int) -> bool:
    return abs(a - b) <= max(20, max(a, b) // 10)


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs of the Frontend by endpoint."""

    schema: int = SCHEMA
    schedds: dict[str, HeldInput[ScheddJobs]] = field(default_factory=dict)
    loads: HeldInput[ScheddAds] | None = None
    slots: HeldInput[PoolSlots] | None = None
    pools: dict[str, HeldInput[WmsPoolAds]] = field(default_factory=dict)


def new(source: str, max_age: float, old: HeldInput[T] | None) -> HeldInput[T]:
    """The input of an endpoint, with today's max_age, or an empty one."""
    if old is None:
        return HeldInput(Reading(source, max_age))
    return replace(old, reading=replace(old.reading, max_age=max_age, error=""))


def save(path: Path, inputs: Inputs) -> None:
    """Keep the readings for the next start."""
    write_atomic(path, dumps(inputs), 0o640)


def load(path: Path, warn: Callable[[str], object]) -> Inputs:
    """The readings of the last run; none if there are none, or if they cannot be read (`warn` is
    told why).
    """
    if not path.exists():
        return Inputs()
    try:
        data = parse(read_text(path), str(path))
        if isinstance(data, dict) and data.get("schema") != SCHEMA:
            warn(f"old readings are not used: {path} was written by another version")
            return Inputs()
        return from_json(Inputs, data)
    except (ValueError, StateError) as error:
        warn(f"old readings are not used: {error}")
        return Inputs()
