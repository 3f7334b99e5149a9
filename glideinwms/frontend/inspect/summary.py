"""What `status.json` shows of a Frontend: per group the demand, the requests, and why they are what they are."""

from __future__ import annotations

from typing import Any

from glideinwms.frontend.apply.report import FrontendReport
from glideinwms.frontend.credentials.generated import GeneratedCredentials
from glideinwms.frontend.credentials.loaded import GroupCredentials
from glideinwms.frontend.credentials.renewal import Renewals
from glideinwms.frontend.plan import FrontendEntryPlan, FrontendPlan, GroupPlan
from glideinwms.frontend.policy import GroupPolicy
from glideinwms.frontend.snapshot import FrontendSnapshot, GroupInput
from glideinwms.lib.jsondata import to_json

UNMATCHED_SHOWN = 5


def summary(
    snapshot: FrontendSnapshot, plan: FrontendPlan, report: FrontendReport
) -> dict[str, Any]:
    """{"downtime", "slots", "sent", "failed", "groups": {name: see `group`}}."""
    inputs = {g.name: g for g in snapshot.groups}
    return {
        "downtime": snapshot.downtime,
        "slots": {
            "total": snapshot.frontend_total,
            "idle": snapshot.frontend_idle,
            "pool_total": snapshot.pool_total,
        },
        "sent": dict(report.sent),
        "failed": list(report.failed),
        "groups": {g.name: group(inputs[g.name], g, report) for g in plan.groups},
    }


def group(given: GroupInput, plan: GroupPlan, report: FrontendReport) -> dict[str, Any]:
    """{"jobs": {idle, idle_600, idle_3600, running, unmatched}, "slots": {total, idle}, "request":
    {idle, max}, "unmatched": [largest classes], "failing": [conjuncts that fail for some job and
    entry], "entries": [see `entry`], "down": entries with slots only, "schedds": overloaded,
    "estimated": schedds whose ages are, "frozen", "held", "silent", "action", "problems"}.
    """
    known = {e.entry for e in plan.entries}
    unusable = [
        f"credential {name}: {why}" for name, why in sorted(given.unusable_credentials.items())
    ]
    return {
        "jobs": {
            "idle": plan.idle_jobs,
            "idle_600": plan.idle_600,
            "idle_3600": plan.idle_3600,
            "running": plan.running_jobs,
            "unmatched": plan.unmatched_jobs,
        },
        "slots": {"total": given.total, "idle": given.idle},
        "request": {
            "idle": sum(e.idle for e in plan.entries),
            "max": sum(e.max_glideins for e in plan.entries),
        },
        "unmatched": [
            _unmatched(plan, i) for i in range(min(UNMATCHED_SHOWN, len(plan.unmatched)))
        ],
        "failing": to_json(plan.failing),
        "entries": [entry(e, given) for e in plan.entries],
        "down": sorted(set(given.slots) - known),
        "schedds": {t.schedd: t.why for t in given.jobs if not t.good},
        "estimated": [t.schedd for t in given.jobs if t.estimated],
        "frozen": list(plan.frozen),
        "held": list(plan.held),
        "silent": plan.name in report.silent,
        "action": given.action,
        "problems": [
            *given.left_out,
            *plan.problems,
            *unusable,
            *report.problems.get(plan.name, ()),
        ],
    }


def _unmatched(plan: GroupPlan, index: int) -> dict[str, Any]:
    one = plan.unmatched[index]
    why = [
        {"conjunct": plan.conjuncts[k][0], "origin": plan.conjuncts[k][1], "entries": n}
        for k, n in sorted(one.rejected.items())
    ]
    return {
        "schedd": one.schedd,
        "idle": one.idle,
        "values": to_json(one.values),
        "rejected_by": why,
    }


def entry(plan: FrontendEntryPlan, given: GroupInput) -> dict[str, Any]:
    """{"entry", "pool", "idle", "max", "removal", "jobs": straight idle matches, "share": in
    glideins, "running", "slots", "clips", "refusals", "credentials", "requested": whether an ad is
    sent, "factory": what it says}.
    """
    slots = given.slots.get(plan.entry)
    idle = plan.jobs.get("Idle")
    running = plan.jobs.get("Running")
    return {
        "entry": plan.entry,
        "pool": plan.pool,
        "idle": plan.idle,
        "max": plan.max_glideins,
        "removal": plan.removal,
        "jobs": idle.count if idle else 0,
        "share": idle.prop_mc if idle else 0,
        "running": running.count if running else 0,
        "slots": to_json(slots.counts) if slots else {},
        "clips": to_json(plan.clips),
        "refusals": to_json(plan.refusals),
        "credentials": [
            {"name": s.credential, "idle": s.idle, "max": s.max_glideins} for s in plan.shares
        ],
        "requested": plan.advertise and bool(plan.shares),
        "factory": given.told.get(plan.entry, {}),
    }


def credentials(
    group: GroupPolicy, wallet: GroupCredentials, minted: GeneratedCredentials, renewals: Renewals
) -> list[dict[str, Any]]:
    """Per credential {"name", "type", "trust_domain", "made_by": generator, "creation_script" or
    "", "ends": epoch seconds or None, "made": for how many entries a generator has made it,
    "unusable": why, "tried": when its creation_script ran last or None, "failed": why that failed};
    nothing secret.
    """
    return [
        {
            "name": c.name,
            "type": c.type,
            "trust_domain": c.trust_domain,
            "made_by": c.generator or ("creation_script" if c.creation_script else ""),
            "ends": wallet.ends.get(c.name),
            "made": len(minted.texts.get((group.name, c.name), {})),
            "unusable": wallet.unusable.get(c.name, ""),
            "tried": tried,
            "failed": failed,
        }
        for c in group.credentials
        for tried, failed in [renewals.tried.get(c.name, (None, ""))]
    ]
