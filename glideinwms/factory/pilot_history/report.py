"""What finished pilots of the last hours did, by entry and Frontend: rows for `gwms pilot report`."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.factory.pilot_history.pilot import FinishedPilot
from glideinwms.factory.pilot_history.store import COLUMNS, pilot_of
from glideinwms.lib.errors import StateError


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Pilots of one entry and client. Times are sums of seconds; `waste` in 1/1000 of the lifetime
    by kind; `causes`:
    why pilots failed, most frequent first.
    """

    entry: str
    client: str
    pilots: int = 0
    removed: int = 0
    failed: int = 0
    jobs: int = 0
    lifetime: int = 0
    waste: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)


def read(state: Path, since: float, entry: str = "") -> list[FinishedPilot]:
    """Pilots that ended later than `since`, out of what the daemon has learned; the daemon may go
    on meanwhile.
    """
    path = state / "learned.db"
    if not path.exists():
        raise StateError(
            "nothing was learned yet",
            where=str(path),
            hint="does the Factory run in this directory?",
        )
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        rows = db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM finished WHERE ended > ? AND NOT pending AND (? = '' OR entry = ?)"
            " ORDER BY ended DESC",
            (since, entry, entry),
        ).fetchall()
        db.close()
    except sqlite3.Error as error:
        raise StateError(f"cannot be read: {error}", where=str(path)) from error
    return [pilot_of(row) for row in rows]


def causes(state: Path) -> dict[tuple[str, str], str]:
    """(entry, pilot id) -> why it failed, of the pilots that the Factory still remembers."""
    try:
        return {(p.entry, p.id): p.cause for p in read(state, 0.0) if p.cause}
    except StateError:
        return {}


BY = ("both", "entry", "client")
SORTABLE = ("entry", "client", "pilots", "removed", "failed", "jobs", "lifetime")


def table(pilots: Iterable[FinishedPilot], by: str = "both") -> list[ReportRow]:
    """One row per entry and client, or per one of them (`by`); what is not told apart is ""."""
    groups: dict[tuple[str, str], list[FinishedPilot]] = defaultdict(list)
    for pilot in pilots:
        groups[pilot.entry if by != "client" else "", pilot.client if by != "entry" else ""].append(
            pilot
        )
    return [_row(*key, found) for key, found in sorted(groups.items())]


def _row(entry: str, client: str, pilots: list[FinishedPilot]) -> ReportRow:
    life = sum(p.lifetime for p in pilots)
    spent = {
        "validation": sum(p.validation for p in pilots),
        "idle": sum(p.idle for p in pilots),
        "nosuccess": sum(p.no_success for p in pilots),
        "badput": sum(p.bad_put for p in pilots),
    }
    causes = Counter(p.cause for p in pilots if p.cause)
    return ReportRow(
        entry,
        client,
        len(pilots),
        sum(p.removed for p in pilots),
        causes.total(),
        sum(p.jobs for p in pilots),
        life,
        {k: min(1000, 1000 * v // life) if life else 0 for k, v in spent.items()},
        dict(causes.most_common()),
    )
