"""Downtime files of both daemons, in the deployed format (protocol 4.9).

Factory lines: `Start End Entry Frontend Sec_Class # comment`; Frontend lines: `Start End`. Times
are ISO 8601 with zone (`YYYY-MM-DDTHH:MM:SS+HH:MM`), End may be `None` (open).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from glideinwms.lib.bounded import shown
from glideinwms.lib.errors import ConfigError, StateError

HEADER = f"{'#Start':30} {'End':30} {'Entry':20} {'Frontend':30} {'Sec_Class':20} # Comment\n"
FACTORY = "factory"
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
ALL = "All"
FIRST, LAST = (
    t.replace(microsecond=0, tzinfo=UTC).timestamp() for t in (datetime.min, datetime.max)
)


@dataclass(frozen=True, slots=True)
class Downtime:
    """One line. `end` None is open. Times are epoch seconds."""

    start: float
    end: float | None
    entry: str = FACTORY
    frontend: str = ALL
    security_class: str = ALL
    comment: str = ""

    def active(self, now: float) -> bool:
        """start <= now <= end."""
        return self.start <= now and (self.end is None or now <= self.end)


def _time(text: str, where: str) -> float:
    try:
        return _epoch(text)
    except (ValueError, OverflowError) as error:
        raise StateError(
            f"bad time {shown(text)}", where=where, hint="write YYYY-MM-DDTHH:MM:SS+HH:MM"
        ) from error


def _epoch(text: str) -> float:
    """Epoch seconds of an ISO time, local without a zone (but at the ends of the calendar, where
    not every zone has one). ValueError if it is none.
    """
    found = datetime.fromisoformat(text)
    if not found.tzinfo:
        found = found.astimezone() if 1 < found.year < 9999 else found.replace(tzinfo=UTC)
    return _writable(found.timestamp())


def _writable(when: float) -> float:
    """The nearest time that `iso` can write."""
    return min(max(when, FIRST), LAST)


def iso(when: float) -> str:
    """Epoch seconds as the file writes them, in UTC."""
    return datetime.fromtimestamp(int(when), UTC).isoformat(timespec="seconds")


def when(text: str, now: float) -> float:
    """`now`, `+2h`, epoch seconds, or an ISO time (local without a zone), as epoch seconds."""
    if text == "now":
        return now
    if match := re.fullmatch(r"\+(\d{1,300})([smhd]?)", text):
        return _writable(now + float(match[1]) * UNITS[match[2]])
    if re.fullmatch(r"\d{1,300}", text):
        return _writable(float(text))
    try:
        return _epoch(text)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{shown(text)} is not a time",
            where="downtime",
            hint="write now, +2h or 2026-01-31T08:00",
        ) from None


def until(text: str, now: float) -> float | None:
    """As `when`; `none` is open."""
    return None if text.lower() in ("none", "") else when(text, now)


def _line(start: float, end: float | None, scope: list[str], comment: str) -> Downtime:
    entry, frontend, cls = [*scope, *(FACTORY, ALL, ALL)[len(scope) :]]
    return Downtime(start, end, entry, frontend, cls, comment)


def parse(text: str, where: str = "downtimes") -> tuple[list[Downtime], list[StateError]]:
    """The lines of a file, and what is wrong with those left out."""
    found, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head, _, comment = line.partition("#")
        words = head.split()
        at = f"{where}:{number}"
        try:
            if len(words) < 2:
                raise StateError("a downtime needs a start and an end", where=at)
            end = None if words[1] == "None" else _time(words[1], at)
            found.append(_line(_time(words[0], at), end, words[2:5], comment.strip()))
        except StateError as error:
            wrong.append(error)
    return found, wrong


def load(path: Path) -> tuple[list[Downtime], list[StateError]]:
    """The file's downtimes; a missing file has none."""
    if not path.exists():
        return [], []
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise StateError(f"cannot be read: {error}", where=str(path)) from error
    # bad bytes in a comment hide no downtime; a line that they spoil may have been one
    for number, line in enumerate(text.splitlines(), 1):
        if "\ufffd" in line.partition("#")[0]:
            raise StateError("cannot be read: not UTF-8", where=f"{path}:{number}")
    return parse(text, str(path))


def render(downtimes: Iterable[Downtime]) -> str:
    """The Factory's form of the file."""
    rows = (
        f"{iso(d.start):30} {'None' if d.end is None else iso(d.end):30} {d.entry:20} {d.frontend:30} "
        f"{d.security_class:20} # {' '.join(d.comment.split())}\n"
        for d in downtimes
    )
    return HEADER + "".join(rows)


def render_frontend(downtimes: Iterable[Downtime]) -> str:
    """The Frontend's form of the file: two columns, the comment behind them."""
    rows = (
        f"{iso(d.start):30} {'None' if d.end is None else iso(d.end):30}{f' # {d.comment}' if d.comment else ''}\n"
        for d in downtimes
    )
    return f"{'#Start':30} {'End':30}\n" + "".join(rows)


def factory_down(downtimes: Sequence[Downtime], now: float) -> Downtime | None:
    """The line that puts the whole Factory in downtime."""
    return _first(downtimes, now, {FACTORY}, ALL, ALL)


def entry_down(downtimes: Sequence[Downtime], now: float, entry: str) -> Downtime | None:
    """The line that puts this entry in downtime."""
    return _first(downtimes, now, {ALL, entry}, ALL, ALL)


def class_down(
    downtimes: Sequence[Downtime], now: float, entry: str, frontend: str, cls: str
) -> Downtime | None:
    """The line that puts this Frontend's security class in downtime at this entry."""
    for d in downtimes:
        if (
            d.active(now)
            and d.entry in (FACTORY, ALL, entry)
            and d.frontend in (ALL, frontend)
            and d.security_class in (ALL, cls)
        ):
            return d
    return None


def frontend_down(downtimes: Sequence[Downtime], now: float) -> Downtime | None:
    """The active line of a Frontend's file."""
    return next((d for d in downtimes if d.active(now)), None)


def _first(
    downtimes: Sequence[Downtime], now: float, entries: set[str], frontend: str, cls: str
) -> Downtime | None:
    for d in downtimes:
        if (
            d.active(now)
            and d.entry in entries
            and d.frontend == frontend
            and d.security_class == cls
        ):
            return d
    return None
