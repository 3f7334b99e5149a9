"""Limits of an entry and of the Frontends' security classes in it (protocol 4.3/5, 4.4).

One `Totals` serves all requests of an entry in a cycle and grows with each submission, so that their sum keeps the
limits too. With `strict` the deployed numbers: totals are never grown, and printed as the deployed program does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from glideinwms.factory.decide.pilot_states import count
from glideinwms.factory.plan import StatusCounts
from glideinwms.factory.policy import EntryPolicy, Limits
from glideinwms.factory.snapshot import PilotGroup
from glideinwms.lib.reasons import Adjustment, Reason

PER_ENTRY = {
    "Idle": Reason.FACTORY_IDLE_PER_ENTRY,
    "Total": Reason.FACTORY_TOTAL_PER_ENTRY,
    "Held": Reason.FACTORY_HELD_PER_ENTRY,
}


class PilotCounts:
    """Idle, running and held pilots under one set of limits."""

    def __init__(self, counts: StatusCounts, limits: Limits) -> None:
        self.idle = counts.idle
        self.running = counts.running
        self.held = counts.held
        self.limits = limits

    @property
    def total(self) -> int:
        """What counts against `limits.glideins`."""
        return self.idle + self.running


class LimitTotals:
    """All limits that bear on the requests of one entry."""

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
            key: PilotCounts(count(found), entry.class_limits.get(key, entry.class_default))
            for key, found in by_class.items()
        }

    def blocked(self) -> list[Reason]:
        """The entry limits that are reached: no request may submit (protocol 4.3/5)."""
        t, found = self.entry, []
        if t.idle >= t.limits.idle:
            found.append(Reason.FACTORY_IDLE_PER_ENTRY)
        if t.total >= t.limits.glideins:
            found.append(Reason.FACTORY_TOTAL_PER_ENTRY)
        if t.held >= t.limits.held:
            found.append(Reason.FACTORY_HELD_PER_ENTRY)
        return found

    def held_reached(self, key: str) -> bool:
        """Whether the class has as many held pilots as it may have (protocol 4.5/1)."""
        return self.classes[key].held >= self.classes[key].limits.held

    def clamp(self, key: str, wanted: int) -> tuple[int, list[Adjustment]]:
        """How many more pilots the class may have, and what cut it (protocol 4.4, in its order).
        May be negative.
        """
        e, c, clips = self.entry, self.classes[key], []
        steps = (
            (Reason.FACTORY_IDLE_PER_ENTRY, e.idle, e.limits.idle),
            (Reason.FACTORY_TOTAL_PER_ENTRY, e.total, e.limits.glideins),
            (Reason.FACTORY_IDLE_PER_CLASS, c.idle, c.limits.idle),
            (Reason.FACTORY_TOTAL_PER_CLASS, c.total, c.limits.glideins),
        )
        for reason, have, limit in steps:
            if wanted > limit - have:
                clips.append(Adjustment(reason, wanted, limit - have, have, limit))
                wanted = limit - have
        return wanted, clips

    def add(self, key: str, n: int) -> None:
        """Account `n` new idle pilots of the class."""
        self.entry.idle += n
        self.classes[key].idle += n

    def triggered(self, *, strict: bool = False) -> dict[str, str]:
        """Limits reached, as protocol 1.8 publishes them: name -> `count=N, limit=M`. Mended
        (protocol 9.7/9): one rule for all of them, the count printed is the one compared, and a
        limit no longer reached is not in it.
        """
        t, out = self.entry, {}
        if t.idle >= t.limits.idle:
            out["IdleGlideinsPerEntry"] = _text(t.idle, t.limits.idle)
        if t.total >= t.limits.glideins:
            out["TotalGlideinsPerEntry"] = _text(
                t.total + (t.held if strict else 0), t.limits.glideins
            )
        if t.held >= t.limits.held:
            out["HeldGlideinsPerEntry"] = _text(t.held, t.limits.held)
        for key, c in self.classes.items():
            total = c.total + (c.held if strict else 0)
            over = 1 if strict else 0
            if c.idle >= c.limits.idle + over:
                out[f"IdlePerClass_{key}"] = _text(c.idle, c.limits.idle)
            if total >= c.limits.glideins + over:
                out[f"TotalPerClass_{key}"] = _text(total, c.limits.glideins)
            if not strict and c.held >= c.limits.held:
                out[f"HeldPerClass_{key}"] = _text(c.held, c.limits.held)
        return out


def _text(n: int, limit: int) -> str:
    return f"count={n}, limit={limit}"


def parse_class_limits(
    default: Limits, idle: str, held: str, glideins: str, known: Iterable[str]
) -> dict[str, Limits]:
    """Limits of each known class from the deployed `fe:class;N,...` lists: the last one of a class
    counts, unknown classes and bad numbers are left out, nothing is trimmed (protocol 9.7/10).
    """
    tables = [_overrides(text) for text in (glideins, idle, held)]
    return {
        key: Limits(
            tables[0].get(key, default.glideins),
            tables[1].get(key, default.idle),
            tables[2].get(key, default.held),
        )
        for key in known
    }


def _overrides(text: str) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for item in text.split(","):
        key, _, number = item.partition(";")
        try:
            found[key] = int(number.partition(";")[0])
        except ValueError:
            continue
    return found
