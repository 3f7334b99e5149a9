"""Inputs for the fuzz targets: seeds that are changed in a few places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glideinwms.lib.bounded import Expr, Missing
from tests.fuzz.tape import Choices

# Parts that parsers take for syntax or for numbers.
WORDS = (
    *"\x00 \t \n \r \x0b \x0c \x1b \x1c \x85 \u2028 \u202e \udce9 \ufffd é 漢 ٣".split(" "),
    *"\" ' \\ \\\\ \\n $ $( $$( ` ( ) [ ] { } < > & ; : , . .. / | # % = == - -- + * ? ! @ ^ ~".split(),
    *"0 -1 1 00 1e5 1e999 nan inf NaN Infinity -0 0.0 1_0 0x10 2147483648 9223372036854775808".split(),
    *"true false null None True undefined error <a> </a> <!-- --> <![CDATA[ ]]> &lt; &#0; <!ENTITY".split(),
    "9" * 20,
    "9" * 40,
    "9" * 5000,
    "a" * 300,
    "\n\n",
    "\r\n",
    " " * 50,
    "%00",
    "\\u0000",
    "\\ud800",
    "...\n",
    "====\n",
    "[" * 50,
    "(" * 50,
    "-----BEGIN CERTIFICATE-----\n",
    "\x1b]0;x\x07",
)
SPANS = (1, 1, 1, 2, 3, 5, 8, 20, 80, 400)
TIMES = (2, 2, 3, 10, 100)
MAX_CHARACTERS = 20_000
NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    2,
    600,
    2**31 - 1,
    2**31,
    -(2**31),
    2**53,
    2**63 - 1,
    -(2**63),
    2**63,
    10**20,
    0.0,
    -0.0,
    0.5,
    1e15,
    1e16,
    1e308,
    -1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    True,
    False,
    1_800_000_000,
)
TEXTS: tuple[str, ...] = (
    "",
    " ",
    "a",
    "A",
    "0",
    "1",
    "-1",
    "9" * 20,
    "9" * 5000,
    "nan",
    "True",
    "a b",
    "a/b",
    "..",
    "-rf",
    "a@b@c",
    "@@",
    "a.b",
    "a:b",
    "a=b",
    "\x00",
    "a\nb",
    "\\n",
    "\\" * 100,
    "\udce9",
    "é" * 150,
    "\u202e",
    "x" * 70_000,
    "x" * 255,
    "x" * 201,
    "$(X)",
    "${X}",
    "`id`",
    "'",
    '"',
    "%s%n",
    "\x1b[2J",
    "::",
    "a|b|c",
    "%7C",
    "1,2,3",
)
NAMES = (
    "",
    "A",
    "a b",
    "Name",
    "name",
    "GlideinParam",
    "GlideinParamX",
    "é",
    "a.b",
    "'q'",
    "x" * 500,
    "\x00",
    "My",
    "1",
)


def changed_text(choices: Choices, seeds: Sequence[str], words: Sequence[str] = WORDS) -> str:
    """A seed with up to eight changes."""
    text = choices.pick(seeds)
    for _ in range(choices.below(8)):
        text = _change(choices, text, seeds, words)
    return text[:MAX_CHARACTERS]


def _change(choices: Choices, text: str, seeds: Sequence[str], words: Sequence[str]) -> str:
    kind = choices.below(8)
    begin = choices.below(len(text) + 1)
    end = begin + choices.pick(SPANS)
    if kind == 0:
        return text[:begin] + text[end:]
    if kind == 1:
        return text[:end] + text[begin:end] * choices.pick(TIMES) + text[end:]
    if kind == 2:
        return text[:begin] + choices.pick(words) + text[begin:]
    if kind == 3:
        return text[:begin] + choices.pick(words) + text[end:]
    if kind == 4:
        return text[:begin] + chr(choices.below(256)) + text[begin + 1 :]
    if kind == 5:
        return text[:begin]
    if kind == 6:
        other = choices.pick(seeds)
        return text[:begin] + other[choices.below(len(other) + 1) :]
    lines = text.split("\n")
    place = choices.below(len(lines))
    return "\n".join([*lines[place:], *lines[:place]])


def value(choices: Choices, depth: int = 0) -> Any:
    """A value as an ad holds it after HTCondor's bindings read it."""
    kind = choices.below(8)
    if kind < 3:
        return choices.pick(TEXTS)
    if kind < 5:
        return choices.pick(NUMBERS)
    if kind == 5:
        return choices.pick(
            (None, Missing.UNDEFINED, Missing.ERROR, Expr("time()"), Expr("9" * 5000), Expr(""))
        )
    if depth > 2:
        return []
    if kind == 6:
        return [value(choices, depth + 1) for _ in range(choices.below(4))]
    return {choices.pick(NAMES): value(choices, depth + 1) for _ in range(choices.below(3))}


def changed_ad(choices: Choices, seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A seed with up to five attributes replaced, removed, added, renamed or changed a little."""
    ad = dict(choices.pick(seeds))
    names = list(ad)
    for _ in range(1 + choices.below(5)):
        kind, name = choices.below(6), choices.pick(names)
        if kind == 0:
            ad.pop(name, None)
        elif kind == 1:
            ad[choices.pick(NAMES)] = value(choices)
        elif kind == 2:
            ad[name + choices.pick(NAMES)] = ad.get(name)
        elif kind == 3 and isinstance(ad.get(name), str):
            ad[name] = changed_text(choices, (ad[name],))
        else:
            ad[name] = value(choices)
    return ad
