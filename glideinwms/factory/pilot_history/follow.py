"""Follow the pilots' event logs, read the output of finished pilots, and judge the entries.

A log is followed until its last pilot has ended, across midnight. One file is open at a time. A
cycle reads a bounded number of bytes and outputs, the newest first, so that a backlog of days does
not stop the Factory (decision 29).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from glideinwms.factory.pilot_history.event_log import (
    ABORTED,
    EXECUTE,
    SUBMIT,
    TERMINATED,
    Event,
    EventClock,
    LogPosition,
    read_new,
)
from glideinwms.factory.pilot_history.health import Who, judge
from glideinwms.factory.pilot_history.pilot import FinishedPilot, described
from glideinwms.factory.pilot_history.pilot_log import facts, tail
from glideinwms.factory.pilot_history.store import PilotStore
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import Health
from glideinwms.lib.bounded import reason
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import GwmsError, StateError
from glideinwms.lib.reasons import Reason, Refusal

PREFIX = "condor_activity_"
BYTES, OUTPUTS = 64 * 1024 * 1024, 1000
OUTPUT_WAIT = 600.0
QUIET, TIDY, KEEP = 86400.0, 3600.0, 7 * 86400.0
# What could not be read is shown for this many seconds, the latest MAX_SHOWN of it.
SHOW, MAX_SHOWN = 3600.0, 50


@dataclass(frozen=True, slots=True)
class LogPlace:
    """What a log's path says:
    `user_<username>/glidein_<inst>/entry_<entry>/condor_activity_<LOGNR>_<client>.log`.
    """

    entry: str
    username: str
    client: str

    @staticmethod
    def of(path: Path) -> LogPlace:
        """Of a path."""
        client = path.name.removeprefix(PREFIX).removesuffix(".log").partition("_")[2]
        return LogPlace(
            path.parent.name.removeprefix("entry_"),
            path.parents[2].name.removeprefix("user_"),
            client,
        )


class PilotFollower:
    """What the Factory knows of pilots that have ended. Call `update` once a cycle.

    `ended` counts, by entry, the ends of pilots that were read since the daemon started.
    """

    def __init__(self, state_dir: Path) -> None:
        self.db = PilotStore(state_dir / "learned.db")
        self.live, self.over = self.db.logs()
        self.sizes: dict[str, tuple[int, int]] = {}
        self.scanned: dict[str, int] = {}
        self.known: dict[str, tuple[Health, ...]] = {}
        self.ended: Counter[str] = Counter()
        self.changed: set[str] = set()
        self.first, self.tidied = True, 0.0
        self.unreadable: dict[Refusal, float] = {}
        self.log = log.get("learn")

    def update(self, policy: FactoryPolicy, now: float) -> tuple[Health, ...]:
        """Read what is new and judge the entries. If its own memory fails, the last judgement
        stays.
        """
        try:
            self._discover(policy, now)
            self._follow(now)
            self._outputs(policy, now)
            self._judge(policy, now)
            if now - self.tidied > TIDY:
                self._tidy(now)
            self.db.commit()
        except Exception as error:  # noqa: BLE001 - the boundary of the statistics: requests are served without them
            self._refuse(now, str(self.db.path), error)
            self._begin_again()
        return tuple(h for e in policy.entries for h in self.known.get(e.name, ()))

    def _begin_again(self) -> None:
        """Go back to what was last kept; without its memory the next cycle tries again."""
        with contextlib.suppress(sqlite3.Error):
            self.db.db.rollback()
            self.live, self.over = self.db.logs()
        self.sizes.clear()
        self.scanned.clear()

    def _refuse(self, now: float, where: str, error: Exception) -> None:
        """Note something that cannot be read, for the log and the status."""
        text = (
            str(error)
            if isinstance(error, GwmsError | OSError)
            else f"{type(error).__name__}: {error}"
        )
        refusal = Refusal(Reason.UNREADABLE, reason(where), reason(text))
        if now - self.unreadable.pop(refusal, -SHOW) >= SHOW:
            self.log.error("not learned", file=refusal.where, error=refusal.text)
        self.unreadable[refusal] = now
        while len(self.unreadable) > MAX_SHOWN:
            del self.unreadable[next(iter(self.unreadable))]

    def refusals(self, now: float) -> tuple[Refusal, ...]:
        """What could not be read lately."""
        return tuple(refusal for refusal, when in self.unreadable.items() if now - when < SHOW)

    def followed(self) -> set[str]:
        """Logs that are still needed: no clean-up may take them."""
        return set(self.live)

    def _discover(self, policy: FactoryPolicy, now: float) -> None:
        """Logs that are new, in directories that changed."""
        for directory in _directories(Path(policy.client_log_dir), policy.glidein_name):
            try:
                self._scan(directory, now)
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary of one directory of logs
                self._refuse(now, directory.path, error)

    def _scan(self, directory: os.DirEntry[str], now: float) -> None:
        changed = directory.stat().st_mtime_ns
        if self.scanned.get(directory.path) == changed:
            return
        self.scanned[directory.path] = changed
        with os.scandir(directory.path) as found:
            for file in found:
                new = file.path not in self.live and file.path not in self.over
                if not (new and file.name.startswith(PREFIX) and file.name.endswith(".log")):
                    continue
                if not _is_text(file.path):
                    self._refuse(now, file.path, StateError("its name is not UTF-8"))
                else:
                    self.live[file.path] = (
                        self.db.add_log(file.path),
                        LogPosition(Path(file.path)),
                    )

    def _follow(self, now: float) -> None:
        clock, budget = EventClock(now), BYTES
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
            begin, impossible = position.offset, clock.impossible
            try:
                for events in read_new(position, clock, budget):
                    self._fold(number, Path(path), events, now)
            except (StateError, OSError) as error:
                self._refuse(now, path, error)
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary of one log: what it holds now is passed over
                self._refuse(now, path, error)
                position.inode, position.offset = seen
            if clock.impossible > impossible:
                text = f"{clock.impossible - impossible} events have an impossible date"
                self._refuse(now, path, StateError(text))
            budget -= max(0, position.offset - begin)
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
        place = LogPlace.of(path)
        self.ended[place.entry] += len(ended)
        rows: dict[bool, list[FinishedPilot]] = defaultdict(list)
        for (cluster, proc), (code, when, times) in ended.items():
            submitted, started = self.db.times(number, cluster, proc)
            pilot = FinishedPilot(
                entry=place.entry,
                client=place.client,
                username=place.username,
                id=f"{cluster}.{proc}",
                submitted=max(submitted, times[0]),
                started=max(started, times[1]) or when,
                ended=when,
                removed=code == ABORTED,
            )
            if now - when < KEEP:
                rows[code == TERMINATED].append(pilot)
        for pending, pilots in rows.items():
            self.db.ended(number, pilots, pending=pending)

    def _outputs(self, policy: FactoryPolicy, now: float) -> None:
        """Describe pilots whose output has come. One that cannot be read is described as such and
        not read again.
        """
        ended: dict[Path, list[tuple[int, FinishedPilot]]] = defaultdict(list)
        for number, path, pilot in self.db.pending(OUTPUTS):
            output = Path(path).with_name(f"job.{pilot.id}.out")
            try:
                done = _described(pilot, output, now)
            except Exception as error:  # noqa: BLE001 - the boundary of one pilot's output
                self._refuse(now, str(output), error)
                done = replace(pilot, cause=reason(f"output cannot be read: {error}"))
            if done is not None:
                day = time.strftime("%Y%m%d", time.localtime(done.ended))
                ended[
                    Path(policy.log_dir, f"entry_{done.entry}", f"completed_jobs_{day}.log")
                ].append((number, done))
        for file, rows in ended.items():
            try:
                _append(file, "".join(f"{pilot.line()}\n" for _, pilot in rows))
            except Exception as error:  # noqa: BLE001 - the boundary of one entry's file: its pilots wait a while
                self._refuse(now, str(file), error)
                rows = [(number, pilot) for number, pilot in rows if now - pilot.ended > SHOW]
            for number, pilot in rows:
                self.db.ended(number, [pilot], pending=False)
                self.changed.add(pilot.entry)

    def _judge(self, policy: FactoryPolicy, now: float) -> None:
        """Entries where a pilot ended, and those throttled, whose evidence grows old."""
        guard = policy.guard
        names = {n for n, found in self.known.items() if _throttled(found)} | self.changed
        if self.first:
            names |= set(self.db.entries(now - guard.window))
        self.first, self.changed = False, set()
        frontends = policy.frontends_by_username()
        for entry in (e for e in policy.entries if e.name in names):
            was = _throttled(self.known.get(entry.name, ()))
            outcomes = [
                replace(
                    outcome, frontend=frontends.get(outcome.frontend, f"user {outcome.frontend}")
                )
                for outcome in self.db.outcomes(entry.name, now - guard.window, guard.pilots)
            ]
            self.known[entry.name] = judge(
                entry.name, outcomes, entry.submit_max_per_cycle, now, guard
            )
            found = _throttled(self.known[entry.name])
            for frontend, client in sorted(found.keys() - was.keys()):
                self.log.warning(
                    "entry throttled",
                    entry=entry.name,
                    frontend=frontend,
                    client=client,
                    why=found[frontend, client],
                )
            for frontend, client in sorted(was.keys() - found.keys()):
                self.log.warning(
                    "entry recovered", entry=entry.name, frontend=frontend, client=client
                )

    def _tidy(self, now: float) -> None:
        """Forget pilots of long ago, logs that were removed, and quiet logs without pilots."""
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


def _is_text(path: str) -> bool:
    """Whether a path is UTF-8, as the database and our own logs are."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _described(pilot: FinishedPilot, output: Path, now: float) -> FinishedPilot | None:
    """The pilot with what its output says; None if the output may still come."""
    try:
        text = tail(output)
    except StateError:
        if now - pilot.ended < OUTPUT_WAIT:
            return None
        raise
    if text is not None:
        return described(pilot, facts(text))
    return None if now - pilot.ended < OUTPUT_WAIT else replace(pilot)


def _append(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(text)


def _throttled(entry_health: Iterable[Health]) -> dict[Who, str]:
    """Return why each (Frontend, ClientName) gets less; ("", "") is the whole entry."""
    return {
        (health.frontend, health.client): health.text
        for health in entry_health
        if health.cap is not None
    }


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
