"""The Frontend daemon: collect, decide, apply for all groups in one process (decision 18)."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glideinwms.frontend import policy_files
from glideinwms.frontend.apply import sender
from glideinwms.frontend.apply.group_ads import GroupAds, Sealer
from glideinwms.frontend.apply.report import FrontendReport
from glideinwms.frontend.apply.sender import AdBatch, AdSender
from glideinwms.frontend.collect import build_snapshot, inputs, probe
from glideinwms.frontend.collect.reader import collect, groups_of
from glideinwms.frontend.credentials.generated import GeneratedCredentials
from glideinwms.frontend.credentials.loaded import GroupCredentials, load
from glideinwms.frontend.credentials.pilot_tokens import TokenMaker, first_word
from glideinwms.frontend.credentials.renewal import Renewals
from glideinwms.frontend.decide import MatchCache, decide
from glideinwms.frontend.inspect.summary import credentials, summary
from glideinwms.frontend.plan import FrontendPlan
from glideinwms.frontend.policy import SCHEMA, FrontendPolicy
from glideinwms.frontend.snapshot import FrontendSnapshot, GroupInput
from glideinwms.frontend.state import command_handlers, ha, memory
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Workers, call
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.daemon import log, loop, policy_file, retention
from glideinwms.lib.daemon.audit import KEEP_DAYS, Audit, rotate
from glideinwms.lib.daemon.operator_commands import OperatorCommand
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.daemon.storage import Directory, StateWrites
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import StateError, place_of
from glideinwms.lib.wire import WireAd


def load_policy(work_dir: Path) -> FrontendPolicy:
    """`<work_dir>/policy.json`; an error of ours says what is wrong with it."""
    return policy_file.load(FrontendPolicy, work_dir / policy_file.NAME, SCHEMA, "frontend")


@contextlib.contextmanager
def _one_group(wrong: dict[str, list[str]], group: str, what: str) -> Iterator[None]:
    """The boundary of one group: an error that nobody foresaw is noted for it, and the others go
    on.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the boundary of one group
        wrong.setdefault(group, []).append(f"{what}: {place_of(error)}")
        log.get("group").error(what, group=group, error=place_of(error))


