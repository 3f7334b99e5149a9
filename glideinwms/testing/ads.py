"""ClassAds as the fakes keep them: evaluation of constraints, and projection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import classad2

from glideinwms.lib.condor import htc
from glideinwms.lib.condor.classads import UNREADABLE_TEXT

NOW = re.compile(r"\btime\(\s*\)|\bCurrentTime\b", re.IGNORECASE)


def parse(constraint: str, now: float) -> Any:
    """A constraint as an expression in which time() is the fakes' clock. ClassAdException if it is
    none.
    """
    return classad2.ExprTree(NOW.sub(str(int(now)), constraint or "true"))


def matches(ad: Any, expression: Any) -> bool:
    """Whether a constraint takes the ad: true, or a number that is not 0; undefined, error and
    strings are not.
    """
    value = expression.eval(ad)
    if isinstance(value, classad2.Value):
        return False
    return isinstance(value, bool | int | float) and bool(value)


def references(ad: Any, name: str) -> list[str]:
    """Attributes of the ad that the expression in `name` uses, and those that they use."""
    found: list[str] = []
    todo = [name]
    while todo:
        value = ad[todo.pop()]
        if isinstance(value, classad2.ExprTree):
            new = [r for r in ad.internalRefs(value) if r in ad and r not in found]
            found += new
            todo += new
    return found


def project(ad: Any, names: Sequence[str], extra: Mapping[str, Any]) -> Any:
    """A copy with the wanted attributes as they are spelt here, those they refer to, and `extra`."""
    if not names:
        out = _whole(ad)
    else:
        out = classad2.ClassAd()
    for name in names:
        if name in ad:
            out[name] = ad[name]
            for other in references(ad, name):
                out[other] = ad[other]
    for name, value in extra.items():
        if not names or name in names or name == "ServerTime":
            out[name] = value
    return out


def _whole(ad: Any) -> Any:
    """All attributes. Names that Python cannot read are copied through the ad's text, which in turn
    cannot be parsed where a value is infinite.
    """
    try:
        return classad2.ClassAd({name: ad[name] for name in ad})
    except UNREADABLE_TEXT:
        return classad2.ClassAd(str(ad))


def of(ad: Mapping[str, Any]) -> Any:
    """A ClassAd of plain data; `Expr` texts are parsed."""
    return ad if isinstance(ad, classad2.ClassAd) else htc.to_classad(ad)


def copy(ad: Any) -> Any:
    """A ClassAd that shares nothing with `ad`."""
    return project(ad, (), {})
