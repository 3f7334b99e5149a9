"""What is wrong with a configuration: all of it in one run, each with its place and a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from glideinwms.lib.errors import ConfigError


class Where(NamedTuple):
    """A place in a configuration file; line 0 is all of it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Where("(default)", 0)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: `what` is a sentence about `subject` (element@attribute); `level` is error, warning or notice."""

    where: Where
    subject: str
    what: str
    hint: str = ""
    level: str = "error"

    def __str__(self) -> str:
        text = f"{self.where}: {self.subject}: {self.what}"
        return (text if self.level == "error" else f"{self.level}: {text}") + (f"; {self.hint}" if self.hint else "")


@dataclass(slots=True)
class Problems:
    """Collects findings; `found` is in the order of discovery."""

    found: list[Problem] = field(default_factory=list)

    def error(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Something that stops reconfig."""
        self.found.append(Problem(where, subject, what, hint))

    def warn(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Something that is probably not meant."""
        self.found.append(Problem(where, subject, what, hint, "warning"))

    def notice(self, where: Where, subject: str, what: str, hint: str = "") -> None:
        """Something this program reads otherwise than the deployed one."""
        self.found.append(Problem(where, subject, what, hint, "notice"))

    @property
    def errors(self) -> list[Problem]:
        """Only what stops reconfig, by place."""
        return sorted({p for p in self.found if p.level == "error"}, key=lambda p: (p.where, p.subject, p.what))

    @property
    def warnings(self) -> list[Problem]:
        """Warnings and notices, by place."""
        return sorted({p for p in self.found if p.level != "error"}, key=lambda p: (p.where, p.subject, p.what))

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
    options = list(known)
    folded = {k.lower(): k for k in options}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.7)
    return f"did you mean {folded[near[0]]}?" if near else ""
