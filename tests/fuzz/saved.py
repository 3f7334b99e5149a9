"""Inputs as files: text as it is, ads as JSON with a mark for what JSON lacks."""

from __future__ import annotations

import json
import math
from typing import Any

from glideinwms.lib.bounded import Expr, Missing

MARK = "$"


def dump(item: Any) -> bytes:
    """An input as bytes."""
    if isinstance(item, bytes):
        return b"bytes\n" + item
    if isinstance(item, str) and not isinstance(item, Expr):
        return b"text\n" + item.encode("utf-8", "surrogatepass")
    return b"json\n" + json.dumps(_plain(item), indent=1).encode()


def load(data: bytes) -> Any:
    """The input of `dump`."""
    kind, _, rest = data.partition(b"\n")
    if kind == b"bytes":
        return rest
    return rest.decode("utf-8", "surrogatepass") if kind == b"text" else _real(json.loads(rest))


def _plain(item: Any) -> Any:
    if isinstance(item, Expr):
        return {MARK: "expression", "text": str(item)}
    if isinstance(item, Missing):
        return {MARK: "missing", "text": item.name}
    if isinstance(item, float) and not math.isfinite(item):
        return {MARK: "float", "text": repr(item)}
    if isinstance(item, tuple):
        return {MARK: "tuple", "items": [_plain(part) for part in item]}
    if isinstance(item, list):
        return [_plain(part) for part in item]
    return {k: _plain(v) for k, v in item.items()} if isinstance(item, dict) else item


def _real(item: Any) -> Any:
    if isinstance(item, list):
        return [_real(part) for part in item]
    if not isinstance(item, dict):
        return item
    match item.get(MARK):
        case "expression":
            return Expr(item["text"])
        case "missing":
            return Missing[item["text"]]
        case "float":
            return float(item["text"])
        case "tuple":
            return tuple(_real(part) for part in item["items"])
    return {k: _real(v) for k, v in item.items()}
