"""Submit the demo's user jobs and follow their event log.

Their classes fit one entry, the other, both, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glideinwms.demo.grid import Grid
from glideinwms.lib.errors import DemoError

USER = "alice@user.demo"
SCRIPT = """#!/bin/sh
# the pilot's variables that are job_publish in the configuration are in the job's environment
echo "site=$GLIDEIN_Site entry=$GLIDEIN_Entry_Name pilot=$GLIDEIN_ClusterId.$GLIDEIN_ProcId"
sleep "$1"
"""
HEAD = """universe = vanilla
executable = {folder}/job.sh
arguments = {seconds}
log = {folder}/jobs.log
log_xml = False
output = {folder}/out.$(Cluster).$(Process)
error = {folder}/err.$(Cluster).$(Process)
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
request_disk = 1MB
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClass:
    """`count` equal jobs.

    `memory` is in MB; `sites` is DESIRED_Sites, "" if unset; `entries` are those that it fits.
    """

    name: str
    count: int
    work: str = "analysis"
    cpus: int = 1
    memory: int = 400
    sites: str = ""
    entries: tuple[str, ...] = ()

    @property
    def submit_text(self) -> str:
        """Return its part of the submit file."""
        lines = [f"request_cpus = {self.cpus}", f"request_memory = {self.memory}"]
        lines += [f'My.DemoClass = "{self.name}"', f'My.WorkType = "{self.work}"']
        lines.append(
            f'My.DESIRED_Sites = "{self.sites}"' if self.sites else "My.DESIRED_Sites = undefined"
        )
        return "\n".join([*lines, f"queue {self.count}", ""])


CLASSES = (
    JobClass(name="only SiteA", count=3, sites="SiteA", entries=("Alpha",)),
    JobClass(name="4 cores", count=2, work="production", cpus=4, memory=2000, entries=("Beta",)),
    JobClass(name="any site", count=4, entries=("Alpha", "Beta")),
    JobClass(name="500 GB", count=2, memory=500000),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One job according to its event log.

    Times are epoch seconds, 0 before the event. `slot` is where it ran last.
    """

    id: str
    kind: str
    submitted: float
    state: str = "idle"
    started: float = 0.0
    ended: float = 0.0
    slot: str = ""
    exit_code: int | None = None
    note: str = ""


def submit(grid: Grid, seconds: int, classes: Sequence[JobClass] = CLASSES) -> dict[str, str]:
    """Submit the classes as alice and return job id -> class. The files are in `jobs_dir`."""
    folder = jobs_dir(grid)
    folder.mkdir(exist_ok=True)
    script = folder / "job.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    found: dict[str, str] = {}
    for number, one in enumerate(classes):
        path = folder / f"{number}.sub"
        path.write_text(HEAD.format(folder=folder, seconds=seconds) + one.submit_text)
        grid.who.own(folder)
        out = grid.run(USER, "condor_submit", "-terse", str(path))
        found |= dict.fromkeys(_ids(out, str(path)), one.name)
    return found


def _ids(terse: str, where: str) -> list[str]:
    """Expand `1.0 - 1.3` to job ids."""
    match = re.match(r"(\d+)\.(\d+) - \d+\.(\d+)", terse.strip())
    if not match:
        raise DemoError(f"condor_submit answered {terse.strip()!r}", where=where)
    return [f"{match[1]}.{n}" for n in range(int(match[2]), int(match[3]) + 1)]


def jobs_dir(grid: Grid) -> Path:
    """Return the directory of alice's files."""
    return grid.base / "alice"


def output_of(grid: Grid, job_id: str) -> dict[str, str]:
    """Return what a finished job wrote: site, entry and pilot from its environment."""
    path = jobs_dir(grid) / f"out.{job_id}"
    text = path.read_text() if path.exists() else ""
    return dict(re.findall(r"(\w+)=(\S*)", text))


class EventLog:
    """Follows the event log of the jobs. Each `read` takes what is new."""

    def __init__(self, path: Path, kinds: dict[str, str]) -> None:
        import htcondor2

        self._types = htcondor2.JobEventType
        self._log = htcondor2.JobEventLog(str(path))
        self.kinds = kinds
        self.jobs: dict[str, Job] = {}

    def read(self) -> list[Job]:
        """Return all jobs in the order of their submission."""
        for event in self._log.events(stop_after=0):
            self._take(event)
        return list(self.jobs.values())

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _take(self, event: Any) -> None:
        name, kind = f"{event.cluster}.{event.proc}", event.type
        when, types = float(event.timestamp), self._types
        job = self.jobs.get(name) or Job(name, self.kinds.get(name, "?"), when)
        if kind == types.EXECUTE:
            slot = str(event.get("SlotName", "")).strip() or str(event.get("ExecuteHost", ""))
            job = replace(job, state="running", started=when, slot=slot)
        elif kind == types.JOB_TERMINATED:
            code = int(event["ReturnValue"]) if event.get("TerminatedNormally") else None
            job = replace(job, state="done" if code == 0 else "failed", ended=when, exit_code=code)
        elif kind in (types.JOB_EVICTED, types.SHADOW_EXCEPTION, types.JOB_RECONNECT_FAILED):
            job = replace(job, state="idle", note="was evicted")
        elif kind == types.JOB_HELD:
            job = replace(job, state="held", note=str(event.get("HoldReason", "")))
        elif kind == types.JOB_RELEASED:
            job = replace(job, state="idle")
        elif kind == types.JOB_ABORTED:
            job = replace(job, state="removed", ended=when)
        self.jobs[name] = job


def runnable(jobs: Iterable[Job], classes: Sequence[JobClass] = CLASSES) -> list[Job]:
    """Return the jobs that some entry can run."""
    able = {c.name for c in classes if c.entries}
    return [j for j in jobs if j.kind in able]
