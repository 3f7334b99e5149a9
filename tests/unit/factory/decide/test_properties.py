"""What holds over many cycles, and of every plan, whatever is asked: decisions played against a queue of numbers."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.factory.decide import decide
from glideinwms.factory.plan import QUEUED, RUNNING, WAIT, FactoryEntryPlan
from glideinwms.factory.policy import EntryPolicy, Limits
from glideinwms.factory.snapshot import (
    FactorySnapshot,
    PilotGroup,
    PilotQueue,
    Request,
    RunningRemovals,
    ScheddState,
    TakenRemoval,
)
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.reasons import Reason, Refusal
from tests.unit.factory.builders import NOW, entry, policy, request

CYCLE = 60.0
CLIENTS = ("fe.a", "fe.b", "fe.c")
STATES = {WAIT: (1, None), QUEUED: (1, "PENDING"), RUNNING: (2, "RUNNING")}
NUMBER = st.integers(0, 30)
STEP = st.tuples(
    st.lists(
        st.tuples(
            st.sampled_from(CLIENTS), NUMBER, NUMBER, st.sampled_from(["NO", "WAIT", "IDLE", "ALL"])
        ),
        max_size=3,
        unique_by=lambda t: t[0],
    ),
    st.integers(0, 8),
    st.integers(0, 4),
)


class Played:
    """A schedd as numbers: (client, state) -> pilots."""

    def __init__(self, made: EntryPolicy) -> None:
        self.entry, self.now = made, NOW
        self.pilots: Counter[tuple[str, str]] = Counter()
        self.taken: list[TakenRemoval] = []

    def snapshot(self, asks: list[Any]) -> FactorySnapshot:
        """As the Factory would see it."""
        groups = tuple(
            PilotGroup("A", c, "fe:frontend", "frontend", "TOKENIDX", "job.condor", *STATES[s], n)
            for (c, s), n in sorted(self.pilots.items())
            if n
        )
        rows = tuple(
            request(name=f"r{c}", client=c, idle=i, max_glideins=m, remove_level=x)
            for c, i, m, x in asks
        )
        queue = Reading("schedd@factory", 0.0, PilotQueue(groups), self.now)
        asked: Reading[tuple[Request, ...]] = Reading("requests", 0.0, rows, self.now)
        return FactorySnapshot(
            self.now,
            asked,
            (ScheddState("schedd@factory", queue),),
            rail=RunningRemovals(tuple(self.taken)),
        )

    def cycle(self, asks: list[Any], seed: int) -> FactoryEntryPlan:
        """Decide and carry out; time goes on."""
        [plan] = decide(
            self.snapshot(asks), policy(Path("/x"), self.entry), self.now, random.Random(seed)
        ).entries
        for row in plan.requests:
            self.pilots[row.client, WAIT] += row.submitted
            for removal in row.removals:
                left = min(removal.n, removal.cap)
                for state in removal.states:
                    gone = min(left, self.pilots[row.client, state])
                    self.pilots[row.client, state] -= gone
                    left -= gone
                    if state == RUNNING and gone:
                        self.taken.append(TakenRemoval(self.now, "A", row.request, gone))
        self.now += CYCLE
        return plan

    def pass_on(self, moved: int, done: int) -> None:
        """Waiting pilots start, running ones end."""
        for client in CLIENTS:
            n = min(moved, self.pilots[client, WAIT])
            self.pilots[client, WAIT] -= n
            self.pilots[client, RUNNING] += n
            self.pilots[client, RUNNING] -= min(done, self.pilots[client, RUNNING])

    def of(self, *states: str) -> int:
        """Pilots in these states."""
        return sum(n for (_, s), n in self.pilots.items() if s in states)


@given(
    st.lists(STEP, max_size=12),
    st.integers(1, 40),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 9),
)
@settings(deadline=None, max_examples=150)
def test_no_limit_is_exceeded_over_many_cycles(
    steps: Any, total: int, idle: int, each: int, rate: int
) -> None:
    made = entry(
        limits=Limits(total, idle, 9),
        class_default=Limits(each, each, 9),
        submit_max_per_cycle=rate,
    )
    world = Played(made)
    for seed, (asks, moved, done) in enumerate(steps):
        plan = world.cycle(asks, seed)
        assert world.of(WAIT, QUEUED) <= min(idle, each)
        assert world.of(WAIT, QUEUED, RUNNING) <= min(total, each)
        assert all(r.submitted <= rate for r in plan.requests)
        # starting changes idle into running, which no limit forbids
        world.pass_on(moved, done)


@given(st.integers(0, 300), st.integers(1, 50), st.lists(NUMBER, min_size=90, max_size=90))
@settings(deadline=None, max_examples=40)
def test_running_pilots_go_slowly_whatever_is_asked(
    running: int, cap: int, wanted: list[int]
) -> None:
    world = Played(entry(remove_max_per_cycle=cap))
    world.pilots["fe.a", RUNNING] = running
    for seed, most in enumerate(wanted):
        world.cycle([("fe.a", 0, most, "ALL")], seed)
    for first in world.taken:
        hour = sum(t.n for t in world.taken if first.when <= t.when < first.when + 3600.0)
        assert hour <= max(5, running // 10)


@given(
    st.lists(
        st.tuples(st.sampled_from(CLIENTS), NUMBER, NUMBER), max_size=3, unique_by=lambda t: t[0]
    ),
    NUMBER,
)
@settings(deadline=None, max_examples=60)
def test_one_refused_request_changes_nothing_else(asks: Any, n: int) -> None:
    world = Played(entry())
    world.pilots["fe.a", WAIT] = n
    good = world.snapshot([(*a, "ALL") for a in asks])
    bad = replace(request(name="X", client="fe.x"), refusal=Refusal(Reason.MALFORMED_AD, "X", "no"))
    more = replace(good, requests=replace(good.requests, value=(*(good.requests.value or ()), bad)))
    plans = [decide(s, policy(Path("/x")), NOW, random.Random(1)).entries[0] for s in (good, more)]
    rows = [{r.request: to_json(r) for r in p.requests if r.request != "X"} for p in plans]
    assert rows[0] == rows[1]
    assert [r.submitted for r in plans[1].requests if r.request == "X"] == [0]


@given(st.lists(STEP, min_size=1, max_size=3), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_the_same_snapshot_and_seed_give_the_same_plan(steps: Any, seed: int) -> None:
    made = policy(Path("/x"), entry(limits=Limits(20, 9, 9)))
    for asks, _, _ in steps:
        given_ = Played(made.entries[0]).snapshot(asks)
        first, second = (to_json(decide(given_, made, NOW, random.Random(seed))) for _ in range(2))
        assert first == second
