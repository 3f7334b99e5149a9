"""Time in the fakes: it passes only when told, or when a call costs some."""

from __future__ import annotations


class FakeClock:
    """Seconds since the epoch, as an argument for whatever takes a clock."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass; the new time."""
        self.now += seconds
        return self.now


class HungCall(BaseException):
    """A daemon that does not answer: the call runs into its deadline. No `except Exception` of a
    fold may see it.
    """
