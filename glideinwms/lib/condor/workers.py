"""The reader pool: HTCondor is only ever talked to from a few processes that the daemon can kill
(decision 5).

`htcondor2` holds the GIL in network calls and a hung peer blocks it for 20 s whatever its knobs
say; so each call has a wall deadline, and the reader that passes it is killed and replaced. An
endpoint that failed is asked next only in the quarantine reader, until it answers; many that hang
share its time. Submits and removals go through one reader, with an outcome that can be unknown.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import time
import zlib
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from glideinwms.lib.condor import worker_process
from glideinwms.lib.condor.calls import Call, CallResult, CallResults, Result, Workers
from glideinwms.lib.errors import OutcomeUnknown, TimedOut, Unreachable

PATIENCE = 30.0
# A reader process is replaced after so many calls, or when it is larger than this (looked at every
# so many calls).
CALLS_BEFORE_RENEWAL = 1000
CALLS_AT_LEAST = 50
MAX_RESIDENT_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class _Child:
    """A reader process and our end of its pipe."""

    process: subprocess.Popen[bytes]
    pipe: Connection

    @staticmethod
    def spawn(env: Mapping[str, str] | None, *flags: str) -> _Child:
        """Start one; it answers calls as soon as it is up."""
        ours, theirs = socket.socketpair()
        argv = [
            sys.executable,
            "-m",
            "glideinwms.lib.condor.worker_process",
            str(theirs.fileno()),
            str(os.getpid()),
            *flags,
        ]
        process = subprocess.Popen(
            argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=env
        )
        theirs.close()
        return _Child(process, Connection(ours.detach()))

    def end(self) -> None:
        """Kill it, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()


