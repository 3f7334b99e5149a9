"""The one machine both daemons are: collect -> decide -> apply -> record, at each loop delay
(decision 18).

SIGTERM and SIGINT finish the cycle, withdraw the ads and end. SIGHUP loads `policy.json` anew at
the next cycle boundary; one that does not load leaves the old one in force and says why in the
status.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from glideinwms.lib.daemon import heartbeat, log, operator_commands, status, storage
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.daemon.records import Ring
from glideinwms.lib.errors import GwmsError, place_of, trace_of
from glideinwms.lib.files import locked

P = TypeVar("P", bound="LoopPolicy")
S = TypeVar("S")
L = TypeVar("L")
R = TypeVar("R")


@contextlib.contextmanager
def collected_after() -> Iterator[None]:
    """Keep Python's garbage collector off while the block runs.

    The objects of a daemon's cycle are many and hold few reference cycles; they are walked once
    afterwards instead of again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class LoopPolicy(Protocol):
    """What the loop needs of any policy."""

    @property
    def generation(self) -> str: ...
    @property
    def loop_delay(self) -> float: ...


class Daemon(Protocol[P, S, L, R]):
    """A daemon supplies its own collect, decide and apply; the rest is here."""

    name: str

    def load(self) -> P:
        """The policy on disk now."""
        ...

    def prepare(self, policy: P, now: float) -> None:
        """What is neither reading nor applying a plan: renew files, take over or hand back."""
        ...

    def collect(self, policy: P, now: float) -> S:
        """All reads of one cycle."""
        ...

    def decide(self, snapshot: S, policy: P, now: float, rng: random.Random) -> L:
        """Pure: what should be done, with its reasons."""
        ...

    def apply(self, plan: L, policy: P, now: float) -> R:
        """All writes of one cycle."""
        ...

    def summary(self, snapshot: S, plan: L, report: R) -> dict[str, Any]:
        """What status.json and the summary line show."""
        ...

    def readings(self, snapshot: S) -> list[Reading[Any]]:
        """The inputs, for the status."""
        ...

    def handle(self, word: operator_commands.OperatorCommand, policy: P) -> str:
        """Act on an operator's command and return the text that answers it."""
        ...

    def directories(self, policy: P) -> Sequence[storage.Directory]:
        """Where it writes, and what stops when it cannot."""
        ...

    def failed_writes(self) -> list[str]:
        """State files that could not be written since the last call."""
        ...

    def stop(self, policy: P) -> None:
        """Withdraw what was advertised."""
        ...


@dataclass(slots=True)
class Flags:
    """Set by signals, read at cycle boundaries. A byte in the pipe ends the sleep between cycles."""

    stop: bool = False
    reload: bool = False
    _pipe: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def on_stop(self, *_: object) -> None:
        """SIGTERM, SIGINT."""
        self.stop = True
        self._pipe[1].send(b"s")

    def on_reload(self, *_: object) -> None:
        """SIGHUP."""
        self.reload = True
        self._pipe[1].send(b"h")

    def sleep(self, seconds: float) -> None:
        """Wait for the next cycle or a signal."""
        with contextlib.suppress(BlockingIOError):  # bytes of signals that were seen meanwhile
            self._pipe[0].setblocking(False)
            self._pipe[0].recv(100)
        if self.stop or self.reload or seconds <= 0:
            return
        self._pipe[0].settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self._pipe[0].recv(100)


