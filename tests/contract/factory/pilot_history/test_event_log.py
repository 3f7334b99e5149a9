"""Our reader of event logs against the bindings' `JobEventLog`, event by event."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.factory.pilot_history.event_log import (
    Event,
    EventClock,
    LogPosition,
    parse,
    read_new,
)

htcondor2 = pytest.importorskip("htcondor2", reason="needs the HTCondor bindings")

LEGACY, ISO, UTC, SUB = (
    "%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S.123",
)
BODIES = {
    0: "Job submitted from host: <10.0.0.1:9618?addrs=10.0.0.1-9618&alias=f.example.org&noUDP&sock=schedd_1_a>\n",
    1: "Job executing on host: condor ce.example.org ce.example.org:9619\n    SlotName: \n",
    4: "Job was evicted.\n\t(0) Job was not checkpointed.\n\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Remote Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage\n\t0  -  Run Bytes Sent By Job\n"
    "\t0  -  Run Bytes Received By Job\n",
    5: "Job terminated.\n\t(1) Normal termination (return value 0)\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Remote Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Remote Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage\n\t0  -  Run Bytes Sent By Job\n"
    "\t0  -  Run Bytes Received By Job\n\t0  -  Total Bytes Sent By Job\n\t0  -  Total Bytes Received By Job\n",
    9: "Job was aborted.\n\tvia condor_rm (by user gfactory)\n",
    12: "Job was held.\n\tFailed to start GAHP\n\tCode 0 Subcode 0\n",
    13: "Job was released.\n\tvia condor_release\n",
    27: "Job submitted to grid resource\n    GridResource: condor ce.example.org ce.example.org:9619\n"
    "    GridJobId: condor ce.example.org ce.example.org:9619 7.0\n",
}


def block(code: int, cluster: int, proc: int, when: float, form: str) -> str:
    """One event as a schedd writes it."""
    stamp = time.strftime(form, time.gmtime(when) if form == UTC else time.localtime(when))
    return f"{code:03d} ({cluster:03d}.{proc:03d}.000) {stamp} {BODIES[code]}...\n"


def write(path: Path, n: int, forms: Sequence[str], seed: int = 1) -> None:
    """A log of n random events of the last days."""
    rnd = random.Random(seed)
    now = time.time()
    with path.open("a") as out:
        for i in range(n):
            when = now - 3 * 86400 + i * (3 * 86400 / n)
            out.write(
                block(
                    rnd.choice(list(BODIES)),
                    rnd.randrange(1, 99999),
                    rnd.randrange(20),
                    when,
                    rnd.choice(forms),
                )
            )


def theirs(path: Path) -> list[Event]:
    """What the bindings read."""
    with htcondor2.JobEventLog(str(path)) as found:
        return [(int(e.type), e.cluster, e.proc, float(e.timestamp)) for e in found.events(0)]


def ours(position: LogPosition) -> list[Event]:
    """What is new to us."""
    return [e for part in read_new(position, EventClock(time.time()), 1 << 40) for e in part]


@pytest.mark.parametrize(
    "form", [LEGACY, ISO, UTC, SUB], ids=["legacy", "iso", "utc", "sub-second"]
)
def test_every_event_is_read_as_the_bindings_do(tmp_path: Path, form: str) -> None:
    path = tmp_path / "condor_activity_1_fe.main.log"
    write(path, 3000, [form])
    expected = theirs(path)
    assert len(expected) == 3000
    assert ours(LogPosition(path)) == expected


def test_a_growing_log_with_half_written_events(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.log", tmp_path / "whole.log"
    write(whole, 300, [LEGACY, ISO])
    raw, rnd, position, seen = whole.read_bytes(), random.Random(2), LogPosition(path), []
    cuts = [*sorted(rnd.sample(range(len(raw)), 200)), len(raw)]
    path.touch()
    before = 0
    for cut in cuts:
        with path.open("ab") as out:
            out.write(raw[before:cut])
        before = cut
        seen += ours(position)
    assert seen == theirs(whole)
    assert position.offset == len(raw)


def test_a_rotated_log_is_read_to_its_end_first(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    write(path, 50, [ISO], seed=1)
    position = LogPosition(path)
    first = ours(position)
    write(path, 50, [ISO], seed=2)
    path.rename(tmp_path / "a.log.old")
    write(path, 50, [ISO], seed=3)
    assert first + ours(position) == theirs(tmp_path / "a.log.old") + theirs(path)
    assert ours(position) == []


def test_a_half_written_end_of_a_rotated_log_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    write(path, 5, [ISO], seed=1)
    position = LogPosition(path)
    seen = ours(position)
    write(path, 5, [ISO], seed=2)
    with path.open("a") as out:
        out.write("005 (007.000.000) 2026-11-")
    path.rename(tmp_path / "a.log.old")
    write(path, 5, [ISO], seed=3)
    for _ in range(2):
        seen += ours(position)
    assert len(seen) == 15 and seen[-5:] == theirs(path)


def test_a_log_that_was_cut_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    write(path, 50, [ISO])
    position = LogPosition(path)
    ours(position)
    os.truncate(path, 0)
    write(path, 3, [ISO], seed=9)
    assert ours(position) == theirs(path)


def test_what_is_no_event_is_passed_over() -> None:
    good = block(0, 7, 0, time.time(), ISO)
    data = f"nonsense\n...\n{good}{'x' * 500}\n...\n{good}".encode()
    events, used = parse(data, EventClock(time.time()))
    assert [e[:3] for e in events] == [(0, 7, 0)] * 2 and used == len(data)


def test_a_date_without_a_year_is_never_in_the_future() -> None:
    january = time.mktime((2027, 1, 2, 12, 0, 0, 0, 0, -1))
    [event], _ = parse(
        b"000 (001.000.000) 12/31 23:59:58 Job submitted\n...\n", EventClock(january)
    )
    assert event[3] == time.mktime((2026, 12, 31, 23, 59, 58, 0, 0, -1))


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert ours(LogPosition(tmp_path / "none.log")) == []


@pytest.mark.condor
@pytest.mark.parametrize(
    "options", ["", "ISO_DATE", "ISO_DATE UTC SUB_SECOND"], ids=["default", "iso", "utc"]
)
def test_the_log_of_a_real_schedd(make_grid: Callable[..., Grid], options: str) -> None:
    form = {"DEFAULT_USERLOG_FORMAT_OPTIONS": options} if options else {}
    grid = make_grid(("wms",), options={"wms": form})
    path, text = grid.base / "events.log", grid.base / "jobs.sub"
    text.write_text(
        f"executable = /bin/true\nuniverse = vanilla\nhold = True\nlog = {path}\nqueue 5\n"
    )
    grid.who.own(grid.base)
    who = "factory@wms.demo"
    grid.run(who, "condor_submit", "-terse", str(text))
    grid.run(who, "condor_rm", "-all")
    end, position, seen = time.monotonic() + 60, LogPosition(path), list[Event]()
    while sum(1 for e in seen if e[0] == 9) < 5:
        assert time.monotonic() < end, f"seen {seen}"
        seen += ours(position)
        time.sleep(0.05)
    assert seen == theirs(path)
    assert abs(seen[-1][3] - time.time()) < 120
