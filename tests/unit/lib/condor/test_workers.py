"""The reader pool: each call has its deadline, and nothing a call does reaches another (decision 5)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.lib.condor import htc, worker_process, workers
from glideinwms.lib.condor.calls import Call, CallResult, call
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.errors import CondorError, OutcomeUnknown, StateError, TimedOut
from glideinwms.lib.files import read_text

PING = htc.ping
READ = read_text
DIE = worker_process.die_with_parent


@pytest.fixture
def pool() -> Iterator[ProcessWorkers]:
    with ProcessWorkers() as made:
        yield made


@pytest.fixture
def hang(tmp_path: Path) -> Callable[..., Call]:
    """`hang("endpoint", 2.0)`: a call that never ends (nobody writes to the pipe it reads)."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    return lambda endpoint, deadline, **more: Call(endpoint, READ, {"path": fifo}, deadline, **more)


def ping(endpoint: str, value: Any = None, **more: Any) -> Call:
    return Call(endpoint, PING, {"value": value}, 60.0, **more)


def pids(pool: ProcessWorkers) -> list[int]:
    return [r.process.pid for r in pool._readers if r.process is not None]


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def wait_gone(found: list[int]) -> None:
    end = time.monotonic() + 60
    while left := [p for p in found if not gone(p)]:
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.02)


def errors(answers: list[CallResult]) -> list[type | None]:
    return [None if a.error is None else type(a.error) for a in answers]


def test_values_come_back_in_the_order_of_the_calls(pool: ProcessWorkers) -> None:
    @settings(max_examples=15, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("abcdef"),
                st.one_of(st.none(), st.integers(), st.text()),
                st.booleans(),
            ),
            max_size=12,
        )
    )
    def check(asked: list[tuple[str, Any, bool]]) -> None:
        calls = [ping(endpoint, value, writer=writer) for endpoint, value, writer in asked]
        answers = pool.run(calls)
        assert [a.value for a in answers] == [value for _, value, _ in asked]
        assert [a.call for a in answers] == calls and all(
            a.error is None and a.began <= a.ended for a in answers
        )

    check()
    assert 1 <= len(pids(pool)) <= 2, "two readers; the one for quarantine is not needed"


def test_large_data_crosses_both_ways(pool: ProcessWorkers) -> None:
    text = "x" * 20_000_000
    assert pool.one(ping("a", text)).value == text


def test_errors_cross_as_they_are(pool: ProcessWorkers, tmp_path: Path) -> None:
    missing = pool.one(Call("a", READ, {"path": tmp_path / "no"}))
    assert isinstance(missing.error, StateError) and missing.error.where == str(tmp_path / "no")
    foreign = pool.one(Call("a", os.getcwd))
    assert isinstance(foreign.error, CondorError)
    assert "posix:getcwd is not a function of glideinwms" in str(foreign.error)
    got = pool.one(Call("a", PING, {"nonsense": 1}))
    assert isinstance(got.error, CondorError) and "TypeError" in str(got.error)
    assert not pool.quarantined, "the endpoint is not to blame"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("glideinwms.lib.condor.htc:nothing", "AttributeError"),
        ("glideinwms.nothing:x", "ModuleNotFoundError"),
        ("os:getcwd", "is not a function of glideinwms"),
        ("glideinwmsx.evil:x", "is not a function of glideinwms"),
        ("glideinwms.lib.condor.worker_process:Connection", "is not a function of glideinwms"),
        ("glideinwms.lib.condor.worker_process:os", "is not a function of glideinwms"),
        ("glideinwms.lib.condor.worker_process:READY", "is not a function of glideinwms"),
        ("glideinwms.lib.condor.htc:short", "is not a function of glideinwms"),
    ],
)
def test_a_worker_runs_only_functions_that_glideinwms_defines(name: str, error: str) -> None:
    value, failure = worker_process.answer(name, {})
    assert value is None
    assert isinstance(failure, CondorError)
    assert error in str(failure)
    assert name in str(failure)


def test_no_text_of_an_unexpected_error_crosses() -> None:
    """A library's message may contain a value that it was given."""
    schedd = htc.ScheddAddress("s", "<127.0.0.1:1>")
    args = {"schedd": schedd, "action": "s3cret", "ids": ["1.0"], "reason": "x"}
    _, error = worker_process.answer("glideinwms.lib.condor.htc:act", args)
    assert "unexpected AttributeError at " in str(error)
    assert "s3cret" not in str(error)


