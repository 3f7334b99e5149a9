"""From readings to tables: what is held, what is unknown, what columns a group may see (decision 15, 23)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.frontend.apply.report import FrontendReport
from glideinwms.frontend.collect import build_snapshot
from glideinwms.frontend.collect.answers import RunningHere, ValueCount
from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.frontend.credentials.loaded import GroupCredentials
from glideinwms.frontend.decide import decide
from glideinwms.frontend.inspect import summary
from glideinwms.frontend.policy import FrontendPolicy, MatchAttribute, RemovalPolicy
from glideinwms.frontend.snapshot import Counters, PublishedGroup, SlotCounts
from glideinwms.frontend.state.memory import GroupMemory, Memory
from tests.unit.frontend.build_frontend import (
    NODE,
    NOW,
    POOL,
    bucket,
    factories,
    good,
    group,
    jobs,
    known,
    policy,
    schedd_ads,
    slots,
    table,
)

ENTRY = "E@inst@factory"
REMEMBERED = Memory(
    groups={
        "main": GroupMemory({ENTRY: Counters(9, 9, 9)}, {ENTRY: PublishedGroup(7, 30)}, NOW - 60)
    }
)


def build(
    given: Inputs, p: FrontendPolicy | None = None, memory: Memory = REMEMBERED, now: float = NOW
) -> Any:
    p = p or policy()
    wallets = {g.name: GroupCredentials(names={"CREDID": "/tok"}) for g in p.groups}
    return build_snapshot.build(
        given, p, credentials=wallets, memory=memory, actions={}, downtime=False, now=now
    )


def test_everything_known() -> None:
    [main] = build(known()).groups
    assert main.held == main.unknown == ()
    assert main.jobs[0].rows[0].values == ("x", 1) and main.jobs[0].rows[0].idle == 10
    assert (
        main.entries[0].name == ENTRY and main.entries[0].pool == NODE and main.entries[0].has_key
    )
    assert main.last == {ENTRY: PublishedGroup(7, 30)} and main.counters == {
        ENTRY: Counters(9, 9, 9)
    }


def test_a_failed_schedd_is_held_then_unknown_then_dropped() -> None:
    failed = known().schedds["schedd1"].failed("hung")
    [held] = build(known(schedds={"schedd1": failed}), now=NOW + 60).groups
    assert (
        held.held == ("schedd schedd1: hung",)
        and held.unknown == ()
        and held.jobs[0].rows[0].idle == 10
    )
    [unknown] = build(known(schedds={"schedd1": failed}), now=NOW + 1801 - 60).groups
    assert unknown.held  # still within its age
    sure = Memory(groups={"main": replace(REMEMBERED.group("main"), sure_at=NOW + 1800)})
    [unknown] = build(known(schedds={"schedd1": failed}), memory=sure, now=NOW + 1900).groups
    assert unknown.unknown == ("schedd schedd1: hung",) and unknown.jobs and unknown.last
    [over] = build(known(schedds={"schedd1": failed}), memory=sure, now=NOW + 1800 + 1801).groups
    assert over.unknown and over.jobs == () and over.last == {}


def test_one_schedd_of_two_never_answered_and_the_other_goes_on() -> None:
    p = policy(group(schedds=("schedd1", "schedd2")))
    [main] = build(known(), p, Memory()).groups
    assert main.unknown == ("schedd schedd2: not asked yet",) and len(main.jobs) == 1
    assert not build_snapshot.blind(main, p, Memory(), NOW)


def test_without_any_slots_reading_nothing_is_computed() -> None:
    given = known(slots=None)
    [main] = build(given, memory=Memory()).groups
    assert main.jobs == () and main.unknown == ("slots: not asked yet",)
    assert build_snapshot.blind(main, policy(), Memory(), NOW)
    assert not build_snapshot.blind(main, policy(), REMEMBERED, NOW)


def test_a_pool_whose_ads_are_all_somebody_elses_is_a_problem() -> None:
    """What an operator sees who has mistyped factory_identity."""
    skipped = [f"{what}: comes from a, not from b" for what in ("glidefactory E", "glidefactory F")]

    def seen(*names: str, left: list[str] = skipped) -> Any:
        skipped_ads = (*left, "glidefactoryglobal i@f: comes from a, not from b")
        given = factories(*names, skipped=skipped_ads)
        return build(known(pools={POOL: good("pool", given)})).groups[0]

    assert seen(left=[]).left_out == (), "it has no entry that the group asks for"

    assert seen(ENTRY).left_out == (), "the others are of a Factory that shares the collector"
    nobody = seen()
    [why] = nobody.left_out
    assert why == f"no entry of {NODE} can be used, 2 ads are left out, first {skipped[0]}"
    [plan] = decide(build(known()), policy(), NOW, random.Random(1)).groups
    assert why in summary.group(nobody, plan, FrontendReport())["problems"]


def test_a_wms_pool_past_its_age_has_no_entries_and_freezes_nobody() -> None:
    failed = known().pools[POOL].failed("cut")
    [held] = build(known(pools={POOL: failed}), now=NOW + 800).groups
    assert held.entries and any("cut" in h for h in held.held)
    [gone] = build(known(pools={POOL: failed}), now=NOW + 901).groups
    assert gone.entries == () and gone.held == gone.unknown == ()


def test_other_groups_columns_are_folded_away() -> None:
    wide = table(
        (["x", 1, "u1"], 3, 0), (["x", 1, "u2"], 4, 1), names=("Wants", "RequestCpus", "User")
    )
    p = policy(group(), group("other", job_attrs=(MatchAttribute("Wants"), MatchAttribute("User"))))
    main, other = build(known(schedds={"schedd1": good("s", jobs(wide))}), p).groups
    assert [(r.values, r.idle, r.running) for r in main.jobs[0].rows] == [(("x", 1), 7, 1)]
    assert len(other.jobs[0].rows) == 2 and other.jobs[0].names == ("Wants", "User", "RequestCpus")


def test_a_query_that_was_not_asked_yet_is_unknown() -> None:
    [main] = build(known(), policy(group(job_query="JobUniverse == 7"))).groups
    assert "job query" in main.unknown[0]


def test_an_overloaded_schedd_keeps_its_table_and_its_reason() -> None:
    loads = good("schedd ads", schedd_ads("schedd1", overload="curbs"))
    [main] = build(known(loads=loads)).groups
    assert not main.jobs[0].good and main.jobs[0].why == "curbs"


def test_slots_by_entry_credential_and_pool() -> None:
    own_slots = bucket("fe.main", ENTRY, "CREDID", 4, 1, 3, 0, 8, 1, 3)
    foreign = bucket("fe.other", ENTRY, "X", 9, 9, 0, 0, 9, 9, 0)
    here = RunningHere(client="fe.main", request=ENTRY, pool=NODE, claimed=3, glideins=2)
    elsewhere = replace(here, pool="elsewhere:1", claimed=5, glideins=5)
    answer = slots(own_slots, foreign, here=(here, elsewhere))
    found = build(known(slots=good("slots", answer)))
    [main] = found.groups
    own = main.slots[ENTRY]
    assert own.counts == SlotCounts(4, 1, 3, 0, 8, 1, 3) == own.by_credential["/tok"]
    assert (own.running_glideins, own.running_here, main.total, main.idle) == (2, 3, 4, 1)
    assert (found.frontend_total, found.pool_idle) == (13, 10)


def test_entries_need_the_key_of_their_own_factory() -> None:
    given = known(pools={POOL: good("p", factories(ENTRY, "E@xinst@factory"))})
    [main] = build(given).groups
    assert {e.name: e.has_key for e in main.entries} == {ENTRY: True, "E@xinst@factory": False}


def test_users_and_projects_for_the_plugins_that_count_them() -> None:
    t = table(
        (["x", 1], 10, 2),
        extras={
            "User": [count("a", 1, 0), count("b", 0, 2)],
            "ProjectName": [count("p", 3, 1), count("q", 0, 1)],
        },
    )
    [main] = build(known(schedds={"schedd1": good("s", jobs(t))})).groups
    assert main.users == 2 and main.projects == {"p": 3}


def count(value: str, idle: int, running: int) -> ValueCount:
    return ValueCount(value=value, idle=idle, running=running)


FAILURES = st.sets(st.sampled_from(["schedds", "slots", "pools", "loads"]), min_size=1)


@pytest.mark.parametrize("later", [30.0, 590.0])
@given(failures=FAILURES, idle=st.integers(0, 500), total=st.integers(0, 50))
def test_a_failed_input_decides_as_its_last_good_reading(
    later: float, failures: set[str], idle: int, total: int
) -> None:
    """The property of decision 15: the same numbers, but no removal, and the plan says so."""
    counts = (total, total // 2, total - total // 2, 0, total, 0, 0)
    own_slots = bucket("fe.main", ENTRY, "CREDID", *counts)
    fresh = known(
        schedds={"schedd1": good("schedd schedd1", jobs(table((["x", 1], idle, 2))))},
        slots=good("slots", slots(own_slots), max_age=600.0),
    )
    broken = fresh
    for name in failures:
        old = getattr(fresh, name)
        new = (
            {k: v.failed("cut") for k, v in old.items()}
            if isinstance(old, dict)
            else old.failed("cut")
        )
        broken = replace(broken, **{name: new})
    p = policy(group(limits=replace(group().limits, removal=RemovalPolicy("ALL", 0, True, 0))))
    [a] = decide(build(fresh, p, now=NOW + later), p, NOW + later, random.Random(1)).groups
    [b] = decide(build(broken, p, now=NOW + later), p, NOW + later, random.Random(1)).groups
    assert [(e.entry, e.idle, e.max_glideins) for e in a.entries] == [
        (e.entry, e.idle, e.max_glideins) for e in b.entries
    ]
    assert all(e.removal == "NO" for e in b.entries) and all(e.removal == "ALL" for e in a.entries)
    assert b.held and not b.frozen


@given(
    failures=FAILURES, idle=st.integers(0, 500), last=st.integers(0, 100), top=st.integers(0, 500)
)
def test_past_its_age_no_number_drops(failures: set[str], idle: int, last: int, top: int) -> None:
    given_ = known(schedds={"schedd1": good("schedd schedd1", jobs(table((["x", 1], idle, 0))))})
    for name in failures - {"pools"}:
        old = getattr(given_, name)
        new = (
            {k: v.failed("cut") for k, v in old.items()}
            if isinstance(old, dict)
            else old.failed("cut")
        )
        given_ = replace(given_, **{name: new})
    now = NOW + 1801
    fresh_pool = {POOL: good("p", factories(ENTRY), at=now, max_age=900.0)}
    memory = Memory(groups={"main": GroupMemory({}, {ENTRY: PublishedGroup(last, top)}, now - 60)})
    [plan] = decide(
        build(replace(given_, pools=fresh_pool), memory=memory, now=now),
        policy(),
        now,
        random.Random(1),
    ).groups
    [e] = plan.entries
    assert not failures - {"pools"} or (
        e.idle >= last and e.max_glideins >= top and e.removal == "NO" and plan.frozen
    )
