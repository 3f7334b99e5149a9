"""The steps that all expensive classes of a group may take in one cycle: the others never suffer."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from glideinwms.frontend.decide import MatchCache, decide
from glideinwms.frontend.decide.match import budget
from glideinwms.frontend.plan import GroupPlan
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from tests.unit.frontend.build_frontend import group, policy
from tests.unit.frontend.decide.golden import expression

TEXT = 'any(a == b for a in job["L"].split(",") for b in glidein["attrs"]["L"].split(","))'
RULES = policy(group(match=expression(TEXT)))
ENTRIES = tuple(EntryState(f"E{n}", "p", {"L": f"{n},x", "N": n}) for n in range(4))


def row(number: int, size: int = 2000, jobs: int = 1) -> JobClassRow:
    """A class whose list has `size` items; it matches every entry, by its last item."""
    return JobClassRow((f"c{number}," + "y," * size + "x",), jobs)


def snapshot(*rows: JobClassRow, entries: tuple[EntryState, ...] = ENTRIES) -> FrontendSnapshot:
    return FrontendSnapshot(0.0, (GroupInput("main", (JobTable("s", ("L",), rows),), entries),))


def decided(taken: FrontendSnapshot, cache: MatchCache | None = None) -> GroupPlan:
    [plan] = decide(taken, RULES, 0.0, random.Random(1), cache).groups
    return plan


def matched(plan: GroupPlan) -> list[int]:
    return [entry.jobs["Idle"].count for entry in plan.entries]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget for ten expensive classes of 2000 items, each of some 24 000 steps."""
    monkeypatch.setattr(budget, "MAX_GROUP_STEPS", 300_000)
    monkeypatch.setattr(budget, "MAX_CLASS_STEPS", 100_000)


@pytest.mark.usefixtures("small")
def test_expensive_classes_cost_no_cheap_class_its_match() -> None:
    cheap = [row(1000 + n, size=3, jobs=7) for n in range(20)]
    plan = decided(snapshot(*(row(n) for n in range(100)), *cheap))
    expensive = {count - 20 * 7 for count in matched(plan)}
    assert len(expensive) == 1
    assert 5 <= expensive.pop() <= 20
    [failing] = plan.failing
    assert failing.classes == plan.unmatched_jobs >= 80
    assert "exceeds the steps that a group may take" in failing.error


@pytest.mark.usefixtures("small")
def test_classes_with_most_jobs_come_first() -> None:
    plan = decided(snapshot(*(row(n) for n in range(100)), row(100, jobs=500)))
    assert min(matched(plan)) > 500


@pytest.mark.usefixtures("small")
def test_one_class_cannot_use_up_the_budget_of_the_others() -> None:
    plan = decided(snapshot(row(0, size=9000, jobs=1000), *(row(n) for n in range(1, 4))))
    assert matched(plan) == [3] * 4
    assert [f.classes for f in plan.failing] == [1]


@pytest.mark.usefixtures("small")
def test_the_plan_is_the_same_with_any_cache() -> None:
    """Cached answers are charged like new ones, so a replay, which has no cache, gives the same
    plan.
    """
    cache, rng = MatchCache(), random.Random(7)
    rows = [row(n, size=rng.choice((3, 100, 400, 1500, 2000, 6000))) for n in range(60)]
    entries = ENTRIES
    for cycle in range(6):
        rng.shuffle(rows)
        rows[cycle] = row(100 + cycle, jobs=cycle)
        if cycle % 2:
            changed = replace(entries[cycle % 4], attrs={"L": f"z{cycle},x", "N": cycle})
            entries = tuple(changed if e.name == changed.name else e for e in entries)
        taken = snapshot(*rows, entries=entries)
        plan = decided(taken, cache)
        assert plan == decided(taken)
        assert plan.failing


def test_what_an_ordinary_group_asks_needs_no_budget() -> None:
    rows = [row(n, size=10) for n in range(500)]
    plan = decided(snapshot(*rows))
    assert matched(plan) == [500] * 4
    assert plan.failing == ()