def test_a_call_is_checked_where_it_is_built() -> None:
    built = call("a", htc.query_ads, "pool:9618", constraint="x").within(3.0)
    assert built == Call("a", htc.query_ads, {"collector": "pool:9618", "constraint": "x"}, 3.0)
    assert built.name == "glideinwms.lib.condor.htc:query_ads"
    assert not built.writer and built.as_writer().writer
    with pytest.raises(TypeError, match="nonsense"):
        call("a", htc.query_ads, "pool:9618", nonsense=1)
    with pytest.raises(TypeError, match="collector"):
        call("a", htc.query_ads)


def test_the_value_of_a_call_that_failed_cannot_be_used_by_mistake() -> None:
    failed = CallResult(call("a", htc.ping), None, TimedOut("no answer", where="a"), 1.0, 2.0)
    with pytest.raises(TimedOut, match="a: no answer"):
        assert failed.value
    assert failed.value_or([]) == []
    assert CallResult(call("a", htc.ping), 0, None, 1.0, 2.0).value_or(7) == 0


def test_a_value_that_is_no_plain_data_is_an_error_and_the_reader_lives(
    pool: ProcessWorkers,
) -> None:
    before = pool.one(ping("a")) and pids(pool)
    got = pool.one(Call("a", htc._bindings))
    assert isinstance(got.error, CondorError) and "not plain data" in str(got.error)
    assert pool.one(ping("a", 1)).value == 1 and pids(pool) == before


