"""The numbers of one request (protocol 5.6), each step that changes them with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glideinwms.frontend.policy import FrontendPolicy, GroupLimits
from glideinwms.frontend.snapshot import EntrySlotCounts
from glideinwms.lib.errors import ConfigError
from glideinwms.lib.reasons import Adjustment, Reason


@dataclass(frozen=True, slots=True)
class RequestTotals:
    """Slots that limits look at: of the group, of the Frontend, of the pool."""

    group: int
    group_idle: int
    frontend: int
    frontend_idle: int
    pool: int
    pool_idle: int


@dataclass(frozen=True, slots=True)
class RequestNumbers:
    """A request before it is split over credentials. `strings` are limits and curbs as
    glideresource shows them.
    """

    idle: int
    max_glideins: int
    clips: tuple[Adjustment, ...]
    strings: dict[str, str]


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """A count against its limit."""

    reason: Reason
    count: int
    limit: int

    @property
    def reached(self) -> bool:
        """Whether nothing more may be asked for."""
        return self.count >= self.limit


@dataclass(frozen=True, slots=True)
class SharedLimits:
    """The limits and the curbs that all entries of a group share, in the order of GlideinWMS 3.10."""

    limits: tuple[RequestLimit, ...]
    curbs: tuple[RequestLimit, ...]

    @staticmethod
    def of(totals: RequestTotals, group: GroupLimits, frontend: FrontendPolicy) -> SharedLimits:
        """Counts of this cycle against what is configured."""
        counts = (
            totals.group,
            totals.group_idle,
            totals.frontend,
            totals.frontend_idle,
            totals.pool,
            totals.pool_idle,
        )
        pairs = (
            group.running_total,
            group.idle_vms_total,
            frontend.running_total,
            frontend.idle_vms_total,
            frontend.running_total_global,
            frontend.idle_vms_total_global,
        )
        return SharedLimits(
            tuple(
                RequestLimit(Reason(n), c, p.max)
                for n, c, p in zip(SHARED, counts, pairs, strict=True)
            ),
            tuple(
                RequestLimit(Reason(f"Curb{n}"), c, p.curb)
                for n, c, p in zip(SHARED, counts, pairs, strict=True)
            ),
        )


SHARED = (
    "TotalGlideinsPerGroup",
    "IdleGlideinsPerGroup",
    "TotalGlideinsPerFrontend",
    "IdleGlideinsPerFrontend",
    "TotalGlideinsGlobal",
    "IdleGlideinsGlobal",
)


def limits(slots: EntrySlotCounts, shared: SharedLimits, group: GroupLimits) -> list[RequestLimit]:
    """The eight limits, in the order of GlideinWMS 3.10."""
    counts = slots.counts
    return [
        RequestLimit(Reason.TOTAL_PER_ENTRY, counts.total, group.max_running),
        RequestLimit(Reason.IDLE_PER_ENTRY, counts.idle, group.idle_vms_per_entry.max),
        *shared.limits,
    ]


def curbs(slots: EntrySlotCounts, shared: SharedLimits, group: GroupLimits) -> list[RequestLimit]:
    """The seven curbs."""
    return [
        RequestLimit(Reason.CURB_IDLE_PER_ENTRY, slots.counts.idle, group.idle_vms_per_entry.curb),
        *shared.curbs,
    ]


def strings_of(reached: list[RequestLimit], word: str) -> dict[str, str]:
    """`count=N, limit=M` by name."""
    return {r.reason.value: f"count={r.count}, {word}={r.limit}" for r in reached}


def decide_numbers(
    demand: int,
    old_demand: int,
    slots: EntrySlotCounts,
    shared: SharedLimits,
    group: GroupLimits,
    *,
    strict: bool,
    down: Reason | None,
    action: str,
) -> RequestNumbers:
    """One entry's request. `demand` and `old_demand` in glideins (prop_mc of Idle and OldIdle);
    `down`: a downtime in force; `action`: an operator's removal word.
    """
    clips: list[Adjustment] = []
    wanted = max(demand, group.min_running)
    if wanted != demand:
        clips.append(
            Adjustment(Reason.MIN_RUNNING, demand, wanted, detail=f"at least {group.min_running}")
        )
    if down is not None:
        return RequestNumbers(0, 0, (*clips, Adjustment(down, wanted, 0)), {})
    top = maximum(wanted, slots, group)
    if action:
        clips.append(Adjustment(Reason.OPERATOR_REMOVAL, wanted, 0, detail=action))
        return RequestNumbers(0, top if action.endswith("Excess") else 0, tuple(clips), {})
    bounds = limits(slots, shared, group)
    reached = [b for b in bounds if b.reached]
    if reached:
        clips += [Adjustment(b.reason, wanted, 0, b.count, b.limit) for b in reached]
        return RequestNumbers(0, top, tuple(clips), strings_of(reached, "limit"))
    idle = slots.counts.idle
    need = max(wanted - idle, 0)
    if need == 0:
        reason = Reason.SLOTS_COVER if wanted else Reason.NO_DEMAND
        return RequestNumbers(0, top, (*clips, Adjustment(reason, wanted, 0, count=idle)), {})
    if idle:
        clips.append(Adjustment(Reason.SLOTS_COVER, wanted, need, count=idle))
    hit = [c for c in curbs(slots, shared, group) if c.reached]
    number, more = idle_number(need, max(old_demand - idle, 0), bounds, hit, group, strict)
    return RequestNumbers(number, top, tuple(clips + more), strings_of(hit, "curb"))


def idle_number(
    need: int,
    need_old: int,
    bounds: list[RequestLimit],
    hit: list[RequestLimit],
    group: GroupLimits,
    strict: bool,
) -> tuple[int, list[Adjustment]]:
    """Pilots to keep idle (protocol 5.6/4). Not strict: the reserve may not lift the number over
    any limit's headroom, and `max_idle` 0 means none (decision 7).
    """
    clips: list[Adjustment] = []
    number = float(need)

    def clip(
        reason: Reason,
        value: float,
        count: float | None = None,
        limit: float | None = None,
        detail: str = "",
    ) -> None:
        nonlocal number
        if value != number:
            clips.append(Adjustment(reason, number, value, count, limit, detail))
            number = value

    def keep_to(bounds: Iterable[RequestLimit]) -> None:
        for bound in bounds:
            if bound.limit - bound.count < number:
                clip(bound.reason, bound.limit - bound.count, bound.count, bound.limit)

    keep_to(b for b in bounds if b.reason is not Reason.IDLE_PER_ENTRY)
    if strict or group.ramp_up_attenuation > 0:
        if group.ramp_up_attenuation == 0:
            raise ConfigError(
                "ramp_up_attenuation is 0, which ends a group's cycle in GlideinWMS 3.10",
                hint="give a positive one, or switch strict_deployed_numbers off",
            )
        divisor = group.ramp_up_attenuation
        clip(Reason.RAMP_UP, int(number / divisor), detail=f"divided by {divisor:g}")
    if more := min(need_old // 3, group.reserve_idle):
        clip(
            Reason.RESERVE,
            number + more,
            detail=f"{more} more, as {need_old} pilots' worth of jobs wait for 600 s",
        )
    most = group.max_idle if strict else max(group.max_idle, 0)
    clip(Reason.MAX_IDLE, min(number, most), limit=most)
    if not strict:
        keep_to(bounds)
    for curb in hit:
        clip(curb.reason, number / 2, curb.count, curb.limit)
    if number < 1 and (strict or most):
        clip(Reason.AT_LEAST_ONE, 1)
    clip(Reason.WHOLE_PILOTS, max(int(number), 0))
    return int(number), clips


def maximum(wanted: int, slots: EntrySlotCounts, group: GroupLimits) -> int:
    """Idle and running pilots at most (protocol 5.6/5), in doubles as GlideinWMS 3.10 does; running
    limits do not clamp it.
    """
    running = slots.running_glideins
    if wanted > 0:
        return int((max(wanted - slots.counts.idle, 0) + running) * group.relative_to_queue + 1)
    return running
