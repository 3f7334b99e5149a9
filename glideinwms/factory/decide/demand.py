"""How many pilots one request gets (protocol 4.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glideinwms.factory.decide.excess import Candidates, excess
from glideinwms.factory.decide.limits import LimitTotals
from glideinwms.factory.decide.sanitise import Sanitised
from glideinwms.factory.plan import PilotRemoval, StatusCounts
from glideinwms.lib.reasons import Adjustment, Reason


@dataclass(frozen=True, slots=True)
class PilotDemand:
    """What a request wants, and what is there for it. `idle` after downtime and entry limits,
    `asked_idle` before.
    """

    key: str
    idle: int
    asked_idle: int
    max_glideins: int
    level: str
    margin: int
    own: StatusCounts
    candidates: Candidates
    max_submit: int
    max_remove: int


@dataclass(frozen=True, slots=True)
class SupplyDecision:
    """The answer: submit `need`, or else what to remove; `path` names the algorithms entered."""

    need: int = 0
    clips: tuple[Adjustment, ...] = ()
    removal: PilotRemoval | None = None
    sanitised: Sanitised | None = None
    path: tuple[str, ...] = ()


def keep_idle(
    ask: PilotDemand, totals: LimitTotals, held: Sanitised, *, strict: bool = False
) -> SupplyDecision:
    """Steps 1-5 of protocol 4.5; `held` is what sanitising this request's pilots would do, used
    when its class is full of held ones. The totals are not changed.
    """
    if totals.held_reached(ask.key):
        tally = totals.classes[ask.key]
        clip = Adjustment(Reason.FACTORY_HELD_PER_CLASS, ask.idle, 0, tally.held, tally.limits.held)
        return SupplyDecision(clips=(clip,), sanitised=held, path=("sanitise",))
    need, clips = _need(ask, totals)
    if need > 0:
        return SupplyDecision(need, tuple(clips), path=("submit",))
    seen = ask.own
    if strict:
        tally = totals.classes[ask.key]
        seen = replace(ask.own, idle=tally.idle, running=tally.running, held=tally.held)
    found = excess(
        ask.level,
        ask.margin,
        ask.asked_idle,
        ask.max_glideins,
        seen,
        ask.candidates,
        ask.max_remove,
        strict=strict,
    )
    return SupplyDecision(0, tuple(clips), found, path=("excess",))


def _need(ask: PilotDemand, totals: LimitTotals) -> tuple[int, list[Adjustment]]:
    have, need = ask.own.idle, ask.idle - ask.own.idle
    if need <= 0:
        return 0, [
            Adjustment(Reason.REQUEST_COVERED, ask.idle, 0, have, ask.idle)
        ] if ask.idle > 0 else []
    clips = []
    if have + ask.own.running + need >= ask.max_glideins:
        room = ask.max_glideins - have - ask.own.running
        if room < need:
            clips.append(
                Adjustment(
                    Reason.REQUEST_MAX, need, max(room, 0), have + ask.own.running, ask.max_glideins
                )
            )
        need = room
    if need <= 0:
        return 0, clips
    need, cut = totals.clamp(ask.key, need)
    clips += cut
    if need > ask.max_submit:
        clips.append(Adjustment(Reason.SUBMIT_RATE, need, ask.max_submit, None, ask.max_submit))
        need = ask.max_submit
    return max(need, 0), clips
