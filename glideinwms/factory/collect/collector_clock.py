"""The collector's clock. Times in ads are the collector's, and this host's clock may differ."""

from __future__ import annotations

from collections.abc import Iterable

from glideinwms.lib.bounded import moment_or

# a collector renews its own ad every 15 minutes, so that the newest time in its ads may be that old
SLACK_AHEAD, SLACK_BEHIND = 1200.0, 60.0


def collector_time(times: Iterable[object], now: float) -> float:
    """The present time of the collector: `now`, unless the newest of the `times` in its ads shows
    that the clocks
    differ; then that one, which is too early by at most `SLACK_AHEAD`.
    """
    newest = max((moment_or(time, 0.0) for time in times), default=0.0)
    return now if not newest or -SLACK_BEHIND <= now - newest <= SLACK_AHEAD else newest


def difference(now: float, collector: float) -> str:
    """What an operator should hear of a difference, or ""."""
    if now == collector:
        return ""
    side = "ahead of" if now > collector else "behind"
    return (
        f"this host's clock is {abs(now - collector):.0f} s {side} the collector's; set it by NTP"
    )
