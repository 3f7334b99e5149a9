"""One reason why no pilots start, as `gwms why` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from glideinwms.lib.reasons import Reason

MAX_NAMES_SHOWN = 4
# adjustments because there is enough already, or because numbers grow step by step
HARMLESS = {
    Reason.NO_DEMAND,
    Reason.SLOTS_COVER,
    Reason.RESERVE,
    Reason.MIN_RUNNING,
    Reason.RAMP_UP,
    Reason.MAX_IDLE,
    Reason.AT_LEAST_ONE,
    Reason.WHOLE_PILOTS,
    Reason.REQUEST_COVERED,
    Reason.REQUEST_MAX,
    Reason.SUBMIT_RATE,
    Reason.REMOVE_RATE,
}
# reasons that have a finding of their own
SHOWN_SEPARATELY = {
    Reason.FACTORY_DOWNTIME,
    Reason.FROZEN,
    Reason.RUNNING_REMOVAL_PARKED,
    Reason.ENTRY_THROTTLED,
    Reason.CLIENT_THROTTLED,
}


class Rank(IntEnum):
    """The kind of a finding. The most important comes first."""

    DAEMON = 1
    POLICY = 2
    CYCLE = 3
    STORAGE = 4
    INPUT = 5
    PROBLEM = 6
    UNMATCHED = 7
    LIMIT = 8
    REFUSED = 9
    ENTRY = 10
    PILOTS = 11
    PARKED = 12
    NOTE = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding.

    `where` names the entries, groups or inputs concerned, `see` the command that shows more, and
    `is_problem` is False for what is only worth knowing.
    """

    rank: Rank
    daemon: str
    text: str
    where: tuple[str, ...] = ()
    see: str = ""
    is_problem: bool = True

    def line(self) -> str:
        """Format it for people. Of many names, some are counted only."""
        names = ", ".join(self.where[:MAX_NAMES_SHOWN])
        hidden = len(self.where) - MAX_NAMES_SHOWN
        if hidden > 0:
            names += f" and {hidden} more"
        place = f"{names}: " if names else ""
        see = f"  [{self.see}]" if self.see else ""
        return f"{self.daemon}: {place}{self.text}{see}"
