"""Errors, files, readings, names, records, status, operator words, audit: the small parts of the kernel."""

from __future__ import annotations

import errno
import gzip
import itertools
import json
import multiprocessing
import os
import pickle
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib import errors, files, run_as_owner
from glideinwms.lib.daemon import audit, operator_commands, records, status
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.errors import GwmsError, StateError, WireError
from glideinwms.lib.wire import names

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, GwmsError)]
TEXT = st.text(max_size=40)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_errors_cross_a_pipe_whole(kind: type[GwmsError]) -> None:
    @given(TEXT, TEXT, TEXT)
    def check(message: str, where: str, hint: str) -> None:
        error = kind(message, where=where, hint=hint)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert type(again) is kind and vars(again) == vars(error) and str(again) == str(error)
        assert all(part in str(error) for part in (message, where, hint))

    check()


def test_the_tree_of_errors_is_drawn_whole() -> None:
    drawn = errors.__doc__ or ""
    assert all(k.__name__ in drawn for k in KINDS)


@given(st.binary(max_size=2000), st.sampled_from([0o600, 0o640, 0o644]))
def test_a_written_file_has_its_content_and_mode(data: bytes, mode: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        old = os.umask(0o077)
        try:
            files.write_atomic(path, data, mode, fsync=True)
        finally:
            os.umask(old)
        assert path.read_bytes() == data and stat.S_IMODE(path.stat().st_mode) == mode
        assert os.listdir(folder) == ["file"]


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fchmod", full)
    with pytest.raises(
        StateError,
        match=r"file: cannot be written: No space left on device; the file system is full",
    ):
        files.write_atomic(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="the directory does not exist"):
        files.write_atomic(tmp_path / "no" / "file", "x")
    with pytest.raises(StateError, match="cannot be appended to"):
        files.append_line(tmp_path / "no" / "file", "x")
    with pytest.raises(StateError, match="cannot be read: No such file"):
        files.read_text(tmp_path / "no")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(StateError, match="cannot be read"):
        files.read_text(tmp_path / "binary")


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(StateError):
        files.append_line(tmp_path / "link", "x")
    with pytest.raises(StateError, match="cannot be locked"), files.locked(tmp_path / "link", "me"):
        pass
    files.write_atomic(tmp_path / "link", "new")
    assert target.read_text() == "mine" and not (tmp_path / "link").is_symlink()


def test_lines_of_many_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "lines"

    def write(n: int) -> None:
        for _ in range(100):
            files.append_line(path, f"{n}" * 500 + "\n")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 500 and all(len(line) == 500 and len(set(line)) == 1 for line in lines)


def _hold(path: str, ready: Any, done: Any) -> None:
    with files.locked(Path(path), "the other one"):
        ready.set()
        done.wait(60)


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "lock"
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    child = spawn.Process(target=_hold, args=(str(path), ready, done))
    child.start()
    try:
        assert ready.wait(60)
        with (
            pytest.raises(StateError, match=f"is held by the other one, pid {child.pid}"),
            files.locked(path, "me"),
        ):
            pass
    finally:
        child.kill()
        child.join()
    with files.locked(path, "me"):
        assert path.read_text() == f"me, pid {os.getpid()}"


def test_a_reading_holds_its_last_good_value() -> None:
    new = Reading[int]("s", 60.0)
    assert not new.known(0) and new.age(0) == float("inf") and not new.held()
    good = new.fresh(5, 100.0)
    assert good.known(10_000) and good.age(130) == 30 and not good.held(), (
        "this cycle's answer has no maximum age"
    )
    failed = good.failed("down")
    assert failed.value == 5 and failed.taken_at == 100 and failed.held()
    assert failed.known(160) and not failed.known(160.1)
    assert failed.fresh(0, 170.0).known(170) and not new.failed("down").held()


@given(st.lists(st.one_of(st.none(), st.integers()), max_size=20), st.floats(0, 100))
def test_a_reading_is_its_last_good_answer_whatever_came_between(
    answers: list[int | None], max_age: float
) -> None:
    reading = Reading[int]("s", max_age)
    for when, answer in enumerate(answers):
        reading = reading.failed("no") if answer is None else reading.fresh(answer, float(when))
    good = [(n, a) for n, a in enumerate(answers) if a is not None]
    assert reading.value == (good[-1][1] if good else None)
    now = float(len(answers))
    if good:
        assert reading.age(now) == now - good[-1][0]
        assert reading.known(now) == (answers[-1] is not None or reading.age(now) <= max_age)


@pytest.mark.parametrize("name", ["a", "E.1-x_y", "GVF6RG5O_e@i@f@fe.main", "..."])
def test_names_that_are_safe(name: str) -> None:
    assert names.is_safe(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "a\n", "\n", "a\0", "é", "$(x)", "a;b", "a'b", "a\r"]
)
def test_names_that_are_not(name: str) -> None:
    assert not names.is_safe(name)


