"""Every limit and policy over many cycles with a virtual clock: what is in the queue at last, and why not more."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.policy import Limits, SubEntry
from glideinwms.lib.reasons import Reason
from tests.scenario.factory.factory_harness import FactoryHarness, entry

ROOMY = Limits(1000, 1000, 1000)
FE = "fe:frontend"


def live(scene: FactoryHarness) -> dict[str, int]:
    """Pilots in the queue by state."""
    counts = scene.row().counts
    return {"idle": counts.idle, "running": counts.running, "held": counts.held}


def reasons(scene: FactoryHarness) -> set[Reason]:
    """What clipped the requests of the last cycle."""
    return {c.reason for r in scene.row().requests for c in r.clips}


@pytest.mark.parametrize(
    ("changes", "ask", "expected", "why"),
    [
        ({"limits": Limits(7, 1000, 1000)}, (50, 1000), 7, Reason.FACTORY_TOTAL_PER_ENTRY),
        ({"limits": Limits(1000, 6, 1000)}, (50, 1000), 6, Reason.FACTORY_IDLE_PER_ENTRY),
        ({"class_default": Limits(5, 1000, 1000)}, (50, 1000), 5, Reason.FACTORY_TOTAL_PER_CLASS),
        ({"class_default": Limits(1000, 4, 1000)}, (50, 1000), 4, Reason.FACTORY_IDLE_PER_CLASS),
        (
            {"class_limits": {FE: Limits(3, 1000, 1000)}},
            (50, 1000),
            3,
            Reason.FACTORY_TOTAL_PER_CLASS,
        ),
        (
            {"class_limits": {"other:frontend": Limits(1, 1, 1)}},
            (9, 1000),
            9,
            Reason.REQUEST_COVERED,
        ),
        ({}, (50, 8), 8, Reason.REQUEST_MAX),
        ({}, (9, 1000), 9, Reason.REQUEST_COVERED),
    ],
    ids=[
        "entry-total",
        "entry-idle",
        "class-total",
        "class-idle",
        "one-class",
        "another-class",
        "maximum",
        "enough",
    ],
)
def test_where_a_supply_ends(
    tmp_path: Path, changes: dict[str, Any], ask: tuple[int, int], expected: int, why: Reason
) -> None:
    scene = FactoryHarness(tmp_path, entry(**changes))
    scene.ask(*ask)
    scene.cycle(4)
    assert live(scene) == {"idle": expected, "running": 0, "held": 0}
    assert why in reasons(scene)


def test_the_submission_rate(tmp_path: Path) -> None:
    scene = FactoryHarness(tmp_path, entry(submit_max_per_cycle=4))
    scene.ask(10)
    seen = []
    for _ in range(5):
        scene.cycle()
        seen.append(scene.row().requests[0].submitted)
    assert seen == [4, 4, 2, 0, 0]


def test_held_pilots_close_an_entry_and_a_class(tmp_path: Path) -> None:
    cases: dict[str, dict[str, Any]] = {
        "entry": {"limits": Limits(1000, 1000, 2)},
        "class": {"class_default": Limits(1000, 1000, 2)},
    }
    for name, changes in cases.items():
        scene = FactoryHarness(tmp_path / name, entry(remove_max_per_cycle=0, **changes))
        scene.ask(5)
        scene.cycle()
        scene.schedd.set(
            "true", 2, JobStatus=5, HoldReasonCode=3, HoldReasonSubCode=0, NumSystemHolds=1
        )
        scene.ask(9)
        scene.cycle(3)
        assert live(scene) == {"idle": 3, "running": 0, "held": 2}, name
        assert reasons(scene) & {Reason.FACTORY_HELD_PER_ENTRY, Reason.FACTORY_HELD_PER_CLASS}, name


def test_running_pilots_count_against_totals_not_against_idle(tmp_path: Path) -> None:
    scene = FactoryHarness(tmp_path, entry(limits=Limits(10, 4, 100)))
    scene.ask(4)
    for _ in range(6):
        scene.cycle()
        scene.run("JobStatus == 1")
    scene.cycle()
    assert scene.row().counts.running + scene.row().counts.idle == 10
    assert scene.row().limits["TotalGlideinsPerEntry"] == "count=10, limit=10"


def test_an_entry_set_deals_to_all_its_ces(tmp_path: Path) -> None:
    subs = tuple(SubEntry(f"A{i}", "ce ce:9619", "condor", f"job.A{i}.condor") for i in range(3))
    scene = FactoryHarness(
        tmp_path, entry(sub_entries=subs, selection_algorithm="Default", limits=Limits(30, 30, 30))
    )
    scene.ask(100)
    scene.cycle(3)
    by_file: dict[str, int] = {}
    for schedd in scene.daemon.snapshot.schedds if scene.daemon.snapshot else ():
        for group in schedd.queue.value.groups if schedd.queue.value else ():
            by_file[group.submit_file] = by_file.get(group.submit_file, 0) + group.count
    assert by_file == {s.submit_file: 10 for s in subs}


@pytest.mark.parametrize("seed", range(6))
def test_no_limit_is_ever_exceeded(tmp_path: Path, seed: int) -> None:
    """Frontends ask what they like, pilots start, end and are held as they like, the Factory
    restarts; over 25 cycles the queue never has more of the Factory's making than a limit says.
    """
    rng = random.Random(seed)
    limits, each = (
        Limits(rng.randint(5, 40), rng.randint(3, 20), 8),
        Limits(rng.randint(3, 20), rng.randint(2, 10), 5),
    )
    scene = FactoryHarness(
        tmp_path, entry(limits=limits, class_default=each, submit_max_per_cycle=rng.randint(1, 15))
    )
    for _ in range(25):
        for client in rng.sample(["fe.a", "fe.b", "fe.c"], 2):
            cls = rng.choice(["frontend", "special"])
            scene.ask(
                rng.randint(0, 30),
                rng.randint(0, 40),
                client=client,
                security_class=cls,
                remove_excess=rng.choice(["NO", "WAIT", "ALL"]),
            )
        scene.cycle()
        check(scene, limits, each)
        scene.run("JobStatus == 1", rng.randint(0, 4))
        scene.schedd.set(
            "JobStatus == 1", rng.randint(0, 1), JobStatus=5, HoldReasonCode=3, NumSystemHolds=1
        )
        if rng.random() < 0.1:
            scene.start()


def check(scene: FactoryHarness, limits: Limits, each: Limits) -> None:
    """After a cycle in which something was submitted, counts before plus what came keep every
    limit.
    """
    row = scene.row()
    new = sum(r.submitted for r in row.requests)
    if not new:
        return
    assert row.counts.idle + new <= limits.idle
    assert row.counts.idle + row.counts.running + new <= limits.glideins
    assert row.counts.held < limits.held
    for key in {r.security_key for r in row.requests}:
        mine = [r for r in row.requests if r.security_key == key]
        assert sum(r.own.idle + r.submitted for r in mine) <= each.idle or not any(
            r.submitted for r in mine
        )
    for r in row.requests:
        assert r.submitted == 0 or r.own.idle + r.own.running + r.submitted <= r.max_glideins


def test_two_schedds_share_nothing_but_the_policy(tmp_path: Path) -> None:
    a = entry("A", limits=Limits(5, 5, 5))
    b = replace(entry("B", limits=Limits(3, 3, 3)), schedd_name="schedd2@factory")
    scene = FactoryHarness(tmp_path, a, b, schedds=("schedd@factory", "schedd2@factory"))
    scene.ask(50, entry="A")
    scene.ask(50, entry="B")
    scene.cycle(3)
    assert (scene.row("A").counts.idle, scene.row("B").counts.idle) == (5, 3)
