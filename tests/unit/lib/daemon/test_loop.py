"""The machine both daemons are: cycles, signals, reloads, failures, and what it tells (decision
18).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from glideinwms.lib.daemon import heartbeat, loop, operator_commands, records, status, storage
from glideinwms.lib.daemon.loop import CycleRecord, Flags
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.testing import FakeClock

STEPS = ["prepare", "collect", "decide", "apply"]


@dataclass(frozen=True)
class Policy:
    generation: str = "g1"
    loop_delay: float = 0.01


@dataclass
class Toy:
    """A daemon that counts, and fails where it is told to."""

    clock: FakeClock = field(default_factory=FakeClock)
    fail: dict[str, Exception] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    done: list[str] = field(default_factory=list)
    between: Callable[[str], None] = lambda step: None
    places: list[storage.Directory] = field(default_factory=list)
    name: str = "toy"

    def _step(self, step: str) -> None:
        self.done.append(step)
        self.between(step)
        if step in self.fail:
            raise self.fail[step]

    def load(self) -> Policy:
        if "load" in self.fail:
            raise self.fail["load"]
        return self.policy

    def prepare(self, policy: Policy, now: float) -> None:
        self._step("prepare")

    def collect(self, policy: Policy, now: float) -> dict[str, Any]:
        self._step("collect")
        self.clock.advance(2)
        return {"now": now, "reading": Reading("s", 60.0, 5, now)}

    def decide(
        self, snapshot: dict[str, Any], policy: Policy, now: float, rng: random.Random
    ) -> dict[str, Any]:
        self._step("decide")
        return {"draw": rng.random(), "now": now}

    def apply(self, plan: dict[str, Any], policy: Policy, now: float) -> str:
        self._step("apply")
        return "applied"

    def summary(
        self, snapshot: dict[str, Any], plan: dict[str, Any], report: str
    ) -> dict[str, Any]:
        return {"report": report}

    def readings(self, snapshot: dict[str, Any]) -> list[Reading[Any]]:
        return [snapshot["reading"], Reading("never", 1.0).failed("down")]

    def handle(self, word: operator_commands.OperatorCommand, policy: Policy) -> str:
        self._step("handle")
        return f"{word.verb} under {policy.generation}"

    def directories(self, policy: Policy) -> list[storage.Directory]:
        return self.places

    def failed_writes(self) -> list[str]:
        return []

    def stop(self, policy: Policy) -> None:
        self._step("stop")


def machine(toy: Toy, work: Path, seed: int = 7) -> CycleRecord[Any, Any, Any, Any]:
    return CycleRecord(toy, work, clock=toy.clock, seed=lambda: seed)


def seen(work: Path) -> status.Status:
    return status.read(work / "state" / "status.json")


def test_one_cycle_is_recorded_and_told(tmp_path: Path) -> None:
    toy = Toy()
    began = toy.clock()
    running = machine(toy, tmp_path)
    word = operator_commands.put(tmp_path / "state" / "requests", "approve", {"id": "x"})
    assert running.once()
    assert toy.done == ["handle", "prepare", "collect", "decide", "apply"]
    told = seen(tmp_path)
    assert (told.daemon, told.pid, told.generation, told.cycle) == ("toy", os.getpid(), "g1", 1)
    assert (told.started, told.cycle_began, told.cycle_ended) == (began, began, began + 2)
    assert told.readings == (
        status.ReadingStatus("s", 2.0),
        status.ReadingStatus("never", None, "down"),
    )
    assert told.summary == {"report": "applied"} and told.error == told.policy_error == ""
    assert told.took == {
        "words": 0,
        "prepare": 0,
        "collect": 2,
        "decide": 0,
        "apply": 0,
        "record": 0,
    }
    record = records.newest(tmp_path / "state" / "cycles")
    assert (
        record["plan"] == {"draw": random.Random(7).random(), "now": began} and record["seed"] == 7
    )
    assert record["snapshot"]["reading"]["value"] == 5 and record["report"] == "applied"
    assert (
        record["words"][0]["verb"] == "approve"
        and record["generation"] == "g1"
        and record["cycle"] == 1
    )
    assert (
        operator_commands.wait_answer(tmp_path / "state" / "requests", word, 1).text
        == "approve under g1"
    )


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    first = machine(Toy(), tmp_path)
    first.once()
    first.once()
    again = machine(Toy(), tmp_path)
    again.once()
    assert seen(tmp_path).cycle == 3


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "failure", [StateError("is broken", where="/x"), RuntimeError("a bug"), ZeroDivisionError()]
)
def test_a_cycle_that_fails_does_not_end_the_daemon(
    tmp_path: Path, step: str, failure: Exception
) -> None:
    toy = Toy(fail={step: failure})
    running = machine(toy, tmp_path)
    assert not running.once()
    told = seen(tmp_path)
    expected = str(failure) if isinstance(failure, StateError) else type(failure).__name__
    assert expected in told.error and told.cycle == 1 and told.summary == {}
    assert list(told.took) == ["words", *STEPS[: STEPS.index(step) + 1]]
    assert not list((tmp_path / "state" / "cycles").iterdir())
    assert toy.done == STEPS[: STEPS.index(step) + 1], "nothing is done after what failed"
    toy.fail.clear()
    assert running.once() and seen(tmp_path).error == "" and seen(tmp_path).cycle == 2


@pytest.mark.parametrize("step", STEPS)
def test_no_text_of_an_unexpected_error_reaches_the_status_or_the_log(
    tmp_path: Path, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library's message may contain a value that it was given."""
    failure = ValueError("cannot parse 's3cret'")
    failure.__cause__ = KeyError("s3cret")
    assert not machine(Toy(fail={step: failure}), tmp_path).once()
    logged = capsys.readouterr()
    assert seen(tmp_path).error.startswith("unexpected ValueError at test_loop.py:")
    for place in ("ValueError", "KeyError", "test_loop.py:"):
        assert place in logged.out + logged.err
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert "s3cret" not in "".join([*files, logged.out, logged.err])


