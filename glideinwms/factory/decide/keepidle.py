"""How many pilots one request gets (protocol 4.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glideinwms.factory.decide.excess import Candidates, excess
from glideinwms.factory.decide.limits import Totals
from glideinwms.factory.decide.sanitise import Sanitised
from glideinwms.factory.plan import Removal, StatusCounts
from glideinwms.lib.reasons import Clip, Reason


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request wants, and what is there for it. `idle` after downtime and entry limits, `asked_idle` before."""

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
class Supply:
    """The answer: submit `need`, or else what to remove; `path` names the algorithms entered."""

    need: int = 0
    clips: tuple[Clip, ...] = ()
    removal: Removal | None = None
    sanitised: Sanitised | None = None
    path: tuple[str, ...] = ()


def keep_idle(ask: Ask, totals: Totals, held: Sanitised, *, strict: bool = False) -> Supply:
    """Steps 1-5 of 4.5; `held` is what sanitising this request's pilots would do, used when its class is full of held
    ones. The totals are not changed."""
    if totals.held_reached(ask.key):
        tally = totals.classes[ask.key]
        clip = Clip(Reason.FACTORY_HELD_PER_CLASS, ask.idle, 0, tally.held, tally.limits.held)
        return Supply(clips=(clip,), sanitised=held, path=("sanitise",))
    need, clips = _need(ask, totals)
    if need > 0:
        return Supply(need, tuple(clips), path=("submit",))
    seen = ask.own
    if strict:
        tally = totals.classes[ask.key]
        seen = replace(ask.own, idle=tally.idle, running=tally.running, held=tally.held)
    found = excess(
        ask.level, ask.margin, ask.asked_idle, ask.max_glideins, seen, ask.candidates, ask.max_remove, strict=strict
    )
    return Supply(0, tuple(clips), found, path=("excess",))


def _need(ask: Ask, totals: Totals) -> tuple[int, list[Clip]]:
    have, need = ask.own.idle, ask.idle - ask.own.idle
    if need <= 0:
        return 0, [Clip(Reason.REQUEST_COVERED, ask.idle, 0, have, ask.idle)] if ask.idle > 0 else []
    clips = []
    if have + ask.own.running + need >= ask.max_glideins:
        room = ask.max_glideins - have - ask.own.running
        if room < need:
            clips.append(Clip(Reason.REQUEST_MAX, need, max(room, 0), have + ask.own.running, ask.max_glideins))
        need = room
    if need <= 0:
        return 0, clips
    need, cut = totals.clamp(ask.key, need)
    clips += cut
    if need > ask.max_submit:
        clips.append(Clip(Reason.SUBMIT_RATE, need, ask.max_submit, None, ask.max_submit))
        need = ask.max_submit
    return max(need, 0), clips
