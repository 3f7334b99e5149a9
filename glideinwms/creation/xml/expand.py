"""Attribute expansion, `$(X)` and `$$(X)` (config 8); off unless enable_attribute_expansion is True."""

from __future__ import annotations

import re
from collections.abc import Mapping

from glideinwms.lib.condor.htc import quoted

REFERENCE = re.compile(r"(\$\$?)\(([^()]*)\)")
Value = str | int | float | bool


class Unexpandable(ValueError):
    """A name that is not defined, or that refers to itself."""


def expand(text: str, values: Mapping[str, Value], _inside: tuple[str, ...] = ()) -> str:
    """`text` with every reference replaced: `$(X)` by X, expanded; `$$(X)` by X as a ClassAd
    literal.

    `$(DOLLAR)` is a dollar sign. Unexpandable names what is missing or loops.
    """

    def one(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if name == "DOLLAR":
            return "$"
        if name in _inside:
            raise Unexpandable(f"{name} refers to itself ({' -> '.join((*_inside, name))})")
        if name not in values:
            raise Unexpandable(f"{name} is not the name of an attribute")
        value = values[name]
        inner = expand(value, values, (*_inside, name)) if isinstance(value, str) else str(value)
        return quoted(inner) if kind == "$$" and isinstance(value, str) else inner

    return REFERENCE.sub(one, text)
