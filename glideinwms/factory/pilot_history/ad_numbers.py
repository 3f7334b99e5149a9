"""Count the user jobs that pilots of the last hour ran: the CompletedJobs numbers of ads.

See protocol 1.4 and 7.1.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from glideinwms.lib.wire import Value

HOUR = 3600.0
# jobs of a pilot up to this -> name of its bar
BARS = ((0, "None"), (1, "1job"), (2, "2jobs"), (4, "4jobs"), (16, "16jobs"))
MANY = "Many"
NAMES = (*(name for _, name in BARS), MANY)


def bar(jobs: int) -> str:
    """The bar that a pilot with so many jobs belongs to."""
    return next((name for most, name in BARS if jobs <= most), MANY)


def numbers(rows: Iterable[tuple[str, int, int]]) -> dict[str, dict[str, Value]]:
    """(entry, jobs of a pilot, pilots) -> what the ads of each entry with fresh statistics say; the
    Factory's sums stand in every one of them.
    """
    entries: dict[str, Counter[str]] = defaultdict(Counter)
    for entry, jobs, pilots in rows:
        entries[entry][bar(jobs)] += pilots
    total = Counter[str]()
    for counts in entries.values():
        total.update(counts)
    factory = _named("CompletedJobsPerFactory", total)
    return {
        entry: {**_named("CompletedJobsPerEntry", counts), **factory}
        for entry, counts in entries.items()
    }


def _named(prefix: str, counts: Mapping[str, int]) -> dict[str, Value]:
    return {prefix + name: counts.get(name, 0) for name in NAMES}


class CompletedJobs:
    """Counts finished pilots in the database again every `every` seconds."""

    def __init__(self, db: sqlite3.Connection, every: float = 60.0) -> None:
        self.db, self.every = db, every
        self.counted = 0.0
        self.known: dict[str, dict[str, Value]] = {}

    def current(self, now: float) -> dict[str, dict[str, Value]]:
        """Entry -> numbers, for entries where a pilot ended within the hour."""
        if now - self.counted >= self.every:
            self.counted = now
            with contextlib.suppress(sqlite3.Error):  # the last numbers stay; the learner tells
                self.known = numbers(
                    self.db.execute(
                        "SELECT entry, jobs, COUNT(*) FROM finished"
                        " WHERE ended > ? AND NOT pending GROUP BY entry, jobs",
                        (now - HOUR,),
                    )
                )
        return self.known
