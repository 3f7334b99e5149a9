"""What fails, hangs, forgets or talks nonsense changes no request for the worse (decision 15)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideinwms.frontend.policy import GroupLimits, RemovalPolicy
from glideinwms.lib.daemon import heartbeat, operator_commands
from tests.scenario.frontend.frontend_harness import USER, WMS, WMS2, FrontendHarness, at
from tests.support.small_disk import fill, small_disk

EAGER = GroupLimits(removal=RemovalPolicy("ALL", 0, True, 0))


@pytest.fixture
def scene(tmp_path: Path) -> FrontendHarness:
    """600 idle jobs at two schedds, three entries at two WMS pools, pilots at each; a group that
    removes eagerly.
    """
    return made(tmp_path)


def made(base: Path) -> FrontendHarness:
    s = FrontendHarness(base)
    s.write(groups=(s.group(limits=EAGER),))
    s.start()
    s.jobs(400)
    s.jobs(200, "schedd2", wants="y")
    s.pilots("A", busy=40, idle=3)
    s.pilots("B", busy=10)
    s.pilots("C", busy=20, node=WMS2)
    return s


def sabotage(s: FrontendHarness, what: str, how: str) -> None:
    part: Any = s.user if what == USER else s.pools.get(what) or s.schedds[what]
    setattr(part, how, True)


def repair(s: FrontendHarness, what: str) -> None:
    part: Any = s.user if what == USER else s.pools.get(what) or s.schedds[what]
    part.down = part.hung = False


@pytest.mark.parametrize("how", ["down", "hung"])
@pytest.mark.parametrize("what", ["schedd1", USER])
def test_an_outage_changes_nothing_but_stops_removal(
    scene: FrontendHarness, what: str, how: str
) -> None:
    scene.cycle(2)
    before = scene.requests()
    assert all(r[2] == "ALL" for r in before.values()) and set(before) == {"A", "B", "C"}
    sabotage(scene, what, how)
    for _ in range(8):
        scene.cycle()
        now = scene.requests()
        assert {e: r[:2] for e, r in now.items()} == {e: r[:2] for e, r in before.items()}
        assert all(r[2] == "NO" for r in now.values()) and scene.main()["held"]
    repair(scene, what)
    scene.cycle()
    assert scene.requests() == before and not scene.main()["held"]


def test_a_schedd_that_stays_away_is_frozen_then_left_out(scene: FrontendHarness) -> None:
    scene.cycle()
    before = scene.requests()
    scene.schedds["schedd1"].down = True
    scene.cycle(35)
    assert "schedd schedd1" in scene.main()["frozen"][0]
    scene.schedds["schedd2"].forget("true")
    scene.cycle(10)
    now = scene.requests()
    assert all(now[e][:2] >= before[e][:2] and now[e][2] == "NO" for e in before), (
        "no number drops while frozen"
    )
    scene.cycle(20)
    assert scene.requests()["A"][0] == 0, (
        "an hour after it was last seen nobody waits for schedd1 any more"
    )
    assert scene.main()["frozen"] and not scene.main()["silent"]


def test_when_nothing_is_known_for_an_hour_requests_are_left_to_expire(
    scene: FrontendHarness,
) -> None:
    scene.cycle()
    for schedd in scene.schedds.values():
        schedd.down = True
    scene.cycle(55)
    assert scene.requests()["A"][0] > 0
    scene.cycle(10)
    assert scene.main()["silent"]
    for pool in scene.pools.values():
        pool._swept = 0  # the housekeeper comes
    scene.cycle(20)
    assert scene.requests() == {}, "never a zero"
    for schedd in scene.schedds.values():
        schedd.down = False
    scene.cycle()
    assert scene.requests()["A"][0] > 0 and not scene.main()["silent"]


def test_a_user_collector_that_starts_empty(scene: FrontendHarness) -> None:
    scene.cycle(2)
    before = scene.requests()
    pilots, scene.slots = scene.slots, []
    scene.user.restart()
    for share in (0, 10, 40):
        scene.slots = pilots[:share]
        scene.cycle()
        assert {e: r[:2] for e, r in scene.requests().items()} == {
            e: r[:2] for e, r in before.items()
        }
        assert "restarted" in str(scene.main()["held"]) and {
            r[2] for r in scene.requests().values()
        } == {"NO"}
    scene.slots = pilots
    scene.cycle()
    assert scene.requests() == before


def test_a_user_collector_that_starts_empty_and_stays_so(scene: FrontendHarness) -> None:
    scene.cycle(2)
    scene.slots = []
    scene.user.restart()
    scene.cycle(9)
    assert scene.main()["slots"]["total"] == 73
    scene.cycle(4)
    assert scene.main()["slots"]["total"] == 0 and not scene.main()["held"], (
        "after ten minutes it is the truth"
    )


def test_a_wms_collector_that_starts_empty(scene: FrontendHarness) -> None:
    scene.cycle(2)
    before = scene.requests()
    scene.pools[WMS].restart()
    entries, scene.entries[WMS] = scene.entries[WMS], {}
    scene.cycle()
    assert {e: r[:2] for e, r in scene.requests().items()} == {e: r[:2] for e, r in before.items()}
    scene.entries[WMS] = entries
    scene.cycle()
    assert scene.requests() == before


def test_one_wms_pool_down_leaves_the_other(scene: FrontendHarness) -> None:
    scene.cycle()
    before = scene.requests(WMS2)
    scene.pools[WMS].down = True
    scene.cycle()
    assert scene.requests(WMS2) == {e: (*r[:2], "NO") for e, r in before.items()}
    assert any(WMS in f for f in scene.status().summary["failed"])
    scene.cycle(20)
    assert scene.requests(WMS2)["C"][0] >= before["C"][0] and not scene.main()["frozen"]
    scene.pools[WMS].down = False
    scene.cycle()
    assert set(scene.requests(WMS)) == {"A", "B"}


def test_a_restart_in_an_outage_goes_on_with_the_readings_of_before(scene: FrontendHarness) -> None:
    scene.cycle(2)
    before = scene.requests()
    scene.schedds["schedd2"].down = True
    scene.user.down = True
    scene.start()
    scene.cycle()
    assert {e: r[:2] for e, r in scene.requests().items()} == {e: r[:2] for e, r in before.items()}
    assert {r[2] for r in scene.requests().values()} == {"NO"}


def test_jobs_that_vanish_while_the_queue_is_full_are_asked_twice(scene: FrontendHarness) -> None:
    scene.write(groups=(scene.group(job_query="JobUniverse == 5"),))
    scene.runner.reload()
    scene.cycle(2)
    before = scene.requests()
    scene.schedds["schedd1"].set("true", JobUniverse=12)
    scene.cycle()
    assert scene.requests() == before and "witness" in str(scene.main()["held"])
    scene.cycle()
    assert scene.main()["jobs"]["idle"] == 200 and not scene.main()["held"]


def test_a_hung_part_costs_the_cycle_little_once_it_is_known(scene: FrontendHarness) -> None:
    scene.cycle()
    began = scene.world.clock()
    for part in (scene.schedds["schedd1"], scene.pools[WMS], scene.user):
        part.hung = True
    scene.cycle()
    first = scene.world.clock() - began - 60
    began = scene.world.clock()
    scene.cycle()
    known = scene.world.clock() - began - 60
    assert first > 100 and known < 52, (
        "of each of three 10 s to read, of two 10 s to send; here one after another"
    )
    for part in (scene.schedds["schedd1"], scene.pools[WMS], scene.user):
        part.hung = False
    scene.cycle()
    assert not scene.main()["held"], (
        "the long question is asked again as soon as the short one is answered"
    )


NONSENSE: list[dict[str, Any]] = [
    {"State": 7, "Activity": [1], "Cpus": "many", "Memory": {"a": 1}, "TotalSlotCpus": "x"},
    {
        "ChildState": "Claimed",
        "ChildActivity": [1, 2],
        "ChildCpus": ["a"],
        "PartitionableSlot": True,
    },
    {"GLIDEIN_Entry_Name": 5, "GLIDEIN_Name": "", "GLIDEIN_Factory": ["x"]},
    {"GLIDECLIENT_Name": 9, "GLIDECLIENT_ReqNode": 3, "GLIDEIN_CredentialIdentifier": 1.5},
]


@pytest.mark.parametrize("more", NONSENSE, ids=["states", "children", "names", "client"])
def test_slots_of_nonsense_count_as_little_as_they_say(
    scene: FrontendHarness, more: dict[str, Any]
) -> None:
    scene.cycle()
    before = scene.requests()
    odd = {**scene.slots[0], "Name": "slot1@odd@node", "MyAddress": "<10.9.9.9:1>"}
    scene.extra = [{**odd, **more}]
    scene.cycle()
    now = scene.requests()
    assert all(
        abs(now[e][0] - before[e][0]) <= 1 and abs(now[e][1] - before[e][1]) <= 2 for e in before
    )


@pytest.mark.parametrize(
    "more",
    [
        {"Name": "no at sign"},
        {"EntryName": "other"},
        {"GLIDEIN_CPUS": [1, 2]},
        {"GLIDEIN_Site": "../.."},
        {"SupportedSignTypes": 5},
    ],
    ids=["name", "entry", "list", "site", "signs"],
)
def test_one_malformed_entry_stops_no_other(scene: FrontendHarness, more: dict[str, Any]) -> None:
    scene.entries[WMS]["D"] = more
    scene.cycle()
    assert {"A", "B", "C"} <= set(scene.requests())


def test_a_key_of_somebody_else_is_not_used(scene: FrontendHarness) -> None:
    scene.cycle()
    for ad in scene.pools[WMS].ads("glidefactoryglobal"):
        scene.pools[WMS].put({**ad, "MyAddress": "<1.1.1.1:1>"}, identity="mallory@x")
    scene.tell = lambda: None  # type: ignore[method-assign]
    scene.cycle()
    entry = next(e for e in scene.main()["entries"] if e["entry"] == at("A"))
    assert not entry["requested"], "nothing is sealed for a key that the Factory did not publish"


def test_a_group_that_cannot_be_decided_stops_no_other(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    bad = replace(s.group("bad").match[0], text="open('/etc/passwd')", origin="frontend.xml:7")
    s.write(groups=(s.group(), s.group("bad", match=(bad,))))
    s.runner.reload()
    s.jobs(10)
    s.cycle()
    shown = s.status().summary["groups"]
    assert "frontend.xml:7" in shown["bad"]["problems"][0] and s.requests()["A"][0] > 0


PARTS = ["schedd1", "schedd2", USER, WMS, WMS2]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(PARTS), st.sampled_from(["down", "hung", "up", "restart"])),
        max_size=12,
    )
)
def test_whatever_fails_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str]]
) -> None:
    """Demand and pilots stay; parts come and go. No request ever drops, nothing is removed on a
    doubt; when all are back, two cycles later everything is as before.
    """
    s = made(tmp_path_factory.mktemp("any"))
    s.cycle(2)
    before = s.requests()
    for what, how in acts:
        if how == "up":
            repair(s, what)
        elif how != "restart":
            sabotage(s, what, how)
        elif what in s.pools or what == USER:
            (s.user if what == USER else s.pools[what]).restart()
        else:
            s.start()
        s.cycle()
        shown = s.main()
        if shown["held"] or shown["frozen"]:
            assert all(e["removal"] == "NO" for e in shown["entries"])
        for entry, request in s.requests().items():
            assert request[:2] >= before[entry][:2], (what, how, entry)
    for what in PARTS:
        repair(s, what)
    s.cycle(2)
    assert s.requests() == before


def test_requests_go_on_while_the_work_directory_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        s = FrontendHarness(disk)
        s.jobs(50)
        s.cycle(2)
        before, told = s.requests(), s.status().cycle
        word = s.say("remove", level="all")
        filler = fill(disk)
        for _ in range(3):
            s.world.clock.advance(1)
            s.tell()
            assert not s.runner.once(), "the status cannot be written"
            s.world.clock.advance(59)
        assert s.requests() == before and before["A"][0] > 0
        assert s.status().cycle == told
        beat = heartbeat.read(s.daemon.state)
        assert (
            beat is not None
            and "requests go on, but operators' commands are refused" in beat.problems[0]
        )
        assert any(
            "readings.json: cannot be written: No space left on device" in p for p in beat.problems
        )
        filler.unlink()
        s.cycle()
        assert s.status().problems == ()
        assert s.requests()["A"][2] == "NO", (
            "a command that could not be recorded is not done later"
        )
        assert not operator_commands.withdraw(s.daemon.state / "requests", word)