@given(st.text(min_size=1))
def test_a_safe_name_is_one_file_of_its_directory(name: str) -> None:
    if names.is_safe(name):
        assert (
            (Path("/base") / name).parent == Path("/base") and name.isprintable() and name.isascii()
        )
    assert (
        names.is_safe(names.file_safe(name))
        or names.file_safe(name) in (".", "..")
        or name[0] == "-"
    )


@given(st.text("abc.-_1", min_size=1), st.text("abc", min_size=1), st.text("abc", min_size=1))
def test_request_names(entry: str, glidein: str, factory: str) -> None:
    name = names.RequestName.parse(f"{entry}@{glidein}@{factory}")
    assert (
        name == names.RequestName(entry, glidein, factory)
        and str(name) == f"{entry}@{glidein}@{factory}"
    )
    assert name.global_id == f"{glidein}@{factory}"


@pytest.mark.parametrize("text", ["", "a", "a@b", "a@b@", "@b@c", "a@@c", "a@b@c@d"])
def test_request_names_that_are_none(text: str) -> None:
    with pytest.raises(WireError, match="is not <entry>@<instance>@<factory>"):
        names.RequestName.parse(text)


@dataclass(frozen=True)
class Thing:
    n: int
    text: str


def test_the_ring_keeps_the_newest(tmp_path: Path) -> None:
    ring = records.Ring(tmp_path / "cycles", cycles=3)
    assert ring.next_number() == 1
    for number in range(1, 6):
        ring.append(number, {"cycle": number, "thing": Thing(number, "x"), "set": {3, 1}})
    assert [p.name for p in ring.paths()] == [f"{n:08d}.json.gz" for n in (3, 4, 5)]
    assert records.Ring(tmp_path / "cycles").next_number() == 6
    assert records.newest(tmp_path / "cycles") == {
        "cycle": 5,
        "thing": {"n": 5, "text": "x"},
        "set": [1, 3],
    }
    assert stat.S_IMODE(ring.paths()[0].stat().st_mode) == 0o640


def test_the_ring_keeps_within_its_size_but_never_drops_the_last(tmp_path: Path) -> None:
    ring = records.Ring(tmp_path, size=3000)
    for number in range(1, 8):
        ring.append(number, os.urandom(600).hex())
    assert 1 < len(ring.paths()) < 7 and sum(p.stat().st_size for p in ring.paths()) <= 3000
    ring.append(8, os.urandom(9000).hex())
    assert [p.name for p in ring.paths()] == ["00000008.json.gz"]


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no cycle has been recorded"):
        records.newest(tmp_path)
    for content in (b"no gzip", gzip.compress(b"no json"), gzip.compress(b'{"a": 1}')[:-9]):
        (tmp_path / "00000001.json.gz").write_bytes(content)
        with pytest.raises(StateError, match=r"00000001\.json\.gz: (cannot be read|is not JSON)"):
            records.newest(tmp_path)
    (tmp_path / "note.txt").write_text("not ours")
    assert len(records.Ring(tmp_path).paths()) == 1


def a_status(**more: Any) -> status.Status:
    usual: dict[str, Any] = dict(
        schema=1,
        daemon="factory",
        pid=os.getpid(),
        generation="g",
        cycle=3,
        started=1.0,
        cycle_began=2.0,
        cycle_ended=3.0,
        cpu_s=0.1,
        loop_delay=60.0,
        readings=(status.ReadingStatus("s", 1.5), status.ReadingStatus("t", None, "x")),
        summary={"n": 1},
    )
    return status.Status(**{**usual, **more})