def notify(text: str) -> None:
    """Notify systemd by a datagram to $NOTIFY_SOCKET. Does nothing without systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)


class CycleRecord(Generic[P, S, L, R]):
    """Runs one daemon over its work directory."""

    def __init__(
        self,
        daemon: Daemon[P, S, L, R],
        work_dir: Path,
        *,
        clock: Callable[[], float],
        seed: Callable[[], int],
    ) -> None:
        self.daemon = daemon
        self.state = work_dir / "state"
        self.state.mkdir(parents=True, exist_ok=True, mode=0o750)
        operator_commands.open_box(self.state / "requests")
        self.clock = clock
        self.seed = seed
        self.ring = Ring(self.state / "cycles")
        self.number = self.ring.next_number()
        self.started = clock()
        self.policy_error = ""
        self.took: dict[str, float] = {}
        self.problems: list[str] = []
        self.heartbeat = heartbeat.HeartbeatFile(self.state)
        self.policy = daemon.load()
        self._beat("start")
        self.log = log.get("cycle")

    def reload(self) -> None:
        """Take the policy on disk, or keep the old one and say why."""
        try:
            self.policy, self.policy_error = self.daemon.load(), ""
            self.log.info("policy loaded", generation=self.policy.generation)
        except GwmsError as error:
            self.policy_error = str(error)
            self.log.error("policy not loaded, the old one stays", error=str(error))

    @collected_after()
    def once(self) -> bool:
        """One whole cycle; False if it failed. Nothing a cycle does may end the daemon."""
        began, cpu, seed = self.clock(), time.process_time(), self.seed()
        error, summary, readings, writes = "", {}, [], storage.StateWrites()
        self.took = {}
        try:
            with self._step("words"):
                commands = operator_commands.consume(
                    self.state / "requests",
                    lambda command: self.daemon.handle(command, self.policy),
                )
            with self._step("prepare"):
                self.daemon.prepare(self.policy, began)
            with self._step("collect"):
                snapshot = self.daemon.collect(self.policy, began)
            with self._step("decide"):
                plan = self.daemon.decide(snapshot, self.policy, began, random.Random(seed))
            with self._step("apply"):
                report = self.daemon.apply(plan, self.policy, began)
            with self._step("record"):
                summary = self.daemon.summary(snapshot, plan, report)
                readings = self.daemon.readings(snapshot)
                record = {
                    "cycle": self.number,
                    "began": began,
                    "seed": seed,
                    "generation": self.policy.generation,
                    "words": [command for command, _ in commands],
                    "snapshot": snapshot,
                    "plan": plan,
                    "report": report,
                }
                writes.attempt(lambda: self.ring.append(self.number, record))
        except Exception as failure:  # noqa: BLE001 - the boundary of one cycle
            expected = isinstance(failure, GwmsError)
            error = str(failure) if expected else place_of(failure)
            trace = "" if expected else trace_of(failure)
            self.log.error("cycle failed", cycle=self.number, error=error, trace=trace)
        self.problems = [*self._problems(), *writes.taken()]
        told = writes.attempt(
            lambda: self._tell(began, time.process_time() - cpu, error, summary, readings)
        )
        self.problems += writes.taken()
        self._beat(heartbeat.SLEEP)
        self.number += 1
        return told and not error

    def _problems(self) -> list[str]:
        """What cannot be written: directories first, then files of this cycle."""
        try:
            return [
                *storage.problems(self.daemon.directories(self.policy)),
                *self.daemon.failed_writes(),
            ]
        except OSError as error:
            return [f"the directories cannot be looked at: {error}"]

    def _beat(self, step: str) -> None:
        self.heartbeat.beat(
            heartbeat.Heartbeat(
                pid=os.getpid(),
                cycle=self.number,
                step=step,
                time=self.clock(),
                loop_delay=self.policy.loop_delay,
                problems=tuple(self.problems),
            )
        )

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = self.clock()
        self._beat(name)
        try:
            yield
        finally:
            self.took[name] = round(self.clock() - began, 3)

    def _tell(
        self,
        began: float,
        cpu: float,
        error: str,
        summary: dict[str, Any],
        readings: list[Reading[Any]],
    ) -> None:
        ended = self.clock()
        seen = tuple(
            status.ReadingStatus(
                r.source, None if r.value is None else round(r.age(ended), 1), r.error
            )
            for r in readings
        )
        now = status.Status(
            schema=status.SCHEMA,
            daemon=self.daemon.name,
            pid=os.getpid(),
            generation=self.policy.generation,
            cycle=self.number,
            started=self.started,
            cycle_began=began,
            cycle_ended=ended,
            cpu_s=round(cpu, 4),
            loop_delay=self.policy.loop_delay,
            error=error,
            policy_error=self.policy_error,
            readings=seen,
            summary=summary,
            took=self.took,
            problems=tuple(self.problems),
        )
        status.write(self.state / "status.json", now)

    def loop(self, flags: Flags) -> None:
        """Run cycles until a signal sets `stop`; then withdraw the ads."""
        notify("READY=1")
        while not flags.stop:
            if flags.reload:
                flags.reload = False
                notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
                self.reload()
                notify("READY=1")
            due = time.monotonic() + self.policy.loop_delay
            self.once()
            notify("WATCHDOG=1")
            flags.sleep(due - time.monotonic())
        notify("STOPPING=1")
        try:
            self.daemon.stop(self.policy)
        except GwmsError as error:
            self.log.error("ads not withdrawn, they will expire", error=str(error))
        self.log.info("stopped", cycles=self.number - 1)


@contextlib.contextmanager
def signals(flags: Flags) -> Iterator[None]:
    """Signals set flags while the block runs; the old handlers come back after it."""
    wanted = {
        signal.SIGTERM: flags.on_stop,
        signal.SIGINT: flags.on_stop,
        signal.SIGHUP: flags.on_reload,
    }
    old = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def run(
    daemon: Daemon[P, S, L, R],
    work_dir: Path,
    *,
    once: bool = False,
    clock: Callable[[], float] = time.time,
    seed: Callable[[], int] = lambda: random.SystemRandom().getrandbits(32),
) -> int:
    """Run a daemon until SIGTERM, or for one cycle with `once`. Only one daemon runs in a
    directory.

    Return the exit code: 0, or 1 if the only cycle failed.
    """
    flags = Flags()
    with signals(flags), locked(work_dir / "state" / status.LOCK, daemon.name):
        cycle = CycleRecord(daemon, work_dir, clock=clock, seed=seed)
        if once:
            return 0 if cycle.once() else 1
        cycle.loop(flags)
    return 0
