"""Ages of requests are told by the collector's clock."""

from __future__ import annotations

import pytest

from glideinwms.factory.collect.collector_clock import collector_time, difference

NOW = 1_796_000_000.0


@pytest.mark.parametrize("age", [-60, 0, 300, 1200])
def test_clocks_that_agree_leave_this_host_s_time(age: float) -> None:
    assert collector_time([NOW - age, NOW - 5000], NOW) == NOW
    assert difference(NOW, NOW) == ""


@pytest.mark.parametrize("ours", [7200, -7200])
def test_clocks_that_differ_give_the_collector_s_time(ours: float) -> None:
    assert collector_time([NOW, NOW - 900, None, "x", float("nan")], NOW + ours) == NOW
    side = "ahead of" if ours > 0 else "behind"
    assert (
        difference(NOW + ours, NOW) == f"this host's clock is 2 h {side} the collector's; use NTP"
    )


def test_without_a_time_this_host_s_counts() -> None:
    assert collector_time([], NOW) == NOW
    assert collector_time([None, 0.0], NOW) == NOW
