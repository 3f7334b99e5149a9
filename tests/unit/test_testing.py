"""What a test can do with HTCondor in memory, beyond what the contract tests hold to the real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call
from glideinwms.lib.condor.htc import Expr, ScheddAddress
from glideinwms.lib.errors import CondorError, OutcomeUnknown, TimedOut, Unreachable
from glideinwms.testing import FakeClock, World

WMS = "wms.demo:9618"


@pytest.fixture
def world() -> World:
    made = World()
    made.schedd("s@wms.demo", made.collector(WMS))
    return made


def address(world: World) -> ScheddAddress:
    schedd = next(iter(world.schedds.values()))
    return ScheddAddress(schedd.name, schedd.address)


def call(
    function: Callable[..., Any],
    deadline: float = 10.0,
    writer: bool = False,
    endpoint: str = "e",
    **args: Any,
) -> Call:
    return Call(endpoint, function, args, deadline, writer)


def test_time_stands_still_until_told(world: World) -> None:
    clock = FakeClock(100.0)
    assert clock() == 100.0 and clock.advance(5) == 105.0 == clock()
    before = world.clock()
    world.pool().one(call(htc.query_ads, collector=WMS))
    assert 0 < world.clock() - before < 1


def test_ads_are_seen_after_a_while_and_live_their_life(world: World) -> None:
    pool = world.pool("me@wms.demo")
    wms = world.collectors[WMS]
    pool.one(
        call(
            htc.advertise,
            collector=WMS,
            ads=[{"MyType": "x", "Name": "n"}],
            command="UPDATE_AD_GENERIC",
        )
    )
    assert (
        wms.ads("x") == []
        and pool.one(call(htc.query_ads, collector=WMS, constraint='MyType == "x"')).value == []
    )
    world.clock.advance(0.2)
    assert [a["AuthenticatedIdentity"] for a in wms.ads("x")] == ["me@wms.demo"]
    assert wms.ads("x", 'Name == "other"') == [] and wms.ads("y") == []
    world.clock.advance(1799)
    assert wms.ads("x") == [], "the sweep comes at most two lifetimes after the update"


def test_the_first_collector_is_the_local_one(world: World) -> None:
    world.collector("user.demo:9618").put({"MyType": "x", "Name": "there"})
    world.collectors[WMS].put({"MyType": "x", "Name": "here"})
    pool = world.pool()
    for name, found in (("", "here"), (WMS, "here"), ("user.demo:9618", "there")):
        ads = pool.one(call(htc.query_ads, collector=name, constraint='MyType == "x"')).value
        assert [a["Name"] for a in ads] == [found]


def test_one_pool_can_be_somebody_else_elsewhere(world: World) -> None:
    world.collector("user.demo:9618")
    pool = world.pool(
        {WMS: "a@wms.demo", "user.demo:9618": "a@user.demo", "s@wms.demo": "a@wms.demo"}
    )
    for name in (WMS, "user.demo:9618"):
        pool.one(
            call(
                htc.advertise,
                collector=name,
                ads=[{"MyType": "x", "Name": "n"}],
                command="UPDATE_AD_GENERIC",
            )
        )
    world.clock.advance(1)
    assert world.collectors[WMS].ads("x")[0]["AuthenticatedIdentity"] == "a@wms.demo"
    assert world.collectors["user.demo:9618"].ads("x")[0]["AuthenticatedIdentity"] == "a@user.demo"
    assert [c.function for c in pool.calls] == [htc.advertise, htc.advertise]


def test_daemons_that_are_down_or_hang(world: World) -> None:
    pool, where = world.pool(), address(world)
    wms, schedd = world.collectors[WMS], world.schedds[where.address]
    wms.down = schedd.down = True
    asked = {"constraint": "true", "projection": []}
    for one in (call(htc.query_ads, collector=WMS), call(htc.query_jobs, schedd=where, **asked)):
        assert isinstance(pool.one(one).error, Unreachable)
    wms.down = schedd.down = False
    wms.hung = schedd.hung = True
    for one in (
        call(htc.query_ads, 7.0, collector=WMS),
        call(htc.query_jobs, 7.0, schedd=where, **asked),
    ):
        before = world.clock()
        got = pool.one(one)
        assert (
            isinstance(got.error, TimedOut)
            and world.clock() - before == 7.0 == got.ended - got.began
        )
    several = pool.run(
        [
            call(htc.query_ads, 7.0, collector=WMS),
            call(htc.query_ads, 7.0, collector=WMS),
            call(htc.ping, endpoint="f"),
        ]
    )
    assert [type(a.error) for a in several] == [TimedOut, TimedOut, type(None)]


def test_a_submit_whose_answer_is_lost(world: World) -> None:
    pool, where = world.pool(), address(world)
    schedd = world.schedds[where.address]
    submit = call(
        htc.submit,
        writer=True,
        schedd=where,
        description={"executable": "/x", "My.Id": '"u"'},
        count=3,
    )
    schedd.hung_after = True
    assert isinstance(pool.one(submit).error, OutcomeUnknown) and schedd.count('Id == "u"') == 3
    schedd.hung_after, schedd.hung = False, True
    assert isinstance(pool.one(submit).error, OutcomeUnknown) and schedd.count('Id == "u"') == 3


def test_jobs_are_moved_by_the_test(world: World) -> None:
    schedd = world.schedds[address(world).address]
    ids = schedd.add(3, RequestCpus=8, Want=Expr("1 + RequestCpus"))
    world.clock.advance(100)
    assert ids == ["1.0", "1.1", "1.2"] and schedd.count("Want == 9 && JobStatus == 1") == 3
    assert schedd.set("JobStatus == 1", 2, JobStatus=2) == 2
    assert [j["ProcId"] for j in schedd.jobs.values() if j["JobStatus"] == 2] == [0, 1], (
        "the oldest"
    )
    assert schedd.count("time() - EnteredCurrentStatus < 50") == 2
    assert schedd.forget("JobStatus == 2", 1) == 1 and schedd.count() == 2
    assert schedd.ad()["TotalIdleJobs"] == schedd.ad()["TotalRunningJobs"] == 1


def test_removed_jobs_can_linger_as_on_a_grid(world: World) -> None:
    where = address(world)
    schedd = world.schedds[where.address]
    schedd.lingers = True
    ids = schedd.add(2)
    pool = world.pool()
    assert pool.one(call(htc.act, schedd=where, action="Remove", ids=ids, reason="x")).value == 2
    assert schedd.count("JobStatus == 3") == 2
    assert (
        pool.one(call(htc.act, schedd=where, action="RemoveX", ids=ids[:1], reason="x")).value == 1
    )
    assert schedd.reap() == 1 and schedd.count() == 0


def test_htc_itself_can_speak_to_a_world_and_is_itself_again_afterwards(world: World) -> None:
    old = htc._collector, htc._schedd
    with world.installed("me@wms.demo"):
        assert htc.advertise(WMS, [{"MyType": "x", "Name": "n"}], "UPDATE_AD_GENERIC") == 1
        with pytest.raises(Unreachable):
            htc.query_ads("elsewhere:1")
    assert (htc._collector, htc._schedd) == old
    with pytest.raises(ZeroDivisionError), world.installed():
        raise ZeroDivisionError
    assert (htc._collector, htc._schedd) == old


def test_errors_of_folds_are_answers(world: World) -> None:
    got = world.pool().one(Call("e", htc.query_ads, {"nonsense": 1}))
    assert isinstance(got.error, CondorError) and "TypeError" in str(got.error)