@dataclass(slots=True)
class FrontendDaemon:
    """Implements lib.cycle.Daemon. `pool` talks to HTCondor; what must survive a restart lies in
    `<work_dir>/state`.
    """

    work_dir: Path
    pool: Workers
    clock: Callable[[], float] = time.time
    name: str = "frontend"
    inputs: inputs.Inputs = field(init=False)
    memory: memory.Memory = field(init=False)
    standing: ha.HaState = field(default_factory=lambda: ha.HaState(False))
    actions: dict[str, str] = field(default_factory=dict)
    wallets: dict[str, GroupCredentials] = field(default_factory=dict)
    seen: dict[str, GroupInput] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    cache: MatchCache = field(default_factory=MatchCache)
    tokens: TokenMaker | None = None
    minted: GeneratedCredentials = field(default_factory=GeneratedCredentials)
    renewals: Renewals = field(default_factory=Renewals)
    credentials: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    downtimes: list[Downtime] = field(default_factory=list)
    writes: StateWrites = field(default_factory=StateWrites)
    audit: Audit = field(init=False)

    def __post_init__(self) -> None:
        warn = log.get("frontend").warning
        self.inputs = inputs.load(self.state / "readings.json", warn)
        self.memory = memory.load(self.state / "memory.json", warn)
        self.audit = Audit(self.state / "audit.jsonl", self.clock)

    @property
    def state(self) -> Path:
        """Where readings, memory, audit and operators' words are kept."""
        return self.work_dir / "state"

    def load(self) -> FrontendPolicy:
        """The policy on disk now; a copy is kept for replays. What its expressions said is not
        known yet.
        """
        policy = load_policy(self.work_dir)
        policy_file.keep(self.work_dir / policy_file.NAME, policy.generation, self.state)
        self.cache = MatchCache()
        return policy

    def prepare(self, policy: FrontendPolicy, now: float) -> None:
        """Take over from the master or hand back to it, then renew credential files."""
        self._take_over_or_hand_back(policy, now)
        if self.standing.working:
            self._renew(policy, now)

    def collect(self, policy: FrontendPolicy, now: float) -> FrontendSnapshot:
        """All reads; none while the master works."""
        began = time.monotonic()
        if not self.standing.working:
            return FrontendSnapshot(now, ())
        self.inputs = collect(self.pool, policy, self.inputs)
        self.writes.attempt(lambda: inputs.save(self.state / "readings.json", self.inputs))
        self.wallets = {
            g.name: load(g, now, broken=functools.partial(self.minted.why_not, g.name, now=now))
            for g in groups_of(policy)
        }
        actions, self.actions = self.actions, {}
        found = build_snapshot.build(
            self.inputs,
            policy,
            credentials=self.wallets,
            memory=self.memory,
            actions=actions,
            downtime=self._downtime(policy, now),
            now=now,
            policy_files=policy_files.read_all(
                path for g in groups_of(policy) for path in g.policy_files
            ),
        )
        self.seen = {g.name: g for g in found.groups}
        self.times = {"frontend_condor_queries": time.monotonic() - began}
        return found

    def _renew(self, policy: FrontendPolicy, now: float) -> None:
        """Run the programs that make credential files."""
        credentials = {c.name: c for g in groups_of(policy) for c in g.credentials}
        for name, why in self.renewals.run(self.pool, list(credentials.values()), now):
            self.audit.note("renew", credential=name, failed=why)
            if why:
                log.get("credential").error("not renewed", credential=name, error=why)

    def _downtime(self, policy: FrontendPolicy, now: float) -> bool:
        """Whether a downtime is on. A file that cannot be read may hide one: the last lines stay."""
        try:
            self.downtimes, wrong = downtime_file.load(
                Path(policy.work_dir) / policy.downtimes_file
            )
        except StateError as error:
            wrong = [error]
        for problem in wrong:
            log.get("frontend").warning("downtimes not read", error=str(problem))
        return downtime_file.frontend_down(self.downtimes, now) is not None

    def _take_over_or_hand_back(self, policy: FrontendPolicy, now: float) -> None:
        """Work if the master is absent. When it is back, withdraw this Frontend's ads."""
        before = self.standing
        self.standing = ha.check(self.pool, policy, before, now)
        if self.standing.working == before.working:
            return
        seen = self.standing.seen or ""
        log.get("ha").info("working" if self.standing.working else "hibernating", seen=str(seen))
        if before.working:
            self._withdraw(policy)

    def decide(
        self, snapshot: FrontendSnapshot, policy: FrontendPolicy, now: float, rng: random.Random
    ) -> FrontendPlan:
        """Pure; the cache only makes it faster."""
        began = time.monotonic()
        plan = decide(snapshot, policy, now, rng, self.cache)
        self.times["frontend_matchmaking"] = time.monotonic() - began
        return plan

    def apply(self, plan: FrontendPlan, policy: FrontendPolicy, now: float) -> FrontendReport:
        """Requests to the WMS pools, then what we know to the user pool."""
        if not self.standing.working:
            return FrontendReport()
        began = time.monotonic()
        courier = AdSender(self.pool, policy, probe.suspects(self.inputs, policy.user_collector))
        builders = self._builders(plan, policy, now)
        self.minted.refresh(self.pool, policy, [(b.group, b.wanted()) for b in builders], now)
        self.credentials = {
            b.group.name: credentials(
                b.group, self.wallets[b.group.name], self.minted, self.renewals
            )
            for b in builders
        }
        silent = {
            b.group.name
            for b in builders
            if build_snapshot.blind(b.given, policy, self.memory, now)
        }
        wrong: dict[str, list[str]] = {}
        for b in builders:
            if b.group.name not in silent:
                with _one_group(wrong, b.group.name, "requests are not sent"):
                    courier.send(b.requests())
        courier.settle()
        requested = {b.group.name: tuple(courier.requested.get(b.group.name, ())) for b in builders}
        self.times["frontend_advertize_classads"] = time.monotonic() - began
        self._remember(plan, requested, now)
        for b in builders:
            with _one_group(wrong, b.group.name, "glideresource ads are not sent"):
                self._tell(courier, b.group.name, b.resources(self.memory.sequence), policy)
        courier.send(
            [sender.monitor_batch(policy, plan, self.times, ha.mode(policy), self.memory.sequence)]
        )
        courier.settle()
        self._tidy(policy, now)
        told = {b.group.name: (*wrong.get(b.group.name, ()), *b.problems) for b in builders}
        problems = {name: found for name, found in told.items() if found}
        return FrontendReport(
            courier.sent, tuple(courier.failed), problems, requested, tuple(sorted(silent))
        )

    def _tell(
        self, courier: AdSender, group: str, ads: Sequence[WireAd], policy: FrontendPolicy
    ) -> None:
        if ads:
            courier.send([AdBatch(group, policy.user_collector, tuple(ads))])

    def _builders(self, plan: FrontendPlan, policy: FrontendPolicy, now: float) -> list[GroupAds]:
        """What builds each group's ads."""
        groups = {g.name: g for g in groups_of(policy)}
        sealer, tokens, mode = Sealer(self.inputs), self._tokens(policy), ha.mode(policy)
        return [
            GroupAds(
                policy=policy,
                group=groups[p.name],
                given=self.seen[p.name],
                plan=p,
                inputs=self.inputs,
                wallet=self.wallets[p.name],
                sealer=sealer,
                tokens=tokens,
                minted=self.minted,
                ha_mode=mode,
                now=now,
            )
            for p in plan.groups
        ]

    def _tokens(self, policy: FrontendPolicy) -> TokenMaker:
        """The maker of pilot tokens; a new one when the policy names other places, or while the
        issuer is not known.
        """
        keys, kept = Path(policy.passwords_dir), Path(policy.tokens_dir)
        maker = self.tokens
        if (
            maker is None
            or not maker.issuer
            or (maker.passwords_dir, maker.tokens_dir) != (keys, kept)
        ):
            answer = self.pool.one(call("configuration", htc.param, name="TRUST_DOMAIN"))
            if answer.error is not None:
                log.get("frontend").warning("TRUST_DOMAIN not known", error=str(answer.error))
            maker = self.tokens = TokenMaker(keys, kept, first_word(answer.value_or("")))
        maker.begin()
        return maker

    def _tidy(self, policy: FrontendPolicy, now: float) -> None:
        if policy.log_dir:
            retention.sweep(Path(policy.log_dir), {"process": policy.log_retention}, now)
        try:
            rotate(self.audit.path, now, KEEP_DAYS)
        except OSError as error:
            log.get("frontend").error("audit trail not put aside", error=str(error))

    def _remember(
        self, plan: FrontendPlan, requested: dict[str, tuple[str, ...]], now: float
    ) -> None:
        groups = {
            g.name: memory.after(self.memory.group(g.name), g, requested[g.name], now)
            for g in plan.groups
        }
        self.memory = replace(self.memory, groups=groups, sequence=self.memory.sequence + 1)
        self.writes.attempt(lambda: memory.save(self.state / "memory.json", self.memory))

    def summary(
        self, snapshot: FrontendSnapshot, plan: FrontendPlan, report: FrontendReport
    ) -> dict[str, Any]:
        """What status.json shows; one line per group in the log."""
        seen = self.standing.seen
        shown = summary(snapshot, plan, report)
        shown["ha"] = {"working": self.standing.working, "seen": seen.value if seen else ""}
        for name, g in shown["groups"].items():
            g["credentials"] = self.credentials.get(name, [])
            log.get("group").info(
                "cycle",
                group=name,
                **g["jobs"],
                slots=g["slots"]["total"],
                request=g["request"]["idle"],
                max=g["request"]["max"],
                entries=len(g["entries"]),
                frozen=g["frozen"],
                held=g["held"],
                problems=g["problems"],
            )
        return shown

    def readings(self, snapshot: FrontendSnapshot) -> list[Reading[Any]]:
        """Every input with its age."""
        one = [i.reading for i in (self.inputs.loads, self.inputs.slots) if i is not None]
        many = [
            i.reading for group in (self.inputs.schedds, self.inputs.pools) for i in group.values()
        ]
        return [*one, *many]

    def handle(self, word: OperatorCommand, policy: FrontendPolicy) -> str:
        """Operators' words: see `words`. A slave that hibernates sends no request that could carry
        one.
        """
        if policy.high_availability is not None and not self.standing.working:
            raise StateError(
                "this slave hibernates", hint=f"say it to {policy.high_availability.master}"
            )
        text, actions = command_handlers.handle(word, policy, self.actions)
        # what cannot be recorded is not done
        self.audit.line(word.verb, who=word.who, args=word.args)
        self.actions = actions
        return text

    def directories(self, policy: FrontendPolicy) -> list[Directory]:
        """Where the Frontend and reconfig write."""
        found = [
            Directory(
                self.state,
                "requests go on, but operators' commands are refused, no cycle is recorded, and a restart would forget "
                "the last readings",
            ),
            Directory(self.work_dir, "reconfig cannot write a configuration", ours=False),
            Directory(
                Path(policy.stage_dir), "reconfig cannot publish a configuration", ours=False
            ),
        ]
        if policy.log_dir:
            found.append(Directory(Path(policy.log_dir), "the Frontend's log is lost"))
        return found

    def failed_writes(self) -> list[str]:
        """State files that could not be written since the last call."""
        return [*self.writes.taken(), *self.audit.failed_writes()]

    def stop(self, policy: FrontendPolicy) -> None:
        """Withdraw our ads, if it is us who advertise."""
        if self.standing.working:
            self._withdraw(policy)

    def _withdraw(self, policy: FrontendPolicy) -> None:
        for problem in sender.withdraw(self.pool, policy, ha.mode(policy)):
            log.get("frontend").warning("ads could not be withdrawn", error=problem)


def run_daemon(work_dir: Path, once: bool = False) -> int:
    """Run until SIGTERM, or one cycle; the exit code of lib.cycle.run. A GwmsError if the policy
    cannot be loaded.
    """
    os.umask(0o027)
    policy = load_policy(work_dir)
    log.setup("frontend", Path(policy.log_dir) if policy.log_dir else None)
    with ProcessWorkers() as pool:
        return loop.run(FrontendDaemon(work_dir, pool), work_dir, once=once)
