"""Factory ads of one WMS pool, read and checked inside a reader process (protocol 5.2, 2.5,
protocol 9.1/7-9).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from glideinwms.frontend.collect.answers import (
    ClientAd,
    EntriesQuery,
    EntryAd,
    KeyAd,
    WmsPoolAds,
)
from glideinwms.frontend.collect.queries.slots import collector_started
from glideinwms.lib.bounded import reason
from glideinwms.lib.condor import htc
from glideinwms.lib.errors import GwmsError, WireError
from glideinwms.lib.wire.base import BACKSLASH_N
from glideinwms.lib.wire.crypto import PublicKey
from glideinwms.lib.wire.names import RequestName, is_safe

Ad = TypeVar("Ad")

IDENTITY = "AuthenticatedIdentity"
STRIPPED = frozenset(
    [
        "MyType",
        "TargetType",
        "GlideinMyType",
        "MyAddress",
        "UpdatesHistory",
        "UpdatesTotal",
        "UpdatesLost",
        "UpdatesSequenced",
        "UpdateSequenceNumber",
        "DaemonStartTime",
        "AddressV1",
        "AuthenticationMethod",
        "PubKeyValue",
        "PubKeyType",
        "Name",
    ]
)
MAX_ATTRIBUTES = 2000  # of one ad
MAX_VALUE = 64 * 1024  # characters of one attribute
MAX_AD = 512 * 1024  # characters of all values of an ad
MAX_KEY = 16_384
MAX_SKIPPED = 1000
GLOBALS = '(GlideinMyType=?="glidefactoryglobal")'


def entries_constraint(factory_query: str) -> str:
    """The entries a group may use."""
    return (
        '(GlideinMyType=?="glidefactory") && stringListMember("sha1",SupportedSignTypes)'
        f" && ({factory_query or 'True'})"
    )


def clients_constraint(client: str, factory_query: str, me: str = "") -> str:
    """What the Factories say of this group's requests. An ad that answers another identity than
    `me`, which claims the same ClientName, is left out; ads of Factories of GlideinWMS 3.10 do not
    say whom they answer.
    """
    mine = (
        f" && ((ReqClientIdentity =?= undefined) || (ReqClientIdentity =?= {htc.quoted(me)}))"
        if me
        else ""
    )
    return (
        f'(GlideinMyType=?="glidefactoryclient") && (ReqClientName=?={htc.quoted(client)}){mine}'
        f" && ({factory_query or 'True'})"
    )


def expanded(query: str, attrs: Mapping[str, Any]) -> str:
    """`$$(attr)` replaced by the value of a Frontend attribute as a ClassAd literal (protocol
    protocol 9.4/51).
    """

    def literal(found: re.Match[str]) -> str:
        value = attrs.get(found[1])
        if value is None:
            return "undefined"
        return htc.quoted(value) if isinstance(value, str) else str(value)

    return re.sub(r"\$\$\((\w+)\)", literal, query)


class ForeignAd(WireError):
    """An ad of somebody else than the configured Factory: no fault of the ad."""


def split(ad: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The three maps of an ad (protocol 1.3): params, monitor, attrs. A WireError if it is larger
    than any Factory's.
    """
    if len(ad) > MAX_ATTRIBUTES:
        raise WireError(f"has {len(ad)} attributes; {MAX_ATTRIBUTES} are allowed")
    out: dict[str, dict[str, Any]] = {"params": {}, "monitor": {}, "attrs": {}}
    size = 0
    for name, value in ad.items():
        if name in STRIPPED:
            continue
        plain = _plain(value)
        length = len(plain) if isinstance(plain, str) else 0
        size += length
        if length > MAX_VALUE or size > MAX_AD:
            raise WireError(
                f"{reason(name)} has {length} characters; {MAX_VALUE} are allowed, {MAX_AD} in all"
            )
        if name.startswith("GlideinParam"):
            out["params"][name[12:]] = plain
        elif name.startswith("GlideinMonitor"):
            out["monitor"][name[14:]] = plain
        else:
            out["attrs"][name] = plain
    return out


