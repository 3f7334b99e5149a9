"""How an ad is declared: a frozen dataclass whose fields say under which attribute they travel
(protocol 1).

`attr("ReqName")` is one attribute, `prefixed("GlideinParam")` a map of all that start so, `rest()`
what nobody claimed.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, get_type_hints

from glideinwms import __version__
from glideinwms.lib import bounded
from glideinwms.lib.errors import WireError

Value = str | int | float | bool
Ad = dict[str, Value]
# Serial numbers and times of a peer's own: nothing is added up of them.
MAX_SERIAL = 2**53
# 3.11 Frontends complain of versions that begin with 3.8, 3.9 or 3.10
VERSION = f"glideinWMS {__version__} "

# Never part of an ad's own content (protocol 1.3).
STRIPPED = frozenset(
    {
        "MyType",
        "TargetType",
        "GlideinMyType",
        "MyAddress",
        "UpdatesHistory",
        "UpdatesTotal",
        "UpdatesLost",
        "UpdatesSequenced",
        "AuthenticatedIdentity",
        "AuthenticationMethod",
        "LastHeardFrom",
        "CurrentTime",
        "MyCurrentTime",
        "AddressV1",
    }
)
# only at the first of several backslashes: beginning at each would take quadratic time
BACKSLASH_N = re.compile(r"(?<!\\)\\+n")


@dataclass(frozen=True, slots=True)
class AdKind:
    """How one kind of ad is sent and withdrawn (protocol 1.1)."""

    my_type: str
    update: str
    invalidate: str


GENERIC = ("UPDATE_AD_GENERIC", "INVALIDATE_ADS_GENERIC")
MASTER = ("UPDATE_MASTER_AD", "INVALIDATE_MASTER_ADS")
LICENSE = ("UPDATE_LICENSE_AD", "INVALIDATE_LICENSE_ADS")


def attr(
    name: str, default: Any = dataclasses.MISSING, *, optional: bool = False, pem: bool = False
) -> Any:
    """One attribute. `optional`: left out when empty, its default when absent. `pem`: newlines
    travel as `\\n`.
    """
    meta = {"attr": name, "optional": optional, "pem": pem}
    if default is dataclasses.MISSING:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


def pilots(name: str, default: Any = dataclasses.MISSING) -> Any:
    """One attribute that is a number of pilots, 0 to 2^31-1: such numbers are added up and
    multiplied.
    """
    meta = {"attr": name, "count": True}
    if default is dataclasses.MISSING:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


def prefixed(prefix: str) -> Any:
    """A map: attribute names with the prefix cut off -> values."""
    return field(default_factory=dict, metadata={"prefix": prefix})


def rest() -> Any:
    """A map of every attribute that no other field claims."""
    return field(default_factory=dict, metadata={"rest": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAd:
    """Base of all ads: `to_ad` and `from_ad` follow the declarations of the fields."""

    KIND: ClassVar[AdKind]

    def to_ad(self) -> Ad:
        """The ad as attributes, in the order of declaration."""
        ad: Ad = {"MyType": self.KIND.my_type, "GlideinMyType": self.KIND.my_type}
        kind: type = type(self)
        for name, key, optional, prefix in _sent(kind):
            value = getattr(self, name)
            if not key:
                for k, v in value.items():
                    ad[prefix + k if "+" not in k else prefix + k.replace("+", "_PLUS_")] = v
            elif not (optional and value in ("", None)):
                ad[key] = value
        for k, v in ad.items():
            if isinstance(v, str) and "\n" in v:
                # the deployed long form has no other way (protocol 1.2)
                ad[k] = v.replace("\n", "\\n")
        return ad

    @classmethod
    def from_ad(cls, ad: Mapping[str, Any]) -> Self:
        """Read an ad of this kind; a WireError names the ad and the attribute that does not fit.

        An undefined or error value fits no attribute, and is no member of a map.
        """
        where = f"{cls.KIND.my_type} {bounded.reason(ad.get('Name', '?'))}"
        values: dict[str, Any] = {}
        claimed: set[str] = set(STRIPPED)
        maps = []
        for name, meta, convert, needed in _layout(cls):
            if "attr" not in meta:
                maps.append((name, meta))
                continue
            key = meta["attr"]
            claimed.add(key)
            if key in ad:
                try:
                    values[name] = convert(ad[key], "")
                except bounded.BadValue as error:
                    raise bounded.BadValue(
                        f"{key}: {error.message}", where=where, fault=error.fault
                    ) from None
                if meta.get("pem"):
                    values[name] = BACKSLASH_N.sub("\n", values[name])
            elif needed:
                raise WireError(f"{key} is missing", where=where)
        free = {
            k: v for k, v in ad.items() if k not in claimed and not isinstance(v, bounded.Missing)
        }
        for name, meta in sorted(maps, key=lambda m: -len(m[1].get("prefix", ""))):
            prefix = meta.get("prefix", "")
            found = {k: v for k, v in free.items() if k.startswith(prefix)}
            values[name] = {k[len(prefix) :]: v for k, v in found.items()}
            free = {k: v for k, v in free.items() if k not in found}
        return cls(**values)


@functools.cache
def _sent(cls: type) -> tuple[tuple[str, str, bool, str], ...]:
    """Field, its attribute ("" for a map), whether it is left out when empty, prefix of a map's
    names.
    """
    return tuple(
        (
            f.name,
            f.metadata.get("attr", ""),
            f.metadata.get("optional", False),
            f.metadata.get("prefix", ""),
        )
        for f in dataclasses.fields(cls)
    )


_LAYOUTS: dict[type, list[tuple[str, Mapping[str, Any], Callable[[Any, str], Any], bool]]] = {}


def _layout(cls: type) -> list[tuple[str, Mapping[str, Any], Callable[[Any, str], Any], bool]]:
    if cls not in _LAYOUTS:
        hints = get_type_hints(cls)
        _LAYOUTS[cls] = [
            (
                f.name,
                f.metadata,
                bounded.count if f.metadata.get("count") else _CONVERT.get(hints[f.name], _any),
                f.default is dataclasses.MISSING,
            )
            for f in dataclasses.fields(cls)
        ]
    return _LAYOUTS[cls]


def _any(value: Any, where: str) -> Any:
    if isinstance(value, bounded.Missing):
        raise bounded.BadValue(value.value, where=where)
    return value


def _int(value: Any, where: str) -> int:
    return bounded.count(value, where, low=-MAX_SERIAL, high=MAX_SERIAL)


def _str(value: Any, where: str) -> str:
    """A text; numbers and booleans are written as such, since peers do not always quote them."""
    if isinstance(value, bool | float):
        return str(value)
    return str(_int(value, where)) if isinstance(value, int) else bounded.text(value, where)


def _bool(value: Any, where: str) -> bool:
    value = _any(value, where)
    return value.strip().lower() == "true" if isinstance(value, str) else value is True


_CONVERT: dict[Any, Callable[[Any, str], Any]] = {int: _int, str: _str, bool: _bool}


def long_form(ads: Iterable[Mapping[str, Value]]) -> str:
    """Old ClassAd text as the deployed programs write it: `Attr = value` lines, an empty line
    between ads (protocol 1.2).
    """
    return "\n".join("".join(f"{k} = {_literal(v)}\n" for k, v in ad.items()) for ad in ads)


def _literal(value: Value) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    return '"' + value.replace('"', '\\"').replace("\n", "\\n") + '"'


def parse_long_form(text: str) -> list[Ad]:
    """Ads of an old ClassAd text. Only literals: what else stands there is kept as its text."""
    ads: list[Ad] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        ad: Ad = {}
        for line in block.splitlines():
            name, _, literal = line.partition(" = ")
            ad[name.strip()] = _value(literal)
        ads.append(ad)
    return ads


def _value(literal: str) -> Value:
    if literal.startswith('"') and literal.endswith('"') and len(literal) > 1:
        return literal[1:-1].replace('\\"', '"')
    if literal in ("True", "False", "true", "false"):
        return literal.lower() == "true"
    for kind in (int, float):
        try:
            return kind(literal)
        except ValueError:
            continue
    return literal
