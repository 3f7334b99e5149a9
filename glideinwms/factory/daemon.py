"""The Factory daemon: collect -> decide -> apply over one work directory (decision 18)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.factory.apply import accounting
from glideinwms.factory.apply.advertise import Advertiser
from glideinwms.factory.apply.applier import FactoryApplier, FactoryReport
from glideinwms.factory.apply.removal_state import RemovalLimitFile
from glideinwms.factory.collect.downtimes import read_downtimes, unreadable
from glideinwms.factory.collect.queue_reader import QueueReader
from glideinwms.factory.collect.request_reader import RequestReader
from glideinwms.factory.collect.schedd_memory import QueueRecords
from glideinwms.factory.decide import decide
from glideinwms.factory.housekeeping import command_handlers
from glideinwms.factory.housekeeping.cleanup import Cleaner, LastUse
from glideinwms.factory.housekeeping.prune import Pruner
from glideinwms.factory.inspect import summary
from glideinwms.factory.pilot_history.ad_numbers import CompletedJobs
from glideinwms.factory.pilot_history.follow import PilotFollower
from glideinwms.factory.pilot_history.hold_reasons import WINDOW_SECONDS, HoldMemory
from glideinwms.factory.plan import FactoryPlan
from glideinwms.factory.policy import SCHEMA, FactoryPolicy
from glideinwms.factory.snapshot import FactorySnapshot, Request, TakenRemoval
from glideinwms.lib.condor.calls import WRITE_DEADLINE, Workers, call
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.daemon import log, loop, operator_commands, policy_file, storage
from glideinwms.lib.daemon.audit import KEEP_DAYS, Audit, rotate
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.daemon.records import Ring
from glideinwms.lib.daemon.storage import Directory, StateWrites
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.reasons import Refusal
from glideinwms.lib.wire.crypto import FactoryKey, keys_at_start


def load_policy(work_dir: Path) -> FactoryPolicy:
    """`<work_dir>/policy.json`; an error of ours says what is wrong with it."""
    return policy_file.load(FactoryPolicy, work_dir / policy_file.NAME, SCHEMA, "factory")


class FactoryDaemon:
    """The three functions of the cycle, and what is remembered between cycles."""

    name = "factory"

    def __init__(self, work_dir: Path, pool: Workers, now: float) -> None:
        self.work_dir, self.state, self.started = work_dir, work_dir / "state", now
        self.state.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.keys: list[FactoryKey] = []
        self.queue_records = QueueRecords(self.state / "schedds.json")
        self.request_reader = RequestReader(pool, {})
        self.queue_reader = QueueReader(pool, self.queue_records.restore())
        self.audit = Audit(self.state / "audit.jsonl")
        self.applier = FactoryApplier(pool, self.queue_reader.schedds, self.audit)
        self.advertiser = Advertiser(pool, int(now))
        self.rail = RemovalLimitFile(self.state / "rail.json")
        self.applier.took = self._took
        self.learner = PilotFollower(self.state)
        self.completed = CompletedJobs(self.learner.db.db)
        self.last_use = LastUse(self.state / "credentials.json")
        self.cleaner = Cleaner(self.last_use, self._named)
        self.pruner = Pruner(self.queue_reader, self.audit)
        self.cycle = Ring(self.state / "cycles").next_number() - 1
        self.snapshot: FactorySnapshot | None = None
        self.plan: FactoryPlan | None = None
        self.rng = random.Random()
        self.problem = ""
        self.holds = HoldMemory()
        self.writes = StateWrites()
        self.log = log.get("factory")

    def load(self) -> FactoryPolicy:
        """The policy on disk now; a copy is kept for replays. The first time our keys are taken,
        and perhaps renewed: here, since nobody else runs in this directory by now.
        """
        policy = load_policy(self.work_dir)
        if not self.keys:
            self.keys = keys_at_start(
                self.work_dir, policy.old_key_grace, policy.key_length, self.started
            )
            self.request_reader.keys = {k.public.key_id: k for k in self.keys}
        policy_file.keep(self.work_dir / policy_file.NAME, policy.generation, self.state)
        return policy

    def prepare(self, policy: FactoryPolicy, now: float) -> None:
        """The Factory has nothing to prepare."""

    def collect(self, policy: FactoryPolicy, now: float) -> FactorySnapshot:
        """Requests and credentials first, then the queues, so that a reading of a queue is as late
        as can be.
        """
        self.cycle += 1
        self.applier.cycle = self.cycle
        self._forget_old_key(policy, now)
        requests = self.request_reader.read_requests(policy, now)
        for path in self.request_reader.stored:
            self.audit.note("credential", cycle=self.cycle, file=str(path))
        lines, wrong = self._downtimes(policy)
        health = self.learner.update(policy, now)
        self.queue_reader.collector_silent = self.request_reader.silent
        queues = self.queue_reader.read_queues(policy, now, self.learner.ended)
        if trouble := storage.problem(self.state):
            # what cannot be recorded is not done
            queues = tuple(replace(s, frozen=s.frozen or trouble) for s in queues)
        self.snapshot = FactorySnapshot(
            now=now,
            requests=requests,
            schedds=queues,
            downtimes=lines,
            rail=self.rail.current(now),
            health=health,
            refusals=(
                *self.request_reader.refusals,
                *self.queue_reader.refusals,
                *wrong,
                *self.learner.refusals(now),
            ),
        )
        return self.snapshot

    def _downtimes(self, policy: FactoryPolicy) -> tuple[tuple[Downtime, ...], tuple[Refusal, ...]]:
        try:
            return read_downtimes(policy)
        except StateError as error:
            # an unreadable file may hide a downtime: the last lines stay
            return self.snapshot.downtimes if self.snapshot else (), (unreadable(error),)

    def _forget_old_key(self, policy: FactoryPolicy, now: float) -> None:
        """The key before the last is good for the grace time after a start (protocol 2.1)."""
        if len(self.keys) > 1 and now - self.started > policy.old_key_grace:
            for key in self.keys[1:]:
                self.log.info("old key dropped", key=key.public.key_id)
            self.keys = self.keys[:1]
            self.request_reader.keys = {k.public.key_id: k for k in self.keys}
            (self.work_dir / "rsa.key.bak").unlink(missing_ok=True)

    def decide(
        self, snapshot: FactorySnapshot, policy: FactoryPolicy, now: float, rng: random.Random
    ) -> FactoryPlan:
        """Pure; the seed also serves the draws of `apply`."""
        self.plan = decide(snapshot, policy, now, rng)
        self.rng = random.Random(rng.random())
        return self.plan

    def apply(self, plan: FactoryPlan, policy: FactoryPolicy, now: float) -> FactoryReport:
        """Removals, releases, submissions, then the ads."""
        assert self.snapshot is not None
        requests = {r.name: r for r in self.snapshot.requests.value or ()}
        report = self.applier.run(plan, policy, requests, now, self.rng)
        self.holds.add(report.acted, now)
        parked = [r.parked for e in plan.entries for r in e.requests if r.parked]
        self.writes.attempt(lambda: self.rail.remember(parked, now))
        self.writes.attempt(lambda: self.queue_records.save(self.queue_reader.schedds))
        if policy.pilot_accounting:
            self._account(policy)
        self._clean(policy, requests.values(), now)
        self.pruner.run(policy, now, self.cycle)
        if self.request_reader.silent:
            self.advertiser.forget()
            self.problem = "the collector does not answer"
            return report
        report.advertised, self.problem = self.advertiser.send(
            policy,
            self.keys[0].public,
            self.snapshot,
            plan,
            self.completed.current(now),
            report.refusals,
        )
        return report

    def _took(self, taken: TakenRemoval) -> None:
        self.writes.attempt(lambda: self.rail.took(taken))

    def _named(self, policy: FactoryPolicy) -> set[str] | None:
        """Files that must stay: named by queued pilots, or logs that are still followed."""
        named = self.queue_reader.files_in_use(policy)
        return None if named is None else named | self.learner.followed()

    def _account(self, policy: FactoryPolicy) -> None:
        """Describe finished pilots in their own job ads."""
        addresses = {
            name: memory.address
            for name, memory in self.queue_reader.schedds.items()
            if memory.address is not None and not memory.unknown
        }
        for name, address in addresses.items():
            annotating = call(
                name,
                accounting.annotate,
                schedd=address,
                factory=policy.factory_name,
                glidein=policy.glidein_name,
            )
            answer = self.applier.pool.one(annotating.within(WRITE_DEADLINE).as_writer())
            if answer.error is not None:
                self.log.error(
                    "finished pilots not described", schedd=name, error=str(answer.error)
                )

    def _clean(self, policy: FactoryPolicy, requests: Iterable[Request], now: float) -> None:
        self.last_use.touch((f for r in requests for f in r.files.values()), now)
        self.last_use.touch(self.request_reader.named, now)
        kept = policy.retention.get("summary")
        try:
            rotate(self.audit.path, now, kept.max_days if kept else KEEP_DAYS)
            gone = self.cleaner.run(policy, now)
        except (OSError, StateError) as error:
            self.log.error("clean-up failed", error=str(error))
            self.writes.failed.append(f"clean-up failed: {error}")
            return
        if gone:
            self.log.info("cleaned up", files=len(gone))
        for path in gone:
            if path.name.startswith("credential_"):
                self.audit.note("credential_removed", cycle=self.cycle, file=str(path))

    def summary(
        self, snapshot: FactorySnapshot, plan: FactoryPlan, report: FactoryReport
    ) -> dict[str, Any]:
        """For status.json, and the one line in the log."""
        out = summary.summary(snapshot, plan, report)
        for name, row in out["entries"].items():
            if lately := self.holds.shown(name):
                row["held_lately"] = lately
        out["unknown_submits"] = [
            u.submit_id for m in self.queue_reader.schedds.values() for u in m.unknown
        ]
        out["lost_queues"] = [
            {"schedd": name, **to_json(lost)}
            for name, m in self.queue_reader.schedds.items()
            if (lost := m.record.lost) and abs(snapshot.now - lost.when) < WINDOW_SECONDS
        ]
        out["warnings"] = [
            {"where": conflict.client, "text": f"ClientName in conflict: {conflict}"}
            for conflict in self.advertiser.clients.conflicts
        ]
        if self.request_reader.clock_difference:
            out["warnings"].append({"where": "", "text": self.request_reader.clock_difference})
        out["key_id"] = self.keys[0].public.key_id
        line = {
            k: out[k]
            for k in ("requests", "submitted", "removed", "released", "advertised", "refused")
        }
        self.log.info("cycle", cycle=self.cycle, stored=len(self.request_reader.stored), **line)
        return out

    def readings(self, snapshot: FactorySnapshot) -> list[Reading[Any]]:
        """Requests, each queue, and whether the ads went out."""
        sent: Reading[int] = Reading("ads", 0.0, 1, snapshot.now, self.problem)
        return [snapshot.requests, *(s.queue for s in snapshot.schedds), sent]

    def handle(self, word: operator_commands.OperatorCommand, policy: FactoryPolicy) -> str:
        """An operator's word."""
        return command_handlers.handle(self, word, policy)

    def directories(self, policy: FactoryPolicy) -> list[Directory]:
        """Where the Factory, HTCondor for it, and reconfig write."""
        return [
            Directory(
                self.state,
                "nothing is submitted, released or removed, since it could not be recorded",
            ),
            Directory(
                Path(policy.log_dir),
                "the Factory's log and the records of finished pilots are lost",
            ),
            Directory(
                Path(policy.client_log_dir),
                "no pilot is submitted, since HTCondor could not write its logs",
            ),
            Directory(
                Path(policy.client_proxies_dir),
                "new and renewed credentials of Frontends are not stored",
            ),
            Directory(
                Path(policy.stage_dir), "reconfig cannot publish a configuration", ours=False
            ),
            Directory(self.work_dir, "reconfig cannot write a configuration", ours=False),
        ]

    def failed_writes(self) -> list[str]:
        """State files that could not be written since the last call."""
        return [*self.writes.taken(), *self.audit.failed_writes()]

    def stop(self, policy: FactoryPolicy) -> None:
        """Withdraw the ads."""
        self.advertiser.stop(policy)


def run_daemon(work_dir: Path, once: bool = False) -> int:
    """Run the Factory of `work_dir` until SIGTERM, or one cycle; the exit code."""
    os.umask(0o027)
    policy = load_policy(work_dir)
    log.setup("factory", Path(policy.log_dir))
    with ProcessWorkers() as pool:
        return loop.run(FactoryDaemon(work_dir, pool, time.time()), work_dir, once=once)
