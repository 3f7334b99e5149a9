"""Waiting for what a watch of the main job sees."""

from __future__ import annotations

import time
from collections.abc import Callable

from glideinwms.demo.watch import Look, Watch


def until(watch: Watch, true: Callable[[Look], bool], what: str, deadline: float = 180) -> Look:
    """Look until a state is reached; AssertionError says what was waited for."""
    end = time.monotonic() + deadline
    while not true(look := watch.look(time.time())):
        assert time.monotonic() < end, f"not in {deadline:.0f} s: {what}: {look}"
        time.sleep(0.2)
    return look
