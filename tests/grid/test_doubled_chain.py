"""Each part of a field fails in turn while jobs run and come: the pilots of before are there after, nobody asks for the
removal of one, every job runs to its end once, and two cycles after the part is back nobody complains.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from glideinwms.demo import netns, process
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor
from glideinwms.lib.errors import DemoError
from tests.grid.doubled_chain import POOLS, SCHEDD2, SECOND, DoubledChain
from tests.grid.waiting import wait_for

pytestmark = [pytest.mark.condor, pytest.mark.grid]
# how long a part is away: some cycles, and for one that hangs past the deadline of a question
AWAY = {"kill": 3.0, "hang": 15.0, "cut": 15.0}


@dataclass(frozen=True)
class Part:
    """Something that fails: a daemon of a pool ("wms2 COLLECTOR"), a side, the web server, or hosts
    cut apart. `shut`: schedds that take no jobs meanwhile.
    """

    name: str
    how: str
    shut: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.how} {self.name}"


BOTH = ("", SECOND)
PARTS = [
    *(Part(side, how) for side in ("factory2", "frontend") for how in ("kill", "hang")),
    *(
        Part(f"wms2 {daemon}", how)
        for daemon in ("COLLECTOR", "SCHEDD")
        for how in ("kill", "hang")
    ),
    *(
        Part(f"ce_b {daemon}", how)
        for daemon in ("COLLECTOR", "SCHEDD")
        for how in ("kill", "hang")
    ),
    *(Part("user COLLECTOR", how, BOTH) for how in ("kill", "hang")),
    *(Part("user SCHEDD", how, ("",)) for how in ("kill", "hang")),
    *(Part("user SCHEDD2", how, (SECOND,)) for how in ("kill", "hang")),
    *(Part("web", how) for how in ("kill", "hang")),
]
CUTS = [
    Part("user wms2", "cut"),
    Part("wms2 site", "cut"),
    Part("user site", "cut"),
    Part("user wms", "cut"),
]
FEW = [Part("wms2 COLLECTOR", "hang"), Part("factory2", "kill")]


def pid_of(field: DoubledChain, name: str) -> int:
    """The process of a part."""
    pool, _, daemon = name.partition(" ")
    if pool == "web":
        return int((field.grid.base / "web.pid").read_text())
    if not daemon:
        return field.daemons[pool].pid
    if not daemon.startswith("SCHEDD") or pool != "user":
        return field.grid[pool].pid(daemon)
    for child in process.children(field.grid[pool].pid()):
        words = Path(f"/proc/{child}/cmdline").read_bytes()
        if process.program(child) == "condor_schedd" and (b"SCHEDD2" in words) == (
            daemon == "SCHEDD2"
        ):
            return child
    raise DemoError(f"{daemon} is not running", where=pool)


def hurt(field: DoubledChain, part: Part) -> int:
    """Let it fail; its process."""
    if part.how == "cut":
        assert field.grid.network is not None
        field.grid.network.cut(*part.name.split())
        return 0
    pid = pid_of(field, part.name)
    process.kill(pid, signal.SIGSTOP if part.how == "hang" else signal.SIGKILL)
    return pid


def heal(field: DoubledChain, part: Part, pid: int) -> None:
    """Bring it back, as an operator or its supervisor would."""
    if part.how == "cut":
        assert field.grid.network is not None
        field.grid.network.restore()
    elif part.how == "hang":
        process.kill(pid, signal.SIGCONT)
    elif part.name == "web":
        port = int(field.url.rpartition(":")[2])
        field.grid.ports = {"web": port}
        field.grid.web({f"/{s}/stage": field.home(s) / "stage" for s in field.areas})
    elif part.name in field.daemons:
        field.daemons[part.name].wait()
        field.start(part.name)
        field.wait_cycle(part.name)
    else:
        wait_for(f"the master starts {part.name} again", lambda: _again(field, part.name, pid))


def _again(field: DoubledChain, name: str, old: int) -> bool:
    with suppress(DemoError):
        return pid_of(field, name) != old and bool(answers(field, name))
    return False


def answers(field: DoubledChain, name: str) -> bool:
    """Whether the pool's daemons have all told its collector of themselves."""
    return not field.grid[name.partition(" ")[0]].missing()


def run(field: DoubledChain, part: Part) -> None:
    """One failure, from jobs that flow to no complaint."""
    before = field.pilots()
    assert len(before) >= len(field.served()) == 6, before
    first = len(field.submitted)
    field.wave(seconds=int(AWAY[part.how]) + 5)
    wait_for(
        "jobs of all groups and schedds run", lambda: field.running(field.submitted[first:]), 120
    )
    pid = hurt(field, part)
    field.wave(schedds=[s for s in BOTH if s not in part.shut])
    end = time.monotonic() + AWAY[part.how]
    while time.monotonic() < end:
        assert field.removed() == [], part
        time.sleep(0.5)
    heal(field, part, pid)
    pool = part.name.partition(" ")[0]
    if part.how != "cut" and pool in POOLS:
        wait_for("it has told its collector", lambda: answers(field, part.name), 90)
    field.recovered()
    wait_for(f"the pilots of before {sorted(before)}", lambda: before <= field.pilots(), 60)


def settled(field: DoubledChain) -> None:
    """New jobs run, and the old ones have."""
    field.wave()
    field.all_done()
    assert field.removed() == []


@pytest.fixture
def make_field(
    condor: Condor, run_dir: Path, keep_logs: Callable[[Callable[[Path], None]], None]
) -> Iterator[Callable[[bool], DoubledChain]]:
    """`make_field(netns)`: a field that is up; ended with the test."""
    made: list[DoubledChain] = []

    def make(apart: bool) -> DoubledChain:
        field = DoubledChain(
            Grid(run_dir / "field", condor.prefix, POOLS, options={"user": SCHEDD2}, netns=apart),
            condor,
        )
        made.append(field)
        keep_logs(field.collect_logs)
        field.up()
        field.keep()
        return field

    yield make
    for field in made:
        field.down()


def test_some_parts_fail_in_turn(make_field: Callable[[bool], DoubledChain]) -> None:
    field = make_field(False)
    for part in FEW:
        run(field, part)
    settled(field)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_fails(make_field: Callable[[bool], DoubledChain], part: Part) -> None:
    field = make_field(False)
    run(field, part)
    settled(field)


@pytest.mark.netns
@pytest.mark.parametrize("part", CUTS, ids=str)
def test_hosts_are_cut_apart(make_field: Callable[[bool], DoubledChain], part: Part) -> None:
    if why := netns.why_not():
        pytest.skip(why)
    field = make_field(True)
    run(field, part)
    settled(field)
