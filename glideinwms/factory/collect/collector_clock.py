"""Compare this host's clock with the collector's, whose times stand in ads."""

from __future__ import annotations

from collections.abc import Iterable

from glideinwms.lib.bounded import moment_or

# A collector renews its own ad every 15 minutes: the newest time in its ads may be that old. Both
# in seconds.
SLACK_AHEAD, SLACK_BEHIND = 1200.0, 60.0


def collector_time(times: Iterable[object], now: float) -> float:
    """Return the present time of the collector (epoch seconds).

    This is `now`, unless the newest of the `times` in its ads shows that the clocks differ: then it
    is that time, which is too early by at most `SLACK_AHEAD`.
    """
    newest = max((moment_or(time, 0.0) for time in times), default=0.0)
    return now if not newest or -SLACK_BEHIND <= now - newest <= SLACK_AHEAD else newest


def difference(now: float, collector: float) -> str:
    """Describe the difference for an operator; "" if there is none."""
    if now == collector:
        return ""
    side = "ahead of" if now > collector else "behind"
    return f"this host's clock is {_span(abs(now - collector))} {side} the collector's; use NTP"


def _span(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length or (seconds % length == 0.0 and seconds >= length):
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
