"""Slot counters: Child* rolled out equals counting the dynamic ads themselves; whose slot is whose."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glideinwms.frontend.collect.answers import RunningHere
from glideinwms.frontend.collect.queries import slots

STATES = st.sampled_from(["Claimed", "Unclaimed", "Preempting", "Drained", "Owner"])
ACTIVITIES = st.sampled_from(["Busy", "Idle", "Retiring", "Suspended"])
HERE = RunningHere(client="fe.main", request="E@i@F", pool="wms:9618", claimed=2, glideins=1)
CHILD = st.tuples(STATES, ACTIVITIES, st.integers(1, 8), st.integers(100, 9000))


def glidein(name: str = "slot1@glidein_1_2@node", **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "State": "Unclaimed",
        "Activity": "Idle",
        "Cpus": 2,
        "Memory": 4000,
        "SlotType": "Partitionable",
        "PartitionableSlot": True,
        "TotalSlots": 2,
        "TotalSlotCpus": 4,
        "GLIDEIN_Entry_Name": "E",
        "GLIDEIN_Name": "i",
        "GLIDEIN_Factory": "F",
        "GLIDECLIENT_Name": "fe.main",
        "GLIDECLIENT_ReqNode": "wms:9618",
        "GLIDEIN_CredentialIdentifier": "CRED",
        **more,
    }


def with_children(children: list[tuple[str, str, int, int]]) -> dict[str, Any]:
    keys = ("ChildState", "ChildActivity", "ChildCpus", "ChildMemory")
    return glidein(**{k: [c[i] for c in children] for i, k in enumerate(keys)})


@given(st.lists(CHILD, max_size=6), st.sampled_from([100, 2500, 5000]))
def test_rolled_out_children_equal_their_own_ads(
    children: list[tuple[str, str, int, int]], memory: int
) -> None:
    apart = [glidein()] + [
        {
            "State": s,
            "Activity": a,
            "Cpus": c,
            "Memory": m,
            "SlotType": "Dynamic",
            "DynamicSlot": True,
        }
        for s, a, c, m in children
    ]
    together = slots.tally(slots.rolled_out(with_children(children)), memory)
    assert together == slots.tally(apart, memory)
    assert together.total == 1 + len(children) and together.total_cores == 4


def test_rest_of_a_partitionable_slot_is_idle_only_if_a_job_could_use_it() -> None:
    busy = {"TotalSlots": 2}
    assert slots.is_idle(glidein(), 2500)
    assert not slots.is_idle(glidein(Memory=2500), 2500)
    assert not slots.is_idle(glidein(Cpus=0), 2500)
    assert not slots.is_idle(glidein(TotalGpus=1, Gpus=0), 2500)
    assert slots.is_idle(glidein(TotalGpus=1, Gpus=1, **busy), 2500)
    assert slots.is_idle(glidein(TotalSlots=1, Memory=1), 2500)


def test_whose_slots() -> None:
    claimed = [("Claimed", "Busy", 1, 1000), ("Claimed", "Retiring", 1, 1000)]
    ads = [
        with_children(claimed),
        glidein("slot1@glidein_3_4@node", GLIDECLIENT_Name="E@i@F@fe.main"),
        glidein("slot1@glidein_5_6@node", GLIDECLIENT_Name="fe.other"),
        glidein("slot1@glidein_7_8@node", GLIDECLIENT_Name="fe2.main"),
        glidein("slot1@glidein_9_0@node", IS_MONITOR_VM=True),
        {"Name": "slot1@local", "State": "Claimed", "Activity": "Busy", "Cpus": 8},
    ]
    folded = slots.fold(ads, "fe", {})
    by_key = {(b.client, b.request, b.credential): b.counts for b in folded.buckets}
    assert set(by_key) == {("fe.main", "E@i@F", "CRED"), ("fe.other", "E@i@F", "CRED")}
    assert (
        by_key["fe.main", "E@i@F", "CRED"].total == 4
        and by_key["fe.main", "E@i@F", "CRED"].running == 2
    )
    assert folded.frontend.total == 5 and folded.everything.total == 8
    assert folded.here == (HERE,)


def test_one_glidein_with_two_slots_counts_once() -> None:
    static = {
        "PartitionableSlot": False,
        "SlotType": "Static",
        "State": "Claimed",
        "Activity": "Busy",
    }
    ads = [glidein(f"slot{i}@glidein_1_2@node", **static) for i in (1, 2)]
    assert slots.fold(ads, "fe", {}).here == (HERE,)


def test_pool_of_a_slot() -> None:
    assert slots.same_pool(slots.pool_of(glidein()), "wms:9618")
    assert not slots.same_pool(slots.pool_of(glidein()), "wms:9619")
    old = glidein(GLIDECLIENT_ReqNode=None, GLIDEIN_Schedd="schedd1@wms:1234")
    assert slots.same_pool(slots.pool_of(old), "wms:9618")
    assert not slots.same_pool(slots.pool_of(old), "other:9618")
