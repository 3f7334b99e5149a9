"""Values that a user, a pilot or a Factory can put into an ad."""

from __future__ import annotations

from typing import Any

from glideinwms.lib.condor import htc
from tests.support.hostile_values import NAMES, NUMBERS


def _storable(value: Any) -> bool:
    """Whether a ClassAd can hold the value at all."""
    try:
        htc.to_classad({"A": value})
    except Exception:  # noqa: BLE001 - whatever the bindings refuse never arrives
        return False
    return True


EXPRESSIONS: dict[str, Any] = {
    "undefined expression": htc.Expr("NoSuchAttribute"),
    "error expression": htc.Expr('1 + "a"'),
    "infinite expression": htc.Expr('real("INF")'),
    "nan expression": htc.Expr('real("NaN")'),
    "slow expression": htc.Expr('regexp("(a|a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")'),
}
VALUES: dict[str, Any] = {
    **{kind: value for kind, value in {**NAMES, **NUMBERS}.items() if _storable(value)},
    **EXPRESSIONS,
    "nested list": [1, "a", [2, [3]]],
    "nested ad": {"a": {"b": [1]}},
    "nan text": "nan",
    "infinite text": "inf",
}