def test_a_status_is_read_back_and_a_newer_ones_fields_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    status.write(path, a_status())
    assert status.read(path) == a_status() and status.running(path), "no lock file: by its pid"
    with files.locked(tmp_path / status.LOCK, "toy"):
        status.write(path, a_status(pid=2**30))
        assert status.running(path) and status.pid(path) == os.getpid(), "the file is another's"
        status.write(path, a_status())
    assert (
        status.pid(path) == 0
        and not status.running(path)
        and not status.running(tmp_path / "none" / "status.json")
    )
    path.write_text(json.dumps({**json.loads(path.read_text()), "news": 1}))
    assert status.read(path) == a_status()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no status yet"),
        ("{", "is not JSON"),
        ("{}", "missing field"),
        ("3", "expected an object"),
    ],
)
def test_a_status_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StateError, match=words):
        status.read(path)


def test_words_are_heard_in_order_and_answered(tmp_path: Path) -> None:
    ids = [operator_commands.put(tmp_path, "approve", {"id": str(n)}) for n in range(3)]
    for age, word_id in zip((3, 2, 1), ids, strict=True):
        when = 1_000_000 - age
        os.utime(tmp_path / f"{word_id}.json", (when, when))
    heard: list[str] = []

    def handle(word: operator_commands.OperatorCommand) -> str:
        heard.append(word.args["id"])
        if word.args["id"] == "1":
            operator_commands.unhandled(word)
        return f"done {word.args['id']}"

    done = operator_commands.consume(tmp_path, handle)
    assert heard == ["0", "1", "2"] and [a.ok for _, a in done] == [True, False, True]
    assert operator_commands.consume(tmp_path, handle) == []
    answers = [operator_commands.wait_answer(tmp_path, i, 5) for i in ids]
    assert [a.text for a in answers] == ["done 0", "unknown verb 'approve'", "done 2"]
    assert list(tmp_path.iterdir()) == []


def test_who_spoke_is_the_owner_of_the_file(tmp_path: Path) -> None:
    word_id = operator_commands.put(tmp_path, "approve", {})
    path = tmp_path / f"{word_id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "who": "the boss"}))
    me = run_as_owner.name_of(os.getuid())
    assert [w.who for w, _ in operator_commands.consume(tmp_path, lambda w: "")] == [
        f"{me} (for the boss)"
    ]
    secret = tmp_path / "secret"
    secret.write_text('{"id": "s3cret", "verb": "v", "args": {}, "who": "w", "time": 1}')
    (tmp_path / "link.json").symlink_to(secret)
    assert operator_commands.consume(tmp_path, lambda w: "") == [] and secret.exists()
    assert not operator_commands.wait_answer(tmp_path, "link", 5).ok
    assert run_as_owner.name_of(2**31 - 7) == f"uid {2**31 - 7}"


def test_there_must_be_a_box_for_words(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has the daemon run here"):
        operator_commands.put(tmp_path / "none", "v", {})
    old = os.umask(0o077)
    try:
        operator_commands.open_box(tmp_path / "state" / "requests")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "state" / "requests").stat().st_mode) == 0o770
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be used"):
        operator_commands.open_box(tmp_path / "file" / "requests")


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can leave a word for a daemon of another user"
)
def test_roots_word_is_heard_by_an_ordinary_daemon() -> None:
    box = Path(tempfile.mkdtemp(prefix="gwms-box"))
    try:
        operator_commands.open_box(box)
        os.chown(box, 65534, 65534)
        word_id = operator_commands.put(box, "v", {"a": "b"})
        program = (
            "import os, sys; from pathlib import Path; from glideinwms.lib.daemon import operator_commands as operator;"
            "os.setuid(65534);"
            "print([w.who for w, _ in operator.consume(Path(sys.argv[1]), lambda w: w.args['a'])])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(box)], text=True, capture_output=True
        )
        assert done.stdout.strip() == "['root']", done.stderr
        assert operator_commands.wait_answer(box, word_id, 5) == operator_commands.CommandAnswer(
            True, "b"
        ) and not list(box.iterdir())
    finally:
        shutil.rmtree(box)


