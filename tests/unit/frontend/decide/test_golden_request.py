"""Requests, limits, curbs, removal, splits: the deployed program's answers, and where ours differ on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glideinwms.frontend.decide import decide
from glideinwms.frontend.decide.group import decide_entry, share_running
from glideinwms.frontend.decide.request import RequestTotals, SharedLimits
from glideinwms.frontend.plan import FrontendEntryPlan
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.frontend.snapshot import FrontendSnapshot, JobClassRow, JobTable
from glideinwms.lib.credentials.selection import Candidate, CredentialDemand, select
from tests.unit.frontend.build_frontend import group, policy
from tests.unit.frontend.decide import golden

# a configuration that ends the deployed program's cycle is refused by our reconfig
ONE = [
    c
    for c in golden.cases("request", "request_edge", "limit_strings")
    if "cycle_aborted_by_exception" not in c["output"]
]
CYCLES = golden.cases("request_cycle")
SEQUENCES = golden.cases("removal_sequence")
SPLITS = golden.cases("credential_split")
ADS = golden.cases("request_ads")
COUNTS = golden.cases("proportional_counts")


def plan_of(
    given: dict[str, Any], entry: dict[str, Any], strict: bool = True, **changes: Any
) -> FrontendEntryPlan:
    own = golden.own_group(given)
    found = golden.entry_of(entry, given["factory_key_available"])
    inputs = replace(golden.inputs_of(given, entry, found.name), **changes)
    t = given["slot_totals"]
    totals = RequestTotals(
        t["group_total"],
        t["group_idle"],
        t["frontend_total"],
        t["frontend_idle"],
        t["pool_total"],
        t["pool_idle"],
    )
    front = golden.frontend(given["frontend_config"], own, strict)
    return decide_entry(
        found,
        golden.job_counts(entry),
        {},
        inputs,
        SharedLimits.of(totals, own.limits, front),
        front,
        own,
        golden.Fixed(golden.order_of(given)),
        down=given["frontend_in_downtime"],
    )


def check(plan: FrontendEntryPlan, wanted: dict[str, Any]) -> None:
    advertised = wanted.get("request_advertised", True)
    assert plan.advertise == advertised
    names = (
        ("ReqIdleGlideins", "ReqMaxGlideins")
        if advertised
        else ("computed_idle_not_sent", "computed_max_not_sent")
    )
    assert (plan.idle, plan.max_glideins) == tuple(wanted[n] for n in names)
    if advertised:
        assert (plan.removal, plan.margin) == (
            wanted["ReqRemoveExcess"],
            wanted["ReqRemoveExcessMargin"],
        )
    assert plan.counters == golden.counters(wanted["removal_counters_after"])
    if "statistics_vector_17" in wanted:
        assert list(plan.vector) == wanted["statistics_vector_17"]
        assert plan.strings == wanted["limits_and_curbs_triggered"]
        assert plan.lifetime == wanted.get("ReqIdleLifetime_seconds", plan.lifetime)


@pytest.mark.parametrize("case", ONE, ids=golden.ids(ONE))
def test_one_request(case: dict[str, Any]) -> None:
    given, wanted = case["input"], case["output"]
    check(plan_of(given, given["entry"]), wanted)
    if "running_jobs_share_per_credential" in wanted:
        running = given["entry"]["jobs"]["Running"]["count"]
        slots = golden.slots(given["entry"]).by_credential
        assert (
            share_running(running, given["credential_ids"], slots)
            == wanted["running_jobs_share_per_credential"]
        )


@pytest.mark.parametrize("case", ONE, ids=golden.ids(ONE))
def test_mended_numbers_differ_only_where_a_limit_is_in_the_way(case: dict[str, Any]) -> None:
    given = case["input"]
    strict, ours = plan_of(given, given["entry"]), plan_of(given, given["entry"], strict=False)
    assert replace(ours, idle=0, clips=(), vector=(), shares=()) == replace(
        strict, idle=0, clips=(), vector=(), shares=()
    )
    assert ours.idle <= strict.idle
    if ours.idle != strict.idle:
        bounded = [
            c for c in ours.clips if c.reason.startswith(("Total", "Idle")) and c.limit is not None
        ]
        assert bounded or golden.limits(given["group_config"]).max_idle == 0


@pytest.mark.parametrize("case", CYCLES, ids=golden.ids(CYCLES))
def test_three_entries_of_one_cycle(case: dict[str, Any]) -> None:
    given = case["input"]
    wanted = case["output"].get("entries") or case["output"].get("per_entry")
    for entry, one in zip(
        given["entries"], list(wanted.values()) if isinstance(wanted, dict) else wanted, strict=True
    ):
        check(plan_of(given, entry), one)


@pytest.mark.parametrize("case", SEQUENCES, ids=golden.ids(SEQUENCES))
def test_removal_over_many_cycles(case: dict[str, Any]) -> None:
    given, counters = case["input"], {}
    for cycle, wanted in zip(given["cycles"], case["output"]["per_cycle"], strict=True):
        one = {**given, **cycle}
        plan = plan_of(one, cycle["entry"], counters=counters)
        check(plan, wanted)
        counters = {plan.entry: plan.counters}


@pytest.mark.parametrize("case", SPLITS, ids=golden.ids(SPLITS))
def test_split_over_credentials(case: dict[str, Any]) -> None:
    given, wanted = case["input"], case["output"]
    jobs = given.get("jobs", [])
    projects = golden.projects_of(jobs)
    demand = CredentialDemand(len({j["user"] for j in jobs}), sum(projects.values()), projects)
    candidates = [
        Candidate(c["id"], c["type"], c["trust_domain"])
        for c in given["credentials_in_config_order"]
    ]
    order, seen = golden.order_of(given), []

    def shuffle(values: list[int]) -> list[int]:
        seen.append(sorted(values))
        return [values[i] for i in order] if order else values

    found = select(
        given["selection_plugin"],
        candidates,
        given["entry_trust_domain"],
        given["entry_auth_method"],
        given["request_idle_total"],
        given["request_max_total"],
        demand,
        shuffle,
    )
    assert [s.credential.id for s in found] == [s["id"] for s in wanted["selected"]]
    assert [s.max_glideins for s in found] == [s["ReqMaxGlideins"] for s in wanted["selected"]]
    assert [s.idle for s in found] == [s["ReqIdleGlideins"] for s in wanted["selected"]]
    assert [s.project for s in found] == [s.get("project_id", "") for s in wanted["selected"]]
    if wanted.get("idle_shares_before_shuffle"):
        assert seen == [sorted(wanted["idle_shares_before_shuffle"])]


@pytest.mark.parametrize("case", ADS, ids=golden.ids(ADS))
def test_request_ads(case: dict[str, Any]) -> None:
    given, wanted = case["input"], case["output"]
    plan = plan_of(given, given["entry"])
    check(plan, {**wanted["before_split"]})
    assert wanted["no_credential"] == (
        not plan.shares and not any(r.reason == "CredentialUnusable" for r in plan.refusals)
    )
    ads = wanted["request_ads_in_order"]
    assert [(s.credential, s.idle, s.max_glideins) for s in plan.shares] == [
        (a["credential"], a["ReqIdleGlideins"], a["ReqMaxGlideins"]) for a in ads
    ]
    for share, ad in zip(plan.shares, ads, strict=True):
        monitor = {
            k.removeprefix("GlideinMonitor"): v
            for k, v in ad.items()
            if k.startswith("GlideinMonitor")
        }
        assert share.monitor == monitor


@pytest.mark.parametrize("case", COUNTS, ids=golden.ids(COUNTS))
def test_proportional_counts(case: dict[str, Any]) -> None:
    given, wanted = case["input"], case["output"]
    entries = tuple(
        replace(
            golden.entry_of(e, True),
            name=e["name"],
            attrs={k: v for k, v in e.items() if k != "name"},
        )
        for e in given["entries"]
    )
    entries = tuple(replace(e, params={"own": e.name}) for e in entries)
    rows: dict[str, list[JobClassRow]] = {}
    for one in given["idle_job_classes"]:
        values = (",".join(one["matches_entries"]), one.get("RequestCpus"))
        rows.setdefault(one["schedd"], []).append(JobClassRow(values, one["jobs"]))
    tables = tuple(JobTable(s, ("Fits", "RequestCpus"), tuple(r)) for s, r in rows.items())
    own = group(
        match=golden.expression('glidein["params"]["own"] in job["Fits"].split(",")'),
        ignore_down_entries=given["ignore_down_entries"],
        credentials=(CredentialPolicy("c", "grid_proxy", "Grid", "frontend"),),
    )
    snapshot = FrontendSnapshot(0.0, (golden.GroupInput("main", tables, entries),))
    [plan] = decide(snapshot, policy(own), 0.0, golden.Fixed(None)).groups
    found = {e.entry: e.jobs["Idle"] for e in plan.entries}
    for name, numbers in wanted["per_entry"].items():
        assert {k: getattr(found[name], k) for k in numbers} == numbers
    assert plan.unmatched_jobs == wanted["unmatched"]
