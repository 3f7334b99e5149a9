"""Job classes of a real schedd, however they are had, equal what folding every single job gives (decisions 1-3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.frontend.collect.answers import JobClasses, JobQuery
from glideinwms.frontend.collect.queries import job_ages, job_groups, jobs
from glideinwms.frontend.collect.queries.job_groups import ClassCounts, Classes
from glideinwms.frontend.collect.queries.job_values import Oddities
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call
from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.condor.workers import ProcessWorkers

pytestmark = pytest.mark.condor
NAMES = ["Wants", "RequestCpus", "RequestMemory", "WantList"]
VANILLA = "(JobUniverse==5)&&(GLIDEIN_Is_Monitor =!= TRUE)&&(JOB_Is_Monitor =!= TRUE)"
JOB = """
universe = vanilla
executable = /bin/sleep
arguments = 1000
transfer_executable = false
request_disk = 1
hold = {hold}
request_cpus = {cpus}
{more}
{queue}
"""


class Rig:
    """A user pool whose schedd holds a mixed queue; asked through a reader, as the daemon does."""

    def __init__(self, grid: Grid, pool: ProcessWorkers) -> None:
        self.grid, self.pool = grid, pool
        [ad] = self.ask(htc.locate_schedds, collector=grid["user"].collector)
        self.schedd = ScheddAddress(ad["Name"], ad["MyAddress"])

    def ask(self, function: Callable[..., Any], **args: Any) -> Any:
        answer = self.pool.one(Call("schedd", function, args, 60.0))
        assert answer.error is None, answer.error
        return answer.value

    def submit(
        self, n: int, cpus: int = 1, more: str = "", hold: bool = False, queue: str = ""
    ) -> None:
        path = self.grid.base / f"job{time.monotonic_ns()}.sub"
        path.write_text(JOB.format(queue=queue or f"queue {n}", cpus=cpus, more=more, hold=hold))
        self.grid.who.own(path)
        self.grid.run("alice@user.demo", "condor_submit", "-terse", str(path))

    def read(
        self, query: str = VANILLA, names: list[str] = NAMES, method: str = "", **bounds: int
    ) -> JobClasses:
        extras = ("User", "ProjectName")
        asked = JobQuery(query=query, names=tuple(names), extras=extras, method=method)
        answer = self.ask(
            jobs.read_jobs,
            name=self.schedd.name,
            address=self.schedd.address,
            queries=[asked],
            **bounds,
        )
        self.all_queued = answer.all_queued
        table: JobClasses = answer.tables[0]
        return table

    def truth(self, constraint: str, names: list[str] = NAMES) -> Classes:
        """Every job, one by one."""
        projection = [
            *names,
            "JobStatus",
            "EnteredCurrentStatus",
            "ServerTime",
            "x509UserProxyFirstFQAN",
        ]
        ads = self.ask(
            htc.query_jobs,
            schedd=self.schedd,
            constraint=constraint,
            projection=projection,
        )
        classes: Classes = {}
        for job in ads:
            jobs.fold_job(classes, job, names, Oddities())
        return classes


def classes_of(table: JobClasses) -> Classes:
    return {values: ClassCounts(*counts) for values, *counts in map(astuple, table.rows())}


def extras_of(table: JobClasses, name: str) -> list[tuple[Any, ...]]:
    return sorted(astuple(count) for count in table.extras[name])


@pytest.fixture
def rig(make_grid: Callable[..., Grid], client: Callable[[Grid, str], Path]) -> Iterator[Rig]:
    # else the schedd lets nobody say what his proxy is
    options = {"user": {"SYSTEM_SECURE_JOB_ATTRS": "none"}}
    grid = make_grid(("user",), daemons={"user": ("COLLECTOR", "SCHEDD")}, options=options)
    client(grid, "frontend@wms.demo")
    with ProcessWorkers() as pool:
        rig = Rig(grid, pool)
        rig.submit(40, 1, '+Wants = "a"')
        rig.submit(25, 2, '+Wants = "b \\"q\\""\n+ProjectName = "p1"\nrequest_memory = 100')
        rig.submit(13, 1, '+WantList = {"x", "y"}\n+ProjectName = "p2"')
        rig.submit(
            5, 4, 'request_memory = 100 * RequestCpus\n+x509UserProxyFirstFQAN = "/vo/Role=pilot"'
        )
        rig.submit(9, 1, "+GLIDEIN_Is_Monitor = true")
        rig.submit(3, 1, '+Wants = "a"', hold=True)
        yield rig


def test_grouped_classes_equal_single_jobs_and_the_trap_is_real(rig: Rig) -> None:
    table = rig.read()
    assert table.method == "grouped" and table.jobs == 83 and rig.all_queued == 92
    truth = rig.truth(f"{job_groups.QUEUED} && ({VANILLA})")
    assert classes_of(table) == truth and sum(c.voms for c in truth.values()) == 5
    assert {v[2] for v in truth if v[1] == 4} == {400}
    # what GroupBy does when its constraint names what it does not group on: nothing, and no error
    trap = rig.ask(
        htc.group_jobs,
        schedd=rig.schedd,
        constraint="JobUniverse==5 && JobStatus==1",
        projection=["Wants", "JobStatus"],
    )
    assert trap == []


def test_users_and_projects(rig: Rig) -> None:
    table = rig.read()
    assert extras_of(table, "ProjectName") == [("p1", 25, 0), ("p2", 13, 0)]
    assert extras_of(table, "User") == [("alice@user.demo", 83, 0)]


@pytest.mark.parametrize("size", [7, 50_000])
def test_slices_equal_groups(rig: Rig, size: int) -> None:
    sliced = rig.read(row_cap=2, slice_size=size)
    assert sliced.method == "sliced" and extras_of(sliced, "User") == [("alice@user.demo", 83, 0)]
    assert classes_of(sliced) == classes_of(rig.read())
    assert rig.read(method="sliced").method == "sliced"  # what worked is remembered


def test_a_query_of_server_time_is_rewritten(rig: Rig) -> None:
    raw = rig.ask(
        htc.query_jobs,
        schedd=rig.schedd,
        constraint="ServerTime-QDate >= 0",
        projection=["Wants"],
    )
    assert raw == []  # the queue has no such attribute
    assert rig.read("ServerTime-QDate >= 0").jobs == 92
    assert rig.read("(ServerTime-QDate) > 100000").values == []


def age(rig: Rig, constraint: str, seconds: int) -> None:
    """Make jobs look as if they had entered their state so long ago."""
    rig.grid.run(
        "alice@user.demo",
        "condor_qedit",
        "-constraint",
        constraint,
        "EnteredCurrentStatus",
        str(int(time.time()) - seconds),
    )


@pytest.mark.parametrize(
    "bounds", [{}, {"slice_size": 30}, {"slice_size": 4}], ids=["raw", "grouped", "scaled"]
)
@pytest.mark.parametrize("old", ["ProcId < 3", "ProcId >= 2"], ids=["few old", "most old"])
def test_ages_by_subtraction_equal_single_jobs(rig: Rig, old: str, bounds: dict[str, int]) -> None:
    age(rig, f"({old}) && JobStatus == 1", 5000)
    age(rig, f"({old}) && JobStatus == 1 && ProcId % 2 == 0", 1200)
    table = rig.read(**bounds)
    truth = rig.truth(f"{job_groups.QUEUED} && ({VANILLA})")
    assert sum(c.idle_600 for c in truth.values()) > sum(c.idle_3600 for c in truth.values()) > 0
    if not table.estimated:
        assert classes_of(table) == truth and bounds.get("slice_size") != 4
        again = rig.read(method=table.method, **bounds)
        assert classes_of(again) == truth and again.method == table.method
        assert table.method == ("timed" if bounds else "grouped")
    else:
        found = classes_of(table)
        assert bounds == {"slice_size": 4} and table.method == "scaled"
        assert classes_of(rig.read(method="timed", **bounds)) == found, (
            "too many times: the other way is gone"
        )
        assert {v: c.idle for v, c in found.items()} == {v: c.idle for v, c in truth.items()}
        for name in ("idle_600", "idle_3600"):
            total = sum(getattr(c, name) for c in truth.values())
            assert abs(sum(getattr(c, name) for c in found.values()) - total) <= len(truth)


@pytest.mark.parametrize("old", ["ProcId < 3", "ProcId >= 2"], ids=["few old", "most old"])
def test_ages_after_classes_equal_single_jobs(rig: Rig, old: str) -> None:
    """The way of a queue whose running jobs have too many times for one grouping."""
    age(rig, f"({old}) && JobStatus == 1", 5000)
    age(rig, f"({old}) && JobStatus == 1 && ProcId % 2 == 0", 1200)
    table = rig.read(method="grouped", slice_size=30)
    assert classes_of(table) == rig.truth(f"{job_groups.QUEUED} && ({VANILLA})")
    assert table.method == ("grouped" if old == "ProcId < 3" else "timed")


def test_times_that_nobody_shares_are_not_grouped(rig: Rig) -> None:
    def shared(wants: str) -> Any:
        function = job_ages.times_are_shared
        constraint = f'JobStatus == 1 && Wants == "{wants}"'
        return rig.ask(function, schedd=rig.schedd, constraint=constraint, jobs=60, most=10)

    items = "\n".join(str(int(time.time()) - 100 - 97 * k) for k in range(60))
    rig.submit(
        0, 1, '+Wants = "t"\n+EnteredCurrentStatus = $(T)', queue=f"queue T from (\n{items}\n)"
    )
    assert shared("a") is True and shared("t") is False
    only = f'({VANILLA}) && Wants =?= "t"'
    table = rig.read(only, slice_size=10)
    assert table.method == "scaled" and table.estimated and sum(table.idle_600) == 54


def test_an_empty_queue_is_zero_and_not_unknown(rig: Rig) -> None:
    rig.grid.run("alice@user.demo", "condor_rm", "-all")
    end = time.monotonic() + 60
    while rig.read() and rig.all_queued and time.monotonic() < end:
        time.sleep(0.1)
    table = rig.read()
    assert table.values == [] and table.jobs == rig.all_queued == 0
