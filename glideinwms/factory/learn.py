"""Learn from the dead: follow the pilots' event logs, read what each left, judge the entries (decision 29).

A log is followed until its last pilot has ended, across midnight; one file is open at a time; a cycle reads a bounded
number of bytes and outputs, the newest first, so that a backlog of days does not stop the Factory.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from glideinwms.factory.eventlog import ABORTED, EXECUTE, SUBMIT, TERMINATED, Clock, Event, Position, read_new
from glideinwms.factory.finished import Finished, described
from glideinwms.factory.health import judge
from glideinwms.factory.learndb import LearnDb
from glideinwms.factory.pilotlog import facts, tail
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import Health
from glideinwms.lib import log
from glideinwms.lib.errors import StateError

PREFIX = "condor_activity_"
BYTES, OUTPUTS = 64 * 1024 * 1024, 1000
OUTPUT_WAIT = 600.0
QUIET, TIDY, KEEP = 86400.0, 3600.0, 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Place:
    """What a log's path says: `user_<username>/glidein_<inst>/entry_<entry>/condor_activity_<LOGNR>_<client>.log`."""

    entry: str
    username: str
    client: str

    @staticmethod
    def of(path: Path) -> Place:
        """Of a path."""
        client = path.name.removeprefix(PREFIX).removesuffix(".log").partition("_")[2]
        return Place(
            path.parent.name.removeprefix("entry_"), path.parents[2].name.removeprefix("user_"), client
        )  # fmt: skip


