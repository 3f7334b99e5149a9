"""Read HTCondor job event logs from where the last reading ended (decision 29).

This reader is our own because that of the bindings is four times slower, keeps two files open per
log, and saves its position only as a pickle. It understands legacy dates (`MM/DD HH:MM:SS`, local
time, no year) and ISO dates, with sub-seconds and with `Z` for UTC.
"""

from __future__ import annotations

import calendar
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glideinwms.lib.bounded import EARLIEST
from glideinwms.lib.errors import StateError

END = b"\n...\n"
CHUNK = 96 * 1024
# A longer event is none: it is passed over, so that a file without an end marker does not fill the
# memory.
MAX_EVENT_BYTES = 8 * 1024 * 1024
DAY = 86400.0
SUBMIT, EXECUTE, EVICTED, TERMINATED, ABORTED = 0, 1, 4, 5, 9
# a look-up costs a third of int()
_CODES = {b"%03d" % n: n for n in range(1000)}
_SECONDS = {b"%02d" % n: n for n in range(100)}
_HEADER = re.compile(
    rb"\n\.\.\.\n(\d{3}) \((\d{1,10})\.(\d{1,10})\.\d+\) "
    rb"(\d\d/\d\d \d\d:\d\d|\d{4}-\d\d-\d\d[ T]\d\d:\d\d):(\d\d)(?:\.\d+)?(Z?)"
)

Event = tuple[int, int, int, float]
"""Event number (ULOG_*), cluster, proc, epoch seconds."""


@dataclass(slots=True)
class LogPosition:
    """How far a log was read: up to byte `offset` of the file with this inode."""

    path: Path
    inode: int = 0
    offset: int = 0


class EventClock:
    """Dates of event logs as epoch seconds; each minute is computed once. `impossible` counts dates
    that are none.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.minutes: dict[bytes, float] = {}
        self.impossible = 0

    def minute(self, text: bytes, zone: bytes) -> float:
        """The beginning of a minute, NaN for an impossible date: month 13, or a day that has not
        come.

        A date without a year is the latest one that is not in the future.
        """
        key = text + zone
        found = self.minutes.get(key)
        if found is not None:
            return found
        try:
            when = self._compute(text.decode(), zone)
        except (ValueError, OverflowError):
            when = math.nan
        if not EARLIEST <= when <= self.now + DAY:
            self.impossible += 1
            return math.nan
        self.minutes[key] = when
        return when

    def _compute(self, text: str, zone: bytes) -> float:
        hour, minute = int(text[-5:-3]), int(text[-2:])
        if text[2] == "/":
            month, day, year = int(text[:2]), int(text[3:5]), time.localtime(self.now).tm_year
            when = time.mktime((year, month, day, hour, minute, 0, 0, 0, -1))
            return (
                when
                if when <= self.now + DAY
                else time.mktime((year - 1, month, day, hour, minute, 0, 0, 0, -1))
            )
        parts = (int(text[:4]), int(text[5:7]), int(text[8:10]), hour, minute, 0, 0, 0, -1)
        return float(calendar.timegm(parts)) if zone else time.mktime(parts)


def parse(data: bytes, clock: EventClock) -> tuple[list[Event], int]:
    """Whole events in `data`, which begins at the beginning of one, and how many bytes they take;
    the half-written one at its end is left for the next time, and what is no event is passed over.
    """
    end = data.rfind(END)
    if end < 0:
        return [], 0
    minutes, minute = clock.minutes, clock.minute
    codes, secs = _CODES, _SECONDS
    before = clock.impossible
    events = [
        (
            codes[code],
            int(cluster),
            int(proc),
            ((minutes.get(text) if not zone else None) or minute(text, zone)) + secs[second],
        )
        for code, cluster, proc, text, second, zone in _HEADER.findall(b"\n...\n" + data[: end + 1])
    ]
    if clock.impossible > before:
        events = [event for event in events if not math.isnan(event[3])]
    return events, end + len(END)


def read_new(position: LogPosition, clock: EventClock, budget: int) -> Iterator[list[Event]]:
    """Events after `position`, which moves on with each chunk that is taken; at most about `budget`
    bytes.

    A rotated log is read to its end under its new name first. No file: nothing. One file is open at
    a time.
    """
    try:
        found = os.stat(position.path)  # noqa: PTH116 - thousands a cycle
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}", where=str(position.path)) from error
    if position.inode not in (0, found.st_ino):
        old = _renamed(position)
        if old is not None:
            begin = position.offset
            yield from _chunks(old, position, clock, budget)
            if begin < position.offset < old.stat().st_size:
                # there may be more of it than the budget; what stays half-written brings nothing
                # the next time
                return
        position.offset = 0
    elif found.st_size < position.offset:
        position.offset = 0
    position.inode = found.st_ino
    if found.st_size > position.offset:
        yield from _chunks(position.path, position, clock, budget)


def _renamed(position: LogPosition) -> Path | None:
    """Where a rotated file is now (`LOG.old`, `LOG.1`, ...)."""
    for path in sorted(position.path.parent.glob(f"{position.path.name}.*")):
        if path.stat().st_ino == position.inode:
            return path
    return None


def _chunks(
    path: Path, position: LogPosition, clock: EventClock, budget: int
) -> Iterator[list[Event]]:
    size = CHUNK
    try:
        with path.open("rb") as file:
            while budget > 0:
                file.seek(position.offset)
                data = file.read(size)
                events, used = parse(data, clock)
                if not used and len(data) < size:
                    return
                if not used and size < MAX_EVENT_BYTES:
                    # one event longer than the chunk
                    size *= 2
                    continue
                # the last bytes may be the beginning of an end marker
                used = used or len(data) - len(END)
                position.offset += used
                budget -= used
                yield events
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}", where=str(path)) from error
