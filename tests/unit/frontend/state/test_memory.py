"""Counters and last requests over cycles and restarts."""

from __future__ import annotations

from pathlib import Path

from glideinwms.frontend.plan import FrontendEntryPlan, GroupPlan
from glideinwms.frontend.snapshot import Counters, PublishedGroup
from glideinwms.frontend.state import memory
from glideinwms.frontend.state.memory import GroupMemory, Memory

OLD = GroupMemory(
    {"A": Counters(1), "B": Counters(2)},
    {"A": PublishedGroup(1, 2), "B": PublishedGroup(3, 4)},
    10.0,
)


def plan(*frozen: str) -> GroupPlan:
    entry = FrontendEntryPlan("A", "pool", 5, 6, counters=Counters(7))
    return GroupPlan("main", (), (entry,), frozen=frozen)


def test_a_sure_cycle_replaces_and_forgets_what_left() -> None:
    assert memory.after(OLD, plan(), ("A",), 99.0) == GroupMemory(
        {"A": Counters(7)}, {"A": PublishedGroup(5, 6)}, 99.0
    )


def test_a_request_that_was_not_sent_is_not_the_last_one() -> None:
    assert memory.after(OLD, plan(), (), 99.0).last == {"A": PublishedGroup(1, 2)}


def test_a_frozen_cycle_forgets_nothing_and_is_not_sure() -> None:
    after = memory.after(OLD, plan("schedd"), ("A",), 99.0)
    assert after == GroupMemory(
        {"A": Counters(7), "B": Counters(2)},
        {"A": PublishedGroup(5, 6), "B": PublishedGroup(3, 4)},
        10.0,
    )


def test_it_survives_a_restart(tmp_path: Path) -> None:
    kept = Memory(groups={"main": OLD}, sequence=5)
    memory.save(tmp_path / "m.json", kept)
    assert memory.load(tmp_path / "m.json", print) == kept
    (tmp_path / "m.json").write_text("{")
    said: list[str] = []
    assert memory.load(tmp_path / "m.json", said.append) == Memory() and len(said) == 1
