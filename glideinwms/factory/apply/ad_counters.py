"""The GlideinMonitor numbers of the Factory's ads (protocol 1.4, 1.8, 7.1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from glideinwms.factory.plan import FactoryEntryPlan, ParkedRemoval, RequestPlan, StatusCounts
from glideinwms.factory.policy import EntryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib import bounded
from glideinwms.lib.bounded import count_or
from glideinwms.lib.reasons import Reason, Refusal
from glideinwms.lib.wire import Value

Numbers = dict[str, Value]
MAX_CPUS = 100_000
STATUS = {
    "Idle": "idle",
    "Running": "running",
    "Held": "held",
    "Wait": "wait",
    "Pending": "pending",
    "StageIn": "stage_in",
    "IdleOther": "idle_other",
    "StageOut": "stage_out",
}
CLIENT = {
    "JobsIdle": "Idle",
    "JobsRunning": "Running",
    "JobsRunHere": "RunningHere",
    "GlideIdle": "GlideinsIdle",
    "GlideRunning": "GlideinsRunning",
    "GlideTotal": "GlideinsTotal",
    "CoresIdle": "GlideinsIdleCores",
    "CoresRunning": "GlideinsRunningCores",
    "CoresTotal": "GlideinsTotalCores",
}


def entry_cpus(entry: EntryPolicy) -> int:
    """Cores of one pilot: GLIDEIN_CPUS if it is a positive number, else GLIDEIN_ESTIMATED_CPUS,
    else 1 (protocol 4.2).
    """
    for name in ("GLIDEIN_CPUS", "GLIDEIN_ESTIMATED_CPUS"):
        if cpus := count_or(str(entry.attrs.get(name, "")), 0, high=MAX_CPUS):
            return cpus
    return 1


def status_numbers(counts: StatusCounts, cpus: int) -> Numbers:
    """Status{Idle,Running,...,RunningCores} without their prefix."""
    return {
        **{k: getattr(counts, f) for k, f in STATUS.items()},
        "RunningCores": counts.running * cpus,
    }


def requested_numbers(rows: Sequence[tuple[Request, RequestPlan]], cpus: int) -> Numbers:
    """Requested{Idle,MaxGlideins,AdjustedIdle,IdleCores,MaxCores}: sums over requests that were
    served.
    """
    idle, top = sum(r.idle for r, _ in rows), sum(r.max_glideins for r, _ in rows)
    return {
        "Idle": idle,
        "MaxGlideins": top,
        "AdjustedIdle": sum(p.effective_idle for _, p in rows),
        "IdleCores": idle * cpus,
        "MaxCores": top * cpus,
    }


def client_numbers(requests: Sequence[Request], now: float) -> Numbers:
    """ClientMonitor numbers: sums, and the mean age of the information in seconds."""
    out: Numbers = {name: sum(_client(r, key) for r in requests) for name, key in CLIENT.items()}
    ages = [max(0.0, now - r.last_heard) for r in requests if r.last_heard]
    out["InfoAge"] = int(sum(ages) / len(ages)) if ages else 0
    return out


def _client(request: Request, key: str) -> int:
    get = request.monitor.get
    if key == "RunningHere" and key not in request.monitor:
        return min(get("Running", 0), get("GlideinsRunning", 0))
    return get(key, 0)


def prefixed(prefix: str, numbers: Mapping[str, Value]) -> Numbers:
    """The numbers under their names in an ad."""
    return {prefix + name: value for name, value in numbers.items()}


def _parked(parked: ParkedRemoval) -> tuple[str, str]:
    text = f"{parked.n} running pilots await approval {parked.id}"
    return Reason.RUNNING_REMOVAL_PARKED.value, text


def reason_of(
    plan: FactoryEntryPlan, rows: Iterable[RequestPlan], failed: Mapping[str, Refusal]
) -> tuple[str, str]:
    """(code, text) of why a client gets what it gets (decision 51): a refusal or a failed
    submission (`failed`, by request) before anything else, then a frozen schedd, a parked removal,
    the last limit that cut a number; ("", "") where it simply gets what it asked for.
    """
    rows = list(rows)
    for row in rows:
        refusal = row.refusal or failed.get(row.request)
        if refusal is not None:
            return refusal.reason.value, refusal.text
    if plan.frozen:
        return Reason.FROZEN.value, bounded.reason(plan.frozen)
    for row in rows:
        # one that is only remembered cuts nothing now
        if row.parked is not None and any(
            c.reason is Reason.RUNNING_REMOVAL_PARKED for c in row.clips
        ):
            return _parked(row.parked)
    clips = [c for row in rows for c in row.clips]
    cut = [c for c in clips if c.reason is not Reason.REQUEST_COVERED] or clips
    if not cut:
        return next((_parked(r.parked) for r in rows if r.parked), ("", ""))
    clip = cut[-1]
    numbers = f"{clip.before:g} -> {clip.after:g}"
    if clip.limit is not None:
        numbers += (
            f", {clip.count:g} of {clip.limit:g}"
            if clip.count is not None
            else f", at most {clip.limit:g}"
        )
    return clip.reason.value, bounded.reason(f"{numbers} {clip.detail}".rstrip())