def test_a_command_that_fails_costs_that_command_only(tmp_path: Path) -> None:
    """The cycle goes on; the operator gets an answer that names the type of the error only."""
    toy = Toy(fail={"handle": RuntimeError("a bug near s3cret")})
    running = machine(toy, tmp_path)
    inbox = tmp_path / "state" / "requests"
    command = operator_commands.put(inbox, "v", {})
    assert running.once()
    assert toy.done == ["handle", *STEPS]
    answer = operator_commands.wait_answer(inbox, command, 0.5)
    assert not answer.ok
    assert "RuntimeError" in answer.text
    assert "s3cret" not in answer.text


def test_a_record_that_cannot_be_written_is_a_problem_and_no_failed_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = machine(Toy(), tmp_path)

    def full(*_: object, **__: object) -> None:
        raise StateError("cannot be written: No space left on device", where="/state")

    with monkeypatch.context() as patch:
        patch.setattr(running.ring, "append", full)
        assert running.once()
    told = seen(tmp_path)
    assert told.error == "" and told.summary == {"report": "applied"}
    assert told.problems == ("/state: cannot be written: No space left on device",)
    assert running.once() and seen(tmp_path).problems == ()


def test_a_status_that_cannot_be_written_is_said_by_the_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = machine(Toy(), tmp_path)
    running.once()

    def full(*_: object, **__: object) -> None:
        raise StateError("cannot be written: No space left on device", where="/state/status.json")

    with monkeypatch.context() as patch:
        patch.setattr(loop.status, "write", full)
        assert not running.once()
    beat = heartbeat.read(tmp_path / "state")
    assert beat is not None and (beat.cycle, beat.step) == (2, "sleep")
    assert beat.problems == ("/state/status.json: cannot be written: No space left on device",)
    assert seen(tmp_path).cycle == 1
    assert running.once() and seen(tmp_path).problems == ()


