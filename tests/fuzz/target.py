"""What a fuzz target is, and the list of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fuzz.tape import Choices

MODULES = (
    "lib_targets",
    "daemon_targets",
    "factory_targets",
    "frontend_targets",
    "creation_targets",
)
# of an error for people: more is a copy of the input
MAX_MESSAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser: how its inputs are made, and what must hold for each of them.

    `check` calls the parser and asserts what it returns. Errors in `allowed` are its documented
    ones; any other is a finding. `units` are parts that are repeated to see whether time grows
    faster than the input; `around` wraps the repeated part. `short`: inputs of the short run.
    `million`: inputs of the long run, fewer where one takes long.
    """

    name: str
    make: Callable[[Choices], Any]
    check: Callable[[Any], None]
    allowed: tuple[type[Exception], ...] = ()
    units: Sequence[str | bytes] = ()
    around: tuple[str, str] = ("", "")
    short: int = 150
    million: int = 1_000_000
    max_message: int = MAX_MESSAGE

    def run(self, item: Any) -> None:
        """Give one input to the parser; an AssertionError or another error is a finding."""
        try:
            self.check(item)
        except self.allowed as error:
            assert len(str(error)) <= self.max_message, f"a message of {len(str(error))} characters"


TARGETS: dict[str, Target] = {}


def target(**fields: Any) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a check as a target under the name of its function."""

    def register(check: Callable[[Any], None]) -> Callable[[Any], None]:
        made = Target(name=check.__name__, check=check, **fields)
        assert made.name not in TARGETS, made.name
        TARGETS[made.name] = made
        return check

    return register


def load_all() -> dict[str, Target]:
    """All targets by name."""
    for module in MODULES:
        importlib.import_module(f"tests.fuzz.{module}")
    return TARGETS
