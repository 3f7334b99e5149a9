"""Three groups, two schedds, two WMS pools with a Factory each; each part is killed, hung and cut in turn while jobs
wait. No request drops, nothing is asked to be removed; two cycles after its return all is as before.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glideinwms.demo import process
from glideinwms.demo.grid import Grid
from glideinwms.frontend.policy import GroupLimits, RemovalPolicy
from glideinwms.lib.errors import DemoError
from tests.grid.doubled_chain import SCHEDD2, SECOND
from tests.grid.frontend.grid_frontend import GridFrontend
from tests.grid.waiting import wait_for

pytestmark = [pytest.mark.condor, pytest.mark.grid]
# slots that nobody renews stay for the test's length
USER = {**SCHEDD2, "CLASSAD_LIFETIME": "900"}
EAGER = GroupLimits(removal=RemovalPolicy("ALL", 0, True, 0))
GROUPS = ("main", "other", "third")
Requests = dict[str, tuple[int, int, str]]


@dataclass
class Field:
    """The Frontend at work, and what it asked for while all was well."""

    rig: GridFrontend
    before: Requests

    def now(self) -> Requests:
        return self.rig.requests("wms", "wms2")

    def tell(self) -> None:
        """Factories and pilots that went on all the time tell a collector that came back."""
        self.rig.serve("A", "B")
        self.rig.serve("C", pool="wms2")
        for group in GROUPS:
            self.rig.pilots("A", 6, group=group)

    def steady(self) -> None:
        """No request is lower than before, and none removes."""
        for name, request in self.now().items():
            assert request[:2] >= self.before[name][:2] and request[2] == "NO", name

    def recovered(self) -> None:
        """Two cycles from now everything is as it was."""
        self.rig.after(2)
        wait_for("the old requests", lambda: self.now() == self.before or None, 15)


@pytest.fixture
def field(
    make_grid: Callable[..., Grid],
    run_dir: Path,
    keep_logs: Callable[[Callable[[Path], None]], None],
) -> Iterator[Field]:
    options = {
        "user": USER,
        "wms": {"CLASSAD_LIFETIME": "900"},
        "wms2": {"CLASSAD_LIFETIME": "900"},
    }
    grid = make_grid(("user", "wms", "wms2"), options=options, up=False)
    (grid["user"].home / "spool2").mkdir()
    grid.who.own(grid["user"].home)
    grid.up()
    rig = GridFrontend(grid, run_dir / "frontend")
    keep_logs(rig.collect_logs)
    schedds = (grid["user"].schedd, SECOND)
    rig.write(groups=tuple(rig.group(g, schedds=schedds, limits=EAGER) for g in GROUPS))
    for n, group in enumerate(GROUPS):
        rig.submit(20 + n, wants=group)
        wait_for("the second schedd", lambda g=group: submitted(rig, g))  # type: ignore[misc]
    made = Field(rig, {})
    made.tell()
    rig.start()
    try:
        wait_for("the first cycle", lambda: rig.seen().get("groups"), 60)
        wait_for(
            "all jobs and slots",
            lambda: (
                [
                    (g["jobs"]["idle"], g["slots"]["total"], g["held"])
                    for g in rig.seen()["groups"].values()
                ]
                == [(93, 6, [])] * 3
            ),
        )
        rig.after(2)
        made.before = made.now()
        assert len(made.before) == 9 and {r[2] for r in made.before.values()} == {"ALL"}
        yield made
    finally:
        rig.stop()


def submitted(rig: GridFrontend, group: str) -> str:
    try:
        return rig.submit(10, wants=group, schedd=SECOND)
    except DemoError:
        return ""


def second_pid(grid: Grid) -> int:
    """The second schedd's process: the newest condor_schedd below the master with its local name."""
    for child in process.children(grid["user"].pid()):
        with suppress(OSError):  # it has just ended
            if b"SCHEDD2" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
    raise AssertionError("the second schedd does not run")


def held(rig: GridFrontend) -> Any:
    return [h for g in rig.seen()["groups"].values() for h in (*g["held"], *g["frozen"])]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_schedd(field: Field, how: str) -> None:
    grid = field.rig.grid
    pid = second_pid(grid)
    process.kill(pid, signal.SIGSTOP)
    if how == "hang":
        wait_for("it is noticed", lambda: any("second" in h for h in held(field.rig)), 200)
        field.rig.after(1)
        field.steady()
        process.kill(pid, signal.SIGCONT)
    else:
        process.kill(pid, signal.SIGKILL)
        wait_for("the master starts another", lambda: another(grid, pid), 60)
        for _ in range(3):
            field.rig.after(1)
            for name, request in field.now().items():
                assert request[:2] >= field.before[name][:2], name
    wait_for("it answers again", lambda: not held(field.rig), 120)
    field.recovered()


def answers(rig: GridFrontend) -> bool:
    """Whether both collectors that are hurt here let themselves be asked."""
    try:
        return rig.user_ads("nothing") == [] == rig.wms_ads("nothing", "wms2")
    except AssertionError:
        return False


def another(grid: Grid, old: int) -> bool:
    try:
        return second_pid(grid) != old
    except AssertionError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "hang", "cut"])
@pytest.mark.parametrize("pool", ["user", "wms2"])
def test_a_collector(field: Field, pool: str, how: str) -> None:
    rig, grid = field.rig, field.rig.grid
    if how == "hang":
        grid[pool].signal("COLLECTOR", signal.SIGSTOP)
    elif how == "kill":
        grid[pool].signal("COLLECTOR", signal.SIGKILL)
    else:
        grid[pool].down()
    if how != "kill":
        wait_for("it is noticed", lambda: held(rig), 200)
        others = ("wms", "wms2") if pool == "user" else ("wms",)
        for _ in range(2):
            rig.after(1)
            for name, request in rig.requests(*others).items():
                assert request[:2] >= field.before[name][:2] and request[2] == "NO", name
        if how == "hang":
            grid[pool].signal("COLLECTOR", signal.SIGCONT)
        else:
            grid[pool].up()
    wait_for("it answers", lambda: answers(rig), 90)
    field.tell()
    field.recovered()


def test_the_frontend_itself(field: Field) -> None:
    rig = field.rig
    [daemon] = rig.daemons
    daemon.kill()
    daemon.wait()
    last = rig.status().cycle
    time.sleep(1)
    assert field.now() == field.before, "its requests stand while it is away"
    rig.start()
    wait_for("it goes on", lambda: rig.status().cycle > last, 60)
    field.recovered()


def test_a_killed_reader_costs_one_answer_at_most(field: Field) -> None:
    rig = field.rig
    [daemon] = rig.daemons
    for pid in process.children(daemon.pid):
        process.kill(pid, signal.SIGKILL)
        rig.after(1)
        field_now = field.now()
        assert all(field_now[n][:2] >= r[:2] for n, r in field.before.items())
    field.recovered()
