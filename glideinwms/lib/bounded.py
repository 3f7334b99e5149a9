"""Bounded types for foreign values: everything that a peer, a user, a site or a pilot can write.

Each function takes a value as it came (from an ad, JSON, a log line or a command line) and returns
a value that is safe to add up, to store and to use as a file name, or raises `BadValue`, which says
what is wrong and where. `where` names the place for people: the ad and attribute, the file and
line. The functions never raise anything else.

| function | result |
|---|---|
| `count` | a whole number, 0 to `MAX_COUNT` unless other limits are given |
| `number` | a finite float |
| `moment` | epoch seconds between `EARLIEST` and `LATEST` |
| `text` | a text of at most `MAX_TEXT` characters |
| `reason` | any text as one line of at most `MAX_REASON` characters; never refused |
| `file_name` | a text that is safe as one component of a path |
| `choice` | a member of an enumeration |

`count_or`, `number_or`, `moment_or` and `text_or` return a default instead, for values that nothing
depends on.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

from glideinwms.lib.errors import WireError

MAX_COUNT = 2**31 - 1
MAX_NUMBER = 1e15
EARLIEST, LATEST = 946684800.0, 4102444800.0  # the years 2000 and 2100
MAX_TEXT = 64 * 1024
MAX_REASON = 200
MAX_NAME_BYTES = 200
MAX_SHOWN = 60
# Longer texts are not converted to numbers: Python needs quadratic time, and refuses 4300 digits.
MAX_DIGITS = 32
WHOLE = re.compile(r"[ \t]*[+-]?[0-9]{1,32}[ \t]*", re.ASCII)
# C0 and C1 control characters, and what terminals take for line or direction changes.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Choice = TypeVar("Choice", bound=enum.Enum)
T = TypeVar("T")


class Expr(str):
    """The text of a ClassAd expression, as opposed to a string."""

    __slots__ = ()


class Missing(enum.Enum):
    """What stands in place of a value. The ClassAd values `undefined` and `error` are no values of
    their own.
    """

    ABSENT = "is absent"
    UNDEFINED = "is undefined"
    ERROR = "is an error value"


class Fault(enum.StrEnum):
    """Why a value is refused."""

    ABSENT = "absent"
    UNDEFINED = "undefined"
    ERROR = "error"
    WRONG_TYPE = "wrong type"
    OUT_OF_RANGE = "out of range"
    TOO_LONG = "too long"
    BAD_CHARACTER = "bad character"
    UNKNOWN_WORD = "unknown word"


class BadValue(WireError):
    """A foreign value that is not what it should be. `fault` is for programs, `message` for people."""

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", fault: Fault = Fault.WRONG_TYPE
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.fault = fault

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.message, self.where, self.hint, self.fault)


def _rebuild(message: str, where: str, hint: str, fault: Fault) -> BadValue:
    return BadValue(message, where=where, hint=hint, fault=fault)


def field(ad: Mapping[str, Any], name: str) -> Any:
    """An attribute of an ad, or `Missing.ABSENT`."""
    return ad.get(name, Missing.ABSENT)


def shown(value: object) -> str:
    """A value for a message: one short line, whatever it is."""
    if isinstance(value, str):
        # what cannot be printed takes up to ten characters each
        text = repr(value[:MAX_SHOWN])
        if len(value) <= MAX_SHOWN and len(text) <= 2 * MAX_SHOWN:
            return text
        return f"{text[: 2 * MAX_SHOWN]}... ({len(value)} characters)"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, Missing):
        return value.name.lower()
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"a value of type {type(value).__name__}"


def count(value: object, where: str = "", *, low: int = 0, high: int = MAX_COUNT) -> int:
    """A whole number from `low` to `high`. Decimal texts and finite reals (cut to whole) are
    numbers too.
    """
    whole: int
    if isinstance(value, bool):
        whole = int(value)
    elif isinstance(value, int):
        whole = value
    elif isinstance(value, float) and math.isfinite(value):
        whole = int(value)
    elif isinstance(value, str) and not isinstance(value, Expr) and len(value) <= MAX_DIGITS:
        if not WHOLE.fullmatch(value):
            raise BadValue(f"{shown(value)} is not a whole number", where=where)
        whole = int(value)
    else:
        raise _wrong(value, "a whole number", where)
    if not low <= whole <= high:
        text = f"{shown(value)} is not a whole number from {low} to {high}"
        raise BadValue(text, where=where, fault=Fault.OUT_OF_RANGE)
    return whole


def number(
    value: object, where: str = "", *, low: float = -MAX_NUMBER, high: float = MAX_NUMBER
) -> float:
    """A finite number from `low` to `high`. Texts of numbers are numbers too, expressions and
    booleans are not.
    """
    if isinstance(value, Expr | bool) or not isinstance(value, int | float | str):
        raise _wrong(value, "a number", where)
    if isinstance(value, str) and len(value) > MAX_DIGITS:
        raise BadValue(f"{shown(value)} is not a number", where=where, fault=Fault.TOO_LONG)
    try:
        real = float(value)
    except (ValueError, OverflowError):
        raise BadValue(f"{shown(value)} is not a number", where=where) from None
    if not low <= real <= high:  # false for NaN as well
        raise BadValue(
            f"{shown(value)} is not between {low:g} and {high:g}",
            where=where,
            fault=Fault.OUT_OF_RANGE,
        )
    return real


def moment(value: object, where: str = "", *, low: float = EARLIEST, high: float = LATEST) -> float:
    """A time in epoch seconds."""
    return number(value, where, low=low, high=high)


def text(value: object, where: str = "", *, longest: int = MAX_TEXT) -> str:
    """A string of at most `longest` characters. The message of a refusal does not contain the text."""
    if isinstance(value, Expr) or not isinstance(value, str):
        raise _wrong(value, "a text", where)
    if len(value) > longest:
        raise BadValue(
            f"{len(value)} characters, at most {longest} are allowed",
            where=where,
            fault=Fault.TOO_LONG,
        )
    return value


def reason(value: object) -> str:
    """Any value as a text for people: one line, without control characters, cut to `MAX_REASON`
    characters.
    """
    whole = value[: 2 * MAX_REASON] if isinstance(value, str) else shown(value)
    line = " ".join(CONTROL.sub(" ", whole).split()).encode(errors="replace").decode()
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 3] + "..."


def printable(whole: str) -> str:
    """A text of any length for a terminal: new lines and tabs stay, every other control character
    is shown as `\\x1b`.

    Without this a log could move the cursor, set the window's title or hide its own lines.
    """
    return CONTROL.sub(
        lambda match: match[0] if match[0] in "\n\t" else ascii(match[0])[1:-1], whole
    )


def file_name(value: object, where: str = "") -> str:
    """A text that is safe as one component of a path, and as an argument of a command."""
    name = text(value, where, longest=MAX_NAME_BYTES)
    if name in ("", ".", ".."):
        raise BadValue(f"{name!r} cannot be a file name", where=where, fault=Fault.BAD_CHARACTER)
    if name.startswith("-"):
        raise BadValue(f"{shown(name)} starts with '-'", where=where, fault=Fault.BAD_CHARACTER)
    if "/" in name or CONTROL.search(name):
        raise BadValue(
            f"{shown(name)} has '/' or control characters", where=where, fault=Fault.BAD_CHARACTER
        )
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # a surrogate
        raise BadValue(
            f"{shown(name)} is not UTF-8", where=where, fault=Fault.BAD_CHARACTER
        ) from None
    if size > MAX_NAME_BYTES:
        raise BadValue(
            f"{size} bytes, at most {MAX_NAME_BYTES} are allowed", where=where, fault=Fault.TOO_LONG
        )
    return name


def choice(value: object, kind: type[Choice], where: str = "") -> Choice:
    """The member of an enumeration that has this value."""
    if isinstance(value, Missing) or value is None:
        raise _wrong(value, f"a {kind.__name__}", where)
    try:
        return kind(value)
    except (ValueError, TypeError):
        words = ", ".join(str(member.value) for member in kind)
        raise BadValue(
            f"{shown(value)} is none of {words}", where=where, fault=Fault.UNKNOWN_WORD
        ) from None


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number of 0 to `MAX_COUNT`; texts and booleans are not."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def count_or(value: object, default: T, *, low: int = 0, high: int = MAX_COUNT) -> int | T:
    """As `count`; `default` for a value that is none."""
    if type(value) is int and low <= value <= high:
        return value
    try:
        return count(value, low=low, high=high)
    except BadValue:
        return default


def number_or(
    value: object, default: T, *, low: float = -MAX_NUMBER, high: float = MAX_NUMBER
) -> float | T:
    """As `number`, of numbers only: texts are not converted. `default` for a value that is none."""
    kind = type(value)
    if (kind is float or kind is int) and low <= value <= high:  # type: ignore[operator]
        return value  # type: ignore[return-value]
    return default


def moment_or(value: object, default: T) -> float | T:
    """As `moment`, of numbers only; `default` for a value that is none."""
    return number_or(value, default, low=EARLIEST, high=LATEST)


def text_or(value: object, default: T, *, longest: int = MAX_TEXT) -> str | T:
    """As `text`; `default` for a value that is none."""
    try:
        return text(value, longest=longest)
    except BadValue:
        return default


def _wrong(value: object, wanted: str, where: str) -> BadValue:
    """The refusal of a value that is not of the wanted type at all."""
    if isinstance(value, Missing):
        return BadValue(value.value, where=where, fault=Fault[value.name])
    if value is None:
        return BadValue(f"None is not {wanted}", where=where, fault=Fault.UNDEFINED)
    if isinstance(value, Expr):
        return BadValue(f"the expression {shown(value)} is not {wanted}", where=where)
    return BadValue(f"{shown(value)} is not {wanted}", where=where)
