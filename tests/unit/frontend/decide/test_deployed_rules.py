"""The rules of protocol 5.3, 5.6 and 5.7 written down once more, the plainest way, and held against the decision."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.frontend import policy_files
from glideinwms.frontend.decide import decide, removal
from glideinwms.frontend.decide.explain import explain_class
from glideinwms.frontend.decide.request import (
    SHARED,
    RequestNumbers,
    RequestTotals,
    SharedLimits,
    decide_numbers,
)
from glideinwms.frontend.policy import FrontendPolicy, GroupLimits, MaxCurb, RemovalPolicy
from glideinwms.frontend.snapshot import (
    Counters,
    EntrySlotCounts,
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
    SlotCounts,
)
from glideinwms.lib.errors import ConfigError
from glideinwms.lib.reasons import Reason
from tests.unit.frontend.build_frontend import group, policy
from tests.unit.frontend.decide.golden import expression

ORDER = ["NO", "WAIT", "IDLE", "ALL", "UNREG"]
small, wide = st.integers(0, 40), st.integers(0, 400)
caps = st.builds(MaxCurb, wide, wide)
group_limits = st.builds(
    GroupLimits,
    max_running=wide,
    min_running=st.integers(0, 9),
    max_idle=st.integers(-2, 60),
    relative_to_queue=st.sampled_from([0.0, 0.5, 1.0, 1.1, 1.15, 2.0]),
    reserve_idle=st.integers(0, 30),
    idle_vms_per_entry=caps,
    running_total=caps,
    idle_vms_total=caps,
    ramp_up_attenuation=st.sampled_from([-2.0, 0.5, 1.0, 2.7, 3.0, 10.0]),
)
frontends = st.builds(
    lambda a, b, c, d: policy(
        running_total=a, idle_vms_total=b, running_total_global=c, idle_vms_total_global=d
    ),
    caps,
    caps,
    caps,
    caps,
)
all_totals = st.builds(RequestTotals, small, small, small, small, small, small)


def by_the_book(
    j: int, o: int, here: EntrySlotCounts, t: RequestTotals, g: GroupLimits, f: FrontendPolicy
) -> tuple[int, int, dict[str, str]]:
    """(ReqIdleGlideins, ReqMaxGlideins, limits and curbs) of items 1, 2, 4 and 5 of protocol 5.6,
    in their order.
    """
    total, idle, running = here.counts.total, here.counts.idle, here.running_glideins
    j = max(j, g.min_running)
    top = int((max(j - idle, 0) + running) * g.relative_to_queue + 1) if j > 0 else running
    shared = [
        (t.group, g.running_total),
        (t.group_idle, g.idle_vms_total),
        (t.frontend, f.running_total),
        (t.frontend_idle, f.idle_vms_total),
        (t.pool, f.running_total_global),
        (t.pool_idle, f.idle_vms_total_global),
    ]
    found = {
        "TotalGlideinsPerEntry": (total, g.max_running),
        "IdleGlideinsPerEntry": (idle, g.idle_vms_per_entry.max),
        **{n: (c, p.max) for n, (c, p) in zip(SHARED, shared, strict=True)},
    }
    reached = {n: f"count={c}, limit={m}" for n, (c, m) in found.items() if c >= m}
    need, need_old = max(j - idle, 0), max(o - idle, 0)
    if reached or need == 0:
        return 0, top, reached
    m: float = min(need, g.max_running - total, *(p.max - c for c, p in shared))
    m = int(m / g.ramp_up_attenuation)
    m = min(m + min(need_old // 3, g.reserve_idle), g.max_idle)
    curbs = {
        "CurbIdleGlideinsPerEntry": (idle, g.idle_vms_per_entry.curb),
        **{f"Curb{n}": (c, p.curb) for n, (c, p) in zip(SHARED, shared, strict=True)},
    }
    for c, curb in curbs.values():
        m = m / 2 if c >= curb else m
    return int(max(m, 1)), top, {n: f"count={c}, curb={m}" for n, (c, m) in curbs.items() if c >= m}


@given(wide, wide, small, small, small, all_totals, group_limits, frontends)
@settings(max_examples=600)
def test_a_request(
    j: int,
    o: int,
    busy: int,
    idle: int,
    running: int,
    t: RequestTotals,
    g: GroupLimits,
    f: FrontendPolicy,
) -> None:
    here = EntrySlotCounts(SlotCounts(total=busy + idle, idle=idle), running_glideins=running)
    got = decide_numbers(j, o, here, SharedLimits.of(t, g, f), g, strict=True, down=None, action="")
    assert (got.idle, got.max_glideins, got.strings) == by_the_book(j, o, here, t, g, f)
    mended = decide_numbers(
        j, o, here, SharedLimits.of(t, g, f), g, strict=False, down=None, action=""
    )
    for numbers in (got, mended):
        explained(j, numbers)


def explained(demand: float, numbers: RequestNumbers) -> None:
    """Each step begins where the one before it ended, and the last one ends at what is asked for;
    several limits that are reached bring the same number to 0.
    """
    for step in numbers.clips:
        assert step.before == demand, numbers
        if step.after or step.reason not in numbers.strings:
            demand = step.after
    assert numbers.idle == (numbers.clips[-1].after if numbers.clips else demand), numbers


@pytest.mark.parametrize(
    ("action", "down", "wanted"),
    [
        ("removeWait", None, (0, 0)),
        ("removeAll", None, (0, 0)),
        ("removeIdleExcess", None, (0, 38)),
        ("removeIdleExcess", Reason.ENTRY_DOWNTIME, (0, 0)),
        ("", Reason.FRONTEND_DOWNTIME, (0, 0)),
    ],
)
def test_downtime_and_an_operators_removal_record_no_limit(
    action: str, down: Reason | None, wanted: tuple[int, int]
) -> None:
    g, here = (
        GroupLimits(max_running=1),
        EntrySlotCounts(SlotCounts(total=5, idle=2), running_glideins=3),
    )
    got = decide_numbers(
        32,
        0,
        here,
        SharedLimits.of(RequestTotals(0, 0, 0, 0, 0, 0), g, policy()),
        g,
        strict=True,
        down=down,
        action=action,
    )
    assert (got.idle, got.max_glideins, got.strings) == (*wanted, {})


def test_numbers_below_zero() -> None:
    def asked(strict: bool, **changes: Any) -> int:
        g = replace(GroupLimits(), **changes)
        free = SharedLimits.of(RequestTotals(0, 0, 0, 0, 0, 0), g, policy())
        return decide_numbers(
            30, 30, EntrySlotCounts(), free, g, strict=strict, down=None, action=""
        ).idle

    assert (asked(True, max_idle=-3), asked(False, max_idle=-3)) == (1, 0)
    assert (asked(True, ramp_up_attenuation=-3.0), asked(False, ramp_up_attenuation=-3.0)) == (
        1,
        35,
    )
    assert asked(False, ramp_up_attenuation=0.0) == 35
    with pytest.raises(ConfigError, match="ramp_up_attenuation"):
        asked(True, ramp_up_attenuation=0.0)


cycles = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)), max_size=40)
removals = st.builds(
    RemovalPolicy,
    st.sampled_from([*ORDER, "DISABLE"]),
    st.integers(0, 20),
    st.booleans(),
    st.integers(-3, 9),
)


@given(cycles, removals)
@settings(max_examples=200)
def test_removal_over_many_cycles(seen: list[tuple[int, int, int]], conf: RemovalPolicy) -> None:
    """Protocol 5.7, from what each cycle saw: (idle jobs, slots, idle slots)."""
    counters = Counters()
    none = empty = gone = 0
    for jobs, total, idle in seen:
        none, empty, gone = (
            (none + 1) * (jobs == 0),
            (empty + 1) * (idle >= total),
            (gone + 1) * (total == 0),
        )
        own = "NO" if none <= 5 else "ALL" if gone > 10 else "IDLE" if empty > 10 else "WAIT"
        counters = removal.next_counters(counters, jobs, SlotCounts(total=total, idle=idle))
        assert (counters.no_jobs, counters.all_idle, counters.no_slots) == (none, empty, gone)
        asked = conf.type if conf.tracking or none > conf.wait else "NO"
        wanted = (
            (own, 0)
            if asked == "DISABLE" or ORDER.index(own) > ORDER.index(asked)
            else (asked, conf.margin if conf.tracking and conf.margin > 0 else 0)
        )
        assert removal.level(conf, counters) == (("NO", 0) if conf.type == "DISABLE" else wanted)


def test_an_unknown_removal_type_is_the_groups_problem() -> None:
    jobs = JobTable("s", ("Wants",), (JobClassRow(("x",), 5),))
    own = group(limits=GroupLimits(removal=RemovalPolicy("idle", tracking=True)))
    snapshot = FrontendSnapshot(0.0, (GroupInput("main", (jobs,), (EntryState("E", "p", {}),)),))
    [plan] = decide(snapshot, policy(own), 0.0, random.Random(1)).groups
    assert not plan.entries and "'idle' is none of NO, WAIT, IDLE, ALL" in plan.problems[0]


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("1 == 1", True),
        ("1.0", True),
        ('"yes"', False),
        ('True and job["Wants"]', False),
        ('job["Wants"] and True', True),
    ],
)
def test_the_expression_must_be_true_with_a_policy_file_as_without(
    tmp_path: Path, text: str, fits: bool, with_file: bool
) -> None:
    path = tmp_path / "policy.py"
    path.write_text("def match(job, glidein):\n    return True\n")
    path.chmod(0o644)
    own = group(
        match=(*expression('"a"'), *expression(text)),
        policy_files=(str(path),) if with_file else (),
    )
    jobs = JobTable("s", ("Wants",), (JobClassRow(("x",), 5),))
    files = (policy_files.read(str(path)),)
    inputs = GroupInput("main", (jobs,), (EntryState("E", "p", {}),), policy_files=files)
    [plan] = decide(FrontendSnapshot(0.0, (inputs,)), policy(own), 0.0, random.Random(1)).groups
    assert plan.entries[0].jobs["Idle"].count == (5 if fits else 0)
    assert [v.matches for v in explain_class(inputs, own, {"Wants": "x"})] == [fits]