def _plain(value: Any) -> str | int | float | bool:
    """A value of an ad; what is no text and no finite number is its text."""
    if isinstance(value, htc.Expr) or not isinstance(value, str | int | float | bool):
        return str(value)
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def entry(ad: Mapping[str, Any], identity: str) -> EntryAd:
    """One glidefactory ad; a WireError says why it is left out."""
    _check(ad, identity)
    name = _name(ad.get("Name"))
    parsed = RequestName.parse(name)
    for part in (parsed.entry, parsed.glidein, parsed.factory):
        _name(part)
    if ad.get("EntryName", parsed.entry) != parsed.entry:
        raise WireError(f"EntryName is {reason(ad['EntryName'])!r}")
    maps = split(ad)
    return EntryAd(name=name, attrs=maps["attrs"], params=maps["params"], monitor=maps["monitor"])


def public_key(ad: Mapping[str, Any], identity: str) -> KeyAd:
    """The key of a glidefactoryglobal ad; a WireError says why it is not taken."""
    _check(ad, identity)
    name = _name(ad.get("Name"))
    if ad.get("PubKeyType") != "RSA":
        raise WireError(f"PubKeyType is {reason(ad.get('PubKeyType'))!r}, not RSA")
    pem, key_id = str(ad.get("PubKeyValue", "")), str(ad.get("PubKeyID") or "")
    if len(pem) > MAX_KEY or len(key_id) > MAX_KEY:
        raise WireError(
            f"its key has {max(len(pem), len(key_id))} characters; {MAX_KEY} are allowed"
        )
    key = PublicKey.from_pem(BACKSLASH_N.sub("\n", pem))
    return KeyAd(global_id=name, key_id=key_id or key.key_id, pem=key.pem)


def client(ad: Mapping[str, Any], identity: str) -> ClientAd:
    """One glidefactoryclient ad; a WireError says why it is left out."""
    _check(ad, identity)
    return ClientAd(request=_name(ad.get("ReqGlidein")), monitor=split(ad)["monitor"])


def _name(value: Any) -> str:
    """A name that may become part of ads, file names and reports."""
    if not isinstance(value, str) or not is_safe(value):
        raise WireError(
            f"the name {reason(value)!r} is too long, or has other characters than letters, digits, ._@-"
        )
    return value


def _check(ad: Mapping[str, Any], identity: str) -> None:
    found = ad.get(IDENTITY, "nobody")
    if found != identity:
        raise ForeignAd(
            f"comes from {reason(found)}, not from {identity}", hint="check factory_identity"
        )


@dataclass(slots=True)
class Skipped:
    """Why ads were left out: those of other Factories, and those that cannot be used."""

    foreign: set[str] = field(default_factory=set)
    malformed: set[str] = field(default_factory=set)

    def add(self, kind: str, ad: Mapping[str, Any], error: Exception) -> None:
        """Note an ad, by at most `MAX_SKIPPED` texts of either sort."""
        what = str(error) if isinstance(error, GwmsError) else f"{type(error).__name__}: {error}"
        texts = self.foreign if isinstance(error, ForeignAd) else self.malformed
        if len(texts) < MAX_SKIPPED:
            texts.add(reason(f"{kind} {reason(ad.get('Name', '?'))}: {what}"))


def each(
    kind: str,
    ads: Iterable[Mapping[str, Any]],
    read: Callable[[Mapping[str, Any], str], Ad],
    identity: str,
    skipped: Skipped,
) -> tuple[Ad, ...]:
    """Read every ad of a kind; one that cannot be read is named in `skipped` and stops no other."""
    read_ads = []
    for ad in ads:
        try:
            read_ads.append(read(ad, identity))
        except Exception as error:  # noqa: BLE001 - the boundary of one ad
            skipped.add(kind, ad, error)
    return tuple(read_ads)


def read_pool(pool: str, identity: str, groups: Sequence[EntriesQuery]) -> WmsPoolAds:
    """Read everything that the Factories of one WMS pool publish for these groups."""
    skipped = Skipped()
    keys = each("glidefactoryglobal", htc.query_ads(pool, GLOBALS), public_key, identity, skipped)
    entries = {
        query: each(
            "glidefactory", htc.query_ads(pool, entries_constraint(query)), entry, identity, skipped
        )
        for query in sorted({g.query for g in groups})
    }
    clients = {
        g.client: each(
            "glidefactoryclient",
            htc.query_ads(pool, clients_constraint(g.client, g.query, g.identity)),
            client,
            identity,
            skipped,
        )
        for g in groups
    }
    return WmsPoolAds(
        keys=keys,
        entries=entries,
        clients=clients,
        skipped=tuple(sorted(skipped.foreign | skipped.malformed)),
        malformed=tuple(sorted(skipped.malformed)),
        started=collector_started(pool),
    )
