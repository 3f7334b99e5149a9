"""A Reading: one input with its age and cause. Inputs are held, outputs never (decision 15)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)  # with slots, Reading[X](...) fails in Python 3.11
class Reading(Generic[T]):
    """What an endpoint last said.

    `value` is the last good answer (None: never had one), `taken_at` when asking for it began
    (epoch seconds), `error` why the newest attempt failed ("" if it did not), `source` the
    endpoint's name, `max_age` the seconds after which the value no longer counts.
    """

    source: str
    max_age: float
    value: T | None = None
    taken_at: float = 0.0
    error: str = ""

    def fresh(self, value: T, taken_at: float) -> Reading[T]:
        """A good answer replaces everything."""
        return replace(self, value=value, taken_at=taken_at, error="")

    def failed(self, error: str) -> Reading[T]:
        """A failed or suspicious answer keeps the last good value with its age."""
        return replace(self, error=error)

    def age(self, now: float) -> float:
        """Seconds since the value was asked for; infinite if there is none."""
        return max(0.0, now - self.taken_at) if self.value is not None else float("inf")

    def known(self, now: float) -> bool:
        """Whether the value may be used at `now`: present, and this cycle's or not older than
        `max_age`.
        """
        return self.value is not None and (not self.error or self.age(now) <= self.max_age)

    def held(self) -> bool:
        """Whether the value in use is an older one because the newest attempt failed."""
        return bool(self.error) and self.value is not None
