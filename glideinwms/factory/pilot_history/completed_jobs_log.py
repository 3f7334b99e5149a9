"""Read finished pilots from `completed_jobs_YYYYMMDD.log` (protocol 7.1), for `gwms pilot list`.

The files of GlideinWMS 3.10 have the same lines, so pilots from before a takeover are found, too.
"""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from glideinwms.factory.pilot_history.pilot_log import MOST, sections, tail
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib.bounded import count, moment, shown
from glideinwms.lib.errors import StateError
from glideinwms.lib.wire.names import is_safe

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class EndedJob:
    """One finished pilot. `ended`: epoch seconds; `duration`: seconds; `condor_started`: whether
    HTCondor came up; `jobs`: user jobs it ran; `out`, `err`: its output files, which may be gone;
    `cause`: why it failed, where the Factory still knows.
    """

    entry: str
    id: str
    client: str
    username: str
    ended: float
    duration: int
    condor_started: bool
    jobs: int
    out: str
    err: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class WantedAttributes:
    """Which of them. Hours are of the day (local time), from `first_hour` to before `last_hour`;
    `shortest` and `longest` seconds; `log`: the name of a log that its output must hold.
    """

    username: str = ""
    client: str = ""
    first_hour: float = 0.0
    last_hour: float = 24.0
    shortest: float = 0.0
    longest: float = float("inf")
    failed: bool = False
    log: str = ""
    started: bool = False

    def fits(self, pilot: EndedJob) -> bool:
        """Whether a pilot is one of them."""
        clock = time.localtime(pilot.ended)
        hour = clock.tm_hour + clock.tm_min / 60 + clock.tm_sec / 3600
        return (
            self.username in ("", pilot.username)
            and self.client in ("", pilot.client, pilot.client.partition(".")[0])
            and self.first_hour <= hour < self.last_hour
            and self.shortest <= pilot.duration <= self.longest
            and not (self.failed and pilot.condor_started)
            and not (self.started and not pilot.condor_started)
            and (not self.log or holds(pilot, self.log))
        )


def holds(pilot: EndedJob, log: str) -> bool:
    """Whether a log of this name (or `name.slot1` ...) is packed into the pilot's output."""
    try:
        names = sections(tail(Path(pilot.err), MOST) or "")
    except StateError:
        return False
    return any(n == log or n.startswith(f"{log}.") for n in names)


def dates(last: str, days: int) -> list[str]:
    """`days` days YYYYMMDD, the oldest first, that end with `last`; a StateError if that is no
    date.
    """
    try:
        noon = time.mktime(time.strptime(f"{last} 12", "%Y%m%d %H"))
    except ValueError:
        raise StateError(f"{shown(last)} is not a date YYYYMMDD") from None
    return [
        time.strftime("%Y%m%d", time.localtime(noon - n * DAY))
        for n in reversed(range(max(1, days)))
    ]


def read(
    policy: FactoryPolicy, entries: list[str], days: list[str], wanted: WantedAttributes
) -> list[EndedJob]:
    """The pilots of some entries (none: all) that ended on these days, in the order in which they
    ended.
    """
    names = entries or sorted(e.name for e in policy.entries)
    files = [
        Path(policy.log_dir, f"entry_{n}", f"completed_jobs_{day}.log")
        for n in names
        for day in days
    ]
    found = [p for file in files if file.exists() for p in _pilots(policy, file) if wanted.fits(p)]
    return sorted(found, key=lambda p: (p.ended, p.entry, p.id))


def _pilots(policy: FactoryPolicy, file: Path) -> Iterator[EndedJob]:
    entry = file.parent.name.removeprefix("entry_")
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}", where=str(file)) from error
    for line in lines:
        try:
            pilot = _pilot(policy, entry, ElementTree.fromstring(line))
        except Exception:  # noqa: BLE001 - the boundary of one line: half-written, or of another version
            continue
        yield pilot


def _pilot(policy: FactoryPolicy, entry: str, job: ElementTree.Element) -> EndedJob:
    user, (cluster, proc) = job.attrib["username"], map(count, job.attrib["id"].split("."))
    if not is_safe(user):
        raise ValueError(user)
    jobs = job.find("user")
    base = f"{policy.client_log_dir}/user_{user}/glidein_{policy.glidein_name}/entry_{entry}/job.{cluster}.{proc}"
    return EndedJob(
        entry=entry,
        id=f"{cluster}.{proc}",
        client=job.attrib["client"],
        username=user,
        ended=moment(datetime.fromisoformat(job.attrib["terminated"]).timestamp()),
        duration=count(job.attrib["duration"]),
        condor_started=job.attrib["condor_started"] == "True",
        jobs=count(jobs.get("jobsnr", 0)) if jobs is not None else 0,
        out=f"{base}.out",
        err=f"{base}.err",
    )
