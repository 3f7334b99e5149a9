"""A schedd in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import classad2
import htcondor2

from glideinwms.testing import ads as fake_ads
from glideinwms.testing import submit as fake_submit
from glideinwms.testing.clock import FakeClock, HungCall

IDLE, RUNNING, REMOVED, COMPLETED, HELD = 1, 2, 3, 4, 5
COUNTED = {
    IDLE: "Idle",
    RUNNING: "Running",
    REMOVED: "Removed",
    COMPLETED: "Completed",
    HELD: "Held",
    7: "Suspended",
}
SCHEDULER_UNIVERSE = 7
BAD_FETCH = "Failed to fetch ads from schedd, errmsg="
JobId = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What htcondor2 gives back of a submit."""

    first: JobId
    procs: int

    def cluster(self) -> int:
        return self.first[0]

    def first_proc(self) -> int:
        return self.first[1]

    def num_procs(self) -> int:
        return self.procs


@dataclass(slots=True)
class FakeSchedd:
    """What a condor_schedd does that matters to us: queries, one-transaction submits, acts by id.

    `writers`: identities that may submit and act, None: everybody. `max_*`: its MAX_JOBS_* knobs.
    `down`, `hung`: refuses, or never answers; `hung_after`: does what is asked of it and then never
    answers (an unknown outcome). `lingers`: removed jobs stay as X until `reap()`, as grid jobs do
    while the CE is told.
    """

    name: str
    address: str
    clock: FakeClock
    writers: set[str] | None = None
    max_jobs_per_owner: int = 100_000
    max_jobs_per_submission: int = 20_000
    max_jobs_submitted: int = 2_147_483_647
    down: bool = False
    hung: bool = False
    hung_after: bool = False
    lingers: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    jobs: dict[JobId, Any] = field(default_factory=dict)
    cluster: int = 0

    # what a test does

    def ad(self) -> Any:
        """Its ad in the collector; `extra` adds to it or overrides."""
        states = [job["JobStatus"] for job in self.jobs.values()]
        plain = {
            "MyType": "Scheduler",
            "Name": self.name,
            "MyAddress": self.address,
            "MaxJobsRunning": 10_000,
            "TotalIdleJobs": states.count(IDLE),
            "TotalRunningJobs": states.count(RUNNING),
            "CondorVersion": "$CondorVersion: 23.9.6 2026-07-12 $",
            "LastHeardFrom": int(self.clock()),
            **self.extra,
        }
        return fake_ads.of(plain)

    def add(self, count: int = 1, **attributes: Any) -> list[str]:
        """Put jobs into the queue, as some user would; their ids."""
        self.cluster += 1
        for proc in range(count):
            job = {
                **fake_submit.basics(
                    self.name, (self.cluster, proc), int(self.clock()), "user@fake"
                ),
                **attributes,
            }
            self.jobs[self.cluster, proc] = fake_ads.of(job)
        return [f"{self.cluster}.{proc}" for proc in range(count)]

    def set(self, constraint: str, limit: int = -1, **attributes: Any) -> int:
        """Change jobs, oldest first; a new JobStatus is entered now. How many were changed."""
        chosen = self._chosen(constraint)[: limit if limit >= 0 else None]
        for job in chosen:
            if attributes.get("JobStatus", job["JobStatus"]) != job["JobStatus"]:
                job["EnteredCurrentStatus"] = int(self.clock())
            for name, value in attributes.items():
                job[name] = value
        return len(chosen)

    def forget(self, constraint: str, limit: int = -1) -> int:
        """Jobs leave the queue, oldest first, as if they were done. How many did."""
        chosen = self._chosen(constraint)[: limit if limit >= 0 else None]
        for job in chosen:
            del self.jobs[job["ClusterId"], job["ProcId"]]
        return len(chosen)

    def reap(self) -> int:
        """Removed jobs that linger leave the queue."""
        return self.forget(f"JobStatus == {REMOVED}")

    def count(self, constraint: str = "true") -> int:
        """Jobs that a constraint takes."""
        return len(self._chosen(constraint))

    # what lib.htc does

    def query(
        self, constraint: str, projection: Sequence[str], limit: int, opts: str, identity: str
    ) -> list[Any]:
        """As htcondor2.Schedd.query."""
        self._answer(BAD_FETCH)
        try:
            expression = fake_ads.parse(constraint, self.clock())
        except classad2.ClassAdException:
            raise htcondor2.HTCondorException(BAD_FETCH) from None
        if opts == "GroupBy":
            rows = group(self.jobs.values(), projection)
            found = [row for row in rows if fake_ads.matches(row, expression)]
        elif opts == "SummaryOnly":
            return [self._summary(expression)]
        else:
            now = {"ServerTime": int(self.clock())}
            found = [fake_ads.project(job, projection, now) for job in self._taken(expression)]
        return found[:limit] if limit >= 0 else found

    def submit(
        self,
        description: Mapping[str, str],
        count: int,
        items: Iterable[Mapping[str, str]] | None,
        identity: str,
    ) -> SubmitResult:
        """As htcondor2.Schedd.submit: all jobs, or none and an error."""
        self._answer("Failed to connect to schedd, errmsg=")
        self._write(
            identity,
            'Failed to connect to schedd, errmsg=SECMAN:2010:Received "DENIED" from server for user ',
        )
        cluster = self.cluster + 1
        made: list[Any] = []
        for item in list(items) if items is not None else [{}]:
            for _ in range(max(count, 1)):
                made.append(
                    fake_submit.job(
                        description, item, (cluster, len(made)), self.name, self.clock(), identity
                    )
                )
                self._limits(len(made), identity)
        self.cluster = cluster
        self.jobs.update({(cluster, proc): ad for proc, ad in enumerate(made)})
        self._fall_silent()
        return SubmitResult((cluster, 0), len(made))

    def act(self, action: str, ids: Sequence[str], reason: str, identity: str) -> dict[str, int]:
        """As htcondor2.Schedd.act with ids."""
        self._answer("Error when performing action on the schedd.")
        self._write(identity, "Error when performing action on the schedd.")
        done = 0
        for text in ids:
            cluster, _, proc = text.partition(".")
            if not (cluster.isdigit() and proc.isdigit()):
                raise ValueError(
                    "All elements of the job_spec list must be strings of the form clusterID[.procID]"
                )
            job = self.jobs.get((int(cluster), int(proc)))
            done += job is not None and self._do(
                action, job, f"{reason} (by user {identity.partition('@')[0]})"
            )
        self._fall_silent()
        return {"TotalSuccess": done}

    def edit(self, job: str, name: str, expression: str, identity: str) -> None:
        """As htcondor2.Schedd.edit of one job."""
        self._answer("Failed to edit jobs, errmsg=")
        self._write(identity, "Failed to edit jobs, errmsg=")
        cluster, _, proc = job.partition(".")
        found = self.jobs.get((int(cluster), int(proc)))
        if found is None:
            raise htcondor2.HTCondorException("Failed to edit jobs, errmsg=no such job")
        found[name] = classad2.ExprTree(expression)

    def _do(self, action: str, job: Any, reason: str) -> bool:
        status = job["JobStatus"]
        by_user = status == HELD and job.get("HoldReasonCode") == 1
        if action == "Hold" and status != REMOVED and not by_user:
            job["HoldReason"], job["HoldReasonCode"], job["HoldReasonSubCode"] = reason, 1, 0
            job["NumHolds"] = job.get("NumHolds", 0) + 1
            self._enter(job, HELD)
        elif action == "Release" and status == HELD:
            for name in ("HoldReason", "HoldReasonCode", "HoldReasonSubCode"):
                if name in job:
                    del job[name]
            job["ReleaseReason"] = reason
            self._enter(job, IDLE)
        elif action == "Remove" and status != REMOVED:
            job["RemoveReason"] = reason
            self._enter(job, REMOVED)
            if not self.lingers:
                del self.jobs[job["ClusterId"], job["ProcId"]]
        elif action == "RemoveX" and status == REMOVED:
            del self.jobs[job["ClusterId"], job["ProcId"]]
        else:
            return False
        return True

    def _enter(self, job: Any, status: int) -> None:
        job["JobStatus"], job["EnteredCurrentStatus"] = status, int(self.clock())

    def _answer(self, refusal: str) -> None:
        if self.hung:
            raise HungCall(self.name)
        if self.down:
            raise htcondor2.HTCondorException(
                f"{refusal}CEDAR:6001:Failed to connect to {self.address}"
            )

    def _write(self, identity: str, refusal: str) -> None:
        if self.writers is not None and identity not in self.writers:
            raise htcondor2.HTCondorException(
                f"{refusal}{identity}" if refusal.endswith(" ") else refusal
            )

    def _fall_silent(self) -> None:
        if self.hung_after:
            raise HungCall(self.name)

    def _limits(self, proc: int, identity: str) -> None:
        owned = sum(job["User"] == identity for job in self.jobs.values()) + proc
        for code, limit, n in (
            (-2, self.max_jobs_submitted, len(self.jobs) + proc),
            (-3, self.max_jobs_per_owner, owned),
            (-4, self.max_jobs_per_submission, proc),
        ):
            if n > limit:
                raise htcondor2.HTCondorException(fake_submit.refusal(proc, code))

    def _taken(self, expression: Any) -> list[Any]:
        return [job for job in self.jobs.values() if fake_ads.matches(job, expression)]

    def _chosen(self, constraint: str) -> list[Any]:
        found = self._taken(fake_ads.parse(constraint, self.clock()))
        return sorted(found, key=lambda j: (j["EnteredCurrentStatus"], j["ClusterId"], j["ProcId"]))

    def _summary(self, expression: Any) -> Any:
        """Counts of the constraint, evaluated on the real jobs, and Allusers* of the whole queue."""
        out: dict[str, Any] = {"MyType": "Summary", "ServerTime": int(self.clock())}
        for prefix, jobs in (("", self._taken(expression)), ("Allusers", list(self.jobs.values()))):
            for label in ("Jobs", *COUNTED.values()):
                out[prefix + label] = out.get(prefix + label, 0)
            for job in jobs:
                which = prefix + (
                    "Scheduler" if job.get("JobUniverse") == SCHEDULER_UNIVERSE else ""
                )
                for label in ("Jobs", COUNTED.get(job["JobStatus"], "Idle")):
                    out[which + label] = out.get(which + label, 0) + 1
        return fake_ads.of(out)


def group(jobs: Iterable[Any], names: Sequence[str]) -> list[Any]:
    """Rows of a GroupBy: only the grouping attributes, and those they refer to, so that a
    constraint which names anything else is undefined on every row (decision 2).
    """
    rows: dict[tuple[tuple[str, str], ...], tuple[Any, list[JobId]]] = {}
    for job in jobs:
        columns = [n for n in names if n in job]
        columns += [r for n in columns for r in fake_ads.references(job, n) if r not in columns]
        key = tuple(sorted((n.lower(), str(job.lookup(n))) for n in columns))
        if key not in rows:
            rows[key] = (fake_ads.project(job, columns, {}) if columns else classad2.ClassAd(), [])
        rows[key][1].append((job["ClusterId"], job["ProcId"]))
    for number, (row, ids) in enumerate(rows.values(), 1):
        first, last = (f"{i[0]}.{i[1]}" for i in (min(ids), max(ids)))
        text = (
            first
            if len(ids) == 1
            else f"{first} {last}"
            if len(ids) == 2
            else f"{first} ... {last}"
        )
        row["Id"], row["JobIds"], row["JobCount"] = number, text, len(ids)
    return [row for row, _ in rows.values()]