def test_a_look_at_a_lock_keeps_nobody_out(tmp_path: Path) -> None:
    looks = threading.Event()

    def look() -> None:
        while not looks.is_set():
            files.held(tmp_path / "lock")
            time.sleep(0.002)

    (tmp_path / "lock").touch()
    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(200):
            with files.locked(tmp_path / "lock", "me"):
                assert files.held(tmp_path / "lock")
    finally:
        looks.set()
        thread.join()


def test_a_word_that_makes_the_daemon_fail_is_heard_once(tmp_path: Path) -> None:
    word_id = operator_commands.put(tmp_path, "approve", {})

    def broken(_: operator_commands.OperatorCommand) -> str:
        raise RuntimeError("a bug")

    assert [answer.ok for _, answer in operator_commands.consume(tmp_path, broken)] == [False]
    assert operator_commands.consume(tmp_path, broken) == []
    answer = operator_commands.wait_answer(tmp_path, word_id, 5)
    assert not answer.ok and "see its log" in answer.text


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"id": 1}',
        '{"id": "x", "verb": "v", "args": {"a": 1}, "who": "w", "time": 1}',
        "\xff",
    ],
)
def test_an_unreadable_word_is_answered_and_dropped(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_bytes(content.encode("latin-1"))
    good = operator_commands.put(tmp_path, "v", {})
    assert [w.id for w, _ in operator_commands.consume(tmp_path, lambda w: "ok")] == [good]
    answer = operator_commands.wait_answer(tmp_path, "bad", 5)
    assert not answer.ok and "unreadable request" in answer.text


def test_no_answer_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"no answer within 0\.2 s.*is the daemon running\?"):
        operator_commands.wait_answer(tmp_path, "x", 0.2)
    assert operator_commands.consume(tmp_path / "none", lambda w: "") == []


def test_the_audit_trail(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    ticks = itertools.count(100)
    trail = audit.Audit(path, lambda: float(next(ticks)))
    trail.line("submit", entry="a", n=3, reasons=("x",), thing=Thing(1, "line\nbreak"))
    trail.line("remove", entry="a", ids=["1.0"])
    trail.line("submit", entry="b", n=1)
    assert len(path.read_text().splitlines()) == 3
    assert [r["time"] for r in audit.read(path)] == [100.0, 101.0, 102.0]
    assert [r["entry"] for r in audit.read(path, act="submit")] == ["a", "b"]
    assert next(audit.read(path, act="submit", entry="a"))["thing"] == {
        "n": 1,
        "text": "line\nbreak",
    }
    assert list(audit.read(tmp_path / "none")) == []


def test_a_broken_line_of_the_trail_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = audit.Audit(path, lambda: 100.0)
    for n, broken in enumerate((b'{"time": 1', b"\0\0\xff", b"3", b'{"act": "x"}', b"")):
        trail.line("submit", entry="a", n=n)
        path.write_bytes(path.read_bytes() + broken + b"\n" * bool(broken))
    found = list(audit.read(path, entry="a"))
    assert [r["n"] for r in found if r["act"] == "submit"] == [0, 1, 2, 3, 4]
    wrong = [r for r in found if r["act"] == "unreadable"]
    assert [(r["time"], r["where"]) for r in wrong] == [
        (100.0, f"{path}:{n}") for n in (2, 4, 6, 8)
    ]


def test_a_line_without_room_is_taken_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    files.append_line(path, "one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(StateError, match="cannot be appended to"):
            files.append_line(path, "a line that is longer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    files.append_line(path, "two")
    assert path.read_text() == "one\ntwo\n"


def test_old_days_of_the_trail_are_put_aside_and_dropped(tmp_path: Path) -> None:
    path, now = tmp_path / "audit.jsonl", 1_800_000_000.0
    day = 86400.0
    for age in (40, 2, 0):
        audit.Audit(path, lambda age=age: now - age * day).line("submit", n=age)  # type: ignore[misc]
        os.utime(path, (now - age * day,) * 2)
        if age:
            audit.rotate(path, now - age * day + day, 31)
    audit.rotate(path, now, 31)
    assert [r["n"] for r in audit.read(path)] == [2, 0]
    assert len(list(tmp_path.iterdir())) == 2
