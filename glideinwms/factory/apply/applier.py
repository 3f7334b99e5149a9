"""Do all writes of a Factory cycle to the schedds: removals, releases, then submissions.

The queue is the only record of pilots: only what is pending is remembered here. A submission with
an unknown outcome freezes its schedd until its id was looked up (decisions 4, 9, 31).
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glideinwms.factory.apply import job_actions
from glideinwms.factory.apply.job_actions import Hold, JobAction, Outcome
from glideinwms.factory.collect.schedd_memory import ScheddMemory, UnknownSubmit
from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan, RequestPlan
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import Request, TakenRemoval
from glideinwms.factory.submit.batches import Cluster, SubmitBatch, batch_of
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import WRITE_DEADLINE, CallResult, Workers, call
from glideinwms.lib.daemon import log
from glideinwms.lib.daemon.audit import Audit
from glideinwms.lib.errors import GwmsError, OutcomeUnknown, TimedOut, Unreachable, place_of
from glideinwms.lib.reasons import Reason, Refusal

GONE = (OutcomeUnknown, TimedOut, Unreachable)


@dataclass(frozen=True, slots=True)
class Submitted:
    """One cluster that was tried. `cluster` 0: it was not made, `error` says why."""

    entry: str
    request: str
    file: str
    n: int
    submit_id: str
    cluster: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """Pilots removed or released: those meant, and on how many the schedd really acted."""

    entry: str
    request: str
    action: str
    reason: Reason
    ids: tuple[str, ...] = ()
    done: int = 0
    error: str = ""
    holds: tuple[Hold, ...] = ()


@dataclass(slots=True)
class FactoryReport:
    """What a cycle did. `advertised`: ads sent."""

    submitted: list[Submitted] = field(default_factory=list)
    acted: list[ActionResult] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    taken: list[TakenRemoval] = field(default_factory=list)
    advertised: int = 0


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class FactoryApplier:
    """Carries out plans. `cycle` goes into the audit trail; `took` hears at once of running pilots
    that were removed, whatever becomes of the cycle; ids, clock and sleep are arguments for tests.
    """

    pool: Workers
    schedds: Mapping[str, ScheddMemory]
    audit: Audit
    new_id: Callable[[], str] = _uuid
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    cycle: int = 0
    took: Callable[[TakenRemoval], None] = lambda _: None

    def run(
        self,
        plan: FactoryPlan,
        policy: FactoryPolicy,
        requests: Mapping[str, Request],
        now: float,
        rng: random.Random,
    ) -> FactoryReport:
        """Everything the plan says, entry by entry; one that fails does not stop the others."""
        report, gone = FactoryReport(), set[str]()
        entries = {e.name: e for e in policy.entries}
        batches: list[SubmitBatch] = []
        for row in plan.entries:
            if row.frozen:
                continue
            with self._boundary(report, row.entry):
                for deed in deeds(policy, row):
                    self._do(deed, report, gone, now)
            for line in row.requests:
                with self._boundary(report, line.request):
                    batches += self._batch(
                        policy=policy,
                        entry=entries[row.entry],
                        line=line,
                        requests=requests,
                        report=report,
                        now=now,
                        rng=rng,
                    )
        self.submit(batches, report, gone)
        served = {s.entry for s in report.submitted if not s.error}
        for row in (
            r for r in plan.entries if r.unless_submitted and not r.frozen and r.entry not in served
        ):
            with self._boundary(report, row.entry):
                for deed in sanitising(policy, row):
                    self._do(deed, report, gone, now)
        return report

    @contextlib.contextmanager
    def _boundary(self, report: FactoryReport, where: str) -> Iterator[None]:
        """An error inside costs this request, or the removals of this entry, and is shown."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the boundary of one request, and of one entry's removals
            text = str(error) if isinstance(error, GwmsError) else place_of(error)
            log.get("apply").error("not applied", where=where, error=text)
            report.refusals.append(Refusal(Reason.SUBMIT_FAILED, where, text))

    def _batch(
        self,
        policy: FactoryPolicy,
        entry: EntryPolicy,
        line: RequestPlan,
        requests: Mapping[str, Request],
        report: FactoryReport,
        now: float,
        rng: random.Random,
    ) -> list[SubmitBatch]:
        """The batch of one request, if it gets any pilots."""
        if not line.placements:
            return []
        found = batch_of(
            policy=policy,
            entry=entry,
            row=line,
            request=requests[line.request],
            now=now,
            new_id=self.new_id,
            rng=rng,
        )
        if isinstance(found, Refusal):
            report.refusals.append(found)
            return []
        return [found]

    def _do(self, deed: JobAction, report: FactoryReport, gone: set[str], now: float) -> None:
        if not deed.picks or deed.schedd in gone:
            return
        answer = self.act(deed, f"gwms factory: {deed.reason.value}")
        if answer.error is not None:
            text = f"{deed.action} ({deed.reason}): {answer.error}"
            log.get("apply").error("act failed", entry=deed.entry, request=deed.request, error=text)
            report.acted.append(
                ActionResult(
                    deed.entry, deed.request, deed.action, deed.reason, error=str(answer.error)
                )
            )
            report.refusals.append(Refusal(Reason.ACT_FAILED, deed.request or deed.entry, text))
            if isinstance(answer.error, GONE):
                gone.add(deed.schedd)
            # what may have been taken counts against the rail
            n = (
                sum(p.limit for p in deed.picks if p.running)
                if isinstance(answer.error, OutcomeUnknown)
                else 0
            )
        else:
            outcome: Outcome = answer.value
            done, holds = outcome.done, outcome.holds
            ids = tuple(i for tried in outcome.tried for i in tried)
            if ids:
                report.acted.append(
                    ActionResult(
                        deed.entry, deed.request, deed.action, deed.reason, ids, done, holds=holds
                    )
                )
                self._note(
                    "remove_forced" if deed.force else deed.action.lower(),
                    entry=deed.entry,
                    request=deed.request,
                    n=done,
                    ids=ids,
                    reasons=[deed.reason],
                    **({"held": holds} if holds else {}),
                )
            n = sum(
                min(len(t), done)
                for t, pick in zip(outcome.tried, deed.picks, strict=True)
                if pick.running
            )
        if n:
            report.taken.append(TakenRemoval(now, deed.entry, deed.request, n))
            self.took(report.taken[-1])

    def act(self, deed: JobAction, why: str) -> CallResult[Outcome]:
        """One act through the writer."""
        memory = self.schedds[deed.schedd]
        acting = call(
            deed.schedd,
            job_actions.pick_and_act,
            schedd=memory.known_address(deed.schedd),
            action=deed.action,
            picks=[(p.constraint, p.limit) for p in deed.picks],
            cap=deed.cap,
            reason=why,
            force=deed.force,
        )
        answer = self.pool.one(acting.within(WRITE_DEADLINE).as_writer())
        memory.touched = answer.ended
        return answer

    def submit(self, batches: list[SubmitBatch], report: FactoryReport, gone: set[str]) -> None:
        """Submit clusters round-robin across requests, so that one request's pause does not delay
        the others.
        """
        waiting = deque(b for b in batches if b.clusters)
        while waiting:
            batch = waiting.popleft()
            if batch.schedd in gone:
                if all(r.where != batch.row.request for r in report.refusals):
                    text = f"not tried: {batch.schedd} did not answer just now"
                    report.refusals.append(Refusal(Reason.SUBMIT_FAILED, batch.row.request, text))
                continue
            now = self.clock()
            if batch.ready > now:
                soonest = min(b.ready for b in (batch, *waiting))
                if soonest > now:
                    self.sleep(soonest - now)
                waiting.append(batch)
                continue
            cluster = batch.clusters.pop(0)
            done = None
            with self._boundary(report, batch.row.request):
                done = self._one(batch, cluster, gone)
            if done is None:
                continue
            report.submitted.append(done)
            if done.error:
                report.refusals.append(
                    Refusal(self._why(done, batch.schedd), batch.row.request, done.error)
                )
                continue
            batch.ready = self.clock() + batch.sleep
            if batch.clusters:
                waiting.append(batch)

    def _why(self, done: Submitted, schedd: str) -> Reason:
        unknown = {u.submit_id for u in self.schedds[schedd].unknown}
        return Reason.SUBMIT_UNKNOWN if done.submit_id in unknown else Reason.SUBMIT_FAILED

    def _one(self, batch: SubmitBatch, cluster: Cluster, gone: set[str]) -> Submitted:
        memory = self.schedds[batch.schedd]
        submitting = call(
            batch.schedd,
            htc.submit,
            schedd=memory.known_address(batch.schedd),
            description=cluster.description,
            count=cluster.n,
        )
        answer = self.pool.one(submitting.within(WRITE_DEADLINE).as_writer())
        memory.touched = answer.ended
        row = batch.row
        done = Submitted(batch.entry, row.request, cluster.file, cluster.n, cluster.submit_id)
        if isinstance(answer.error, GONE):
            gone.add(batch.schedd)
        if isinstance(answer.error, OutcomeUnknown | TimedOut):
            memory.unknown.append(
                UnknownSubmit(cluster.submit_id, batch.entry, cluster.n, answer.ended)
            )
        if answer.error is not None:
            log.get("apply").error(
                "submit failed", entry=batch.entry, request=row.request, error=str(answer.error)
            )
            return Submitted(
                entry=done.entry,
                request=done.request,
                file=done.file,
                n=done.n,
                submit_id=done.submit_id,
                cluster=0,
                error=str(answer.error),
            )
        number = int(answer.value[0][0])
        memory.submitted(number, answer.ended)
        self._note(
            "submit",
            entry=batch.entry,
            request=row.request,
            n=cluster.n,
            cluster=number,
            submit_id=cluster.submit_id,
            file=cluster.file,
            credential=row.credential,
            asked=row.idle,
            reasons=reasons(row),
        )
        return Submitted(done.entry, done.request, done.file, done.n, done.submit_id, number)

    def _note(self, act: str, **fields: Any) -> None:
        self.audit.note(act, cycle=self.cycle, **fields)


def reasons(row: RequestPlan) -> list[Reason]:
    """The codes of what cut a request, in order."""
    return [c.reason for c in row.clips]


def deeds(policy: FactoryPolicy, plan: FactoryEntryPlan) -> list[JobAction]:
    """Return the removals and releases that come before submissions, those of requests first."""
    out: list[JobAction] = []
    for row in plan.requests:
        out += [job_actions.removal(policy, plan.schedd, plan.entry, row, r) for r in row.removals]
        out += [job_actions.release(policy, plan.schedd, plan.entry, row, r) for r in row.releases]
    return out if plan.unless_submitted else out + sanitising(policy, plan)


def sanitising(policy: FactoryPolicy, plan: FactoryEntryPlan) -> list[JobAction]:
    """The removals and releases at an entry's end."""
    removals = [
        job_actions.removal(policy, plan.schedd, plan.entry, None, r) for r in plan.removals
    ]
    return removals + [
        job_actions.release(policy, plan.schedd, plan.entry, None, r) for r in plan.releases
    ]
