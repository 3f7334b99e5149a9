"""Summarize finished pilots by entry and client: the rows of `gwms pilot report`."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.factory.pilot_history.pilot import FinishedPilot
from glideinwms.factory.pilot_history.store import COLUMNS, pilot_of
from glideinwms.lib.errors import StateError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """Finished pilots of one entry, Frontend and client.

    `frontend` is the Frontend's name in the Factory's configuration: anybody may claim a
    ClientName, so that one alone would mix pilots of several Frontends. Times are sums of seconds,
    `waste` is in 1/1000 of the lifetime by kind, `causes` has the most frequent cause first.
    """

    entry: str
    frontend: str
    client: str
    pilots: int = 0
    removed: int = 0
    failed: int = 0
    jobs: int = 0
    lifetime: int = 0
    waste: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)


def read(state: Path, since: float, entry: str = "") -> list[FinishedPilot]:
    """Return the pilots that ended later than `since` (epoch seconds), from the daemon's database.
    The daemon may be running.
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
    """Return why each (entry, pilot id) failed, for the pilots that the Factory still remembers."""
    try:
        return {(p.entry, p.id): p.cause for p in read(state, 0.0) if p.cause}
    except StateError:
        return {}


BY = ("both", "entry", "client")
SORTABLE = ("entry", "frontend", "client", "pilots", "removed", "failed", "jobs", "lifetime")


def table(
    pilots: Iterable[FinishedPilot], by: str, frontends: Mapping[str, str]
) -> list[ReportRow]:
    """Return one row per entry, Frontend and client, or per entry, or per Frontend and client.

    `frontends` names the Frontend of each user name. Columns that do not tell rows apart are "".
    """
    groups: dict[tuple[str, str, str], list[FinishedPilot]] = defaultdict(list)
    for pilot in pilots:
        entry = "" if by == "client" else pilot.entry
        frontend = "" if by == "entry" else frontend_of(pilot, frontends)
        client = "" if by == "entry" else pilot.client
        groups[entry, frontend, client].append(pilot)
    return [
        _row(entry, frontend, client, members)
        for (entry, frontend, client), members in sorted(groups.items())
    ]


def frontend_of(pilot: FinishedPilot, frontends: Mapping[str, str]) -> str:
    """Return the name of a pilot's Frontend, or its user name if that is no longer configured."""
    return frontends.get(pilot.username, f"user {pilot.username}")


def _row(entry: str, frontend: str, client: str, pilots: list[FinishedPilot]) -> ReportRow:
    lifetime = sum(pilot.lifetime for pilot in pilots)
    spent = {
        "validation": sum(pilot.validation for pilot in pilots),
        "idle": sum(pilot.idle for pilot in pilots),
        "nosuccess": sum(pilot.no_success for pilot in pilots),
        "badput": sum(pilot.bad_put for pilot in pilots),
    }
    causes = Counter(pilot.cause for pilot in pilots if pilot.cause)
    return ReportRow(
        entry=entry,
        frontend=frontend,
        client=client,
        pilots=len(pilots),
        removed=sum(pilot.removed for pilot in pilots),
        failed=causes.total(),
        jobs=sum(pilot.jobs for pilot in pilots),
        lifetime=lifetime,
        waste={
            kind: min(1000, 1000 * seconds // lifetime) if lifetime else 0
            for kind, seconds in spent.items()
        },
        causes=dict(causes.most_common()),
    )
