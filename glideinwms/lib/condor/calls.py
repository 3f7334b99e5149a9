"""A call to HTCondor as a value: a function of our own, its arguments, an endpoint and a deadline.

A daemon builds calls and hands them to `Workers`, which run them elsewhere (decision 5).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from glideinwms.lib.errors import GwmsError

# seconds
READ_DEADLINE = 10.0
JOB_DEADLINE = 60.0
WRITE_DEADLINE = 60.0

Params = ParamSpec("Params")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Default = TypeVar("Default")


@dataclass(frozen=True, slots=True)
class Call(Generic[Result_co]):
    """A function to run for `endpoint`; build one with `call`, which checks the arguments.

    `function` is a module-level function of glideinwms. `args` are plain data. `deadline` is in
    seconds of wall time. A `writer` changes something at the endpoint: when it is cut off, its
    outcome is unknown.
    """

    endpoint: str
    function: Callable[..., Result_co]
    args: Mapping[str, Any] = field(default_factory=dict)
    deadline: float = READ_DEADLINE
    writer: bool = False

    @property
    def name(self) -> str:
        """The function's name as a worker process resolves it: `package.module:function`."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    def within(self, seconds: float) -> Call[Result_co]:
        """The same call with another deadline."""
        return replace(self, deadline=seconds)

    def as_writer(self) -> Call[Result_co]:
        """The same call, marked as one that changes something."""
        return replace(self, writer=True)


def call(
    endpoint: str,
    function: Callable[Params, Result],
    /,
    *args: Params.args,
    **kwargs: Params.kwargs,
) -> Call[Result]:
    """`function(*args, **kwargs)`, to be run for `endpoint`. TypeError if the arguments do not fit."""
    return Call(endpoint, function, inspect.signature(function).bind(*args, **kwargs).arguments)


@dataclass(frozen=True, slots=True)
class CallResult(Generic[Result_co]):
    """The outcome of a call. `began` and `ended` are epoch seconds around the call itself."""

    call: Call[Result_co]
    answer: Result_co | None
    error: GwmsError | None
    began: float
    ended: float

    @property
    def value(self) -> Result_co:
        """What the function returned. Raises the call's error if it failed."""
        if self.error is not None:
            raise self.error
        return cast(Result_co, self.answer)

    def value_or(self, default: Default) -> Result_co | Default:
        """What the function returned, or `default` if the call failed."""
        return default if self.error is not None else cast(Result_co, self.answer)


CallResults = Callable[[], list[CallResult[Result_co]]]


class Workers(Protocol):
    """Runs calls. One that fails never disturbs the others. A subclass only implements `run`."""

    def run(self, calls: Sequence[Call[Result]]) -> list[CallResult[Result]]:
        """Run the calls; the results have the order of the calls."""
        ...

    def begin(self, calls: Sequence[Call[Result]]) -> CallResults[Result]:
        """Start the calls and return at once. The returned function waits for the results.

        Only one set of calls runs at a time: starting another waits for the one before.
        """
        results = self.run(calls)
        return lambda: results

    def one(self, call: Call[Result]) -> CallResult[Result]:
        """Run a single call."""
        return self.run([call])[0]
