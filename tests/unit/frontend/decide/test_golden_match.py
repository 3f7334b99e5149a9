"""Counting jobs and slots: the deployed program's answers. `prop` and `prop_mc` may differ by one (its floats)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.decide import decide
from glideinwms.frontend.plan import GroupPlan
from glideinwms.frontend.policy import MatchAttribute
from glideinwms.frontend.snapshot import EntryState, FrontendSnapshot, GroupInput
from tests.support.single_jobs import group_input, read_queue
from tests.unit.frontend.build_frontend import group, policy
from tests.unit.frontend.decide import golden

CASES = sorted(p.name for p in (golden.DATA / "golden-match").iterdir() if p.is_dir())


@functools.cache
def decided(name: str) -> tuple[dict[str, Any], GroupInput, GroupPlan]:
    folder = golden.DATA / "golden-match" / name
    match = json.loads((folder / "match.json").read_text())
    entries = [
        EntryState(
            e["name"], e["pool"], e["attrs"]["attrs"] if "attrs" in e["attrs"] else e["attrs"]
        )
        for e in json.loads((folder / "entries.json").read_text())
    ]
    own = group(
        match["group"],
        match=golden.expression(match["match_expr"]),
        job_attrs=tuple(MatchAttribute(n) for n, _ in match["job_match_attrs"]),
        ignore_down_entries=match["ignore_down_entries"],
    )
    own = replace(own, limits=replace(own.limits, min_memory=match["min_memory"]))
    names = [n for n, _ in match["job_match_attrs"]]
    by_schedd: dict[str, list[dict[str, Any]]] = {}
    for job in golden.lines(folder / "jobs.jsonl.gz"):
        by_schedd.setdefault(job["schedd"], []).append(job)
    bad = match["blacklist_schedds"]
    queues = [
        read_queue(s, jobs, names, match["server_time"], s not in bad)
        for s, jobs in by_schedd.items()
    ]
    inputs = group_input(
        own, match["frontend"], queues, entries, golden.lines(folder / "slots.jsonl.gz")
    )
    [plan] = decide(FrontendSnapshot(0.0, (inputs,)), policy(own), 0.0, golden.Fixed(None)).groups
    return json.loads((folder / "golden.json").read_text()), inputs, plan


def pairs(case: str) -> Iterator[tuple[str, str, dict[str, Any], Any]]:
    wanted, _, plan = decided(case)
    for kind, numbers in wanted["types"].items():
        for entry in plan.entries:
            yield kind, entry.entry, numbers, entry.jobs[kind]


@pytest.mark.parametrize("case", CASES)
def test_counts(case: str) -> None:
    for kind, entry, wanted, found in pairs(case):
        where = f"{kind} at {entry}"
        assert (found.count, found.hereonly) == (
            wanted["count"][entry],
            wanted["hereonly"][entry],
        ), where
        assert abs(found.prop - wanted["prop"][entry]) <= 1, where
        assert abs(found.prop_mc - wanted["prop_mc"][entry]) <= 1, where


@pytest.mark.parametrize("case", CASES)
def test_only_rounding_differs_from_deployed_shares(case: str) -> None:
    found = [(f.prop, w["prop"][e]) for _, e, w, f in pairs(case)]
    assert sum(ours != theirs for ours, theirs in found) <= len(found) // 100


@pytest.mark.parametrize("case", CASES)
def test_what_matches_nothing(case: str) -> None:
    wanted, _, plan = decided(case)
    assert plan.unmatched_jobs == wanted["types"]["IdleAll"]["unmatched"]
    assert plan.idle_jobs == wanted["types"]["Idle"]["total"]
    assert plan.running_jobs == wanted["types"]["Running"]["total"]


@pytest.mark.parametrize("case", CASES)
def test_slots_and_what_runs_here(case: str) -> None:
    wanted, inputs, _ = decided(case)
    none = {n: 0 for n in golden.SLOTS}
    for entry, counts in wanted["status"].items():
        slots = inputs.slots.get(entry)
        assert (slots.counts if slots else golden.slot_counts(none)) == golden.slot_counts(
            counts
        ), entry
        assert (slots.running_here if slots else 0) == wanted["real_jobs"].get(entry, 0), entry
        assert (slots.running_glideins if slots else 0) == wanted["real_glideins"].get(entry, 0), (
            entry
        )
    assert (inputs.total, inputs.idle) == (wanted["abs"]["Total"], wanted["abs"]["Idle"])


@pytest.mark.parametrize("case", CASES)
def test_slots_by_credential(case: str) -> None:
    wanted, inputs, _ = decided(case)
    for entry, by in wanted["status_per_cred"].items():
        for credential, counts in by.items():
            slots = inputs.slots.get(entry)
            found = slots.by_credential.get(credential) if slots else None
            assert (
                found or golden.slot_counts({n: 0 for n in golden.SLOTS})
            ) == golden.slot_counts(counts)


def test_there_are_cases() -> None:
    assert CASES and Path(golden.DATA / "golden-match" / CASES[0] / "golden.json").exists()
