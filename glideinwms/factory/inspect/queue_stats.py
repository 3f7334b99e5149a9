"""Average an entry's pilots and requests over the recorded cycles, for `gwms entry stats`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan


@dataclass(slots=True)
class QueueStatsRow:
    """Averages over `cycles` cycles; `submitted` is a sum. A frozen cycle says nothing and does not
    count.
    """

    entry: str
    cycles: int = 0
    asked: float = 0.0
    wait: float = 0.0
    idle: float = 0.0
    running: float = 0.0
    held: float = 0.0
    submitted: int = 0

    def add(self, plan: FactoryEntryPlan) -> None:
        """One cycle more."""
        c = plan.counts
        self.cycles += 1
        asked = sum(r.idle for r in plan.requests if r.refusal is None)
        for name, value in (
            ("asked", asked),
            ("wait", c.wait),
            ("idle", c.idle),
            ("running", c.running),
            ("held", c.held),
        ):
            mean = getattr(self, name)
            setattr(self, name, mean + (value - mean) / self.cycles)
        self.submitted += sum(r.submitted for r in plan.requests)


COLUMNS = tuple(f.name for f in fields(QueueStatsRow))


def table(plans: Iterable[FactoryPlan]) -> list[QueueStatsRow]:
    """One row per entry, by name."""
    rows: dict[str, QueueStatsRow] = {}
    for plan in plans:
        for entry in plan.entries:
            if not entry.frozen:
                rows.setdefault(entry.entry, QueueStatsRow(entry.entry)).add(entry)
    return [rows[name] for name in sorted(rows)]
