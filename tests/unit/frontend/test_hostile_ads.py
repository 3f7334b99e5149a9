"""One hostile ad among good ones costs nothing but itself: slots, schedds, Factories."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest

from glideinwms.frontend.collect.answers import ClientAd, KeyAd
from glideinwms.frontend.collect.queries import factory_ads, schedds, slots
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.jsondata import dumps
from glideinwms.lib.wire import GlideFactory, GlideFactoryGlobal
from tests.support.hostile_values import NUMBERS, TEXTS
from tests.support.single_jobs import group_input
from tests.unit.frontend.build_frontend import FACTORY, KEY, group
from tests.unit.frontend.hostile_ads import VALUES

HOSTILE = {**TEXTS, **NUMBERS, **VALUES}
GOOD_SLOT = {
    "Name": "slot1@glidein_1_2@node",
    "State": "Claimed",
    "Activity": "Busy",
    "Cpus": 2,
    "Memory": 4000,
    "SlotType": "Static",
    "TotalSlots": 1,
    "GLIDEIN_Entry_Name": "E",
    "GLIDEIN_Name": "i",
    "GLIDEIN_Factory": "F",
    "GLIDECLIENT_Name": "fe.main",
    "GLIDECLIENT_ReqNode": "wms:9618",
    "GLIDEIN_CredentialIdentifier": "C",
}
SLOT_FIELDS = sorted({*slots.PROJECTION, "TotalSlotCpus"})


@pytest.mark.parametrize("name", SLOT_FIELDS)
def test_one_hostile_slot_leaves_the_counts_of_the_others(name: str) -> None:
    for kind, value in HOSTILE.items():
        bad = {**GOOD_SLOT, "GLIDEIN_Entry_Name": "bad", "PartitionableSlot": True, name: value}
        found = slots.fold([bad, GOOD_SLOT, GOOD_SLOT], "fe", {})
        buckets = [astuple(bucket) for bucket in found.buckets]
        assert ("fe.main", "E@i@F", "C", (2, 0, 2, 0, 4, 0, 4)) in buckets, kind
        here = [astuple(here) for here in found.here]
        assert ("fe.main", "E@i@F", "wms:9618", 2, 1) in here, kind
        assert found.everything.total in range(2, 7), kind
        assert 4 <= found.everything.total_cores <= 4 + slots.MAX_CORES, kind
        assert len(dumps(found)) < 5000, kind


def test_a_slot_that_cannot_be_assigned_is_shown() -> None:
    found = slots.fold([{**GOOD_SLOT, "GLIDEIN_Entry_Name": "x" * 300}, GOOD_SLOT], "fe", {})
    assert [astuple(skipped) for skipped in found.skipped] == [
        ("GLIDEIN_Entry_Name: 300 characters, at most 256 are allowed", 1)
    ]


def test_dynamic_slots_of_one_ad_are_bounded() -> None:
    found = slots.fold([{**GOOD_SLOT, "ChildState": ["Claimed"] * 10**6}], "fe", {})
    assert found.everything.total == slots.MAX_CHILDREN + 1


@pytest.mark.parametrize("name", [*SLOT_FIELDS, "RemoteHost"])
def test_slots_one_by_one(name: str) -> None:
    for kind, value in HOSTILE.items():
        bad = {**GOOD_SLOT, "GLIDEIN_Entry_Name": "bad", name: value}
        given = group_input(
            group(), "fe", (), [EntryState("E@i@F", "wms:9618", {})], [bad, GOOD_SLOT]
        )
        assert given.slots["E@i@F"].counts.running >= 1, kind


@pytest.mark.parametrize("name", ["HostsTotal", *slots.STARTED])
@pytest.mark.parametrize("kind", NUMBERS)
def test_what_a_collector_says_of_itself(name: str, kind: str) -> None:
    own = {"HostsTotal": 5, "StatsLastUpdateTime": 1.7e9, "StatsLifetime": 1e6, name: NUMBERS[kind]}
    assert slots.started([own]) == slots.started([own])  # it is a number, not NaN
    assert slots.started([own, {"StatsLastUpdateTime": 1.9e9, "StatsLifetime": 1e6}]) >= 1.9e9 - 1e6


SCHEDD = {
    "Name": "s@host",
    "MyAddress": "<1.2.3.4:5>",
    "TotalRunningJobs": 95,
    "MaxJobsRunning": 100,
}


@pytest.mark.parametrize(
    "name", [*SCHEDD, "TransferQueueNumUploading", "TransferQueueMaxUploading"]
)
def test_one_hostile_schedd_ad(name: str) -> None:
    for kind, value in HOSTILE.items():
        ad = schedds.schedd_ad({**SCHEDD, name: value}, {"s@host"})
        assert ad is None or {type(v) for v in astuple(ad)} == {str}, kind
    ordinary = schedds.schedd_ad(SCHEDD, set())
    assert ordinary is not None
    assert "runs 95 of at most 100" in ordinary.overload


def factory_ad(name: str = "E", **changes: Any) -> dict[str, Any]:
    ad = GlideFactory(
        name=f"{name}@i@F",
        factory_name="F",
        glidein_name="i",
        entry_name=name,
        params={"CONDOR_VERSION": "default"},
        attrs={"GLIDEIN_Site": "S"},
        monitor={"StatusIdle": 1},
    ).to_ad()
    return {**ad, "AuthenticatedIdentity": FACTORY, **changes}


@pytest.mark.parametrize(
    "name", [*factory_ad(), "GLIDEIN_Max_Walltime", "GLIDEIN_CPUS", "GLIDEIN_In_Downtime"]
)
def test_one_hostile_entry(name: str) -> None:
    for kind, value in HOSTILE.items():
        skipped = factory_ads.Skipped()
        ads = [factory_ad("bad", **{name: value}), factory_ad()]
        rows = factory_ads.each("glidefactory", ads, factory_ads.entry, FACTORY, skipped)
        assert rows[-1].name == "E@i@F", kind
        assert len(rows) + len(skipped.malformed) + len(skipped.foreign) == 2, kind
        assert all(
            len(text) <= 200 and text.isprintable() for text in skipped.malformed | skipped.foreign
        ), kind
        assert len(dumps(rows)) < 400_000, kind


def test_an_entry_s_name_is_a_file_name_of_bounded_length() -> None:
    for name in ("a" * 300, "../x", "a b", "-rf", "a\nb", "a/b", ".."):
        skipped = factory_ads.Skipped()
        ads = [factory_ad(name), factory_ad()]
        assert [
            r.name
            for r in factory_ads.each("glidefactory", ads, factory_ads.entry, FACTORY, skipped)
        ] == ["E@i@F"]
        assert len(skipped.malformed) == 1


@pytest.mark.parametrize(
    "change",
    [
        {f"A{n}": 1 for n in range(3000)},
        {"A": "x" * 100_000},
        {f"A{n}": "x" * 50_000 for n in range(20)},
    ],
)
def test_an_ad_that_is_too_large_is_left_out(change: dict[str, Any]) -> None:
    skipped = factory_ads.Skipped()
    ads = [factory_ad("bad", **change), factory_ad()]
    assert len(factory_ads.each("glidefactory", ads, factory_ads.entry, FACTORY, skipped)) == 1
    assert "are allowed" in next(iter(skipped.malformed))


@pytest.mark.parametrize(
    "name", ["Name", "PubKeyType", "PubKeyValue", "PubKeyID", "AuthenticatedIdentity"]
)
def test_one_hostile_key(name: str) -> None:
    good = {
        **GlideFactoryGlobal(
            name="i@F",
            factory_name="F",
            glidein_name="i",
            key_id=KEY.public.key_id,
            key_pem=KEY.public.pem,
        ).to_ad(),
        "AuthenticatedIdentity": FACTORY,
    }
    for kind, value in HOSTILE.items():
        skipped = factory_ads.Skipped()
        ads = [{**good, "Name": "other@F", name: value}, good]
        keys = factory_ads.each("glidefactoryglobal", ads, factory_ads.public_key, FACTORY, skipped)
        assert keys[-1] == KeyAd(global_id="i@F", key_id=KEY.public.key_id, pem=KEY.public.pem), (
            kind
        )


@pytest.mark.parametrize(
    "name", ["ReqGlidein", "Name", "GlideinMonitorStatusIdle", "GlideinMonitorStatus_ReasonText"]
)
def test_one_hostile_answer_to_a_request(name: str) -> None:
    good = {
        "Name": "r@c",
        "ReqGlidein": "E@i@F",
        "GlideinMonitorStatusIdle": 3,
        "AuthenticatedIdentity": FACTORY,
    }
    for kind, value in HOSTILE.items():
        ads = [{**good, "ReqGlidein": "bad@i@F", name: value}, good]
        told = factory_ads.each(
            "glidefactoryclient", ads, factory_ads.client, FACTORY, factory_ads.Skipped()
        )
        assert told[-1] == ClientAd(request="E@i@F", monitor={"StatusIdle": 3}), kind
