"""What must hold for every demand, limit and order (decisions 7 and 15)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.frontend.decide import MatchCache, decide
from glideinwms.frontend.decide.job_counts import UNIT, MatchTally, counts
from glideinwms.frontend.decide.packed_sums import unpacked
from glideinwms.frontend.decide.request import (
    RequestTotals,
    SharedLimits,
    curbs,
    decide_numbers,
    limits,
)
from glideinwms.frontend.plan import FrontendPlan
from glideinwms.frontend.policy import (
    FrontendPolicy,
    GroupLimits,
    GroupPolicy,
    MaxCurb,
    RemovalPolicy,
)
from glideinwms.frontend.snapshot import (
    EntrySlotCounts,
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
    PublishedGroup,
    SlotCounts,
)
from tests.unit.frontend.build_frontend import group, policy
from tests.unit.frontend.decide.golden import expression

LAW = 'glidein["attrs"]["Site"] in job["Sites"].split(",") and getGlideinCpusNum(glidein) >= job.get("RequestCpus", 1)'
SITES = "ABCDE"
few = st.integers(0, 30)


def entries(n: int = 5) -> tuple[EntryState, ...]:
    return tuple(
        EntryState(f"E{i}", "wms", {"Site": SITES[i], "GLIDEIN_CPUS": 8}) for i in range(n)
    )


def own(**changes: Any) -> GroupPolicy:
    return group(match=expression(LAW), **changes)


rows = st.builds(
    lambda sites, cores, *n: JobClassRow((",".join(sorted(sites)), cores), *n),
    st.sets(st.sampled_from(SITES + "Z")),
    st.sampled_from([None, 1, 2, 8, 16]),
    few,
    few,
    few,
    few,
    few,
)
tables = st.lists(st.lists(rows, max_size=6), max_size=3).map(
    lambda found: tuple(
        JobTable(f"s{i}", ("Sites", "RequestCpus"), tuple(r)) for i, r in enumerate(found)
    )
)
caps = st.builds(lambda a, b: MaxCurb(max(a, b), min(a, b)), few, few)
all_limits = st.builds(
    GroupLimits,
    max_running=few,
    min_running=st.integers(0, 3),
    max_idle=few,
    reserve_idle=st.integers(0, 20),
    idle_vms_per_entry=caps,
    running_total=caps,
    idle_vms_total=caps,
    ramp_up_attenuation=st.sampled_from([0.5, 1.0, 3.0]),
)
slots = st.builds(
    lambda t, i: EntrySlotCounts(SlotCounts(total=max(t, i), idle=min(t, i))), few, few
)
totals = st.builds(RequestTotals, few, few, few, few, few, few)
frontends = st.builds(
    lambda a, b, c, d: policy(
        running_total=a, idle_vms_total=b, running_total_global=c, idle_vms_total_global=d
    ),
    caps,
    caps,
    caps,
    caps,
)


def plan(
    given: GroupInput, own_group: GroupPolicy, cache: MatchCache | None = None, seed: int = 1
) -> FrontendPlan:
    return decide(
        FrontendSnapshot(0.0, (given,)), policy(own_group), 0.0, random.Random(seed), cache
    )


@given(tables)
def test_shares_sum_to_the_jobs_that_match(found: tuple[JobTable, ...]) -> None:
    from glideinwms.frontend.decide import job_counts
    from glideinwms.frontend.decide.match.matcher import match_rules, matcher

    mine = entries()
    tally = job_counts.tally(
        found, matcher(own(), mine, 0, MatchCache(), match_rules(own())), len(mine)
    )
    sums = tally.sums()
    for kind, name in enumerate(job_counts.TYPES):
        by_mask = tally.types[name]
        matched = sum(jobs for (mask, _), jobs in by_mask.items() if mask)
        # each share is exact to 2^-60 job for each distinct set of entries
        shares = sum(unpacked(total, kind)[2] for total in sums)
        assert abs(shares - matched * UNIT) <= len(by_mask) * len(mine), name
        assert sum(unpacked(total, kind)[0] for total in sums) == sum(
            m.bit_count() * n for (m, _), n in by_mask.items()
        )


@given(tables, rows, few)
def test_more_demand_never_counts_less(
    found: tuple[JobTable, ...], more: JobClassRow, extra: int
) -> None:
    bigger = (
        *found,
        JobTable("more", ("Sites", "RequestCpus"), (replace(more, idle=more.idle + extra),)),
    )
    before, after = (
        plan(GroupInput("main", t, entries()), own()).groups[0] for t in (found, bigger)
    )
    for old, new in zip(before.entries, after.entries, strict=True):
        a, b = old.jobs["Idle"], new.jobs["Idle"]
        assert (a.count <= b.count) and (a.prop <= b.prop) and (a.hereonly <= b.hereonly)


def test_more_demand_may_need_fewer_pilots() -> None:
    """prop_mc goes by the mean of the cores: nine small jobs beside a big one make that mean
    smaller.
    """
    mine = (EntryState("E", "wms", {}), *(EntryState(f"X{i}", "wms", {}) for i in range(99)))
    tally = MatchTally((1 << 100) - 1, 100, 0)
    tally.types["Idle"][(1, 8)] = 1
    assert counts(tally, mine)["Idle"][0].prop_mc == 8
    tally.types["Idle"][((1 << 100) - 1, 1)] = 9
    assert counts(tally, mine)["Idle"][0].prop_mc == 2


@given(few, few, slots, totals, all_limits, frontends, st.booleans())
@settings(max_examples=400)
def test_nothing_is_asked_for_at_a_limit(
    demand: int,
    old: int,
    here: EntrySlotCounts,
    all_: RequestTotals,
    own_limits: GroupLimits,
    front: FrontendPolicy,
    strict: bool,
) -> None:
    shared = SharedLimits.of(all_, own_limits, front)
    numbers = decide_numbers(
        demand, old, here, shared, own_limits, strict=strict, down=None, action=""
    )
    bounds = limits(here, shared, own_limits)
    if any(b.reached for b in bounds):
        assert numbers.idle == 0
    if not strict:
        room = min(b.limit - b.count for b in bounds)
        assert numbers.idle <= max(room, 0) and numbers.idle <= own_limits.max_idle
    assert numbers.idle >= 0


@given(few, few, slots, totals, all_limits, frontends)
@settings(max_examples=400)
def test_a_curb_only_halves(
    demand: int,
    old: int,
    here: EntrySlotCounts,
    all_: RequestTotals,
    own_limits: GroupLimits,
    front: FrontendPolicy,
) -> None:
    def free(pair: MaxCurb) -> MaxCurb:
        return MaxCurb(pair.max, 10**6)

    loose = replace(
        own_limits,
        idle_vms_per_entry=free(own_limits.idle_vms_per_entry),
        running_total=free(own_limits.running_total),
        idle_vms_total=free(own_limits.idle_vms_total),
    )
    easy = replace(
        front,
        running_total=free(front.running_total),
        idle_vms_total=free(front.idle_vms_total),
        running_total_global=free(front.running_total_global),
        idle_vms_total_global=free(front.idle_vms_total_global),
    )
    given, freely = SharedLimits.of(all_, own_limits, front), SharedLimits.of(all_, loose, easy)
    curbed = decide_numbers(
        demand, old, here, given, own_limits, strict=False, down=None, action=""
    )
    without = decide_numbers(demand, old, here, freely, loose, strict=False, down=None, action="")
    hit = sum(c.reached for c in curbs(here, given, own_limits))
    assert curbed.max_glideins == without.max_glideins
    assert curbed.idle <= without.idle
    if without.idle:
        assert curbed.idle >= max(1, without.idle // 2**hit)


@given(tables, st.randoms(use_true_random=False))
def test_order_means_nothing(found: tuple[JobTable, ...], rng: random.Random) -> None:
    mine = entries()
    mixed = tuple(
        replace(t, rows=tuple(rng.sample(t.rows, len(t.rows))))
        for t in rng.sample(found, len(found))
    )
    turned = tuple(
        replace(
            t, names=t.names[::-1], rows=tuple(replace(r, values=r.values[::-1]) for r in t.rows)
        )
        for t in mixed
    )
    wanted = plan(GroupInput("main", found, mine), own()).groups[0]
    for other in (mixed, turned):
        got = plan(GroupInput("main", other, tuple(rng.sample(mine, len(mine)))), own()).groups[0]
        assert got.entries == wanted.entries
        assert got.unmatched_jobs == wanted.unmatched_jobs


@given(tables, tables)
def test_what_is_remembered_changes_nothing(
    first: tuple[JobTable, ...], then: tuple[JobTable, ...]
) -> None:
    cache = MatchCache()
    plan(GroupInput("main", first, entries()), own(), cache)
    assert plan(GroupInput("main", then, entries()), own(), cache) == plan(
        GroupInput("main", then, entries()), own()
    )
    fewer = GroupInput("main", then, entries(3))
    assert plan(fewer, own(), cache) == plan(fewer, own())


@given(tables, tables)
def test_groups_do_not_see_each_other(one: tuple[JobTable, ...], two: tuple[JobTable, ...]) -> None:
    a, b = GroupInput("a", one, entries()), GroupInput("b", two, entries())
    pa, pb = (replace(own(), name=n) for n in "ab")
    both = decide(FrontendSnapshot(0.0, (a, b)), policy(pa, pb), 0.0, random.Random(1)).groups
    turned = decide(FrontendSnapshot(0.0, (b, a)), policy(pb, pa), 0.0, random.Random(1)).groups
    assert {g.name: g for g in both} == {g.name: g for g in turned}
    broken = replace(pa, match=expression("job.__class__"))
    got = decide(FrontendSnapshot(0.0, (a, b)), policy(broken, pb), 0.0, random.Random(1)).groups
    assert got[1] == both[1] and "frontend.xml:1" in got[0].problems[0]
    strange = replace(pa, limits=replace(pa.limits, removal=RemovalPolicy("wait")))
    got = decide(FrontendSnapshot(0.0, (a, b)), policy(strange, pb), 0.0, random.Random(1)).groups
    assert got[1] == both[1]


BAD = (
    {"Site": None},
    {},
    {"Site": 7},
    {"Site": "A", "GLIDEIN_CPUS": "x", "GLIDEIN_ESTIMATED_CPUS": "y"},
)


@given(tables, st.sampled_from(BAD))
def test_a_malformed_entry_changes_no_other(
    found: tuple[JobTable, ...], attrs: dict[str, Any]
) -> None:
    wanted = plan(GroupInput("main", found, entries()), own()).groups[0].entries
    odd = EntryState(
        "odd", "wms", {**attrs, "Site": "nowhere"} if attrs.get("Site") == "A" else attrs
    )
    got = plan(GroupInput("main", found, (odd, *entries())), own()).groups[0].entries
    assert [e for e in got if e.entry != "odd"] == list(wanted)


@given(tables, st.sampled_from([("Sites", 7), ("RequestCpus", "x"), ("Sites", None)]))
def test_a_malformed_class_changes_no_other(
    found: tuple[JobTable, ...], bad: tuple[str, Any]
) -> None:
    values = {"Sites": "A", "RequestCpus": 1, bad[0]: bad[1]}
    odd = JobTable("odd", ("Sites", "RequestCpus"), (JobClassRow(tuple(values.values()), 5),))
    wanted = plan(GroupInput("main", found, entries()), own()).groups[0]
    got = plan(GroupInput("main", (*found, odd), entries()), own()).groups[0]
    assert [replace(e, rejected={}) for e in got.entries] == [
        replace(e, rejected={}) for e in wanted.entries
    ]
    assert got.unmatched_jobs == wanted.unmatched_jobs + 5


@given(tables, st.integers(0, 40), st.sampled_from(["NO", "WAIT", "IDLE", "ALL"]))
def test_unknown_inputs_decide_as_their_last_reading_but_remove_nothing(
    found: tuple[JobTable, ...], last: int, removal: str
) -> None:
    """The last good reading serves: same numbers unless lower than published; no removal; and the
    plan says so.
    """
    mine = replace(own(), limits=GroupLimits(removal=RemovalPolicy(removal, tracking=True)))
    known = GroupInput("main", found, entries(), last={"E0": PublishedGroup(last, last)})
    unknown = replace(known, unknown=("schedd s0: no answer",))
    a, b = plan(known, mine).groups[0], plan(unknown, mine).groups[0]
    assert b.frozen == ("schedd s0: no answer",)
    for old, new in zip(a.entries, b.entries, strict=True):
        floor = last if old.entry == "E0" else 0
        assert (new.idle, new.max_glideins) == (max(old.idle, floor), max(old.max_glideins, floor))
        assert new.removal == "NO" and new.margin == 0
        assert new.jobs == old.jobs and new.clips[-1].reason == "Frozen"
    held = plan(replace(known, held=("schedd s0: timed out",)), mine).groups[0]
    assert held.held == ("schedd s0: timed out",)
    assert all(
        (h.idle, h.max_glideins, h.removal) == (o.idle, o.max_glideins, "NO")
        for h, o in zip(held.entries, a.entries, strict=True)
    )