def test_a_call_that_hangs_is_killed_at_its_deadline(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    pool.one(ping("a"))
    before = pids(pool)
    got = pool.one(hang("a", 1.0))
    assert isinstance(got.error, TimedOut) and "a: no answer within 1 s" in str(got.error)
    assert 1.0 <= got.ended - got.began < 20.0 and got.value_or(None) is None
    wait_gone(before)
    assert pool.one(ping("a", 3)).value == 3 and not set(pids(pool)) & set(before)


def test_a_hung_endpoint_delays_no_other_once_it_is_known(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    pool.run([ping(e) for e in "abcd"])
    assert isinstance(pool.one(hang("a", 1.0)).error, TimedOut) and set(pool.quarantined) == {"a"}
    answers = pool.run([hang("a", 5.0), *(ping(e, e) for e in "bcdefgh")])
    assert errors(answers) == [TimedOut] + [None] * 7
    assert max(a.ended for a in answers[1:]) < answers[0].ended - 1.0, (
        "the others did not wait for it"
    )
    assert pool.one(ping("a", 5)).value == 5 and not pool.quarantined, (
        "it answers: out of quarantine"
    )


def test_many_that_hang_cost_a_run_little_and_are_asked_in_turn(hang: Callable[..., Call]) -> None:
    with ProcessWorkers(patience=1.0) as pool:
        calls = [hang(e, 0.6) for e in "abcdef"]
        assert errors(pool.run(calls)) == [TimedOut] * 6 and len(pool.quarantined) == 6
        asked: list[str] = []
        while len(asked) < 6:
            answers = pool.run([*calls, ping("z", 1)])
            assert answers[-1].value == 1 and errors(answers[:-1]) == [TimedOut] * 6
            tried = [a for a in answers[:-1] if a.ended > a.began]
            assert 1 <= len(tried) <= 2, "0.6 s each, or more, until 1 s is lost"
            assert "too many others do not answer" in str(
                next(a for a in answers if a.ended == a.began).error
            )
            asked += [a.call.endpoint for a in tried]
        assert sorted(asked[:6]) == list("abcdef"), "each once before any twice"


def test_deadlines_run_from_when_a_call_is_asked(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    pool.run([ping(e) for e in "ab"])
    others = [Call(e, PING, {"value": e}, 1.0) for e in "cdefgh"]
    answers = pool.run([hang("a", 2.0), hang("b", 2.0), *others])
    assert [a.value_or(None) for a in answers] == [None, None, *"cdefgh"], (
        "waiting is not held against them"
    )


def neighbours() -> list[str]:
    """Endpoints that one reader is there for."""
    pool = ProcessWorkers()
    return [e for e in "abcdefghijk" if pool._place(ping(e)) == pool._place(ping("a"))]


def test_a_free_reader_takes_the_calls_that_wait_for_another(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    a, b, c = neighbours()[:3]
    pool.run([ping(e) for e in "abcd"])
    answers = pool.run([hang(a, 3.0), ping(a, 1), ping(b, 2), ping(c, 3)])
    assert [x.value_or(None) for x in answers] == [None, None, 2, 3]
    assert max(x.ended for x in answers[2:]) < answers[0].ended - 1.0


def test_an_endpoint_is_asked_one_thing_at_a_time(pool: ProcessWorkers, tmp_path: Path) -> None:
    paths = [tmp_path / n for n in ("first", "second")]
    for path in paths:
        os.mkfifo(path)
    answers = pool.begin([Call("a", READ, {"path": p}, 60.0) for p in paths])
    paths[0].write_text("one")
    threading.Thread(target=paths[1].write_text, args=["two"]).start()
    first, second = answers()
    assert (first.value, second.value) == ("one", "two") and second.began >= first.ended


def test_what_changes_something_goes_through_one_reader(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    answers = pool.run(
        [hang("a", 2.0, writer=True), ping("b", 1, writer=True), ping("c", 2, writer=True)]
    )
    assert min(x.began for x in answers[1:]) >= answers[0].ended - 0.1
    assert [x.value_or(None) for x in answers] == [None, 1, 2]


def test_a_cut_off_write_has_an_unknown_outcome(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    got = pool.one(hang("a", 1.0, writer=True))
    assert isinstance(got.error, OutcomeUnknown) and set(pool.quarantined) == {"a"}
    died = pool.one(Call("b", DIE, {"parent": 0}, 60.0, writer=True))
    assert isinstance(died.error, OutcomeUnknown) and "the reader process died" in str(died.error)
    assert pool.one(ping("b", 1, writer=True)).value == 1 and "b" not in pool.quarantined


def test_a_reader_that_dies_is_replaced(pool: ProcessWorkers) -> None:
    got = pool.one(Call("a", DIE, {"parent": 0}, 60.0))
    assert isinstance(got.error, TimedOut) and "the reader process died" in str(got.error)
    assert pool.one(ping("a", 1)).value == 1
    for pid in pids(pool):
        os.kill(pid, signal.SIGKILL)
    wait_gone(pids(pool))
    assert [a.value for a in pool.run([ping(e, e) for e in "abcd"])] == list("abcd"), (
        "killed while idle"
    )


def test_signals_for_the_daemon_do_not_end_its_readers(pool: ProcessWorkers) -> None:
    pool.run([ping(e) for e in "abcd"])
    before = pids(pool)
    for pid in before:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)
    assert [a.value for a in pool.run([ping(e, e) for e in "abcd"])] == list("abcd") and pids(
        pool
    ) == before


def test_closing_ends_every_reader(hang: Callable[..., Call]) -> None:
    with ProcessWorkers() as pool:
        pool.run([*(ping(e) for e in "abcd"), hang("x", 0.5)])
        pool.one(ping("x", 1))
        found = pids(pool)
    assert len(found) >= 2 and pids(pool) == []
    wait_gone(found)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_readers_die_with_their_parent(how: int, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = textwrap.dedent(
        f"""
        import pathlib
        from glideinwms.lib.condor import htc
        from glideinwms.lib.files import read_text
        from glideinwms.lib.condor.calls import Call
        from glideinwms.lib.condor.workers import ProcessWorkers as ProcessWorkers
        pool = ProcessWorkers()
        pool.run([Call(e, htc.ping, {{}}, 60.0) for e in "abcd"])
        print(*[r.process.pid for r in pool._readers if r.process], flush=True)
        pool.one(Call("a", read_text, {{"path": pathlib.Path({str(fifo)!r})}}, 600.0))
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        found = [int(p) for p in parent.stdout.readline().split()]
        assert len(found) == 2 and not any(gone(p) for p in found)
    finally:
        parent.send_signal(how)
        parent.wait()
    wait_gone(found)


def test_the_daemon_itself_never_imports_the_bindings() -> None:
    program = """
import sys
from glideinwms.lib.daemon import loop as cycle; from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call
from glideinwms.lib.condor.workers import ProcessWorkers as ProcessWorkers
with ProcessWorkers() as pool:
    got = pool.one(Call("127.0.0.1:1", htc.query_ads, {"collector": "127.0.0.1:1"}, 60.0))
assert got.error is not None
print([m for m in sys.modules if m.startswith(("htcondor", "classad", "pydantic", "lxml"))])
"""
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_readers_environment_can_be_another(tmp_path: Path) -> None:
    with ProcessWorkers(env={**os.environ, "HOME": str(tmp_path)}) as pool:
        assert pool.one(ping("a")).error is None
        environment = Path(f"/proc/{pids(pool)[0]}/environ").read_bytes().split(b"\0")
    assert f"HOME={tmp_path}".encode() in environment


def test_calls_go_on_while_other_work_is_done(pool: ProcessWorkers, tmp_path: Path) -> None:
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)
    answers = pool.begin([Call("a", READ, {"path": fifo}, 60.0), ping("a", 2)])
    fifo.write_text("read meanwhile")  # waits until a reader has opened it
    assert [a.value for a in answers()] == ["read meanwhile", 2]
    assert [a.value for a in answers()] == ["read meanwhile", 2], "asked twice"


def test_calls_that_nobody_asked_after_do_not_stand_in_the_way(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    forgotten = pool.begin([hang("a", 1.0), *(ping(e, e) for e in "bcd")])
    assert pool.one(ping("a", 5)).value == 5
    assert errors(forgotten()) == [TimedOut, None, None, None] and [
        a.value for a in forgotten()[1:]
    ] == list("bcd")


def test_a_silent_endpoint_costs_one_deadline_a_run(
    pool: ProcessWorkers, hang: Callable[..., Call]
) -> None:
    pool.run([ping(e) for e in "abcd"])
    answers = pool.run([hang("a", 2.0), hang("a", 30.0), ping("a"), ping("b", 7)])
    assert errors(answers) == [TimedOut, TimedOut, TimedOut, None] and answers[3].value == 7
    assert "not asked, since it did not answer just now" in str(answers[1].error)
    assert answers[0].ended - answers[0].began < 20.0 and answers[1].ended == answers[0].ended
    assert pool.one(ping("a", 8)).value == 8


def test_a_reader_is_replaced_after_many_calls_without_a_pause(
    pool: ProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The successor starts beside it and takes over when it is ready; no answer is lost or late
    meanwhile.
    """
    monkeypatch.setattr(workers, "CALLS_BEFORE_RENEWAL", 20)
    calls = [ping("one", k) for k in range(5)]
    first: set[int] = set()
    seen: list[int] = []
    end = time.monotonic() + 60
    while len(set(seen)) < 3:
        assert time.monotonic() < end
        answers = pool.run(calls)
        assert [a.value for a in answers] == list(range(5)) and not any(a.error for a in answers)
        [reader] = [r for r in pool._readers if r.process is not None]
        assert reader.process is not None
        seen.append(reader.process.pid)
        first = first or {reader.process.pid}
    assert seen == sorted(seen, key=seen.index), "one after the other"
    assert seen.count(seen[0]) >= 4, "twenty calls before it is replaced"
    wait_gone(list(first))


def test_a_reader_that_has_grown_is_replaced(
    pool: ProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CALLS_AT_LEAST", 5)
    for _ in range(10):
        pool.run([ping("one")])
    old = pids(pool)
    monkeypatch.setattr(workers, "MAX_RESIDENT_BYTES", 1)
    end = time.monotonic() + 60
    while pids(pool) == old:
        assert time.monotonic() < end and pool.one(ping("one", 7)).value == 7
    wait_gone(old)


def test_a_successor_that_does_not_come_up_costs_nothing(
    pool: ProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CALLS_BEFORE_RENEWAL", 5)
    spawn = workers._Child.spawn
    for _ in range(5):
        pool.run([ping("one")])
    made: list[Any] = []

    def broken(*args: Any) -> Any:
        made.append(spawn(*args))
        made[-1].process.kill()
        return made[-1]

    monkeypatch.setattr(workers._Child, "spawn", broken)
    old, end = pids(pool), time.monotonic() + 60
    while len(made) < 2:  # the next one is tried after as many calls
        assert time.monotonic() < end and pool.one(ping("one", 7)).value == 7
    assert pids(pool) == old


def test_closing_ends_a_successor_that_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CALLS_BEFORE_RENEWAL", 1)
    with ProcessWorkers() as pool:
        pool.run([ping("one")])
        pool.run([ping("one")])
        [reader] = [r for r in pool._readers if r.process is not None]
        found = [c.process.pid for c in (reader.child, reader.successor) if c is not None]
    assert len(found) == 2
    wait_gone(found)


def test_the_size_of_a_process_that_is_gone_is_0() -> None:
    assert workers.resident(os.getpid()) > 10**6 and workers.resident(2**22 + 1) == 0
