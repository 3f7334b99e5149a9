"""One group's decision."""

from __future__ import annotations

import random
from collections.abc import Sequence

from glideinwms.frontend.decide import job_counts, removal
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.decide.match.matcher import match_rules, matcher
from glideinwms.frontend.decide.request import (
    RequestNumbers,
    RequestTotals,
    SharedLimits,
    decide_numbers,
)
from glideinwms.frontend.plan import (
    CredentialShare,
    FrontendEntryPlan,
    GroupPlan,
    JobCounts,
    UnmatchedClass,
)
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import (
    Counters,
    EntrySlotCounts,
    EntryState,
    FrontendSnapshot,
    GroupInput,
    PublishedGroup,
    SlotCounts,
)
from glideinwms.lib.bounded import reason
from glideinwms.lib.credentials.selection import (
    Candidate,
    CredentialDemand,
    SelectedShare,
    select,
    serves,
)
from glideinwms.lib.errors import ConfigError, place_of
from glideinwms.lib.reasons import Adjustment, Reason, Refusal

NO_SLOTS = EntrySlotCounts()
UNMATCHED_SHOWN = 100


def decide_group(
    snapshot: FrontendSnapshot,
    inputs: GroupInput,
    policy: FrontendPolicy,
    group: GroupPolicy,
    rng: random.Random,
    cache: MatchCache,
) -> GroupPlan:
    """Match the jobs, count them, and decide the request to each entry. Entries are sorted by name,
    so their order in the input has no effect.
    """
    entries = sorted(inputs.entries, key=lambda e: (e.name, e.pool))
    rules = match_rules(group, inputs.policy_files)
    down = 0
    if group.ignore_down_entries:
        down = sum(1 << i for i, e in enumerate(entries) if e.in_downtime)
    match = matcher(group, entries, down, cache, rules)
    tally = job_counts.tally(inputs.jobs, match, len(entries))
    by_type = job_counts.counts(tally, entries)
    rejected = tally.rejected()
    shared = SharedLimits.of(_totals(snapshot, inputs), group.limits, policy)
    plans: list[FrontendEntryPlan] = []
    problems: list[str] = []
    for i, entry in enumerate(entries):
        try:
            plan = decide_entry(
                entry=entry,
                jobs={kind: counts[i] for kind, counts in by_type.items()},
                histogram={k: column[i] for k, column in enumerate(rejected) if column[i]},
                inputs=inputs,
                shared=shared,
                policy=policy,
                group=group,
                rng=rng,
                down=snapshot.downtime,
            )
            plans.append(plan)
        except ConfigError:  # the group's own, the same for every entry
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of one entry
            problems.append(f"no request to {reason(entry.name)}: {place_of(error)}")
    rows = [row for table in inputs.jobs if table.good for row in table.rows]
    return GroupPlan(
        name=group.name,
        conjuncts=tuple((c.text, c.origin) for c in rules),
        entries=tuple(plans),
        unmatched=_unmatched(tally, len(entries)),
        unmatched_jobs=tally.only_here("IdleAll").get(0, 0),
        idle_jobs=sum(r.idle for r in rows),
        idle_600=sum(r.idle_600 for r in rows),
        idle_3600=sum(r.idle_3600 for r in rows),
        running_jobs=sum(r.running for table in inputs.jobs for r in table.rows),
        frozen=inputs.unknown,
        held=inputs.held,
        problems=tuple(problems),
        failing=match.failing(),
    )


def _totals(snapshot: FrontendSnapshot, inputs: GroupInput) -> RequestTotals:
    """The slots that the limits are compared with."""
    return RequestTotals(
        group=inputs.total,
        group_idle=inputs.idle,
        frontend=snapshot.frontend_total,
        frontend_idle=snapshot.frontend_idle,
        pool=snapshot.pool_total,
        pool_idle=snapshot.pool_idle,
    )


