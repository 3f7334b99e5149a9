"""Whether a request also asks the Factory to remove what is too much (protocol 5.7)."""

from __future__ import annotations

from glideinwms.frontend.policy import RemovalPolicy
from glideinwms.frontend.snapshot import Counters, SlotCounts
from glideinwms.lib.errors import ConfigError

ORDER = {"NO": 0, "WAIT": 1, "IDLE": 2, "ALL": 3, "UNREG": 4}
ACTIONS = {"removeWait": "WAIT", "removeIdle": "IDLE", "removeAll": "ALL"}


def next_counters(before: Counters, idle_jobs: int, slots: SlotCounts) -> Counters:
    """The counters after a cycle with `idle_jobs` straight matches."""
    return Counters(
        before.no_jobs + 1 if idle_jobs == 0 else 0,
        before.all_idle + 1 if slots.idle >= slots.total else 0,
        before.no_slots + 1 if slots.total == 0 else 0,
    )


def automatic(counters: Counters) -> str:
    """The level that comes by itself when an entry is not needed for long."""
    if counters.no_jobs <= 5:
        return "NO"
    if counters.no_slots > 10:
        return "ALL"
    return "IDLE" if counters.all_idle > 10 else "WAIT"


def level(removal: RemovalPolicy, counters: Counters) -> tuple[str, int]:
    """(level, margin): the higher of automatic and configured; the margin only where the configured
    one counts.
    """
    if removal.type == "DISABLE":
        return "NO", 0
    configured = removal.type if removal.tracking or counters.no_jobs > removal.wait else "NO"
    if configured not in ORDER:
        raise ConfigError(
            f"glideins_removal type {configured!r} is none of {', '.join(ORDER)}, DISABLE",
            hint="write it in capitals",
        )
    own = automatic(counters)
    if ORDER[own] > ORDER[configured]:
        return own, 0
    return configured, max(removal.margin, 0) if removal.tracking else 0


def by_action(action: str) -> str:
    """The level of an operator's word (protocol 5.1)."""
    return ACTIONS[action.removesuffix("Excess")]
