"""An endpoint that hangs costs one deadline a run, however many questions there are for it (decision 5)."""

from __future__ import annotations

import time

from glideinwms.lib.errors import TimedOut
from glideinwms.lib.readers import Call, ReaderPool

HANG = "glideinwms.lib.worker:serve_nothing"


def test_a_silent_endpoint_is_not_asked_again_in_the_same_run() -> None:
    hang = Call("dead", "glideinwms.lib.htc:pause", {"seconds": 60.0}, deadline=2.0)
    ping = Call("alive", "glideinwms.lib.htc:ping", {"value": 7})
    with ReaderPool() as pool:
        pool.run([ping, Call("dead", "glideinwms.lib.htc:ping", {})])
        began = time.monotonic()
        answers = pool.run([hang, hang, Call("dead", "glideinwms.lib.htc:ping", {}), ping])
        assert time.monotonic() - began < 3.5
        assert all(isinstance(a.error, TimedOut) for a in answers[:3]) and answers[3].value == 7
        again = pool.run([Call("dead", "glideinwms.lib.htc:ping", {"value": 8})])
    assert again[0].value == 8
