"""Removal, release and the rail before running pilots, over many cycles."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from glideinwms.factory.apply.applier import FactoryApplier
from glideinwms.factory.policy import Limits
from tests.scenario.factory.factory_harness import SECRETS, FactoryHarness, entry
from tests.unit.factory.builders import request_ad, seal


def test_waiting_pilots_go_at_the_configured_rate(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=12)
    s.cycle()
    s.ask(idle=0, top=0, remove_excess="WAIT")
    left = []
    for _ in range(4):
        s.cycle()
        left.append(s.schedd.count())
    assert left == [7, 2, 0, 0]
    assert [line["n"] for line in s.audit("remove")] == [5, 5, 2]


def test_oldest_go_first_and_only_of_that_request(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=4)
    s.ask(idle=4, client="fe.two")
    s.cycle()
    s.ask(idle=6)
    s.cycle()
    s.ask(idle=3, remove_excess="WAIT")
    s.cycle()
    mine = 'GlideinClient == "fe.main"'
    assert (s.schedd.count(mine), s.schedd.count('GlideinClient == "fe.two"')) == (3, 4)
    youngest = s.world.clock() - 150
    assert s.schedd.count(f"{mine} && QDate >= {int(youngest)}") == 2, (
        "the pilots of the second cycle stay"
    )


def test_running_pilots_few_an_hour_then_an_operators_word(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path, entry(submit_max_per_cycle=200, submit_cluster_size=100))
    s.ask(idle=80)
    s.cycle()
    s.run("true")
    s.ask(idle=0, top=0, remove_excess="ALL")
    s.cycle(10)
    assert s.schedd.count("JobStatus == 2") == 73, "10 % of what runs an hour"
    [parked] = s.status()["parked"]
    assert parked["n"] == 73
    [ad] = s.wms.ads("glidefactoryclient")
    assert ad["GlideinMonitorStatus_Reason"] == "RunningRemovalParked" and parked["id"] in str(ad)
    wrong = s.say("approve", id="00000000")
    assert not wrong.ok and parked["id"] in wrong.text
    s.start()
    s.cycle()
    assert s.schedd.count("JobStatus == 2") == 73, "the restart forgets nothing"
    assert s.say("approve", id=parked["id"]).ok
    s.cycle(14)
    assert s.schedd.count() == 0
    [line] = s.audit("approve")
    assert (line["n"], line["who"]) == (73, getpass.getuser())


def test_a_removal_asked_for_in_one_cycle_can_be_approved_later(tmp_path: Path) -> None:
    """`gwms frontend remove all` asks in one cycle; the next ones ask for pilots again."""
    s = FactoryHarness(tmp_path, entry(submit_max_per_cycle=200, submit_cluster_size=100))
    s.ask(idle=80)
    s.cycle()
    s.run("true")
    s.ask(idle=0, top=0, remove_excess="ALL")
    s.cycle()
    s.ask(idle=3, remove_excess="NO")
    s.cycle(30)
    [parked] = s.status()["parked"]
    left = s.schedd.count("JobStatus == 2")
    assert (parked["n"], left) == (75, 75), "one cycle's share has gone, the rest is parked"
    s.start()
    s.cycle()
    [again] = s.status()["parked"]
    assert again == parked and not again["asked"], "a restart forgets nothing"
    s.ask(idle=3, remove_excess="NO")
    answer = s.say("approve", id=parked["id"])
    assert answer.ok and "75 running pilots" in answer.text
    s.cycle(20)
    assert s.schedd.count("JobStatus == 2") == 0 and s.status()["parked"] == []
    s.run("true")
    s.ask(idle=0, remove_excess="NO")
    s.cycle(5)
    assert s.schedd.count("JobStatus == 2") == 3, "no more than was approved"


def test_a_parked_removal_is_forgotten_after_hours(tmp_path: Path) -> None:
    s = unwanted(tmp_path)
    s.cycle()
    s.ask(idle=0, remove_excess="NO")
    s.cycle()
    assert s.status()["parked"]
    s.world.clock.advance(4 * 3600)
    s.ask(idle=0, remove_excess="NO")
    s.cycle()
    assert s.status()["parked"] == []


def test_the_frontend_is_told_what_is_still_parked(tmp_path: Path) -> None:
    s = unwanted(tmp_path)
    s.cycle()
    s.ask(idle=0, remove_excess="NO")
    s.cycle()
    s.world.clock.advance(1)
    [ad] = s.wms.ads("glidefactoryclient")
    assert ad["GlideinMonitorStatus_Reason"] == "RunningRemovalParked"


def test_why_pilots_were_held_is_kept_and_shown(tmp_path: Path) -> None:
    """A pilot that is held is removed within one cycle, and another one is submitted: what the site
    said stays.
    """
    s = FactoryHarness(tmp_path)
    s.ask(idle=3)
    s.cycle()
    lapsed = {
        "HoldReasonCode": 77,
        "HoldReasonSubCode": 3,
        "HoldReason": "Site says: your VO\x1b[2J membership lapsed",
    }
    assert s.schedd.set("ProcId < 2", JobStatus=5, **lapsed) == 2
    s.cycle(2)
    assert s.schedd.count("JobStatus == 5") == 0
    [line] = [line for line in s.audit("remove") if line["reasons"] == ["HeldUnrecoverable"]]
    [hold] = line["held"]
    assert (hold["n"], hold["code"], hold["subcode"]) == (2, 77, 3)
    assert "Site says: your VO" in hold["reason"] and "\x1b" not in hold["reason"]
    assert s.status()["entries"]["A"]["held_lately"] == [hold]
    s.ask(idle=0)
    s.cycle(61)
    assert "held_lately" not in s.status()["entries"]["A"], "for an hour"


def test_an_operator_hears_of_the_pilots_he_did_not_name(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=4)
    s.cycle()
    s.run("true", 3)
    s.cycle()
    answer = s.say("remove", entry="A", states="wait")
    assert "3 running beside them: remove those with --state running" in answer.text, answer.text


def unwanted(base: Path) -> FactoryHarness:
    """Forty pilots that run, of which none is wanted any more."""
    s = FactoryHarness(base)
    s.ask(idle=40)
    s.cycle()
    s.run("true")
    s.ask(idle=0, top=0, remove_excess="ALL")
    return s


def test_the_hour_passes(tmp_path: Path) -> None:
    s = unwanted(tmp_path)
    s.cycle(5)
    assert s.schedd.count() == 35
    s.cycle(60)
    assert s.schedd.count() == 30


def test_a_cycle_that_breaks_forgets_no_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = unwanted(tmp_path)

    def breaks(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(FactoryApplier, "submit", breaks)
    for _ in range(3):
        s.cycle()
        s.start()
    monkeypatch.undo()
    s.cycle()
    assert s.schedd.count() == 35


def test_a_clock_that_is_set_back_by_days_does_not_keep_the_rail_full(tmp_path: Path) -> None:
    s = unwanted(tmp_path)
    s.cycle()
    assert s.schedd.count() == 35
    for back, left in ((600.0, 35), (86400.0, 30)):
        s.world.clock.advance(-back)
        s.cycle(2)
        assert s.schedd.count() == left


def test_no_frontend_can_have_the_pilots_of_another_removed(tmp_path: Path) -> None:
    """It may write any client's name and credential's id into its request, but is known by its
    identity.
    """
    s = FactoryHarness(tmp_path)
    s.ask(idle=8)
    s.cycle()
    s.run("true", 2)
    theirs = "other@fe2.example.org"
    values = {**SECRETS, "SecurityName": "other"}
    greedy = {"name": "X_A@inst@fact@fe.main", "idle": 0, "max_glideins": 0, "remove_excess": "ALL"}
    for _ in range(3):
        s.wms.put(
            request_ad(values, seal(theirs), theirs, s.world.clock(), **greedy),
            "UPDATE_MASTER_AD",
            theirs,
        )
        s.cycle()
    assert [r.refusal for r in s.row().requests] == [None, None]
    assert (s.schedd.count("JobStatus == 1"), s.schedd.count("JobStatus == 2")) == (8, 2)


def test_held_pilots(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.write(recoverable_exitcodes="13 1 2,26")
    s.start()
    s.ask(idle=8)
    s.cycle()
    held = {
        "0": {"HoldReasonCode": 26, "NumSystemHolds": 1},  # released after 300 s
        # released after 300 s
        "1": {"HoldReasonCode": 13, "HoldReasonSubCode": 2, "NumSystemHolds": 1},
        # other subcode: removed
        "2": {"HoldReasonCode": 13, "HoldReasonSubCode": 9, "NumSystemHolds": 1},
        "3": {"HoldReasonCode": 26, "NumSystemHolds": 11},  # held too often: removed
        "4": {"HoldReasonCode": 1, "NumSystemHolds": 25},  # out of the queue at once
    }
    for proc, attributes in held.items():
        s.schedd.set(f"ClusterId == 1 && ProcId == {proc}", JobStatus=5, **attributes)
    s.schedd.lingers = True
    s.ask(idle=0)
    s.cycle()
    state = {
        p: s.schedd.jobs[1, int(p)]["JobStatus"] if (1, int(p)) in s.schedd.jobs else 0
        for p in held
    }
    assert state == {"0": 5, "1": 5, "2": 3, "3": 3, "4": 0}
    s.world.clock.advance(300)
    s.cycle()
    assert [s.schedd.jobs[1, p]["JobStatus"] for p in (0, 1)] == [1, 1]
    assert {line["act"]: line["n"] for line in s.audit("release")} == {"release": 2}
    assert [line["reasons"] for line in s.audit("remove_forced")] == [["HeldForceRemoved"]]


def test_stale_pilots(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path, entry(stale_idle=1000, stale_running=5000))
    s.ask(idle=4)
    s.cycle()
    s.run("true", 2)
    s.world.clock.advance(1000)
    s.cycle()
    assert (s.schedd.count("JobStatus == 1"), s.schedd.count("JobStatus == 2")) == (4, 2), (
        "stale go when nothing is due"
    )
    s.ask(idle=0)
    s.cycle()
    assert (s.schedd.count("JobStatus == 1"), s.schedd.count("JobStatus == 2")) == (2, 2)
    s.world.clock.advance(4500)
    s.cycle()
    assert s.schedd.count("JobStatus == 2") == 0
    assert {line["reasons"][0] for line in s.audit("remove")} == {"StaleIdle", "StaleRunning"}


def test_an_operator_removes_without_the_rail(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=30, top=30)
    s.cycle()
    s.run("true")
    s.forget()
    answer = s.say("remove", entry="A", states="running", n="25")
    assert answer.ok and answer.text.startswith("25 pilots")
    assert s.schedd.count() == 5
    assert not s.say("remove", entry="Z").ok
    assert not s.say("remove", entry="A", states="jumping").ok
    for wrong in ("-1", "²", "all"):
        assert not s.say("remove", entry="A", states="running", n=wrong).ok
    assert s.schedd.count() == 5


def test_what_is_out_of_the_ordinary_is_not_asked_for_each_cycle(tmp_path: Path) -> None:
    """Ages of days are looked at every ten minutes, and each cycle while some are too old; held
    pilots always.
    """
    scene = FactoryHarness(tmp_path, entry(stale_idle=86400, remove_max_per_cycle=2))
    scene.ask(5)
    scene.cycle(2)
    scene.schedd.set("true", -1, EnteredCurrentStatus=int(scene.world.clock()) - 2 * 86400)
    gone = []
    for _ in range(14):
        before = scene.row().counts.idle
        scene.ask(0)
        scene.cycle()
        gone.append(before - scene.row().counts.idle)
    assert sum(gone) == 5, "once seen, they go at the configured rate"
    scene.ask(3)
    scene.cycle(2)
    scene.schedd.set("true", 1, JobStatus=5, HoldReasonCode=3, NumSystemHolds=1)
    scene.cycle(2)
    assert [r.group for r in scene.row().removals] == ["held_unrecoverable"], (
        "after a cycle without other work"
    )


def test_pilots_that_an_entry_left_on_another_schedd_are_counted_and_no_id_is_mixed_up(
    tmp_path: Path,
) -> None:
    """Ids are those of one schedd: 1.0 is stale there, and another pilot here. Nobody here removes
    what is held there, so that does not count.
    """
    names = ("schedd@factory", "other@factory")
    limits = Limits(6, 6, 3)
    s = FactoryHarness(
        tmp_path, entry("A", schedd_name=names[1], limits=limits), entry("B"), schedds=names
    )
    here, there = s.schedds[names[0]], s.schedds[names[1]]
    s.ask(idle=4)
    s.cycle()
    assert there.count() == 4
    s.write(entries=(entry("A", limits=limits), entry("B", schedd_name=names[1])))
    s.runner.reload()
    s.cycle()
    assert here.count() == 0, "4 wait there"
    there.set("ProcId < 1", EnteredCurrentStatus=int(s.world.clock()) - 10**7)
    there.set("ProcId == 3", JobStatus=5, HoldReasonCode=3, NumSystemHolds=1)
    here.add(
        2,
        **{k: v for k, v in there.jobs[1, 1].items() if str(k).startswith("Glidein")},
        JobUniverse=9,
    )
    s.ask(idle=0)
    s.world.clock.advance(600)
    s.cycle()
    assert (here.count("JobStatus == 1"), there.count()) == (2, 4)
    s.ask(idle=50)
    s.cycle()
    assert (here.count(), there.count()) == (3, 4), "6 in all, but for the held one"
    assert (s.row().counts.idle, s.row().counts.held) == (5, 0)
