"""Wait for a state of running daemons, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from glideinwms.demo.progress import Look, Watch

# deadlines are what an idle machine needs with room; a wait ends as soon as its state is there
SLOWEST = 5


def until(watch: Watch, true: Callable[[Look], bool], what: str, deadline: float = 180) -> Look:
    """Look until a state is reached; AssertionError says what was waited for."""
    deadline *= SLOWEST
    end = time.monotonic() + deadline
    while not true(look := watch.look(time.time())):
        assert time.monotonic() < end, f"not in {deadline:.0f} s: {what}: {look}"
        time.sleep(0.2)
    return look


def wait_for(what: str, test: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of `test`; after `seconds` an error with the last one."""
    end = time.monotonic() + seconds * SLOWEST
    while not (seen := test()):
        assert time.monotonic() < end, f"{what}: last seen {seen!r}"
        time.sleep(0.1)
    return seen
