"""A pool of readers whose answers a test makes up."""

from __future__ import annotations

from collections.abc import Sequence

from glideinwms.lib.readers import Answer, Answers, Call


class MadeUp:
    """A `readers.Pool`; whoever inherits it says in `run` what comes of calls."""

    def run(self, calls: Sequence[Call]) -> list[Answer]:
        raise NotImplementedError

    def begin(self, calls: Sequence[Call]) -> Answers:
        answers = self.run(calls)
        return lambda: answers

    def one(self, call: Call) -> Answer:
        return self.run([call])[0]
