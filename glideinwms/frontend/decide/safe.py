"""What match expressions may call, each bounded: a job's attributes are written by users, and no value of theirs may
cost the Frontend its memory or its time. A bound that is exceeded is an error, and an error matches nothing."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from glideinwms.lib.bounded import count_or

MAX_RANGE, MAX_TEXT, MAX_STEPS, MAX_DIGITS = 1000, 100_000, 10**7, 20
MANY = 16


class Bound(ValueError):
    """An operation that would cost too much."""


def number(value: Any) -> Any:
    """Only numbers may be multiplied or divided: `"x" * n` and `"%9999d" % n` make texts of any length."""
    if not isinstance(value, int | float):
        raise Bound(f"{type(value).__name__} in arithmetic; only numbers can be")
    return value


def times(a: Any, b: Any) -> Any:
    """Product of numbers."""
    return number(a) * number(b)


def modulo(a: Any, b: Any) -> Any:
    """Remainder of numbers."""
    return number(a) % number(b)


def short_range(*args: int) -> range:
    """A range of at most 1000."""
    made = range(*args)
    if len(made) > MAX_RANGE:
        raise Bound(f"a range of {len(made)}; {MAX_RANGE} is the most")
    return made


def rounded(value: Any, digits: int | None = None) -> Any:
    """`round`, with few digits."""
    if digits is not None and abs(digits) > MAX_DIGITS:
        raise Bound(f"round to {digits} digits")
    return round(value, digits)


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new)`, of bounded length."""
    if len(text) + (text.count(old) * len(new) if count else 0) > MAX_TEXT:
        raise Bound("replace would make a very long text")
    return text.replace(old, new, count)


def join(separator: str, parts: Iterable[str]) -> str:
    """`separator.join(parts)`, of bounded length."""
    found = list(parts)
    if sum(map(len, found)) + len(separator) * len(found) > MAX_TEXT:
        raise Bound("join would make a very long text")
    return separator.join(found)


@functools.lru_cache(maxsize=1000)
def pattern(text: str) -> tuple[re.Pattern[str], int]:
    """A compiled pattern and how many open repeats it has. A repeat within a repeat can take for ever: refused."""
    tree = re._parser.parse(text)  # type: ignore[attr-defined]
    return re.compile(text), _repeats(tree, False)


def _repeats(tree: Any, inside: bool) -> int:
    found = 0
    for _, argument in tree:
        repeat = isinstance(argument, tuple) and len(argument) == 3 and isinstance(argument[1], int) and argument[1] > 1
        if repeat and not isinstance(argument[0], int):
            repeat = False
        wide = repeat and int(argument[1]) > MANY
        if inside and repeat:
            raise Bound("a pattern with a repeat inside a repeat, like (a+)+, can take for ever")
        found += wide
        for part in _parts(argument):
            if wide and _branches(part):
                raise Bound("a pattern with alternatives inside a repeat, like (a|b)*, can take for ever")
            found += _repeats(part, inside or wide)
    return found


def _parts(argument: Any) -> list[Any]:
    """Sub-patterns of a parsed regular expression's node."""
    if isinstance(argument, re._parser.SubPattern):  # type: ignore[attr-defined]
        return [argument]
    if isinstance(argument, tuple | list):
        return [p for a in argument for p in _parts(a)]
    return []


def _branches(tree: Any) -> bool:
    return any(op is re._constants.BRANCH or any(map(_branches, _parts(a))) for op, a in tree)  # type: ignore[attr-defined]


def _regex(name: str) -> Callable[..., re.Match[str] | None]:
    def call(expression: str, text: str) -> re.Match[str] | None:
        compiled, repeats = pattern(expression)
        if math.comb(len(text) + repeats + 1, repeats + 1) > MAX_STEPS:
            raise Bound(f"{len(text)} characters are too long for a pattern of {repeats} repeats")
        found: re.Match[str] | None = getattr(compiled, name)(text)
        return found

    return call


def cpus(attrs: Mapping[str, Any]) -> int:
    """CPUs of an entry (protocol 5.5): a positive GLIDEIN_CPUS, else GLIDEIN_ESTIMATED_CPUS, else 1."""
    own = count_or(attrs.get("GLIDEIN_CPUS", 1), 0)
    return own if own > 0 else count_or(attrs.get("GLIDEIN_ESTIMATED_CPUS", 1), 1)


def cpus_of_glidein(glidein: Mapping[str, Any]) -> int:
    """`getGlideinCpusNum(glidein)` of the expressions."""
    return cpus(glidein["attrs"])


CALLS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "len": len, "abs": abs, "min": min, "max": max, "sum": sum,
    "round": rounded, "sorted": sorted, "set": set, "list": list, "tuple": tuple, "dict": dict, "any": any, "all": all,
    "range": short_range, "isinstance": isinstance,
}  # fmt: skip
RE_FUNCTIONS = ("match", "search", "fullmatch")
# the names that checked expressions are compiled with
SCOPE: dict[str, Any] = {
    "__builtins__": {}, **CALLS, "getGlideinCpusNum": cpus_of_glidein, "_times": times, "_modulo": modulo,
    "_replace": replace, "_join": join, "_set": frozenset,
    **{f"_re_{n}": _regex(n) for n in RE_FUNCTIONS},
}  # fmt: skip