class _Reader:
    """One child and the call it is busy with. HTCondor's library loses some memory with each call,
    so a child is replaced now and then: its successor starts beside it, and takes over between two
    calls once it is ready.
    """

    def __init__(self, env: Mapping[str, str] | None) -> None:
        self.env = env
        self.child: _Child | None = None
        self.successor: _Child | None = None
        self.calls = 0
        self.busy: tuple[int, Call[Any], float, float] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The process that is in use."""
        return self.child.process if self.child else None

    @property
    def pipe(self) -> Connection | None:
        """The way to it."""
        return self.child.pipe if self.child else None

    def start(self, index: int, call: Call[Any]) -> None:
        """Hand the call over; the child is made when first needed."""
        self._renew()
        if self.child is None or self.child.process.poll() is not None:
            self.close()
            self.child = _Child.spawn(self.env)
        self.calls += 1
        self.busy = (index, call, time.time(), time.monotonic() + call.deadline)
        with contextlib.suppress(OSError):
            self.child.pipe.send((call.name, dict(call.args)))

    def _renew(self) -> None:
        """Start a successor when it is time to, or let one that is ready take over."""
        if self.successor is not None:
            if self.successor.pipe.poll():
                self._take_over(self.successor)
        elif self.child is not None and self._worn():
            # no memory, or too many processes: the old one goes on
            with contextlib.suppress(OSError):
                self.successor = _Child.spawn(self.env, worker_process.READY)
            self.calls = 0

    def _worn(self) -> bool:
        """Whether the child has answered many calls, or has grown large."""
        if self.calls >= CALLS_BEFORE_RENEWAL:
            return True
        if self.calls < CALLS_AT_LEAST or self.child is None or self.calls % CALLS_AT_LEAST:
            return False
        return resident(self.child.process.pid) > MAX_RESIDENT_BYTES

    def _take_over(self, successor: _Child) -> None:
        self.successor = None
        try:
            successor.pipe.recv()
        except (EOFError, OSError):  # it did not come up: the old one goes on
            successor.end()
            return
        if self.child is not None:
            self.child.end()
        self.child, self.calls = successor, 0

    def close(self) -> None:
        """End the child and its successor, whatever they are doing."""
        for child in (self.child, self.successor):
            if child is not None:
                child.end()
        self.child = self.successor = self.busy = None
        self.calls = 0


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class _Run:
    """A set of calls that goes on: what waits for each reader, what was answered, how many there
    are, and the seconds that were lost in quarantine.
    """

    queues: list[deque[tuple[int, Call[Any]]]]
    answers: dict[int, CallResult[Any]]
    calls: int
    lost: float = 0.0


class ProcessWorkers(Workers):
    """`readers` ordinary processes (the last one also writes) and one for quarantine. A context
    manager.

    `env`: the environment of the readers (whom HTCondor takes them for), ours unless given.
    `patience`: once calls that failed in quarantine have taken so many seconds of a run, the others
    there wait for the next run, and come first.
    """

    def __init__(
        self, readers: int = 2, env: Mapping[str, str] | None = None, *, patience: float = PATIENCE
    ) -> None:
        self._readers = [_Reader(env) for _ in range(readers + 1)]
        self.patience = patience
        self.quarantined: dict[str, float] = {}  # endpoint -> when it was last asked
        self._running = _Run([], {}, 0)

    def __enter__(self) -> ProcessWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every child."""
        for reader in self._readers:
            reader.close()

    def run(self, calls: Sequence[Call[Result]]) -> list[CallResult[Result]]:
        """All answers, in the order of the calls; calls to different readers go on at the same
        time. An endpoint that passed its deadline is not asked again in the same run: its other
        calls fail at once.
        """
        return self.begin(calls)()

    def begin(self, calls: Sequence[Call[Result]]) -> CallResults[Result]:
        """Start the calls that readers are free for; the others follow when the answers are asked
        for.
        """
        self._finish(self._running)
        self._running = run = _Run([deque() for _ in self._readers], {}, len(calls))
        for index, call in enumerate(calls):
            run.queues[self._place(call)].append((index, call))
        run.queues[-1] = deque(
            sorted(run.queues[-1], key=lambda item: self.quarantined[item[1].endpoint])
        )
        self._feed(run)
        return functools.partial(self._finish, run)

    def _feed(self, run: _Run) -> None:
        """Give each free reader its next call; an ordinary one with none of its own takes
        another's.
        """
        ordinary = run.queues[:-1]
        for k, reader in enumerate(self._readers):
            own = run.queues[k : k + 1]
            item = (
                self._next(own if k == len(ordinary) else own + ordinary)
                if reader.busy is None
                else None
            )
            if item is not None:
                reader.start(*item)

    def _next(self, queues: Sequence[deque[tuple[int, Call[Any]]]]) -> tuple[int, Call[Any]] | None:
        """The first call whose endpoint nobody is asking, taken out. Only the first queue's
        writers.
        """
        asked = {r.busy[1].endpoint for r in self._readers if r.busy is not None}
        for k, queue in enumerate(queues):
            for item in queue:
                if item[1].endpoint not in asked and not (item[1].writer and k):
                    queue.remove(item)
                    return item
        return None

    def _finish(self, run: _Run) -> list[CallResult[Any]]:
        while len(run.answers) < run.calls:
            self._feed(run)
            for index, answer, apart in self._wait():
                run.answers[index] = answer
                self._judge(answer)
                if isinstance(answer.error, TimedOut):
                    own = [answer.call.endpoint]
                    run.answers.update(
                        _given_up(run.queues, own, "it did not answer just now", answer.ended)
                    )
                run.lost += (
                    answer.ended - answer.began if apart and answer.error is not None else 0.0
                )
                if run.lost >= self.patience:
                    why = "too many others do not answer"
                    run.answers.update(
                        _given_up(run.queues[-1:], self.quarantined, why, answer.ended)
                    )
        return [run.answers[i] for i in range(run.calls)]

    def _place(self, call: Call[Any]) -> int:
        ordinary = len(self._readers) - 1
        if call.writer:
            return ordinary - 1
        if call.endpoint in self.quarantined:
            return ordinary
        return zlib.crc32(call.endpoint.encode()) % ordinary

    def _judge(self, answer: CallResult[Any]) -> None:
        if isinstance(answer.error, TimedOut | Unreachable | OutcomeUnknown):
            self.quarantined[answer.call.endpoint] = answer.ended
        else:
            self.quarantined.pop(answer.call.endpoint, None)

    def _wait(self) -> Iterator[tuple[int, CallResult[Any], bool]]:
        """The answers that are there next, and whether they were asked for in quarantine."""
        busy = [r for r in self._readers if r.busy is not None]
        soonest = min(r.busy[3] for r in busy if r.busy)
        ready = wait([r.pipe for r in busy if r.pipe], max(0.0, soonest - time.monotonic()))
        for reader in busy:
            assert reader.busy is not None
            index, call, began, deadline = reader.busy
            apart = reader is self._readers[-1]
            if reader.pipe in ready:
                yield index, self._receive(reader, call, began), apart
            elif time.monotonic() >= deadline:
                reader.close()
                yield index, _cut_off(call, began, f"no answer within {call.deadline:g} s"), apart

    def _receive(self, reader: _Reader, call: Call[Any], began: float) -> CallResult[Any]:
        assert reader.pipe is not None
        try:
            value, error = reader.pipe.recv()
        except (EOFError, OSError):
            reader.close()
            return _cut_off(call, began, "the reader process died")
        reader.busy = None
        return CallResult(call, value, error, began, time.time())


def _given_up(
    queues: Sequence[deque[tuple[int, Call[Any]]]], endpoints: Collection[str], why: str, now: float
) -> dict[int, CallResult[Any]]:
    """Takes the calls that still wait for these endpoints out of the queues; their answers."""
    answers = {}
    for queue in queues:
        for item in [i for i in queue if i[1].endpoint in endpoints]:
            queue.remove(item)
            error = TimedOut(f"not asked, since {why}", where=item[1].endpoint)
            answers[item[0]] = CallResult(item[1], None, error, now, now)
    return answers


def _cut_off(call: Call[Any], began: float, why: str) -> CallResult[Any]:
    kind = OutcomeUnknown if call.writer else TimedOut
    return CallResult(call, None, kind(why, where=call.endpoint), began, time.time())
