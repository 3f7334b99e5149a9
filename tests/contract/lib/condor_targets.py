"""Run the same tests on a real collector and schedd and on those in memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from glideinwms.demo.grid import Grid
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import CallResult, Workers, call
from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.testing import World

FACTORY = "factory@wms.demo"
FRONTEND = "frontend@wms.demo"
DEADLINE = 60.0


class CondorTarget(Protocol):
    """What the contract tests need of a place where HTCondor is."""

    collector: str
    schedd: ScheddAddress
    real: bool

    def pool(self, identity: str = FACTORY, scopes: Sequence[str] = ()) -> Workers:
        """Readers of somebody; `scopes` limits what the identity may do at the collector."""
        ...

    def tick(self) -> None:
        """Let a little time pass."""
        ...

    def hang(self, daemon: str) -> None:
        """SCHEDD or COLLECTOR answers no more."""
        ...

    def resume(self, daemon: str) -> None:
        """It does again."""
        ...


@dataclass
class RealCondor:
    """A WMS pool of the grid."""

    grid: Grid
    schedd: ScheddAddress = field(init=False)
    pools: list[ProcessWorkers] = field(default_factory=list)
    real: bool = True

    def __post_init__(self) -> None:
        ad = ask(
            self.pool(),
            htc.locate_schedds,
            collector=self.collector,
            names=[self.grid["wms"].schedd],
        )[0]
        self.schedd = ScheddAddress(ad["Name"], ad["MyAddress"])

    @property
    def collector(self) -> str:
        return self.grid["wms"].collector

    def pool(self, identity: str = FACTORY, scopes: Sequence[str] = ()) -> Workers:
        config = self.grid.client_config(identity)
        if scopes:
            config = self._limited(config, identity, scopes)
        env = {k: v for k, v in os.environ.items() if not k.startswith("_CONDOR_")}
        made = ProcessWorkers(env={**env, "CONDOR_CONFIG": str(config)})
        self.pools.append(made)
        return made

    def _limited(self, config: Path, identity: str, scopes: Sequence[str]) -> Path:
        return self.client(self.grid.idtoken("wms", identity, scopes), "-".join(scopes))

    def client(self, token: str, name: str) -> Path:
        """The configuration of a client that has just this token."""
        old = self.grid.client_config(FRONTEND)
        home = old.parent.with_name(f"client-{name}")
        for folder in ("tokens.d", "passwords.d", "log"):
            (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / "tokens.d/wms").write_text(token + "\n")
        (home / "tokens.d/wms").chmod(0o600)
        (home / "condor_config").write_text(old.read_text().replace(str(old.parent), str(home)))
        return home / "condor_config"

    def tick(self) -> None:
        time.sleep(0.05)

    def hang(self, daemon: str) -> None:
        self.grid["wms"].signal(daemon, signal.SIGSTOP)
        stat = Path(f"/proc/{self.grid['wms'].pid(daemon)}/stat")
        wait_for(
            self,
            "it stands still",
            lambda: stat.read_text().rpartition(")")[2].split()[0],
            lambda s: s == "T",
        )

    def resume(self, daemon: str) -> None:
        self.grid["wms"].signal(daemon, signal.SIGCONT)

    def close(self) -> None:
        """End the readers."""
        for pool in self.pools:
            pool.close()


class InMemoryCondor:
    """The fakes."""

    real = False

    def __init__(self, collector: Mapping[str, Any], schedd: Mapping[str, Any]) -> None:
        self.world = World()
        self.grants = {
            FACTORY: {"READ", "DAEMON", "ADVERTISE_MASTER", "ADVERTISE_STARTD", "ADVERTISE_SCHEDD"},
            FRONTEND: {
                "READ",
                "DAEMON",
                "ADVERTISE_MASTER",
                "ADVERTISE_STARTD",
                "ADVERTISE_SCHEDD",
            },
        }
        self.collector = "wms.demo:9618"
        self.wms = self.world.collector(self.collector, grants=self.grants, **collector)
        self.queue = self.world.schedd("wms@wms.demo", self.wms, writers={FACTORY}, **schedd)
        self.schedd = ScheddAddress(self.queue.name, self.queue.address)

    def pool(self, identity: str = FACTORY, scopes: Sequence[str] = ()) -> Workers:
        if scopes:
            self.grants[identity] = set(scopes)
        return self.world.pool(identity)

    def tick(self) -> None:
        self.world.clock.advance(0.05)

    def hang(self, daemon: str) -> None:
        self._set(daemon, True)

    def resume(self, daemon: str) -> None:
        self._set(daemon, False)

    def _set(self, daemon: str, hung: bool) -> None:
        if daemon == "SCHEDD":
            self.queue.hung = hung
        else:
            self.wms.hung = hung


def answer(
    pool: Workers,
    function: Callable[..., Any],
    endpoint: str = "somewhere",
    deadline: float = DEADLINE,
    **args: Any,
) -> CallResult[Any]:
    """Run one function in a worker."""
    return pool.one(call(endpoint, function, **args).within(deadline))


def ask(pool: Workers, function: Callable[..., Any], **args: Any) -> Any:
    """The value of a call that must not fail."""
    got = answer(pool, function, **args)
    assert got.error is None, got.error
    return got.value


def wait_for(
    target: CondorTarget,
    what: str,
    look: Callable[[], Any],
    ok: Callable[[Any], bool],
    timeout: float = 300.0,
) -> Any:
    """Look until it is as wanted; the last thing seen is in the message."""
    end = time.monotonic() + timeout
    while True:
        seen = look()
        if ok(seen):
            return seen
        assert time.monotonic() < end, f"{what}: not within {timeout:g} s; last seen: {seen!r}"
        target.tick()
