"""Where the Factory decides otherwise than the deployed program, and what holds of every plan."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.factory.decide import decide
from glideinwms.factory.decide.entry_sets import FileCount, deal
from glideinwms.factory.plan import FactoryPlan, RequestPlan
from glideinwms.factory.policy import EntryPolicy, Limits, SubEntry
from glideinwms.factory.snapshot import (
    FactorySnapshot,
    Health,
    PilotGroup,
    PilotQueue,
    QueuedPilot,
    Request,
    ScheddState,
)
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.reasons import Reason
from tests.unit.factory.builders import NOW, entry, policy, request

FE = ("fe.main", "fe:frontend", "frontend", "TOKENIDX")


def group(
    status: int, n: int, grid: str | None = None, who: tuple[str, str, str, str] = FE, **more: Any
) -> PilotGroup:
    client, frontend, cls, credential = who
    return replace(
        PilotGroup("A", client, frontend, cls, credential, "job.condor", status, grid, n), **more
    )


def held(
    number: int, code: int | None, holds: int | None, age: int = 10_000, status: int = 5
) -> QueuedPilot:
    client, frontend, cls, credential = FE
    return QueuedPilot(
        f"{number}.0",
        "A",
        client,
        frontend,
        cls,
        credential,
        "job.condor",
        status,
        None,
        age,
        code,
        None,
        holds,
    )


def snapshot(
    requests: list[Request],
    groups: list[PilotGroup],
    pilots: list[QueuedPilot] | None = None,
    **more: Any,
) -> FactorySnapshot:
    asked: Reading[tuple[Request, ...]] = Reading("requests", 0.0, tuple(requests), NOW)
    queue = Reading("schedd@factory", 0.0, PilotQueue(tuple(groups), tuple(pilots or ())), NOW)
    return FactorySnapshot(NOW, asked, (ScheddState("schedd@factory", queue),), **more)


def plan_of(given: FactorySnapshot, *entries: EntryPolicy, seed: int = 1) -> FactoryPlan:
    return decide(given, policy(Path("/x"), *entries), NOW, random.Random(seed))


def rows(given: FactorySnapshot, *entries: EntryPolicy) -> dict[str, RequestPlan]:
    return {r.client: r for e in plan_of(given, *entries).entries for r in e.requests}


def test_idle_excess_does_not_cost_running_pilots() -> None:
    """A4: a few idle pilots too many, far below the maximum."""
    asked = request(idle=0, max_glideins=1000, remove_level="ALL")
    other = ("fe.two", *FE[1:])
    row = rows(snapshot([asked], [group(2, 20, "RUNNING"), group(1, 30, who=other)]))["fe.main"]
    assert row.removals == () and row.parked is None


def test_another_credentials_pilots_cost_nothing() -> None:
    """36: totals over the class, victims of one request."""
    asked = request(idle=5, remove_level="WAIT")
    other = (*FE[:3], "ANOTHER")
    row = rows(snapshot([asked], [group(1, 5), group(1, 50, who=other)]))["fe.main"]
    assert row.removals == ()


def test_one_removal_rate_for_a_whole_sanitising_pass() -> None:
    """A5: not once for each of its four steps."""
    stale = [held(i, None, None, 10**7, status) for i, status in enumerate([1] * 9 + [2] * 9)]
    lost = [held(100 + i, 3, 1) for i in range(9)] + [held(200 + i, 3, 30) for i in range(9)]
    [e] = plan_of(snapshot([], [], [*stale, *lost]), entry(remove_max_per_cycle=5)).entries
    assert sum(r.cap for r in e.removals) == 5


def test_a_held_pilot_without_a_count_of_holds_stops_nothing() -> None:
    """A6: counted as held 0 times."""
    [e] = plan_of(snapshot([], [], [held(1, 3, None), held(2, 3, 30)])).entries
    assert {(r.group, r.ids) for r in e.removals} == {
        ("held_unrecoverable", ("1.0",)),
        ("held_unrecoverable_forcex", ("2.0",)),
    }


def test_exactly_the_configured_number_is_released() -> None:
    """35: not one more."""
    pilots = [held(i, 26, 1) for i in range(30)]
    p = policy(Path("/x"), entry(release_max_per_cycle=20), recoverable_exitcodes="26")
    [e] = decide(snapshot([], [], pilots), p, NOW, random.Random(1)).entries
    assert [(len(r.ids), r.cap) for r in e.releases] == [(30, 20)]


def test_limits_reached_are_told_by_one_rule_and_forgotten_when_over() -> None:
    """A9: >=, the count compared, class-held too."""
    e = entry(limits=Limits(10, 10, 10), class_default=Limits(10, 10, 2))
    full = plan_of(snapshot([], [group(1, 6), group(2, 4, "RUNNING"), group(5, 2)]), e).entries[0]
    assert full.limits == {
        "TotalGlideinsPerEntry": "count=10, limit=10",
        "TotalPerClass_fe:frontend": "count=10, limit=10",
        "HeldPerClass_fe:frontend": "count=2, limit=2",
    }
    assert plan_of(snapshot([], [group(1, 5)]), e).entries[0].limits == {}


def test_an_unknown_class_refuses_one_request_only() -> None:
    """A11: the deployed worker ends there."""
    strange = request(name="X", client="fe.x", security_class="gold")
    seen = rows(snapshot([strange, request()], [group(1, 1), replace(group(1, 1), frontend="")]))
    assert seen["fe.x"].refusal is not None and seen["fe.x"].refusal.reason is Reason.UNKNOWN_CLASS
    assert seen["fe.main"].submitted == 2, "it has one, the other is nobody's"


def test_what_is_placed_counts_not_what_was_planned() -> None:
    """A2: with entry sets fewer may be placed; only those count for the next request."""
    full = deal(
        9,
        files=["a", "b"],
        order=["a", "b"],
        algorithm="Default",
        pilots={"a": FileCount(4, 0), "b": FileCount(1, 0)},
        limits=Limits(100, 10, 0),
    )
    assert sum(p.n for p in full) == 5


@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(0, 30), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_a_ce_of_a_set_keeps_its_share_whoever_asks(asks: list[int], idle: int, seed: int) -> None:
    """Each CE may have limit // number of CEs, counting what others were given this cycle."""
    subs = tuple(SubEntry(n, f"{n} {n}:9619", "condor", f"job.{n}.condor") for n in "xyz")
    e = entry(limits=Limits(100, idle, 100), sub_entries=subs, selection_algorithm="Default")
    requests = [
        request(name=str(k), client=f"fe.{k}", idle=n, max_glideins=n) for k, n in enumerate(asks)
    ]
    [plan] = plan_of(snapshot(requests, []), e, seed=seed).entries
    dealt: Counter[str] = Counter()
    for row in plan.requests:
        dealt.update({p.file: p.n for p in row.placements})
    assert max(dealt.values(), default=0) <= idle // 3
    assert dealt.total() == min(sum(asks), idle // 3 * 3)


def test_a_refused_frontend_does_not_stop_those_after_it() -> None:
    """In GlideinWMS 3.10 its downtime leaks (protocol 9.3/37)."""
    e = entry(allow_frontends=("fe:All",))
    bad = request(name="B", client="other.main", security_name="other", whitelisted=False)
    seen = rows(snapshot([bad, request()], []), e)
    assert seen["other.main"].submitted == 0 and seen["fe.main"].submitted == 3
    assert seen["other.main"].clips[0].reason is Reason.NOT_ALLOWED


def test_no_frontend_always_comes_first() -> None:
    """Requests are served in an order drawn anew each cycle: whoever is first takes what is left of
    a limit.
    """
    two = [request(name="1", client="a"), request(name="2", client="b")]
    e = entry(limits=Limits(3, 3, 3))
    winners = {
        next(
            r.client
            for r in plan_of(snapshot(two, []), e, seed=s).entries[0].requests
            if r.submitted
        )
        for s in range(20)
    }
    assert winners == {"a", "b"}


def test_a_failing_entry_is_throttled_with_a_reason() -> None:
    health = (
        Health(entry="A", finished=20, failed=20, cap=1, text="20 of 20 pilots failed validation"),
    )
    row = rows(snapshot([request(idle=50, max_glideins=100)], [], health=health))["fe.main"]
    assert row.submitted == 1
    assert (
        row.clips[-1].reason is Reason.ENTRY_THROTTLED
        and "failed validation" in row.clips[-1].detail
    )


def test_a_failing_frontend_is_throttled_alone() -> None:
    """The other gets what it asks, also under the same ClientName; both requests of one together
    get the one pilot.
    """
    health = (
        Health(entry="A", finished=25, failed=20),
        Health(entry="A", finished=20, failed=20, cap=1, text="20 failed", frontend="fe"),
    )
    asks = [
        request(idle=50, max_glideins=100),
        request(name="2", idle=50, max_glideins=100, credential="ANOTHER"),
        request(name="3", security_name="other", idle=50, max_glideins=100),
    ]
    [plan] = plan_of(snapshot(asks, [], health=health)).entries
    assert sum(r.submitted for r in plan.requests if r.security_key == "fe:frontend") == 1
    assert [r.submitted for r in plan.requests if r.security_key == "other:frontend"] == [50]
    assert {c.reason for r in plan.requests for c in r.clips} == {Reason.CLIENT_THROTTLED}


def test_a_failing_client_is_throttled_alone() -> None:
    """The Frontend's other client, and another Frontend's of the same name, get what they ask."""
    bad = Health(entry="A", finished=20, failed=20, cap=1, text="", frontend="fe", client="fe.bad")
    asks = [
        request(idle=50, max_glideins=100),
        request(name="2", client="fe.bad", idle=50, max_glideins=100),
        request(name="3", client="fe.bad", security_name="other", idle=50, max_glideins=100),
    ]
    [plan] = plan_of(snapshot(asks, [], health=(bad,))).entries
    assert {r.request: r.submitted for r in plan.requests} == {asks[0].name: 50, "2": 1, "3": 50}


def test_a_client_judged_on_its_own_is_not_throttled_with_the_small_ones() -> None:
    pool = Health(entry="A", finished=20, failed=20, cap=1, text="", frontend="fe")
    good = Health(entry="A", finished=20, failed=0, frontend="fe", client="fe.good")
    asks = [
        request(client="fe.good", idle=50, max_glideins=100),
        request(name="2", client="fe.new", idle=50, max_glideins=100),
    ]
    [plan] = plan_of(snapshot(asks, [], health=(pool, good))).entries
    assert {r.client: r.submitted for r in plan.requests} == {"fe.good": 50, "fe.new": 1}


NUMBER = st.integers(0, 40)
ASKS = st.lists(
    st.tuples(
        st.sampled_from("abc"), NUMBER, NUMBER, st.sampled_from(["NO", "WAIT", "IDLE", "ALL"])
    ),
    max_size=5,
    unique_by=lambda t: t[0],
)
GRID = st.sampled_from([None, "PENDING", "RUNNING", "odd"])
GROUPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2, 5]), GRID, st.integers(1, 30)),
    max_size=8,
)


