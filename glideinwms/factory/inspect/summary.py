"""Summarize a cycle for `status.json`: pilots, requests, submissions and reasons by entry. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from glideinwms.factory.apply.applier import FactoryReport
from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan, ParkedRemoval
from glideinwms.factory.snapshot import FactorySnapshot
from glideinwms.lib.jsondata import to_json

MOST_REFUSALS = 100


def summary(snapshot: FactorySnapshot, plan: FactoryPlan, report: FactoryReport) -> dict[str, Any]:
    """Totals, then one row per entry; refusals in full up to a bound, counted by code beyond it."""
    refusals = [*plan.refusals, *report.refusals]
    refusals += [r.refusal for e in plan.entries for r in e.requests if r.refusal]
    done, removed = Counter[str](), Counter[str]()
    for row in report.submitted:
        done[row.entry] += 0 if row.error else row.n
    for act in report.acted:
        removed[act.entry] += act.done if act.action != "Release" else 0
    return {
        "requests": len(snapshot.requests.value or ()),
        "refused": dict(Counter(r.reason.value for r in refusals)),
        "submitted": sum(done.values()),
        "removed": sum(removed.values()),
        "released": sum(a.done for a in report.acted if a.action == "Release"),
        "advertised": report.advertised,
        "parked": [
            _parked(r.parked, snapshot.now) for e in plan.entries for r in e.requests if r.parked
        ],
        "refusals": [to_json(r) for r in refusals[:MOST_REFUSALS]],
        "entries": {e.entry: _entry(e, done[e.entry], removed[e.entry]) for e in plan.entries},
    }


def _parked(row: ParkedRemoval, now: float) -> dict[str, Any]:
    """A parked removal; `asked`: whether the request asked for it in this cycle."""
    return {**to_json(row), "asked": row.since == now}


def _entry(row: FactoryEntryPlan, submitted: int, removed: int) -> dict[str, Any]:
    served = [r for r in row.requests if r.refusal is None]
    reasons = Counter(c.reason.value for r in row.requests for c in r.clips)
    reasons += Counter(r.refusal.reason.value for r in row.requests if r.refusal)
    counts = row.counts
    out: dict[str, Any] = {
        "wait": counts.wait,
        "idle": counts.idle,
        "running": counts.running,
        "held": counts.held,
        "requests": len(row.requests),
        "asked": sum(r.idle for r in served),
        "max": sum(r.max_glideins for r in served),
        "submitted": submitted,
        "removed": removed,
    }
    if reasons:
        out["reasons"] = dict(reasons)
    if row.limits:
        out["limits"] = row.limits
    if row.in_downtime:
        out["downtime"] = row.downtime_comment or "yes"
    if row.failing:
        out["failing"] = row.failing
    if row.frozen:
        out["frozen"] = row.frozen
    return out
