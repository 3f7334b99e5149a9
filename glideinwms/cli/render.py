"""Reasons in words, the same for both daemons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glideinwms.lib.reasons import Clip, Refusal


def clip(one: Clip) -> str:
    """`50 -> 12 by Limit (88 of 100)`."""
    text = f"{one.before:g} -> {one.after:g} by {one.reason}"
    if one.limit is not None:
        text += f" ({one.count:g} of {one.limit:g})" if one.count is not None else f" (at most {one.limit:g})"
    return f"{text}: {one.detail}" if one.detail else text


def refusal(one: Refusal) -> str:
    """`Code: text`."""
    return f"{one.reason}: {one.text}" if one.text else str(one.reason)


def values(found: Mapping[str, Any] | None) -> str:
    """`A='x', B undefined`."""
    return ", ".join(f"{n} undefined" if v is None else f"{n}={v!r}" for n, v in (found or {}).items())