def made(asks: list[Any], groups: list[Any]) -> tuple[list[Request], list[PilotGroup]]:
    requests = [
        request(name=f"r{c}", client=c, idle=i, max_glideins=m, remove_level=level)
        for c, i, m, level in asks
    ]
    return requests, [group(s, n, g, (c, *FE[1:])) for c, s, g, n in groups]


@given(ASKS, GROUPS, NUMBER, NUMBER, NUMBER, st.integers(1, 7))
@settings(deadline=None, max_examples=300)
def test_no_plan_exceeds_a_limit(
    asks: Any, groups: Any, total: int, idle: int, held_: int, rate: int
) -> None:
    requests, found = made(asks, groups)
    e = entry(
        limits=Limits(total, idle, held_),
        class_default=Limits(total // 2, idle // 2, held_),
        remove_max_per_cycle=rate,
        submit_max_per_cycle=11,
    )
    [plan] = plan_of(snapshot(requests, found), e).entries
    new = sum(r.submitted for r in plan.requests)
    if new:
        assert plan.counts.idle + new <= idle // 2
        assert plan.counts.idle + plan.counts.running + new <= total // 2
        assert plan.counts.held < held_
    for row in plan.requests:
        assert row.submitted <= 11
        assert (
            row.submitted == 0 or row.own.idle + row.own.running + row.submitted <= row.max_glideins
        )
        assert row.submitted == 0 or row.own.idle + row.submitted <= row.idle
        assert not (row.submitted and row.removals)
        assert all(r.cap <= rate for r in row.removals)
        wanted = next(r for r in requests if r.name == row.request)
        assert wanted.remove_level != "NO" or not [r for r in row.removals if r.group == "excess"]
        running = sum(min(r.n, r.cap) for r in row.removals if "running" in r.states)
        assert running <= max(5, plan.counts.running // 10)


@given(ASKS, GROUPS, st.randoms())
@settings(deadline=None, max_examples=100)
def test_the_order_of_rows_changes_nothing(asks: Any, groups: Any, rnd: random.Random) -> None:
    requests, found = made(asks, groups)
    first = plan_of(snapshot(requests, found))
    rnd.shuffle(requests)
    rnd.shuffle(found)
    assert to_json(plan_of(snapshot(requests, found))) == to_json(first)


@given(ASKS, GROUPS, st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_is_not_known_freezes(asks: Any, groups: Any, requests_known: bool) -> None:
    requests, found = made(asks, groups)
    known = snapshot(requests, found)
    if requests_known:
        given_ = replace(known, schedds=(replace(known.schedds[0], frozen="not answering"),))
    else:
        given_ = replace(known, requests=Reading("requests", 0.0, None, 0.0, "no answer"))
    [plan] = plan_of(given_).entries
    assert plan.frozen
    assert not plan.removals and not plan.releases
    assert all(r.submitted == 0 and not r.removals and not r.releases for r in plan.requests)


@pytest.mark.parametrize("algorithm", ["", "Default"])
@given(
    n=st.integers(0, 60),
    have=st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=4),
    idle=NUMBER,
    total=NUMBER,
)
@settings(deadline=None)
def test_dealing_keeps_each_files_share(
    algorithm: str, n: int, have: Any, idle: int, total: int
) -> None:
    files = [f"f{i}" for i in range(len(have))]
    counts = {f: FileCount(*c) for f, c in zip(files, have, strict=True)}
    placed = {
        p.file: p.n
        for p in deal(
            n,
            files=files,
            order=files,
            algorithm=algorithm,
            pilots=counts,
            limits=Limits(total, idle, 0),
        )
    }
    assert sum(placed.values()) <= n
    if algorithm and len(files) > 1:
        for file, k in placed.items():
            assert counts[file].idle + k <= idle // len(files)
            assert counts[file].idle + counts[file].running + k <= total // len(files)
