"""Turn every interruption into a KeyboardInterrupt, and do not interrupt the cleanup."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _handled(handler: signal.Handlers | object) -> Iterator[None]:
    old = {number: signal.signal(number, handler) for number in SIGNALS}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)


def interruptible() -> contextlib.AbstractContextManager[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does. Main thread only."""
    return _handled(_raise)


def uninterrupted() -> contextlib.AbstractContextManager[None]:
    """Signals that ask us to end are ignored in the block: it is what they asked for."""
    return _handled(signal.SIG_IGN)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Delay signals that ask us to end until the block is left.

    Python would lose them in the hooks of a fork.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def release() -> None:
    """In a child that was forked in `held`: those signals end it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
