"""Frozen dataclasses to JSON and back: policies, snapshots, plans and status files.

Unknown fields are refused with their path, unless the caller passes `ignore_unknown` (a newer
writer's file).
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from glideinwms.lib.bounded import MAX_DIGITS, MAX_SHOWN, reason, shown
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import read_text

T = TypeVar("T")
Json = dict[str, Any]
PLAIN = frozenset({str, int, float, bool, type(None)})


def to_json(value: Any) -> Any:
    """Plain JSON data of a dataclass tree: tuples and sets become lists, enums their values."""
    kind: type = type(value)
    if kind in PLAIN:
        return value
    if (names := _names(kind)) is not None:
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {
            (k.value if isinstance(k, enum.Enum) else str(k)): to_json(v) for k, v in value.items()
        }
    if isinstance(value, frozenset | set):
        return sorted(to_json(v) for v in value)
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return value


def dumps(value: Any) -> str:
    """The text of `to_json(value)`, in a third of the time: for what is large, and whose maps have
    texts and numbers as keys.
    """
    return json.dumps(value, separators=(",", ":"), default=_opened)


def _opened(value: Any) -> Any:
    """One level of what JSON does not know."""
    kind: type = type(value)
    if (names := _names(kind)) is not None:
        return {name: getattr(value, name) for name in names}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, frozenset | set) else str(value)


def read_file(path: Path, *, hint: str = "") -> Any:
    """Return the plain data of a JSON file; a StateError with `hint` if it cannot be read."""
    return parse(read_text(path), str(path), hint=hint)


def parse(text: str | bytes, where: str, *, largest: int | None = None, hint: str = "") -> Any:
    """JSON text as plain data. A StateError for anything else: too large or too deep, not UTF-8,
    endless numbers.
    """
    if largest is not None and len(text) > largest:
        raise StateError(f"has {len(text)} bytes, at most {largest} are allowed", where=where)
    try:
        return json.loads(text, parse_int=_whole, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        why = "too many levels" if isinstance(error, RecursionError) else str(error)
        raise StateError(f"is not JSON: {why}", where=where, hint=hint) from error


def _refuse_constant(name: str) -> float:
    """Refuse NaN, Infinity and -Infinity: a limit compared with NaN never applies."""
    raise ValueError(f"{name} is not a number of JSON")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def from_json(kind: type[T], data: Any, *, where: str = "", ignore_unknown: bool = False) -> T:
    """Rebuild `kind` from `to_json` data; a StateError names the path of what does not fit."""
    return typing.cast(T, _build(kind, data, where or kind.__name__, ignore_unknown))


@functools.cache
def _names(kind: type) -> tuple[str, ...] | None:
    """Field names of a dataclass, None for any other type."""
    return (
        tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None
    )


@functools.cache
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    return {
        f.name: (
            hints[f.name],
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(kind)
    }


def _build(kind: Any, data: Any, where: str, lax: bool) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any or kind is object:
        return data
    if origin in (Union, types.UnionType):
        return _union(args, data, where, lax)
    if dataclasses.is_dataclass(origin or kind):
        bound = dict(zip(origin.__parameters__, args, strict=True)) if origin else {}
        return _dataclass(origin or kind, data, where, lax, bound)
    if origin in (tuple, list, frozenset, set):
        return _sequence(origin, args, data, where, lax)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(data, Mapping):
            raise StateError(f"expected an object, found {type(data).__name__}", where=where)
        return {
            _key(args[0], k, where): _build(args[1], v, f"{where}.{str(k)[:MAX_SHOWN]}", lax)
            for k, v in data.items()
        }
    return _scalar(kind, data, where)


def _scalar(kind: Any, data: Any, where: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(data)
        except (ValueError, TypeError):
            raise StateError(
                f"{shown(data)} is none of {[m.value for m in kind]}", where=where
            ) from None
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        try:
            return float(data)
        except OverflowError:
            raise StateError(f"expected a number, found {shown(data)}", where=where) from None
    if kind is float and isinstance(data, float) and not math.isfinite(data):
        raise StateError(f"expected a finite number, found {shown(data)}", where=where)
    if kind is type(None) and data is None:
        return None
    if not isinstance(kind, type) or type(data) is not kind:
        raise StateError(
            f"expected {getattr(kind, '__name__', kind)}, found {shown(data)}", where=where
        )
    return data


def _key(kind: Any, text: Any, where: str) -> Any:
    """JSON has only texts for keys; a whole number is read back as one."""
    if kind is int and isinstance(text, str):
        try:
            return int(text)
        except ValueError:
            raise StateError(
                f"expected a whole number as key, found {shown(text)}", where=where
            ) from None
    return _scalar(kind, text, where) if kind is not Any else text


def _union(args: tuple[Any, ...], data: Any, where: str, lax: bool) -> Any:
    if data is None and type(None) in args:
        return None
    given = [a for a in args if a is not type(None)]
    if len(given) == 1:
        return _build(given[0], data, where, lax)
    exact = [a for a in args if isinstance(a, type) and type(data) is a]
    for arg in exact or args:
        try:
            return _build(arg, data, where, lax)
        except StateError:
            continue
    names = ", ".join(getattr(a, "__name__", str(a)) for a in args)
    raise StateError(f"{shown(data)} fits none of {names}", where=where)


def _sequence(origin: Any, args: tuple[Any, ...], data: Any, where: str, lax: bool) -> Any:
    if not isinstance(data, list | tuple):
        raise StateError(f"expected a list, found {type(data).__name__}", where=where)
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        if len(data) != len(args):
            raise StateError(f"expected {len(args)} items, found {len(data)}", where=where)
        return tuple(
            _build(a, v, f"{where}[{i}]", lax)
            for i, (a, v) in enumerate(zip(args, data, strict=True))
        )
    return origin(_build(args[0], v, f"{where}[{i}]", lax) for i, v in enumerate(data))


def _bound(hint: Any, bound: dict[Any, Any]) -> Any:
    """A field's type with the type variables of its generic dataclass filled in."""
    if isinstance(hint, TypeVar):
        return bound.get(hint, Any)
    free = getattr(hint, "__parameters__", ())
    return hint[tuple(bound.get(p, Any) for p in free)] if free else hint


def _dataclass(kind: Any, data: Any, where: str, lax: bool, bound: dict[Any, Any]) -> Any:
    if not isinstance(data, Mapping):
        raise StateError(f"expected an object, found {type(data).__name__}", where=where)
    fields = _fields(kind)
    unknown = sorted(set(data) - set(fields))
    if unknown and not lax:
        raise StateError(
            f"unknown field {reason(', '.join(unknown))}",
            where=where,
            hint="written by a newer version?",
        )
    missing = sorted(name for name, (_, needed) in fields.items() if needed and name not in data)
    if missing:
        raise StateError(f"missing field {', '.join(missing)}", where=where)
    return kind(
        **{
            n: _build(_bound(fields[n][0], bound), v, f"{where}.{n}", lax)
            for n, v in data.items()
            if n in fields
        }
    )
