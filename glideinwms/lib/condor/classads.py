"""ClassAds as plain data and back. Runs in a worker process, as `htc` does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from glideinwms.lib.bounded import Expr, Missing

Ad = dict[str, Any]
# what the bindings raise of a text that is not UTF-8: in a list, the second
UNREADABLE_TEXT = (UnicodeDecodeError, SystemError)
# the attribute of an ad that could not be read: why
UNREADABLE = "GwmsUnreadable"


def plain(value: Any, classad2: Any) -> Any:
    """A ClassAd value as plain data; None for undefined and error values (which are ints to Python:
    asked first).
    """
    if isinstance(value, classad2.Value):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, classad2.ExprTree):
        return Expr(str(value))
    if isinstance(value, list):
        return [plain(v, classad2) for v in value]
    if isinstance(value, Mapping):
        return {k: plain(v, classad2) for k, v in value.items()}
    return str(value)


def plain_ads(ads: Iterable[Any], *, keep_missing: bool = False) -> list[Ad]:
    """ClassAds as plain data. An ad whose attribute names cannot be read becomes `_stand_in`."""
    import classad2

    return [_plain_ad(ad, classad2, keep_missing) for ad in ads]


def _plain_ad(ad: Any, classad2: Any, keep_missing: bool) -> Ad:
    """The ad without what is undefined, or with it as `Missing`.

    In a text that is not UTF-8 the bad bytes are replaced. A list or ad that holds one is left out.
    """
    try:
        if not keep_missing:
            return {k: v for k in ad if (v := plain(ad[k], classad2)) is not None}
        return {k: _or_missing(ad[k], classad2) for k in ad}
    except UNREADABLE_TEXT:
        return _repaired_ad(ad, classad2, keep_missing)


def _or_missing(value: Any, classad2: Any) -> Any:
    """A ClassAd value as plain data; `Missing` for undefined and error values."""
    if isinstance(value, classad2.Value):
        return Missing.ERROR if value == classad2.Value.Error else Missing.UNDEFINED
    return plain(value, classad2)


def _repaired_ad(ad: Any, classad2: Any, keep_missing: bool) -> Ad:
    try:
        names = list(ad)
    except UNREADABLE_TEXT:
        return _stand_in(ad, classad2)
    repaired: Ad = {}
    for name in names:
        with contextlib.suppress(*UNREADABLE_TEXT):
            repaired[name] = _or_missing(_replaced(ad, name), classad2)
    if keep_missing:
        return repaired
    return {name: value for name, value in repaired.items() if not isinstance(value, Missing)}


def _stand_in(ad: Any, classad2: Any) -> Ad:
    """What is shown of an ad with an attribute name that is not UTF-8: `UNREADABLE` and its names.

    The bindings list the names of such an ad only all or not at all. It stays in the answer, so
    that it is counted and can be named; it lacks all that would make it count as one of ours.
    """
    stand_in: Ad = {UNREADABLE: "the name of an attribute is not UTF-8"}
    for name in ("MyType", "Name", "MyAddress", "ClusterId", "ProcId"):
        with contextlib.suppress(*UNREADABLE_TEXT):
            if name in ad and (value := plain(_replaced(ad, name), classad2)) is not None:
                stand_in[name] = value
    return stand_in


def _replaced(ad: Any, name: str) -> Any:
    """An attribute as the bindings have it; a text that is not UTF-8 with its bad bytes replaced."""
    try:
        return ad[name]
    except UnicodeDecodeError as error:
        return bytes(error.object).decode(errors="replace")


def to_classad(ad: Mapping[str, Any]) -> Any:
    """A ClassAd of plain data, `Expr` texts parsed. UnicodeEncodeError (a ValueError) for a text
    that is not Unicode, such as a file name that is not UTF-8: of that the bindings crash.
    """
    import classad2

    for name, value in ad.items():
        _encoded((name, value))
    return classad2.ClassAd(
        {k: classad2.ExprTree(str(v)) if isinstance(v, Expr) else v for k, v in ad.items()}
    )


def _encoded(value: Any) -> None:
    """Encode every text of a value, for the error that this may raise."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, Mapping):
        _encoded(list(value.items()))
    elif isinstance(value, list | tuple):
        for item in value:
            _encoded(item)
