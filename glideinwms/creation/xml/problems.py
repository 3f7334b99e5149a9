"""What is wrong with a configuration: all of it in one run, each with its place and a hint."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from glideinwms.lib.errors import ConfigError, StageError


class Where(NamedTuple):
    """A place in a configuration file; line 0 is all of it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Where("(default)", 0)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: `what` is a sentence about `subject` (element@attribute); `level` is error,
    warning or notice.

    `aside`: it is about an entry that is disabled, so that only a summary is shown unless all are
    asked for.
    """

    where: Where
    subject: str
    what: str
    hint: str = ""
    level: str = "error"
    aside: bool = False

    def __str__(self) -> str:
        text = f"{self.where}: {self.subject}: {self.what}"
        return (text if self.level == "error" else f"{self.level}: {text}") + (
            f"; {self.hint}" if self.hint else ""
        )


@dataclass(slots=True)
class Problems:
    """Collects findings; `found` is in the order of discovery."""

    found: list[Problem] = field(default_factory=list)
    aside: bool = False

    def error(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Something that stops reconfig."""
        self.found.append(Problem(where, subject, what, hint))

    def refuse(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Record an error; of a disabled entry, which is not used, only a warning."""
        (self.warn if self.aside else self.error)(where, subject, what, hint)

    def warn(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Something that is probably not meant."""
        self.found.append(Problem(where, subject, what, hint, "warning", self.aside))

    def notice(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Something this program reads otherwise than the deployed one."""
        self.found.append(Problem(where, subject, what, hint, "notice", self.aside))

    @property
    def errors(self) -> list[Problem]:
        """Only what stops reconfig, by place."""
        return sorted(
            {p for p in self.found if p.level == "error"},
            key=lambda p: (p.where, p.subject, p.what),
        )

    @property
    def warnings(self) -> list[Problem]:
        """Warnings and notices, by place; those of disabled entries are one line at the end."""
        everything = self.all_warnings
        aside = [p for p in everything if p.aside]
        shown = [p for p in everything if not p.aside]
        if aside:
            count = f"{len(aside)} warning{'s' * (len(aside) > 1)} of disabled entries"
            what = f"{count} not shown, from here on"
            shown.append(
                Problem(aside[0].where, "entries", what, "validate --disabled shows them", "notice")
            )
        return shown

    @property
    def all_warnings(self) -> list[Problem]:
        """Warnings and notices, by place, also those of disabled entries."""
        return sorted(
            {p for p in self.found if p.level != "error"},
            key=lambda p: (p.where, p.subject, p.what),
        )

    @contextlib.contextmanager
    def about(self, *, disabled: bool) -> Iterator[None]:
        """Mark warnings made within as those of a disabled entry."""
        before, self.aside = self.aside, self.aside or disabled
        try:
            yield
        finally:
            self.aside = before

    @contextlib.contextmanager
    def catching(self, where: Where, subject: str) -> Iterator[None]:
        """Make an error of the stage's formats one of the problems, unless they explain it already."""
        try:
            yield
        except StageError as error:
            if not self.errors:
                self.error(where, subject, f"{error.where}: {error.message}", error.hint)

    def check(self) -> None:
        """Raise InvalidConfig if there is an error."""
        if self.errors:
            raise InvalidConfig(self.errors)


class InvalidConfig(ConfigError):
    """The configuration cannot be used; `problems` says why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[object, ...]:
        return InvalidConfig, (self.problems,)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` for the nearest known word, or nothing."""
    near = nearest(word, known, 0.7)
    return f"did you mean {near}?" if near else ""


def nearest(word: str, known: Iterable[str], cutoff: float) -> str:
    """The nearest known word, or ""; never one to which or from which only a prefix such as UN was
    added.
    """
    lower = word.lower()
    folded = {k.lower(): k for k in known}
    rows = {k: v for k, v in folded.items() if k == lower or not _prefixed(lower, k)}
    near = difflib.get_close_matches(lower, rows, n=1, cutoff=cutoff)
    return rows[near[0]] if near else ""


def _prefixed(one: str, other: str) -> bool:
    """UNDESIRED_Sites and DESIRED_Sites are opposites, and none is a slip of the other."""
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer.endswith(shorter) and len(longer) - len(shorter) > 1