def test_the_heartbeat_names_the_step(tmp_path: Path) -> None:
    toy, steps = Toy(), []

    def between(step: str) -> None:
        beat = heartbeat.read(tmp_path / "state")
        assert beat is not None
        steps.append((beat.step, beat.cycle, beat.pid, beat.time))

    toy.between = between
    began = toy.clock()
    machine(toy, tmp_path).once()
    assert steps == [
        (s, 1, os.getpid(), began + 2 * (n > STEPS.index("collect"))) for n, s in enumerate(STEPS)
    ]


def test_directories_that_cannot_be_written_are_named_with_what_stops(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    running = machine(
        Toy(places=[storage.Directory(tmp_path / "file/x", "no pilot is submitted")]), tmp_path
    )
    assert running.once()
    assert seen(tmp_path).problems == (
        f"{tmp_path}/file/x cannot be used: Not a directory: no pilot is submitted",
    )


def test_a_broken_policy_keeps_the_old_one(tmp_path: Path) -> None:
    toy = Toy()
    running = machine(toy, tmp_path)
    toy.fail["load"] = ConfigError("is wrong", where="policy.json:3")
    running.reload()
    running.once()
    assert (
        seen(tmp_path).generation == "g1"
        and seen(tmp_path).policy_error == "policy.json:3: is wrong"
    )
    toy.fail.clear()
    toy.policy = Policy("g2")
    running.reload()
    running.once()
    assert seen(tmp_path).generation == "g2" and seen(tmp_path).policy_error == ""


def test_a_daemon_without_a_policy_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        machine(Toy(fail={"load": ConfigError("none")}), tmp_path)


def test_a_stop_finishes_the_cycle_and_withdraws(tmp_path: Path) -> None:
    toy, flags = Toy(), Flags()
    toy.between = lambda step: (
        flags.on_stop() if step == "collect" and toy.done.count("collect") == 3 else None
    )
    machine(toy, tmp_path).loop(flags)
    assert toy.done == ["prepare", "collect", "decide", "apply"] * 3 + ["stop"]


def test_a_withdrawal_that_fails_is_no_crash(tmp_path: Path) -> None:
    toy, flags = Toy(fail={"stop": StateError("collector is down")}), Flags()
    flags.on_stop()
    machine(toy, tmp_path).loop(flags)
    assert toy.done == ["stop"]


def test_a_reload_takes_place_between_cycles(tmp_path: Path) -> None:
    toy, flags = Toy(policy=Policy("g1", 600.0)), Flags()
    seen_generations: list[str] = []

    def between(step: str) -> None:
        n = toy.done.count("collect")
        if step == "collect" and n == 1:
            toy.policy = Policy("g2", 600.0)
            flags.on_reload()
        if step == "apply":
            seen_generations.append(running.policy.generation)
        if step == "collect" and n == 2:
            flags.on_stop()

    toy.between = between
    running = machine(toy, tmp_path)
    began = time.monotonic()
    running.loop(flags)
    assert seen_generations == ["g1", "g2"] and time.monotonic() - began < 300, (
        "the sleep of 600 s is cut short"
    )


def test_sleep_ends_at_a_signal_and_old_signals_do_not_shorten_the_next() -> None:
    flags = Flags()
    for _ in range(3):
        flags.on_reload()
    flags.reload = False
    began = time.monotonic()
    flags.sleep(0.3)
    assert time.monotonic() - began >= 0.29
    flags.on_stop()
    began = time.monotonic()
    flags.sleep(600)
    flags.sleep(-1)
    assert time.monotonic() - began < 300


class Systemd:
    """Collects what a daemon tells systemd."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + path[1:] if path.startswith("@") else path)
        self.told: list[str] = []

    def wait(self, text: str) -> None:
        """Until it has said so."""
        end = time.monotonic() + 300
        while not any(text in t for t in self.told):
            ready, _, _ = select.select([self.sock], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text} was not told; {self.told}"
            self.told.append(self.sock.recv(1000).decode())

    def drain(self) -> list[str]:
        while select.select([self.sock], [], [], 0)[0]:
            self.told.append(self.sock.recv(1000).decode())
        return self.told


@pytest.fixture(params=["path", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Systemd]:
    address = f"@gwms-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "n")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    found = Systemd(address)
    yield found
    found.sock.close()


def test_systemd_is_told(systemd: Systemd, tmp_path: Path) -> None:
    toy, flags = Toy(), Flags()

    def between(step: str) -> None:
        if step == "collect" and toy.done.count("collect") == 1:
            flags.on_reload()
        elif step == "collect":
            flags.on_stop()

    toy.between = between
    machine(toy, tmp_path).loop(flags)
    told = [t.split("\n")[0] for t in systemd.drain()]
    assert told == ["READY=1", "WATCHDOG=1", "RELOADING=1", "READY=1", "WATCHDOG=1", "STOPPING=1"]
    assert any(t.startswith("RELOADING=1\nMONOTONIC_USEC=") for t in systemd.told)


def test_no_systemd_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    loop.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    loop.notify("READY=1")


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.unit.lib.daemon.test_loop import Policy, Toy
from glideinwms.lib.daemon import loop as cycle
from glideinwms.lib.errors import ConfigError, GwmsError

work = Path(sys.argv[1])

class Daemon(Toy):
    def load(self):
        text = (work / "policy").read_text()
        if text == "broken":
            raise ConfigError("is broken", where="policy")
        return Policy(text, 0.05)

    def stop(self, policy):
        (work / "withdrawn").write_text(policy.generation)

try:
    sys.exit(cycle.run(Daemon(), work, once=len(sys.argv) > 2))
except GwmsError as error:
    sys.exit(str(error))
"""


@contextlib.contextmanager
def process(work: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    program = PROGRAM.format(tests=str(Path(__file__).parents[4]))
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(work), *more], text=True, stderr=subprocess.PIPE
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def wait_status(work: Path, ok: Callable[[status.Status], bool]) -> status.Status:
    end = time.monotonic() + 300
    last: status.Status | None = None
    while time.monotonic() < end:
        with contextlib.suppress(StateError):
            last = seen(work)
            if ok(last):
                return last
        time.sleep(0.02)
    raise AssertionError(f"not within 300 s: {last}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_real_process_lives_and_ends_by_signals(tmp_path: Path, number: int) -> None:
    (tmp_path / "policy").write_text("g1")
    with process(tmp_path) as daemon:
        wait_status(tmp_path, lambda s: s.cycle >= 2 and s.generation == "g1")
        with process(tmp_path) as second:
            assert second.wait(300) == 1 and second.stderr is not None
            assert f"is held by toy, pid {daemon.pid}" in second.stderr.read()
        (tmp_path / "policy").write_text("broken")
        daemon.send_signal(signal.SIGHUP)
        told = wait_status(tmp_path, lambda s: s.policy_error != "")
        assert told.generation == "g1" and told.policy_error == "policy: is broken"
        (tmp_path / "policy").write_text("g2")
        daemon.send_signal(signal.SIGHUP)
        wait_status(tmp_path, lambda s: s.generation == "g2" and not s.policy_error)
        assert status.running(tmp_path / "state/status.json")
        daemon.send_signal(number)
        assert daemon.wait(300) == 0
    assert (tmp_path / "withdrawn").read_text() == "g2" and not status.running(
        tmp_path / "state/status.json"
    )
    record = json.loads(json.dumps(records.newest(tmp_path / "state" / "cycles")))
    assert record["generation"] == "g2"


def test_one_cycle_alone(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("g1")
    with process(tmp_path, "once") as daemon:
        assert daemon.wait(300) == 0
    assert seen(tmp_path).cycle == 1 and not (tmp_path / "withdrawn").exists()