def _unmatched(found: job_counts.MatchTally, size: int) -> tuple[UnmatchedClass, ...]:
    """The largest classes that match nothing, each with how many entries every conjunct rejected
    first.
    """
    found.unmatched.sort(key=lambda u: (-u.idle, u.table.schedd, str(u.values)))
    rows = []
    for one in found.unmatched[:UNMATCHED_SHOWN]:
        remaining, histogram = (1 << size) - 1, {}
        for index, mask in enumerate(one.masks):
            first = (remaining & ~mask).bit_count()
            if first:
                histogram[index] = first
            remaining &= mask
        rows.append(
            UnmatchedClass(
                one.table.schedd, job_counts.job_of(one.table, one.values), one.idle, histogram
            )
        )
    return tuple(rows)


def decide_entry(
    entry: EntryState,
    jobs: dict[str, JobCounts],
    histogram: dict[int, int],
    inputs: GroupInput,
    shared: SharedLimits,
    policy: FrontendPolicy,
    group: GroupPolicy,
    rng: random.Random,
    *,
    down: bool,
) -> FrontendEntryPlan:
    """One entry's request, its removal level and its split over the credentials."""
    slots = inputs.slots.get(entry.name, NO_SLOTS)
    reason = Reason.ENTRY_DOWNTIME if entry.in_downtime else None
    if down:
        reason = Reason.FRONTEND_DOWNTIME
    numbers = decide_numbers(
        jobs["Idle"].prop_mc,
        jobs["OldIdle"].prop_mc,
        slots,
        shared,
        group.limits,
        strict=policy.strict_deployed_numbers,
        down=reason,
        action=inputs.action,
    )
    word, margin, counters = _removal(inputs, entry.name, jobs["Idle"].count, slots.counts, group)
    if inputs.unknown:
        numbers = _frozen(numbers, inputs.last.get(entry.name, PublishedGroup()), inputs.unknown)
    shares, refusals = credential_shares(
        entry=entry, numbers=numbers, jobs=jobs, slots=slots, inputs=inputs, group=group, rng=rng
    )
    if not entry.has_key:
        refusals = (
            *refusals,
            Refusal(Reason.NO_KEY, entry.name, "its Factory published no key that can be trusted"),
        )
    return FrontendEntryPlan(
        entry=entry.name,
        pool=entry.pool,
        idle=numbers.idle,
        max_glideins=numbers.max_glideins,
        removal=word,
        margin=margin,
        lifetime=group.limits.idle_lifetime,
        clips=numbers.clips,
        strings=numbers.strings,
        jobs=jobs,
        vector=vector(jobs, slots, group, numbers),
        counters=counters,
        shares=shares,
        refusals=refusals,
        rejected=histogram,
        advertise=entry.has_key,
    )


def _removal(
    inputs: GroupInput, entry: str, idle_jobs: int, slots: SlotCounts, group: GroupPolicy
) -> tuple[str, int, Counters]:
    """Level, margin and counters. Nothing is removed, and nothing is counted, on inputs that are
    not this cycle's.
    """
    before = inputs.counters.get(entry, Counters())
    if inputs.action:
        return removal.by_action(inputs.action), 0, before
    if inputs.unknown or inputs.held:
        return "NO", 0, before
    counters = removal.next_counters(before, idle_jobs, slots)
    return *removal.level(group.limits.removal, counters), counters


def _frozen(
    numbers: RequestNumbers, last: PublishedGroup, unknown: Sequence[str]
) -> RequestNumbers:
    """No number is lower than the last one published while an input is unknown (decision 15)."""
    idle, top = max(numbers.idle, last.idle), max(numbers.max_glideins, last.max_glideins)
    clip = Adjustment(Reason.FROZEN, numbers.idle, idle, detail=", ".join(unknown))
    return RequestNumbers(idle, top, (*numbers.clips, clip), numbers.strings)


def vector(
    jobs: dict[str, JobCounts], slots: EntrySlotCounts, group: GroupPolicy, numbers: RequestNumbers
) -> tuple[int, ...]:
    """The 17 statistics of glideresource, logs and monitoring (protocol 5.6)."""
    c = slots.counts
    prop = jobs["Idle"].prop
    return (
        prop,
        jobs["Idle"].count,
        max(prop - c.idle, 0),
        jobs["OldIdle"].prop,
        jobs["Idle"].hereonly,
        jobs["Running"].count,
        slots.running_here,
        group.limits.max_running,
        c.total,
        c.idle,
        c.running,
        c.failed,
        c.total_cores,
        c.idle_cores,
        c.running_cores,
        numbers.idle,
        numbers.max_glideins,
    )


