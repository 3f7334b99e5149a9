"""Remove and release pilots.

`pick_and_act` runs in the writing worker process; the rest is pure (decision 4). It never acts by a
constraint: it queries ids by their present state, then acts on these ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glideinwms.factory.collect import queries
from glideinwms.factory.decide import pilot_states
from glideinwms.factory.plan import QUEUED, RUNNING, WAIT, PilotRelease, PilotRemoval, RequestPlan
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib import bounded
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import ScheddAddress, quoted
from glideinwms.lib.errors import CondorError
from glideinwms.lib.reasons import Reason

HELD_REASONS = (Reason.HELD_UNRECOVERABLE, Reason.HELD_FORCEX, Reason.EXCESS_RUNNING)
STATUS_OF = {Reason.STALE_IDLE: pilot_states.IDLE, Reason.STALE_RUNNING: pilot_states.RUN}
# named pilots beyond the cap, for those that the schedd refuses; an expression that names thousands
# is too deep for it
SPARE = 100
MAX_HOLD_REASONS = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects up to `limit` pilots that match `constraint`, longest in their state first. `running`
    ones count against the hourly limit on removals of running pilots.
    """

    constraint: str
    limit: int
    running: bool = False


@dataclass(frozen=True, slots=True)
class JobAction:
    """One action on an entry's pilots. `request` is "" when the entry is sanitised."""

    schedd: str
    entry: str
    request: str
    action: str
    picks: tuple[Selection, ...]
    cap: int
    reason: Reason
    force: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Why `n` pilots were held: one line of at most 200 characters, by the site or HTCondor."""

    n: int
    code: int
    subcode: int
    reason: str

    def __str__(self) -> str:
        return f"{self.n} held with code {self.code}/{self.subcode}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act: the ids tried of each pick, on how many the schedd acted, why those
    held were held.
    """

    tried: list[list[str]]
    done: int
    holds: tuple[Hold, ...] = ()


def pick_and_act(
    schedd: ScheddAddress,
    action: str,
    picks: Sequence[tuple[str, int]],
    cap: int,
    reason: str,
    force: bool = False,
) -> Outcome:
    """Find ids for each (constraint, limit) and act on them until `cap` acts have succeeded: what
    the schedd refuses leaves its place to the next (protocol 4.6, 9.7/5). `force`: what was removed
    is then taken out of the queue without waiting for the site; the schedd does that to removed
    jobs only.
    """
    found: list[list[str]] = [[] for _ in picks]
    ads: dict[str, dict[str, Any]] = {}
    done = 0
    try:
        for (constraint, limit), tried in zip(picks, found, strict=True):
            seen = queries.read_ids(schedd, constraint, limit) if done < cap else {}
            waiting = [i for i in seen if i not in ads]
            ads.update(seen)
            while done < cap and len(tried) < len(waiting):
                ids = waiting[len(tried) : len(tried) + cap - done]
                done += htc.act(schedd, action, ids, reason)
                tried += ids
        if force:
            htc.act(schedd, "RemoveX", [i for tried in found for i in tried], reason)
    except CondorError:
        # what was done must be told; what failed is met again in the next cycle
        if not done:
            raise
    return Outcome(found, done, holds_of(ads[i] for tried in found for i in tried))


def holds_of(ads: Iterable[Mapping[str, Any]]) -> tuple[Hold, ...]:
    """Why held pilots are held, equal reasons together, the most frequent first."""
    counts = Counter(
        (
            bounded.count_or(ad.get("HoldReasonCode", 0), 0),
            bounded.count_or(ad.get("HoldReasonSubCode", 0), 0),
            bounded.reason(str(ad.get("HoldReason", ""))),
        )
        for ad in ads
        if ad.get("JobStatus") == pilot_states.HELD
    )
    return tuple(Hold(n, *key) for key, n in counts.most_common(MAX_HOLD_REASONS))


def entry_constraint(policy: FactoryPolicy, entry: str) -> str:
    """The pilots of one entry of this Factory."""
    return (
        f"GlideinFactory =?= {quoted(policy.factory_name)} && GlideinName =?= {quoted(policy.glidein_name)}"
        f" && GlideinEntryName =?= {quoted(entry)} && GlideinCredentialIdentifier =!= UNDEFINED"
    )


def request_constraint(policy: FactoryPolicy, row: RequestPlan) -> str:
    """The pilots of one request (protocol 4.3/11)."""
    return (
        f"{entry_constraint(policy, row.entry)} && GlideinClient =?= {quoted(row.client)}"
        f" && GlideinFrontendName =?= {quoted(row.security_key)}"
        f" && GlideinSecurityClass =?= {quoted(row.security_key.partition(':')[2])}"
        f" && GlideinCredentialIdentifier =?= {quoted(row.credential)}"
    )


def state_constraint(wanted: Iterable[str]) -> str:
    """ClassAd text of WAIT, QUEUED, RUNNING, as protocol 4.6 defines them."""
    known = sorted(pilot_states.RUNNING_WORDS | pilot_states.STAGE_OUT_WORDS)
    strange = " && ".join(f"toUpper(GridJobStatus) != {quoted(w)}" for w in known)
    texts = {
        WAIT: "(JobStatus == 1 && GridJobStatus =?= UNDEFINED)",
        QUEUED: f"((JobStatus == 1 && GridJobStatus =!= UNDEFINED)"
        f" || (JobStatus == 2 && GridJobStatus =!= UNDEFINED && {strange}))",
        RUNNING: "(JobStatus == 2)",
    }
    return "(" + " || ".join(texts[state] for state in wanted) + ")"


def ids_constraint(ids: Iterable[str]) -> str:
    """Exactly these jobs."""
    parts = (i.partition(".") for i in ids)
    return "(" + " || ".join(f"(ClusterId == {c} && ProcId == {p})" for c, _, p in parts) + ")"


def removal(
    policy: FactoryPolicy, schedd: str, entry: str, row: RequestPlan | None, plan: PilotRemoval
) -> JobAction:
    """Return the job action of a planned removal."""
    base = request_constraint(policy, row) if row else entry_constraint(policy, entry)
    picks = []
    if plan.states and plan.n > 0:
        running = RUNNING in plan.states
        picks.append(Selection(f"{base} && {state_constraint(plan.states)}", plan.n, running))
    if plan.ids and plan.cap > 0:
        status = pilot_states.HELD if plan.reason in HELD_REASONS else STATUS_OF[plan.reason]
        picks.append(_named(f"{base} && JobStatus == {status}", plan.ids, plan.cap))
    return JobAction(
        schedd=schedd,
        entry=entry,
        request=row.request if row else "",
        action="Remove",
        picks=tuple(picks),
        cap=plan.cap,
        reason=plan.reason,
        force=plan.force,
    )


def release(
    policy: FactoryPolicy, schedd: str, entry: str, row: RequestPlan | None, plan: PilotRelease
) -> JobAction:
    """Return the job action of a planned release."""
    base = request_constraint(policy, row) if row else entry_constraint(policy, entry)
    pick = _named(f"{base} && JobStatus == {pilot_states.HELD}", plan.ids, plan.cap)
    return JobAction(
        schedd=schedd,
        entry=entry,
        request=row.request if row else "",
        action="Release",
        picks=(pick,),
        cap=plan.cap,
        reason=Reason.HELD_RECOVERABLE,
    )


def _named(base: str, ids: Sequence[str], cap: int) -> Selection:
    some = ids[: cap + SPARE]
    return Selection(f"{base} && {ids_constraint(some)}", len(some))
