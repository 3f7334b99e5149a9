"""Removal of pilots nobody asks for any more (protocol 4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glideinwms.factory.plan import QUEUED, RUNNING, WAIT, PilotRemoval, StatusCounts
from glideinwms.lib.reasons import Reason

LEVELS = {"WAIT": (WAIT,), "IDLE": (WAIT, QUEUED), "ALL": (WAIT, QUEUED, RUNNING)}
REASONS = {WAIT: Reason.EXCESS_WAIT, QUEUED: Reason.EXCESS_IDLE, RUNNING: Reason.EXCESS_RUNNING}


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the request has: pilots per removal state, and held ones in the order in which they are
    taken.
    """

    wait: int
    queued: int
    running: int
    held: tuple[str, ...] = ()


def excess(
    level: str,
    margin: int,
    wanted_idle: int,
    wanted_max: int,
    seen: StatusCounts,
    own: Candidates,
    cap: int,
    *,
    strict: bool = False,
) -> PilotRemoval | None:
    """The one removal of this cycle, or None. `seen` are the pilots that the request is compared
    with: strict, those of its whole class (the deployed rule); mended, its own, so that another
    credential's pilots cost it nothing (protocol 9.3/36).

    Mended (protocol 9.7/4): running pilots, and held ones with them, go only for an excess of idle
    and running together.
    """
    allowed = LEVELS.get(level, ())
    if not allowed:
        return None
    idle_over = seen.idle - wanted_idle - margin
    total_over = seen.idle + seen.running - wanted_max - margin
    too_many = RUNNING in allowed and total_over > 0
    if idle_over > 0 or too_many:
        n = total_over if too_many and seen.running + wanted_idle > wanted_max else idle_over
        states: Sequence[str] = (
            allowed if strict or too_many else [s for s in allowed if s != RUNNING]
        )
        return _first(states, n, own, cap)
    if RUNNING in allowed and wanted_max == 0 and seen.held > 0 and own.held:
        return PilotRemoval("excess", Reason.EXCESS_RUNNING, ids=own.held, cap=cap)
    return None


def _first(states: Sequence[str], n: int, own: Candidates, cap: int) -> PilotRemoval | None:
    have = {WAIT: own.wait, QUEUED: own.queued, RUNNING: own.running}
    n = max(n, 0)
    for state in states:
        take = min(n, have[state])
        ids = own.held if state == RUNNING else ()
        if take > 0 or ids:
            return PilotRemoval("excess", REASONS[state], (state,) if take else (), take, ids, cap)
    return None
