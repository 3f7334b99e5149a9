"""Observe the chain: jobs, requests, pilots and slots, and when each phase began."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from glideinwms.demo.full_stack import Chain
from glideinwms.demo.jobs import CLASSES, EventLog, Job, JobClass, jobs_dir
from glideinwms.lib.errors import DemoError

PHASES = (
    "request advertised",
    "pilot in the WMS schedd",
    "pilot at the CE",
    "pilot runs",
    "startd in the pool",
    "first job runs",
    "all jobs done",
    "pilots retired",
)


@dataclass(frozen=True, slots=True)
class EntryLook:
    """One entry: pilots as the Factory counts them, and the numbers that the Frontend asks for.

    `waiting` pilots are not at the CE yet.
    """

    name: str
    waiting: int = 0
    queued: int = 0
    running: int = 0
    held: int = 0
    asked: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class UnmatchedLine:
    """A class of jobs that matches no entry: how many jobs, and what rejected them."""

    group: str
    jobs: int
    values: dict[str, Any]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Everything at one moment (epoch seconds)."""

    now: float
    jobs: tuple[Job, ...]
    entries: tuple[EntryLook, ...] = ()
    slots: int = 0
    unmatched: tuple[UnmatchedLine, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def pilots(self) -> int:
        """The number of pilots in the WMS schedd."""
        return sum(e.waiting + e.queued + e.running + e.held for e in self.entries)

    @property
    def asked(self) -> int:
        """The number of idle pilots that the Frontend asks for."""
        return sum(e.asked for e in self.entries)

    def count(self, kind: str, state: str) -> int:
        """Return the number of jobs of a class in a state."""
        return sum(j.kind == kind and j.state == state for j in self.jobs)


@dataclass
class Watch:
    """Observes a chain and keeps when each phase was first seen.

    `began` is when the jobs were submitted.
    """

    chain: Chain
    kinds: dict[str, str]
    began: float
    classes: tuple[JobClass, ...] = CLASSES
    phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = EventLog(jobs_dir(self.chain.grid) / "jobs.log", self.kinds)

    def look(self, now: float) -> Look:
        """One look. A daemon that has ended is a DemoError."""
        self.chain.check()
        jobs = tuple(self.log.read())
        factory, frontend = self._summary("factory"), self._summary("frontend")
        groups = frontend.get("groups", {})
        found = Look(
            now,
            jobs,
            tuple(_entries(factory, groups)),
            int(frontend.get("slots", {}).get("total", 0)),
            tuple(_unmatched(groups)),
            tuple(_problems(factory, frontend)),
        )
        self._note(found)
        return found

    def runnable(self, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs that some entry can run."""
        able = {c.name for c in self.classes if c.entries}
        return [j for j in jobs if j.kind in able]

    def done(self, look: Look) -> bool:
        """Return whether every job that can run has ended."""
        wanted = sum(c.count for c in self.classes if c.entries)
        return sum(j.state in ("done", "failed") for j in self.runnable(look.jobs)) == wanted

    def _summary(self, side: str) -> dict[str, Any]:
        found = self.chain.status(side)
        return found.summary if found is not None else {}

    def _told(self, side: str) -> float:
        """Return when the last cycle of a daemon ended. Its ads are out by then."""
        found = self.chain.status(side)
        return found.cycle_ended if found is not None else 0.0

    def _joined(self) -> float:
        """Return when the first startd in the user pool started, 0 if there is none.

        The pool is asked only until there is one.
        """
        if "pilot runs" not in self.phases:
            return 0.0
        try:
            text = self.chain.grid["user"].tool(
                "condor_status", "-startd", "-af", "DaemonStartTime", timeout=10
            )
        except (DemoError, subprocess.TimeoutExpired):
            return 0.0
        return min((float(w) for w in text.split() if w.isdigit()), default=0.0)

    def _note(self, look: Look) -> None:
        jobs = self.runnable(look.jobs)
        events = pilot_times(self.chain.home("factory") / "client")
        times = {
            "request advertised": self._told("frontend") if look.asked else 0.0,
            "pilot in the WMS schedd": events.get("000", 0.0),
            "pilot at the CE": events.get("027", 0.0),
            "pilot runs": events.get("001", 0.0),
            "startd in the pool": self._joined()
            if "startd in the pool" not in self.phases
            else 0.0,
            "first job runs": min((j.started for j in jobs if j.started), default=0.0),
            "all jobs done": max((j.ended for j in jobs), default=0.0) if self.done(look) else 0.0,
            "pilots retired": look.now if self.done(look) and not look.pilots else 0.0,
        }
        for name, when in times.items():
            if when:
                self.phases.setdefault(name, when)


def pilot_times(client_logs: Path) -> dict[str, float]:
    """Return event number -> when the first pilot met it, from the event logs of all entries."""
    import htcondor2

    first: dict[str, float] = {}
    for path in client_logs.glob("user_*/glidein_*/entry_*/condor_activity_*.log"):
        # a log that is being written may end in the middle of an event
        with (
            contextlib.suppress(htcondor2.HTCondorException),
            contextlib.closing(htcondor2.JobEventLog(str(path))) as log,
        ):
            for event in log.events(stop_after=0):
                number = f"{int(event.type):03d}"
                first[number] = min(first.get(number, float("inf")), float(event.timestamp))
    return first


def _entries(factory: dict[str, Any], groups: dict[str, Any]) -> Iterable[EntryLook]:
    asked: dict[str, list[int]] = {}
    for group in groups.values():
        for row in group["entries"]:
            sums = asked.setdefault(str(row["entry"]).partition("@")[0], [0, 0])
            sums[0] += row["idle"] if row["requested"] else 0
            sums[1] += row["max"] if row["requested"] else 0
    for name, row in sorted(factory.get("entries", {}).items()):
        idle, most = asked.get(name, (0, 0))
        yield EntryLook(
            name=name,
            waiting=row["wait"],
            queued=row["idle"] - row["wait"],
            running=row["running"],
            held=row["held"],
            asked=idle,
            most=most,
        )


def _unmatched(groups: dict[str, Any]) -> Iterable[UnmatchedLine]:
    for name, group in groups.items():
        for row in group["unmatched"]:
            reasons = [
                f"{r['conjunct']} ({r['entries']} entries; {PurePath(r['origin']).name})"
                for r in row["rejected_by"]
            ]
            yield UnmatchedLine(name, row["idle"], row["values"], tuple(reasons))


def _problems(factory: dict[str, Any], frontend: dict[str, Any]) -> Iterable[str]:
    for row in factory.get("refusals", ()):
        yield f"Factory: {row['where']}: {row['reason']}: {row['text']}"
    for name, group in frontend.get("groups", {}).items():
        yield from (f"Frontend, group {name}: {p}" for p in (*group["problems"], *group["frozen"]))
    yield from (f"Frontend: {p}" for p in frontend.get("failed", ()))
