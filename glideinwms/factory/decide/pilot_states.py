"""State classes of a pilot in the queue (protocol 4.2)."""

from __future__ import annotations

from collections.abc import Iterable

from glideinwms.factory.plan import QUEUED, RUNNING, WAIT, StatusCounts
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
    """The class of a pilot; JobStatus itself where protocol 4.2 has no finer one. An empty
    GridJobStatus is a present one.
    """
    word = None if grid_status is None else grid_status.upper()
    if status == IDLE:
        if word is None:
            return UNSUBMITTED
        return (
            PENDING if word in PENDING_WORDS else STAGE_IN if word in STAGE_IN_WORDS else IDLE_OTHER
        )
    if status == RUN:
        if word is None or word in RUNNING_WORDS:
            return RUN
        return STAGE_OUT if word in STAGE_OUT_WORDS else IDLE_OTHER
    return status


def removal_state(status: int, grid_status: str | None) -> tuple[str, ...]:
    """Which of WAIT, QUEUED, RUNNING a pilot is a candidate for in excess removal (protocol 4.6):
    JobStatus 2 of any class counts as running, one with a strange GridJobStatus also as queued.
    """
    code = state_code(status, grid_status)
    found = (WAIT,) if code == UNSUBMITTED else (QUEUED,) if code in QUEUED_CODES else ()
    return (*found, RUNNING) if status == RUN else found


def count(groups: Iterable[PilotGroup]) -> StatusCounts:
    """Totals over groups."""
    by_code: dict[int, int] = {}
    for group in groups:
        code = state_code(group.status, group.grid_status)
        by_code[code] = by_code.get(code, 0) + group.count
    get = by_code.get
    wait, pending, stage_in, other = (
        get(c, 0) for c in (UNSUBMITTED, PENDING, STAGE_IN, IDLE_OTHER)
    )
    idle = wait + pending + stage_in + other
    return StatusCounts(
        idle, get(RUN, 0), get(HELD, 0), wait, pending, stage_in, other, get(STAGE_OUT, 0)
    )
