"""What match expressions may call, each bounded in time and memory.

Users write the attributes of jobs, Factories those of entries, and no value of theirs may cost the Frontend its memory
or its time. An operation that exceeds a bound raises `Bound`, and an expression that fails matches nothing. Operations
that depend on the size of a value also take steps of a budget, which `begin` renews for each job and entry.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

import re2

from glideinwms.lib.bounded import count_or

MAX_RANGE = 1000
MAX_TEXT = 100_000  # characters of a text that an expression makes
MAX_ITEMS = 10_000  # of a list that an expression makes by +
MAX_DIGITS = 20  # that round keeps, and of a number of CPUs
MAX_BITS = 256  # of a product
# of one evaluation: items that are looked at, or CHARACTERS_PER_STEP of a text that is made
MAX_STEPS = 20_000
NO_LIMIT = sys.maxsize
CHARACTERS_PER_STEP = 64
PATTERN_WORK_PER_STEP = 1000  # instructions of a pattern times characters of a text
MAX_PATTERN = 1000  # characters
PATTERNS_KEPT = 250
PATTERN_MEMORY = 1024 * 1024  # bytes
SCALARS = (str, int, float, bool, type(None))
PATTERN_HINT = "patterns are those of RE2: without look-around, back-references and \\Z"


class SizeBound(ValueError):
    """An operation that would cost too much."""


class ClassBound(Exception):
    """All entries together take more steps than a class of jobs may take."""


class Budget:
    """Steps that may still be taken: `left` by the current evaluation, `total` by the current class
    of jobs over all entries.
    """

    left = MAX_STEPS
    total = NO_LIMIT


def begin() -> None:
    """Start one evaluation, of one job and one entry."""
    Budget.left = MAX_STEPS


def charge(steps: int) -> None:
    """Take steps from the budget of the evaluation and of the class."""
    Budget.left -= steps
    Budget.total -= steps
    if Budget.left < 0:
        raise SizeBound(f"more than {MAX_STEPS} steps")
    if Budget.total < 0:
        raise ClassBound


def items(values: Any) -> Any:
    """What a loop or a function goes over, charged for its length. What has none is a generator
    expression, whose own loop is charged.
    """
    if isinstance(values, Sized):
        charge(len(values))
    return values


def made(value: Any) -> Any:
    """A text or a collection that was made within a loop, charged for its size."""
    if isinstance(value, str):
        charge(1 + len(value) // CHARACTERS_PER_STEP)
    elif isinstance(value, Sized):
        charge(1 + len(value))
    return value


def number(value: Any) -> Any:
    """Only numbers may be multiplied or divided: `"x" * n` and `"%9999d" % n` make texts of any
    length.
    """
    if not isinstance(value, int | float):
        raise SizeBound(f"{type(value).__name__} in arithmetic; only numbers can be")
    return value


def times(a: Any, b: Any) -> Any:
    """Product of numbers."""
    product = number(a) * number(b)
    if isinstance(product, int) and product.bit_length() > MAX_BITS:
        raise SizeBound(f"a product of {product.bit_length()} bits")
    return product


def modulo(a: Any, b: Any) -> Any:
    """Remainder of numbers."""
    return number(a) % number(b)


def plus(a: Any, b: Any) -> Any:
    """Sum of numbers; texts and lists are joined, of bounded length."""
    if isinstance(a, int | float):
        return a + b
    size = len(a) + len(b)
    if size > (MAX_TEXT if isinstance(a, str) else MAX_ITEMS):
        raise SizeBound(f"+ would make a value of {size} characters or items")
    return made(a + b)


def total(values: Iterable[Any], start: Any = 0) -> Any:
    """`sum` of numbers."""
    found = number(start)
    for value in items(values):
        found += number(value)
    return found


def short_range(*args: int) -> range:
    """A range of at most 1000."""
    found = range(*args)
    if len(found) > MAX_RANGE:
        raise SizeBound(f"a range of {len(found)}; {MAX_RANGE} is the most")
    return found


def rounded(value: Any, digits: int | None = None) -> Any:
    """`round`, with few digits."""
    if digits is not None and abs(digits) > MAX_DIGITS:
        raise SizeBound(f"round to {digits} digits")
    return round(value, digits)


def text_of(value: Any = "") -> str:
    """`str` of a text, a number, a boolean or None: that of a collection could be of any length."""
    if not isinstance(value, SCALARS):
        raise SizeBound(f"str of a {type(value).__name__}")
    return str(value)


def _over(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one iterable (or of several values), charged for what it goes through."""

    @functools.wraps(function)
    def call(*args: Any, **more: Any) -> Any:
        return function(*((items(args[0]), *args[1:]) if len(args) == 1 else args), **more)

    return call


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new)`, of bounded length."""
    if len(text) + (text.count(old) * len(new) if count else 0) > MAX_TEXT:
        raise SizeBound("replace would make a very long text")
    return text.replace(old, new, count)


def join(separator: str, parts: Iterable[str]) -> str:
    """`separator.join(parts)`, of bounded length."""
    found = list(items(parts))
    if sum(map(len, found)) + len(separator) * len(found) > MAX_TEXT:
        raise SizeBound("join would make a very long text")
    return separator.join(found)


@functools.lru_cache(maxsize=PATTERNS_KEPT)
def pattern(text: str) -> Any:
    """A compiled pattern of RE2, which matches in a time that is linear in the text whatever the
    pattern is. A Bound says what is wrong with one that RE2 does not take.
    """
    if len(text) > MAX_PATTERN:
        raise SizeBound(f"a pattern of {len(text)} characters; {MAX_PATTERN} are allowed")
    options = re2.Options()
    options.max_mem, options.log_errors = PATTERN_MEMORY, False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        told = error.args[0] if error.args else ""
        raise SizeBound(
            told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        ) from None
    except UnicodeEncodeError:
        raise SizeBound("is no Unicode text") from None


def _regex(name: str) -> Callable[[str, str], Any]:
    def call(expression: str, text: str) -> Any:
        compiled = pattern(expression)
        charge(1 + len(text) * compiled.programsize // PATTERN_WORK_PER_STEP)
        return getattr(compiled, name)(text)

    return call


def cpus(attrs: Mapping[str, Any]) -> int:
    """CPUs of an entry (protocol 5.5): a positive GLIDEIN_CPUS, else GLIDEIN_ESTIMATED_CPUS, else
    1.
    """
    value = attrs.get("GLIDEIN_CPUS", 1)
    own = _whole(value) if type(value) is str and len(value) <= MAX_DIGITS else count_or(value, 0)
    return own if own > 0 else count_or(attrs.get("GLIDEIN_ESTIMATED_CPUS", 1), 1)


@functools.lru_cache(maxsize=1000)
def _whole(text: str) -> int:
    """The number that a short text is, 0 if it is none."""
    return count_or(text, 0)


def cpus_of_glidein(glidein: Mapping[str, Any]) -> int:
    """`getGlideinCpusNum(glidein)` of the expressions."""
    return cpus(glidein["attrs"])


CALLS: dict[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "len": len,
    "abs": abs,
    "min": min,
    "max": max,
    "sum": sum,
    "round": round,
    "sorted": sorted,
    "set": set,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "any": any,
    "all": all,
    "range": range,
    "isinstance": isinstance,
}
# What is called in the place of some of these, under the name with `_` in front. As arguments (of
# isinstance, of key=) they stay what they are; all that could be called through key= is bounded by
# its argument.
BOUNDED: dict[str, Callable[..., Any]] = {
    "str": text_of,
    "sum": total,
    "round": rounded,
    "range": short_range,
    "dict": _over(dict),
    **{f.__name__: _over(f) for f in (min, max, sorted, set, list, tuple, any, all)},
}
# those of them that take steps
COUNTED = frozenset({"sum", "dict", "min", "max", "sorted", "set", "list", "tuple", "any", "all"})
RE_FUNCTIONS = ("match", "search", "fullmatch")
# methods that make a text or a collection as large as their object
MAKING = frozenset("lower upper strip lstrip rstrip split rsplit keys values items".split())
# the names that checked expressions are compiled with
SCOPE: dict[str, Any] = {
    "__builtins__": {},
    **CALLS,
    **{f"_{name}": function for name, function in BOUNDED.items()},
    "getGlideinCpusNum": cpus_of_glidein,
    "_times": times,
    "_modulo": modulo,
    "_plus": plus,
    "_replace": replace,
    "_join": join,
    "_items": items,
    "_made": made,
    "_begin": begin,
    "_frozen": frozenset,
    **{f"_re_{n}": _regex(n) for n in RE_FUNCTIONS},
}
# an evaluation that calls none of these takes no steps
STEPPING = frozenset(
    {
        "_items",
        "_made",
        "_plus",
        "_join",
        *(f"_{n}" for n in COUNTED),
        *(f"_re_{n}" for n in RE_FUNCTIONS),
    }
)
