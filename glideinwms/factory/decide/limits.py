"""Limits of an entry and of the Frontends' security classes in it (protocol 4.3/5, 4.4).

One `LimitTotals` serves all requests of an entry in a cycle. It grows with each submission, so that
their sum keeps the limits, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from glideinwms.factory.decide.pilot_states import count
from glideinwms.factory.plan import StatusCounts
from glideinwms.factory.policy import EntryPolicy, Limits
from glideinwms.factory.snapshot import PilotGroup
from glideinwms.lib.reasons import Adjustment, Reason


class PilotCounts:
    """Idle, running and held pilots under one set of limits."""

    def __init__(self, counts: StatusCounts, limits: Limits) -> None:
        self.idle = counts.idle
        self.running = counts.running
        self.held = counts.held
        self.limits = limits

    @property
    def total(self) -> int:
        """Return what counts against `limits.glideins`."""
        return self.idle + self.running


class LimitTotals:
    """All limits that apply to the requests of one entry."""

    def __init__(
        self, entry: EntryPolicy, groups: Iterable[PilotGroup], classes: Iterable[str]
    ) -> None:
        by_class: dict[str, list[PilotGroup]] = {key: [] for key in classes}
        everyone = list(groups)
        for group in everyone:
            if group.frontend in by_class:
                by_class[group.frontend].append(group)
        self.entry = PilotCounts(count(everyone), entry.limits)
        self.classes = {
            key: PilotCounts(count(members), entry.class_limits.get(key, entry.class_default))
            for key, members in by_class.items()
        }

    def blocked(self) -> list[Reason]:
        """Return the entry limits that are reached: no request may submit (protocol 4.3/5)."""
        entry = self.entry
        reached = {
            Reason.FACTORY_IDLE_PER_ENTRY: entry.idle >= entry.limits.idle,
            Reason.FACTORY_TOTAL_PER_ENTRY: entry.total >= entry.limits.glideins,
            Reason.FACTORY_HELD_PER_ENTRY: entry.held >= entry.limits.held,
        }
        return [reason for reason, is_reached in reached.items() if is_reached]

    def held_reached(self, key: str) -> bool:
        """Return whether the class has as many held pilots as it may (protocol 4.5, step 1)."""
        return self.classes[key].held >= self.classes[key].limits.held

    def clamp(self, key: str, wanted: int) -> tuple[int, list[Adjustment]]:
        """Return how many more pilots the class may have, which may be negative, and what cut the
        number, in the order of protocol 4.4.
        """
        entry = self.entry
        of_class = self.classes[key]
        adjustments = []
        steps = (
            (Reason.FACTORY_IDLE_PER_ENTRY, entry.idle, entry.limits.idle),
            (Reason.FACTORY_TOTAL_PER_ENTRY, entry.total, entry.limits.glideins),
            (Reason.FACTORY_IDLE_PER_CLASS, of_class.idle, of_class.limits.idle),
            (Reason.FACTORY_TOTAL_PER_CLASS, of_class.total, of_class.limits.glideins),
        )
        for reason, pilots, limit in steps:
            if wanted > limit - pilots:
                adjustments.append(Adjustment(reason, wanted, limit - pilots, pilots, limit))
                wanted = limit - pilots
        return wanted, adjustments

    def add(self, key: str, n: int) -> None:
        """Count `n` new idle pilots of the class."""
        self.entry.idle += n
        self.classes[key].idle += n

    def triggered(self) -> dict[str, str]:
        """Return the limits that are reached, as ads publish them (protocol 1.8): name -> `count=N,
        limit=M`.

        Unlike GlideinWMS 3.10 (protocol A9) all follow one rule, the count shown is the one that
        was compared, and a limit that is no longer reached is left out.
        """
        numbers = _numbers(self.entry, "{}GlideinsPerEntry")
        for key, counts in self.classes.items():
            numbers |= _numbers(counts, f"{{}}PerClass_{key}")
        return {
            name: shown_limit(count, limit)
            for name, (count, limit) in numbers.items()
            if count >= limit
        }


def _numbers(counts: PilotCounts, name: str) -> dict[str, tuple[int, int]]:
    """Return (count, limit) by published name; `name` has {} for the kind of pilots."""
    return {
        name.format("Idle"): (counts.idle, counts.limits.idle),
        name.format("Total"): (counts.total, counts.limits.glideins),
        name.format("Held"): (counts.held, counts.limits.held),
    }


def shown_limit(count: int, limit: int) -> str:
    """Return a reached limit as ads show it."""
    return f"count={count}, limit={limit}"
