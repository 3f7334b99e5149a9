"""All that is out there, and a pool of readers that asks it in this process."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import htcondor2

from glideinwms.lib.condor import htc, worker_process
from glideinwms.lib.condor.calls import Call, CallResult, Result, Workers
from glideinwms.lib.errors import OutcomeUnknown, TimedOut
from glideinwms.testing.clock import FakeClock, HungCall
from glideinwms.testing.collector import FakeCollector
from glideinwms.testing.schedd import FakeSchedd

Identity = str | Mapping[str, str]
COST = 0.01


@dataclass(slots=True)
class World:
    """Collectors by address and schedds by address. One clock for all. `params`: HTCondor's
    configuration.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    collectors: dict[str, FakeCollector] = field(default_factory=dict)
    schedds: dict[str, FakeSchedd] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=lambda: {"TRUST_DOMAIN": "fake"})

    def collector(self, address: str, **options: Any) -> FakeCollector:
        """A new collector; the first one is also the local one ("")."""
        made = FakeCollector(address, self.clock, **options)
        self.collectors[address] = made
        self.collectors.setdefault("", made)
        return made

    def schedd(self, name: str, collector: FakeCollector, **options: Any) -> FakeSchedd:
        """A new schedd that the collector knows."""
        made = FakeSchedd(
            name, f"<127.0.0.1:{30000 + len(self.schedds)}?sock=schedd>", self.clock, **options
        )
        self.schedds[made.address] = made
        collector.schedds.append(made)
        return made

    def pool(self, identity: Identity = "condor@fake") -> LocalWorkers:
        """A pool of readers of somebody; `identity` may differ by collector address or schedd name."""
        return LocalWorkers(self, identity)

    @contextlib.contextmanager
    def installed(self, identity: Identity = "condor@fake") -> Iterator[None]:
        """`lib.htc` speaks to this world, as `identity`, while the block runs."""
        old = htc._collector, htc._schedd, htc._param
        htc._collector = lambda pool: _CollectorClient(self, pool, _who(identity, pool))
        htc._schedd = lambda schedd: _ScheddClient(
            self, schedd.address, _who(identity, schedd.name)
        )
        htc._param = lambda name: self.params.get(name, "")
        try:
            yield
        finally:
            htc._collector, htc._schedd, htc._param = old


def _who(identity: Identity, endpoint: str) -> str:
    return identity if isinstance(identity, str) else identity.get(endpoint, "condor@fake")


@dataclass(slots=True)
class _CollectorClient:
    """What htcondor2.Collector is to `lib.htc`."""

    world: World
    address: str
    identity: str

    def query(self, kind: Any, constraint: str, projection: list[str]) -> list[Any]:
        return self._find("Failed communication with collector.").query(
            kind, constraint, projection, self.identity
        )

    def advertise(self, ads: list[Any], command: str, tcp: bool) -> None:
        self._find("Failed to advertise to collector.").advertise(ads, command, self.identity)

    def _find(self, refusal: str) -> FakeCollector:
        found = self.world.collectors.get(self.address)
        if found is None:
            raise htcondor2.HTCondorException(refusal)
        return found


@dataclass(slots=True)
class _ScheddClient:
    """What htcondor2.Schedd is to `lib.htc`."""

    world: World
    address: str
    identity: str

    def query(self, constraint: str, projection: list[str], limit: int, opts: Any) -> list[Any]:
        found = self._find("Failed to fetch ads from schedd, errmsg=")
        return found.query(constraint, projection, limit, opts.name or "Default", self.identity)

    def submit(self, job: Any, count: int, itemdata: Any) -> Any:
        found = self._find("Failed to connect to schedd, errmsg=")
        return found.submit(dict(job.items()), count, itemdata, self.identity)

    def act(self, action: Any, ids: list[str], reason: Any) -> dict[str, int]:
        text = reason[0] if isinstance(reason, tuple) else ""
        return self._find("Error when performing action on the schedd. ").act(
            action.name, ids, text, self.identity
        )

    def edit(self, job: str, name: str, expression: str) -> None:
        self._find("Unable to edit jobs: ").edit(job, name, expression, self.identity)

    def _find(self, refusal: str) -> FakeSchedd:
        found = self.world.schedds.get(self.address)
        if found is None or found.down:
            raise htcondor2.HTCondorException(
                f"{refusal}CEDAR:6001:Failed to connect to {self.address}"
            )
        return found


@dataclass(slots=True)
class LocalWorkers(Workers):
    """A `readers.Pool` that runs calls one after the other in this process. Arguments and values
    cross a pickle, as over the real pipe. A daemon that hangs costs the call's whole deadline on
    the world's clock, any other `COST`.
    """

    world: World
    identity: Identity = "condor@fake"
    calls: list[Call[Any]] = field(default_factory=list)

    def run(self, calls: Sequence[Call[Result]]) -> list[CallResult[Result]]:
        """The answers, in the order of the calls; an endpoint that hangs is asked once, as by the
        real pool.
        """
        silent: set[str] = set()
        answers = []
        with self.world.installed(self.identity):
            for call in calls:
                answers.append(
                    _not_asked(call, self.world.clock())
                    if call.endpoint in silent
                    else self._ask(call)
                )
                if isinstance(answers[-1].error, TimedOut):
                    silent.add(call.endpoint)
        return answers

    def close(self) -> None:
        """Nothing to end."""

    def _ask(self, call: Call[Result]) -> CallResult[Result]:
        self.calls.append(call)
        began = self.world.clock()
        try:
            args = pickle.loads(pickle.dumps(dict(call.args)))  # noqa: S301 - our own
            value, error = pickle.loads(pickle.dumps(worker_process.answer(call.name, args)))  # noqa: S301 - our own
        except HungCall:
            kind = OutcomeUnknown if call.writer else TimedOut
            text = f"no answer within {call.deadline:g} s"
            ended = self.world.clock.advance(call.deadline)
            return CallResult(call, None, kind(text, where=call.endpoint), began, ended)
        return CallResult(call, value, error, began, self.world.clock.advance(COST))


def _not_asked(call: Call[Result], now: float) -> CallResult[Result]:
    error = TimedOut("not asked, since it did not answer just now", where=call.endpoint)
    return CallResult(call, None, error, now, now)
