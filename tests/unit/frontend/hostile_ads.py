"""Values that a user, a pilot or a Factory can write into an attribute that the Frontend reads."""

from __future__ import annotations

from typing import Any

from glideinwms.lib.htc import Expr

VALUES: dict[str, Any] = {
    "expression": Expr("(time() - 9999)"),
    "undefined": Expr("NoSuchAttribute"),
    "error": Expr('1 + "a"'),
    "infinity": Expr('real("INF")'),
    "not a number": Expr('real("NaN")'),
    "slow expression": Expr('regexp("(a|a|aa)+$", strcat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!"))'),
    "empty text": "",
    "text": "x",
    "nan text": "nan",
    "inf text": "inf",
    "huge text number": "9" * 5000,
    "long text": "y" * 300_000,
    "300 characters": "z" * 300,
    "path": "../../etc/passwd",
    "dash": "-rf",
    "new line": "a\nb",
    "escape": "a\x1b]0;x\x07",
    "accents": "\u202eéß𝔘",
    "true": True,
    "negative": -5,
    "huge": 2**62,
    "negative huge": -(2**62),
    "float": 1e300,
    "list": [1, "a", [2]],
    "ad": {"a": {"b": [1]}},
    "empty list": [],
}  # fmt: skip
