"""Why an entry's requests get what they get, in words, from a recorded plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan, RequestPlan
from glideinwms.factory.snapshot import Request


def entry_lines(plan: FactoryEntryPlan) -> list[str]:
    """The entry itself: its pilots, its state, the limits it has reached."""
    c = plan.counts
    out = [
        f"entry {plan.entry} on schedd {plan.schedd}",
        f"  pilots: {c.idle} idle ({c.wait} waiting, {c.pending} pending, {c.stage_in} staging in), "
        f"{c.running} running, {c.held} held, {c.stage_out} staging out",
    ]
    if plan.frozen:
        out.append(f"  frozen: {plan.frozen}; nothing is submitted or removed")
    if plan.in_downtime:
        out.append(
            f"  in downtime: {plan.downtime_comment or '(no comment)'}; nothing is submitted"
        )
    if plan.failing:
        out.append(f"  failing: {plan.failing}; fewer are submitted")
    out += [f"  limit reached: {name}: {text}" for name, text in sorted(plan.limits.items())]
    clean = "clean-up if no submission succeeds" if plan.unless_submitted else "clean-up"
    for removal in plan.removals:
        out.append(
            f"  {clean}: at most {removal.cap} of {len(removal.ids)} removed, {removal.reason}"
        )
    out += [
        f"  {clean}: at most {r.cap} of {len(r.ids)} held pilots released" for r in plan.releases
    ]
    return out


def request_lines(row: RequestPlan, request: Request | None) -> list[str]:
    """One request, step by step."""
    out = [
        f"  request {row.request}",
        f"    from {row.client}, class {row.security_key}, credential {row.credential}",
    ]
    if request is not None and request.last_heard:
        out[1] += f", identity {request.identity}"
    out.append(
        f"    asks for {row.idle} idle and at most {row.max_glideins}; has {row.own.idle} idle, {row.own.running} "
        f"running, {row.own.held} held"
    )
    if row.refusal is not None:
        return [*out, f"    refused: {row.refusal}"]
    out += [f"    {clip}" for clip in row.clips]
    for placement in row.placements:
        out.append(f"    submits {placement.n} through {placement.file}")
    for removal in row.removals:
        states = f"{removal.n} {'/'.join(removal.states)}" if removal.states else ""
        ids = f"{len(removal.ids)} by id" if removal.ids else ""
        what = " and ".join(t for t in (states, ids) if t)
        out.append(f"    removes {what}, at most {removal.cap} now: {removal.reason}")
    out += [f"    releases at most {r.cap} of {len(r.ids)} held" for r in row.releases]
    if row.parked is not None:
        out.append(
            f"    {row.parked.n} running pilots stay until `gwms factory approve {row.parked.id}`"
        )
    if not (row.placements or row.removals or row.releases or row.parked or row.clips):
        out.append("    nothing to do")
    return out


def explain(
    plan: FactoryPlan, requests: Mapping[str, Request], entries: Iterable[str], client: str = ""
) -> list[str]:
    """The entries named (none: all), with the requests of one client or of all, then what reached
    no entry.
    """
    wanted = set(entries)
    out: list[str] = []
    for row in plan.entries:
        if wanted and row.entry not in wanted:
            continue
        out += entry_lines(row)
        for line in row.requests:
            if not client or line.client == client:
                out += request_lines(line, requests.get(line.request))
    lost = [r for r in plan.refusals if not wanted or any(w in r.where for w in wanted)]
    return out + [f"left out: {r.where}: {r}" for r in lost]
