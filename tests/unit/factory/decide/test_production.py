"""The production code on the cases of golden-factory: where it decides otherwise than GlideinWMS 3.10
recorded, golden_differences.json names the rows of docs/differences.md that explain the case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.decide.entry import EntryDecision
from glideinwms.factory.plan import PilotRelease, PilotRemoval
from glideinwms.factory.snapshot import Request
from tests.unit.factory.decide.test_golden_decide import (
    ALL,
    Case,
    aliases,
    decision_of,
    draws_of,
    input_of,
    request_of,
)
from tests.unit.factory.decide.upstream import UpstreamDecision

DOCS = Path(__file__).parents[4] / "docs/differences.md"
NAMED: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("golden_differences.json").read_text()
)
CASES = [
    case
    for case in ALL
    if case["kind"] in ("keep_idle", "excess", "sanitize", "cycle", "limits")
    and case["output"].get("exception") is None
]


def requests_of(given: Case) -> list[Request]:
    rows = given.get("requests") or ([given["request"]] if "request" in given else [])
    return [request_of(row, number, given) for number, row in enumerate(rows)]


def upstream(given: Case, adopted: Iterable[str]) -> UpstreamDecision:
    return UpstreamDecision(
        input_of(given, requests_of(given)),
        given["server_time"],
        draws_of(given),
        aliases(given),
        frozenset(adopted),
    )


def sums(actions: Sequence[PilotRemoval] | Sequence[PilotRelease]) -> Any:
    """The pilots that each kind of action may take, and how many it takes in all passes."""
    totals: dict[tuple[str, bool], tuple[tuple[str, ...], int]] = {}
    for action in actions:
        kind = ("release", False)
        if isinstance(action, PilotRemoval):
            kind = (action.group, action.force)
        ids, cap = totals.get(kind, ((), 0))
        totals[kind] = (tuple(dict.fromkeys(ids + action.ids)), cap + action.cap)
    return [(kind, ids, min(cap, len(ids))) for kind, (ids, cap) in totals.items() if ids]


def outcome(decision: EntryDecision) -> Any:
    """What is done, whatever it is called."""
    plan = decision.plan()
    requests = [
        (
            row.request,
            row.effective_idle,
            row.planned,
            row.placements,
            row.path,
            sums(row.removals),
            [(removal.states, min(removal.n, removal.cap)) for removal in row.removals],
            sums(row.releases),
        )
        for row in sorted(plan.requests, key=lambda row: row.request)
    ]
    return (
        requests,
        sums(plan.removals),
        sums(plan.releases),
        plan.unless_submitted,
        plan.limits,
    )


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_production_differs_from_upstream_only_as_named(case: Case) -> None:
    given, named = case["input"], NAMED.get(case["id"], [])
    ours = outcome(decision_of(given, requests_of(given)))
    assert outcome(upstream(given, named)) == ours
    for name in named:
        others = [other for other in named if other != name]
        assert outcome(upstream(given, others)) != ours, f"{name} is not needed"


def test_every_named_difference_is_registered() -> None:
    registered = {
        line.split("|")[1].strip() for line in DOCS.read_text().splitlines() if "|" in line
    }
    assert {name for names in NAMED.values() for name in names} <= registered


def test_every_named_case_exists() -> None:
    assert NAMED.keys() <= {case["id"] for case in CASES}
