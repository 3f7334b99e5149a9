"""Decide how many pilots one request gets (protocol 4.5)."""

from __future__ import annotations

from dataclasses import dataclass

from glideinwms.factory.decide.excess import excess
from glideinwms.factory.decide.limits import LimitTotals
from glideinwms.factory.decide.pilot_demand import PilotDemand
from glideinwms.factory.decide.sanitise import Sanitised
from glideinwms.factory.plan import PilotRemoval
from glideinwms.lib.reasons import Adjustment, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyDecision:
    """Submit `need` pilots, or else remove some; `path` names the algorithms that were used."""

    need: int = 0
    clips: tuple[Adjustment, ...] = ()
    removal: PilotRemoval | None = None
    sanitised: Sanitised | None = None
    path: tuple[str, ...] = ()


def keep_idle(demand: PilotDemand, totals: LimitTotals, held: Sanitised) -> SupplyDecision:
    """Apply steps 1-5 of protocol 4.5. The totals are not changed.

    `held` is what sanitising this request's pilots would do; it is used when the class has as many
    held pilots as it may.
    """
    if totals.held_reached(demand.key):
        counts = totals.classes[demand.key]
        adjustment = Adjustment(
            Reason.FACTORY_HELD_PER_CLASS, demand.idle, 0, counts.held, counts.limits.held
        )
        return SupplyDecision(clips=(adjustment,), sanitised=held, path=("sanitise",))
    need, adjustments = _need(demand, totals)
    if need > 0:
        return SupplyDecision(need=need, clips=tuple(adjustments), path=("submit",))
    return SupplyDecision(clips=tuple(adjustments), removal=excess(demand), path=("excess",))


def _need(demand: PilotDemand, totals: LimitTotals) -> tuple[int, list[Adjustment]]:
    idle = demand.own.idle
    total = idle + demand.own.running
    need = demand.idle - idle
    if need <= 0:
        if demand.idle <= 0:
            return 0, []
        return 0, [Adjustment(Reason.REQUEST_COVERED, demand.idle, 0, idle, demand.idle)]
    adjustments = []
    if total + need >= demand.max_glideins:
        room = demand.max_glideins - total
        if room < need:
            adjustments.append(
                Adjustment(Reason.REQUEST_MAX, need, max(room, 0), total, demand.max_glideins)
            )
        need = room
    if need <= 0:
        return 0, adjustments
    need, by_limits = totals.clamp(demand.key, need)
    adjustments += by_limits
    rate = demand.max_submit
    if need > rate:
        adjustments.append(Adjustment(Reason.SUBMIT_RATE, need, rate, None, rate))
        need = rate
    return max(need, 0), adjustments
