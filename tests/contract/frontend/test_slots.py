"""Slot counters from partitionable ads alone equal counting every slot of a real pool (decision 22); the loads and the
start of a real collector.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.frontend.collect.queries import schedds as schedd_queries
from glideinwms.frontend.collect.queries import slots as slot_queries
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call, call
from glideinwms.lib.condor.workers import ProcessWorkers

pytestmark = pytest.mark.condor
GLIDEIN = {
    "GLIDEIN_Entry_Name": '"E"',
    "GLIDEIN_Name": '"inst"',
    "GLIDEIN_Factory": '"factory"',
    "GLIDECLIENT_Name": '"fe.main"',
    "GLIDECLIENT_ReqNode": '"wms:9618"',
    "GLIDEIN_CredentialIdentifier": '"CRED"',
}
STARTD = {
    "NUM_CPUS": "8",
    "MEMORY": "16384",
    "NUM_SLOTS_TYPE_1": "1",
    "SLOT_TYPE_1": "100%",
    "START": "True",
    "SLOT_TYPE_1_PARTITIONABLE": "True",
    "RUNBENCHMARKS": "False",
    "STARTER_ALLOW_RUNAS_OWNER": "False",
}
JOB = """
universe = vanilla
executable = /bin/sleep
arguments = 1000
transfer_executable = false
request_disk = 1
request_memory = 100
request_cpus = {cpus}
queue {n}
"""


def wait_for(what: str, test: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (seen := test()):
        assert time.monotonic() < end, f"{what}: last seen {seen!r}"
        time.sleep(0.2)
    return seen


def make(make_grid: Callable[..., Grid], **more: str) -> Grid:
    """A user pool with a startd of its own that calls itself a glidein."""
    extra = {**STARTD, **GLIDEIN, "STARTD_ATTRS": "$(STARTD_ATTRS) " + " ".join(GLIDEIN), **more}
    daemons = {"user": ("COLLECTOR", "NEGOTIATOR", "SCHEDD", "STARTD")}
    return make_grid(("user",), daemons=daemons, options={"user": extra})


def ask(pool: ProcessWorkers, function: Callable[..., Any], **args: Any) -> Any:
    answer = pool.one(Call("collector", function, args, 30.0))
    assert answer.error is None, answer.error
    return answer.value


def test_child_arrays_equal_dynamic_slots(make_grid: Callable[..., Grid]) -> None:
    grid = make(make_grid)
    user = grid["user"]
    for n, cpus in ((2, 1), (1, 3)):
        path = grid.base / f"job{cpus}.sub"
        path.write_text(JOB.format(n=n, cpus=cpus))
        grid.who.own(path)
        grid.run("alice@user.demo", "condor_submit", str(path))
    with ProcessWorkers(env=grid.client_env("frontend@wms.demo")) as pool:

        def read() -> Any:
            args = {"collector": user.collector, "frontend": "fe", "min_memory": {"fe.main": 100.0}}
            return ask(pool, slot_queries.read_slots, **args)

        found = wait_for(
            "three running jobs",
            lambda: (r := read()).here and r.buckets[0].counts.running == 3 and r,
        )
        every = ask(pool, htc.query_ads, collector=user.collector, ad_type="Startd")
    assert sum(ad.get("DynamicSlot") is True for ad in every) == 3
    apart = [{k: v for k, v in ad.items() if not k.startswith("Child")} for ad in every]
    pilot_slots = [ad for ad in apart if slot_queries.request_name(ad)]
    want = slot_queries.tally(pilot_slots, 100.0)
    assert [astuple(b) for b in found.buckets] == [
        ("fe.main", "E@inst@factory", "CRED", astuple(want.counts()))
    ]
    assert (want.total, want.running, want.running_cores, want.total_cores) == (4, 3, 5, 8)
    assert [astuple(h) for h in found.here] == [("fe.main", "E@inst@factory", "wms:9618", 3, 1)]
    assert found.frontend == found.everything


def test_a_restarted_collector_tells_so(make_grid: Callable[..., Grid]) -> None:
    grid = make(make_grid)
    user = grid["user"]
    with ProcessWorkers(env=grid.client_env("frontend@wms.demo")) as pool:

        def born() -> float:
            asking = call("c", slot_queries.collector_started, collector=user.collector)
            return pool.one(asking).value_or(-1.0)

        first = wait_for("the collector's own ad", lambda: (b := born()) > 0 and b)
        time.sleep(3)
        again = wait_for("an answer", lambda: (b := born()) > 0 and b)
        assert abs(again - first) <= 3, "the same start, told at another time"
        time.sleep(4)
        user.restart()
        assert wait_for("the new one's ad", lambda: (b := born()) > 0 and b) > first + 5


def test_an_overloaded_schedd_is_named(make_grid: Callable[..., Grid]) -> None:
    grid = make(
        make_grid,
        SCHEDD_ATTRS="$(SCHEDD_ATTRS) CurbMatchmaking",
        CurbMatchmaking="TotalIdleJobs > 2 && RecentDaemonCoreDutyCycle < 2",
    )
    user = grid["user"]
    with ProcessWorkers(env=grid.client_env("frontend@wms.demo")) as pool:

        def bad() -> str:
            [ad] = ask(
                pool,
                schedd_queries.read_loads,
                collector=user.collector,
            ).ads
            assert ad.name == user.schedd and ad.address
            return str(ad.overload)

        assert bad() == ""
        path = grid.base / "job.sub"
        path.write_text(JOB.format(n=5, cpus=100))
        grid.who.own(path)
        grid.run("alice@user.demo", "condor_submit", str(path))
        assert "CurbMatchmaking" in wait_for("the curb", bad)
