"""Decide which pilots go because their request no longer asks for them (protocol 4.6)."""

from __future__ import annotations

from collections.abc import Sequence

from glideinwms.factory.decide.pilot_demand import PilotDemand
from glideinwms.factory.plan import QUEUED, RUNNING, WAIT, PilotRemoval
from glideinwms.lib.reasons import Reason

LEVELS = {"WAIT": (WAIT,), "IDLE": (WAIT, QUEUED), "ALL": (WAIT, QUEUED, RUNNING)}
REASONS = {WAIT: Reason.EXCESS_WAIT, QUEUED: Reason.EXCESS_IDLE, RUNNING: Reason.EXCESS_RUNNING}


def excess(demand: PilotDemand) -> PilotRemoval | None:
    """Return the one removal of this cycle, or None.

    The request is compared with its own pilots, not those of its whole class as in GlideinWMS 3.10,
    so that another credential's pilots cost it nothing (protocol 9.3/36). Running pilots, and held
    ones with them, go only for an excess of idle and running together (protocol 9.7/4).
    """
    allowed = LEVELS.get(demand.level, ())
    if not allowed:
        return None
    own = demand.own
    idle_over = own.idle - demand.asked_idle - demand.margin
    total_over = own.idle + own.running - demand.max_glideins - demand.margin
    too_many = RUNNING in allowed and total_over > 0
    if idle_over > 0 or too_many:
        by_total = too_many and own.running + demand.asked_idle > demand.max_glideins
        states = [state for state in allowed if too_many or state != RUNNING]
        return first_removal(states, total_over if by_total else idle_over, demand)
    held = demand.candidates.held
    if RUNNING in allowed and demand.max_glideins == 0 and own.held > 0 and held:
        return PilotRemoval("excess", Reason.EXCESS_RUNNING, ids=held, cap=demand.max_remove)
    return None


def first_removal(states: Sequence[str], n: int, demand: PilotDemand) -> PilotRemoval | None:
    """Return the removal of up to `n` pilots in the first state that has any; None if none has."""
    own = demand.candidates
    pilots = {WAIT: own.wait, QUEUED: own.queued, RUNNING: own.running}
    for state in states:
        take = min(max(n, 0), pilots[state])
        ids = own.held if state == RUNNING else ()
        if take > 0 or ids:
            return PilotRemoval(
                "excess",
                REASONS[state],
                states=(state,) if take else (),
                n=take,
                ids=ids,
                cap=demand.max_remove,
            )
    return None