def credential_shares(
    entry: EntryState,
    numbers: RequestNumbers,
    jobs: dict[str, JobCounts],
    slots: EntrySlotCounts,
    inputs: GroupInput,
    group: GroupPolicy,
    rng: random.Random,
) -> tuple[tuple[CredentialShare, ...], tuple[Refusal, ...]]:
    """The request split over credentials, and why a credential carries nothing (its share is lost,
    as in GlideinWMS 3.10).
    """
    domain = str(entry.attrs.get("GLIDEIN_TrustDomain", "Grid"))
    method = str(entry.attrs.get("GLIDEIN_SupportedAuthenticationMethod", "grid_proxy"))
    candidates = [
        Candidate(c.name, c.type, c.trust_domain, group.supplied(c)) for c in group.credentials
    ]
    demand = CredentialDemand(inputs.users, sum(inputs.projects.values()), inputs.projects)

    def shuffle(values: list[int]) -> list[int]:
        return rng.sample(values, len(values))

    chosen = select(
        plugin=group.selection_plugin,
        candidates=candidates,
        trust_domain=domain,
        auth_method=method,
        idle=numbers.idle,
        max_glideins=numbers.max_glideins,
        demand=demand,
        shuffle=shuffle,
    )
    if not chosen:
        return (), tuple(_misfits(entry, candidates, domain, method))
    running = share_running(jobs["Running"].count, [c.id for c in candidates], slots.by_credential)
    shares, refusals = [], []
    for share in chosen:
        unusable = inputs.unusable_credentials.get(share.credential.id)
        if unusable:
            refusals.append(Refusal(Reason.CREDENTIAL_UNUSABLE, share.credential.id, unusable))
            continue
        shares.append(_share(share, jobs, slots, running))
    return tuple(shares), tuple(refusals)


def _misfits(
    entry: EntryState, candidates: Sequence[Candidate], domain: str, method: str
) -> list[Refusal]:
    if not candidates:
        return [Refusal(Reason.NO_CREDENTIAL, entry.name, "the group has no credential")]
    return [
        Refusal(
            Reason.NO_CREDENTIAL,
            c.id,
            f"{c.type} of {c.trust_domain!r}; the entry wants {method} of {domain!r}",
        )
        for c in candidates
        if not serves(c, domain, method)
    ]


def share_running(
    running: int, credentials: Sequence[str], slots: dict[str, SlotCounts]
) -> dict[str, int]:
    """Running jobs shared evenly among credentials with running slots, the rest to the last of them
    (protocol 1.7).
    """
    with_slots = [c for c in credentials if slots.get(c, SlotCounts()).running > 0]
    parts = dict.fromkeys(credentials, 0)
    for c in with_slots:
        parts[c] = running // len(with_slots)
    if with_slots:
        parts[with_slots[-1]] += running % len(with_slots)
    return parts


def _share(
    share: SelectedShare,
    jobs: dict[str, JobCounts],
    slots: EntrySlotCounts,
    running: dict[str, int],
) -> CredentialShare:
    own = slots.by_credential.get(share.credential.id, SlotCounts())
    monitor = {t: jobs[t].count for t in ("IdleAll", "Idle", "OldIdle", "Idle_3600", "VomsIdle")}
    monitor |= {
        "Running": running[share.credential.id],
        "RunningHere": own.running,
        "GlideinsTotal": own.total,
        "GlideinsIdle": own.idle,
        "GlideinsRunning": own.running,
        "GlideinsFailed": own.failed,
        "GlideinsTotalCores": own.total_cores,
        "GlideinsIdleCores": own.idle_cores,
        "GlideinsRunningCores": own.running_cores,
    }
    return CredentialShare(
        share.credential.id, share.idle, share.max_glideins, share.project, monitor
    )