class Learner:
    """What the Factory knows of pilots that have ended. `update` once a cycle."""

    def __init__(self, state_dir: Path) -> None:
        self.db = LearnDb(state_dir / "learned.db")
        self.live, self.over = self.db.logs()
        self.sizes: dict[str, tuple[int, int]] = {}
        self.scanned: dict[str, int] = {}
        self.known: dict[str, tuple[Health, ...]] = {}
        self.changed: set[str] = set()
        self.first, self.tidied = True, 0.0
        self.log = log.get("learn")

    def update(self, policy: FactoryPolicy, now: float) -> tuple[Health, ...]:
        """Read what is new and judge the entries. If its own memory fails, the last judgement stays."""
        try:
            self._discover(policy)
            self._follow(now)
            self._outputs(policy, now)
            self._judge(policy, now)
            if now - self.tidied > TIDY:
                self._tidy(now)
            self.db.commit()
        except (sqlite3.Error, OSError) as error:
            self.log.error("not learned", error=str(error))
            self.db.db.rollback()
            self.live, self.over = self.db.logs()
            self.sizes.clear()
            self.scanned.clear()
        return tuple(h for e in policy.entries for h in self.known.get(e.name, ()))

    def followed(self) -> set[str]:
        """Logs that are still needed: no clean-up may take them."""
        return set(self.live)

    def _discover(self, policy: FactoryPolicy) -> None:
        """Logs that are new, in directories that changed."""
        for directory in _directories(Path(policy.client_log_dir), policy.glidein_name):
            changed = directory.stat().st_mtime_ns
            if self.scanned.get(directory.path) == changed:
                continue
            self.scanned[directory.path] = changed
            with os.scandir(directory.path) as found:
                for file in found:
                    new = file.path not in self.live and file.path not in self.over
                    if new and file.name.startswith(PREFIX) and file.name.endswith(".log"):
                        self.live[file.path] = (self.db.add_log(file.path), Position(Path(file.path)))

    def _follow(self, now: float) -> None:
        clock, budget = Clock(now), BYTES
        for path, (number, position) in list(self.live.items()):
            try:
                found = os.stat(path)  # noqa: PTH116 - thousands a cycle
            except OSError:
                continue
            seen = (found.st_ino, found.st_size)
            if self.sizes.get(path) == seen:
                continue
            if budget <= 0:
                return
            try:
                begin = position.offset
                for events in read_new(position, clock, budget):
                    self._fold(number, Path(path), events, now)
                budget -= max(0, position.offset - begin)
            except StateError as error:
                self.log.warning("event log not read", file=path, error=error.message)
            self.db.moved(number, position)
            if position.inode == seen[0] and position.offset >= seen[1]:
                self.sizes[path] = seen

    def _fold(self, number: int, path: Path, events: Iterable[Event], now: float) -> None:
        """Lives that began, went on or ended; of a pilot in one batch all at once."""
        alive: dict[tuple[int, int], list[float]] = {}
        ended: dict[tuple[int, int], tuple[int, float, list[float]]] = {}
        for code, cluster, proc, when in events:
            if code == SUBMIT:
                alive[cluster, proc] = [when, 0.0]
            elif code == EXECUTE:
                alive.setdefault((cluster, proc), [0.0, 0.0])[1] = when
            elif code in (TERMINATED, ABORTED):
                ended[cluster, proc] = (code, when, alive.pop((cluster, proc), [0.0, 0.0]))
        self.db.alive(number, ((c, p, times[0], times[1]) for (c, p), times in alive.items()))
        if not ended:
            return
        place = Place.of(path)
        rows: dict[bool, list[Finished]] = defaultdict(list)
        for (cluster, proc), (code, when, times) in ended.items():
            submitted, started = self.db.times(number, cluster, proc)
            pilot = Finished(
                place.entry, place.client, place.username, f"{cluster}.{proc}", max(submitted, times[0]),
                max(started, times[1]) or when, when, code == ABORTED,
            )  # fmt: skip
            if now - when < KEEP:
                rows[code == TERMINATED].append(pilot)
        for pending, pilots in rows.items():
            self.db.ended(number, pilots, pending=pending)

    def _outputs(self, policy: FactoryPolicy, now: float) -> None:
        lines: dict[Path, list[str]] = defaultdict(list)
        for number, path, pilot in self.db.pending(OUTPUTS):
            text = None
            try:
                text = tail(Path(path).with_name(f"job.{pilot.id}.out"))
            except StateError as error:
                self.log.warning("output not read", file=error.where, error=error.message)
            if text is None and now - pilot.ended < OUTPUT_WAIT:
                continue
            done = described(pilot, facts(text)) if text is not None else replace(pilot)
            self.db.ended(number, [done], pending=False)
            self.changed.add(done.entry)
            day = time.strftime("%Y%m%d", time.localtime(done.ended))
            folder = Path(policy.log_dir, f"entry_{done.entry}")
            lines[folder / f"completed_jobs_{day}.log"].append(done.line() + "\n")
        for file, texts in lines.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as out:
                out.writelines(texts)

    def _judge(self, policy: FactoryPolicy, now: float) -> None:
        """Entries where a pilot ended, and those throttled, whose evidence grows old."""
        guard = policy.guard
        names = {n for n, found in self.known.items() if _throttled(found)} | self.changed
        if self.first:
            names |= set(self.db.entries(now - guard.window))
        self.first, self.changed = False, set()
        for entry in (e for e in policy.entries if e.name in names):
            was = _throttled(self.known.get(entry.name, ()))
            outcomes = self.db.outcomes(entry.name, now - guard.window, guard.pilots * 20)
            self.known[entry.name] = judge(entry.name, outcomes, entry.submit_max_per_cycle, now, guard)
            found = _throttled(self.known[entry.name])
            for client in found.keys() - was.keys():
                self.log.warning("entry throttled", entry=entry.name, client=client, why=found[client])
            for client in was.keys() - found.keys():
                self.log.warning("entry recovered", entry=entry.name, client=client)

    def _tidy(self, now: float) -> None:
        """Forget what is over: pilots of long ago, logs that are gone, quiet logs without pilots."""
        self.tidied = now
        self.db.forget(now - KEEP)
        gone = [p for p in (*self.live, *self.over) if not Path(p).exists()]
        self.db.gone(gone)
        for path in gone:
            self.live.pop(path, None)
            self.over.discard(path)
            self.sizes.pop(path, None)
        for path, (number, _) in list(self.live.items()):
            quiet = path in self.sizes and now - Path(path).stat().st_mtime > QUIET
            if quiet and not self.db.unfinished(number):
                self.db.over(number)
                self.over.add(path)
                del self.live[path], self.sizes[path]


def _throttled(health: Iterable[Health]) -> dict[str, str]:
    """Client ("": the whole entry) -> why it gets less."""
    return {h.client: h.text for h in health if h.cap is not None}


def _directories(base: Path, glidein: str) -> Iterator[os.DirEntry[str]]:
    """`user_*/glidein_<inst>/entry_*` below a directory."""
    try:
        users = [u.path for u in os.scandir(base) if u.name.startswith("user_")]
    except FileNotFoundError:
        return
    for user in users:
        try:
            with os.scandir(f"{user}/glidein_{glidein}") as found:
                yield from [e for e in found if e.name.startswith("entry_")]
        except FileNotFoundError:
            continue
