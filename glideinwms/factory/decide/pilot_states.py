"""Classify the pilots of a queue by state (protocol 4.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from glideinwms.factory.plan import StatusCounts
from glideinwms.factory.snapshot import PilotGroup

UNSUBMITTED, PENDING, STAGE_IN, IDLE_OTHER, STAGE_OUT = 1001, 1002, 1010, 1100, 4010
IDLE, RUN, HELD = 1, 2, 5
QUEUED_CODES = (PENDING, STAGE_IN, IDLE_OTHER)

PENDING_WORDS = frozenset(
    [
        "PENDING",
        "INLRMS: Q",
        "INLRMS:Q",
        "PREPARED",
        "SUBMITTING",
        "IDLE",
        "SUSPENDED",
        "REGISTERED",
        "QUEUING",
    ]
)
STAGE_IN_WORDS = frozenset(["STAGE_IN", "PREPARING", "ACCEPTING", "ACCEPTED"])
RUNNING_WORDS = frozenset(["ACTIVE", "REALLY-RUNNING", "INLRMS: R", "INLRMS:R", "RUNNING"])
STAGE_OUT_WORDS = frozenset(
    ["STAGE_OUT", "INLRMS: E", "INLRMS:E", "EXECUTED", "FINISHING", "FINISHED", "DONE", "COMPLETED"]
)


def state_code(status: int, grid_status: str | None) -> int:
    """Return the state class of a pilot, or JobStatus itself where protocol 4.2 has no finer one.
    An empty GridJobStatus counts as present.
    """
    grid = None if grid_status is None else grid_status.upper()
    if status == IDLE:
        return _idle_code(grid)
    if status == RUN:
        return _running_code(grid)
    return status


def _idle_code(grid: str | None) -> int:
    if grid is None:
        return UNSUBMITTED
    if grid in PENDING_WORDS:
        return PENDING
    return STAGE_IN if grid in STAGE_IN_WORDS else IDLE_OTHER


def _running_code(grid: str | None) -> int:
    if grid is None or grid in RUNNING_WORDS:
        return RUN
    return STAGE_OUT if grid in STAGE_OUT_WORDS else IDLE_OTHER


def count(groups: Iterable[PilotGroup]) -> StatusCounts:
    """Add up the pilots of groups by state."""
    by_code: Counter[int] = Counter()
    for group in groups:
        by_code[state_code(group.status, group.grid_status)] += group.count
    wait, pending = by_code[UNSUBMITTED], by_code[PENDING]
    stage_in, other = by_code[STAGE_IN], by_code[IDLE_OTHER]
    return StatusCounts(
        idle=wait + pending + stage_in + other,
        running=by_code[RUN],
        held=by_code[HELD],
        wait=wait,
        pending=pending,
        stage_in=stage_in,
        idle_other=other,
        stage_out=by_code[STAGE_OUT],
    )
