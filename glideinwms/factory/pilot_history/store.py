"""Keep in `<state>/learned.db` how far each event log was read, and which pilots ended lately.

The file is only a memory: without it the logs are read again. So a damaged file is put aside and a
new one is started.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from glideinwms.factory.pilot_history.event_log import LogPosition
from glideinwms.factory.pilot_history.health import PilotOutcome
from glideinwms.factory.pilot_history.pilot import FinishedPilot
from glideinwms.lib.daemon import log

COLUMNS = tuple(f.name for f in fields(FinishedPilot))
_FLAGS = ("removed", "output", "condor_started")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS logs (id INTEGER PRIMARY KEY, path TEXT UNIQUE, inode INT, offset INT, over INT DEFAULT 0);
CREATE TABLE IF NOT EXISTS pilots (
    log INT, cluster INT, proc INT, submitted REAL, started REAL, PRIMARY KEY (log, cluster, proc)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finished (
    log INT, pending INT, {", ".join(COLUMNS)}, PRIMARY KEY (log, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_entry ON finished (entry, ended);
CREATE INDEX IF NOT EXISTS by_pending ON finished (ended) WHERE pending;
"""
Times = tuple[int, int, float, float]
"""cluster, proc, submitted, started; 0: not seen."""


class PilotStore:
    """The tables, by what is asked of them. Nothing is durable before `commit`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.db = self._open()
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.bad")
            path.replace(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            log.get("learn").warning(
                "what was learned is begun anew", old=str(aside), error=str(error)
            )
            self.db = self._open()

    def _open(self) -> sqlite3.Connection:
        # the files that SQLite adds take the mode of this one
        self.path.touch(0o640)
        self.path.chmod(0o640)
        db = sqlite3.connect(self.path, isolation_level="IMMEDIATE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_SCHEMA)
        return db

    def commit(self) -> None:
        """Keep all since the last commit."""
        self.db.commit()

    def close(self) -> None:
        """Keep all and close."""
        self.db.commit()
        self.db.close()

    def logs(self) -> tuple[dict[str, tuple[int, LogPosition]], set[str]]:
        """Logs to follow by path, and paths that are over."""
        rows = self.db.execute("SELECT id, path, inode, offset, over FROM logs").fetchall()
        live = {
            path: (n, LogPosition(Path(path), inode, offset))
            for n, path, inode, offset, over in rows
            if not over
        }
        return live, {row[1] for row in rows if row[4]}

    def add_log(self, path: str) -> int:
        """Follow one more."""
        self.db.execute(
            "INSERT OR IGNORE INTO logs (path, inode, offset) VALUES (?, 0, 0)", (path,)
        )
        found: int = self.db.execute("SELECT id FROM logs WHERE path = ?", (path,)).fetchone()[0]
        return found

    def moved(self, number: int, position: LogPosition) -> None:
        """A log was read up to here."""
        self.db.execute(
            "UPDATE logs SET inode = ?, offset = ? WHERE id = ?",
            (position.inode, position.offset, number),
        )

    def unfinished(self, number: int) -> int:
        """Pilots of a log that have not ended, or whose output is awaited."""
        found: int = self.db.execute(
            "SELECT (SELECT count(*) FROM pilots WHERE log = ?1)"
            " + (SELECT count(*) FROM finished WHERE log = ?1 AND pending)",
            (number,),
        ).fetchone()[0]
        return found

    def over(self, number: int) -> None:
        """Nothing more is expected of a log."""
        self.db.execute("UPDATE logs SET over = 1 WHERE id = ?", (number,))

    def gone(self, paths: Iterable[str]) -> None:
        """Logs that are no more."""
        for path in paths:
            self.db.execute(
                "DELETE FROM pilots WHERE log = (SELECT id FROM logs WHERE path = ?)", (path,)
            )
            self.db.execute("DELETE FROM logs WHERE path = ?", (path,))

    def alive(self, number: int, rows: Iterable[Times]) -> None:
        """Pilots that were submitted or started; what is known of a time stays where the new one is
        0.
        """
        self.db.executemany(
            "INSERT INTO pilots VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " submitted = max(submitted, excluded.submitted), started = max(started, excluded.started)",
            ((number, *row) for row in rows),
        )

    def times(self, number: int, cluster: int, proc: int) -> tuple[float, float]:
        """When a pilot was submitted and started; it is forgotten with that."""
        key = (number, cluster, proc)
        row = self.db.execute(
            "SELECT submitted, started FROM pilots WHERE log = ? AND cluster = ? AND proc = ?", key
        ).fetchone()
        self.db.execute("DELETE FROM pilots WHERE log = ? AND cluster = ? AND proc = ?", key)
        return (row[0], row[1]) if row else (0.0, 0.0)

    def ended(self, number: int, rows: Iterable[FinishedPilot], *, pending: bool) -> None:
        """Pilots that ended; `pending`: their output is still to be read."""
        marks = ", ".join("?" * (len(COLUMNS) + 2))
        self.db.executemany(
            f"INSERT OR REPLACE INTO finished VALUES ({marks})",
            ((number, int(pending), *(getattr(r, c) for c in COLUMNS)) for r in rows),
        )

    def pending(self, limit: int) -> list[tuple[int, str, FinishedPilot]]:
        """(log, its path, pilot) of those whose output is to be read, the latest first."""
        rows = self.db.execute(
            f"SELECT logs.id, logs.path, {', '.join('finished.' + c for c in COLUMNS)} FROM finished"
            " JOIN logs ON logs.id = finished.log WHERE pending ORDER BY ended DESC LIMIT ?",
            (limit,),
        )
        return [(row[0], row[1], pilot_of(row[2:])) for row in rows]

    def finished(self, entry: str, since: float) -> list[FinishedPilot]:
        """An entry's pilots that ended later, the latest first."""
        rows = self.db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM finished WHERE entry = ? AND ended > ? AND NOT pending"
            " ORDER BY ended DESC",
            (entry, since),
        )
        return [pilot_of(row) for row in rows]

    def outcomes(self, entry: str, since: float, limit: int) -> list[PilotOutcome]:
        """Return the outcomes of pilots that left an output, for the guard: the last `limit` of
        each client of each user name. The user name takes the place of the Frontend.
        """
        rows = self.db.execute(
            "SELECT username, client, ended, cause FROM (SELECT username, client, ended, cause,"
            " row_number() OVER (PARTITION BY username, client ORDER BY ended DESC) AS place"
            " FROM finished WHERE entry = ? AND ended > ? AND output AND NOT removed)"
            " WHERE place <= ?",
            (entry, since, limit),
        )
        return [
            PilotOutcome(frontend=username, client=client, ended=ended, cause=cause)
            for username, client, ended, cause in rows
        ]

    def entries(self, since: float) -> list[str]:
        """Entries with pilots that ended later."""
        return [
            row[0]
            for row in self.db.execute(
                "SELECT DISTINCT entry FROM finished WHERE ended > ?", (since,)
            )
        ]

    def forget(self, before: float) -> None:
        """Finished pilots of long ago."""
        self.db.execute("DELETE FROM finished WHERE ended < ?", (before,))


def pilot_of(row: tuple[Any, ...]) -> FinishedPilot:
    """A row of COLUMNS; SQLite has no booleans."""
    values: list[Any] = [bool(v) if n in _FLAGS else v for n, v in zip(COLUMNS, row, strict=True)]
    return FinishedPilot(*values)
