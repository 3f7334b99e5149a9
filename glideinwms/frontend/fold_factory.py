"""Factory ads of one WMS pool, read and checked inside a reader process (protocol 5.2, 2.5; 9.1/7-9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from glideinwms.frontend.fold_slots import collector_started
from glideinwms.lib import htc
from glideinwms.lib.crypto import PublicKey
from glideinwms.lib.errors import WireError
from glideinwms.lib.names import RequestName

IDENTITY = "AuthenticatedIdentity"
STRIPPED = frozenset(
    ["MyType", "TargetType", "GlideinMyType", "MyAddress", "UpdatesHistory", "UpdatesTotal", "UpdatesLost",
     "UpdatesSequenced", "UpdateSequenceNumber", "DaemonStartTime", "AddressV1", "AuthenticationMethod",
     "PubKeyValue", "PubKeyType", "Name"]
)  # fmt: skip
BACKSLASH_N = re.compile(r"\\+n")
GLOBALS = '(GlideinMyType=?="glidefactoryglobal")'


def entries_constraint(factory_query: str) -> str:
    """The entries a group may use."""
    return (
        '(GlideinMyType=?="glidefactory") && stringListMember("sha1",SupportedSignTypes)'
        f" && ({factory_query or 'True'})"
    )


def clients_constraint(client: str, factory_query: str) -> str:
    """What the Factories say of this group's requests."""
    return (
        f'(GlideinMyType=?="glidefactoryclient") && (ReqClientName=?={htc.quoted(client)})'
        f" && ({factory_query or 'True'})"
    )


def expanded(query: str, attrs: Mapping[str, Any]) -> str:
    """`$$(attr)` replaced by the value of a Frontend attribute as a ClassAd literal (quirk 51)."""

    def literal(found: re.Match[str]) -> str:
        value = attrs.get(found[1])
        return "undefined" if value is None else htc.quoted(value) if isinstance(value, str) else str(value)

    return re.sub(r"\$\$\((\w+)\)", literal, query)


def split(ad: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The three maps of an ad (1.3): params, monitor, attrs."""
    out: dict[str, dict[str, Any]] = {"params": {}, "monitor": {}, "attrs": {}}
    for name, value in ad.items():
        plain = str(value) if isinstance(value, htc.Expr) else value
        if not isinstance(plain, str | int | float | bool):
            plain = str(plain)
        if name in STRIPPED:
            continue
        if name.startswith("GlideinParam"):
            out["params"][name[12:]] = plain
        elif name.startswith("GlideinMonitor"):
            out["monitor"][name[14:]] = plain
        else:
            out["attrs"][name] = plain
    return out


def entry(ad: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """One glidefactory ad as a row; a WireError says why it is left out."""
    name = str(ad.get("Name", "?"))
    _check(ad, identity, f"glidefactory {name}")
    parsed = RequestName.parse(name)
    if ad.get("EntryName", parsed.entry) != parsed.entry:
        raise WireError(f"EntryName is {ad['EntryName']!r}", where=f"glidefactory {name}")
    return {"name": name, **split(ad)}


def public_key(ad: Mapping[str, Any], identity: str) -> tuple[str, str, str]:
    """(`<instance>@<factory>`, key id, PEM) of a glidefactoryglobal ad; a WireError says why it is not taken."""
    name = str(ad.get("Name", "?"))
    where = f"glidefactoryglobal {name}"
    _check(ad, identity, where)
    if ad.get("PubKeyType") != "RSA":
        raise WireError(f"PubKeyType is {ad.get('PubKeyType')!r}, not RSA", where=where)
    key = PublicKey.from_pem(BACKSLASH_N.sub("\n", str(ad.get("PubKeyValue", ""))))
    return name, str(ad.get("PubKeyID") or key.key_id), key.pem


def client(ad: Mapping[str, Any], identity: str) -> tuple[str, dict[str, Any]]:
    """(request name, monitor map) of a glidefactoryclient ad."""
    _check(ad, identity, f"glidefactoryclient {ad.get('Name', '?')}")
    return str(ad.get("ReqGlidein", "")), split(ad)["monitor"]


def _check(ad: Mapping[str, Any], identity: str, where: str) -> None:
    found = ad.get(IDENTITY, "nobody")
    if found != identity:
        raise WireError(f"comes from {found}, not from {identity}", where=where, hint="check factory_identity")


def each(ads: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Any], skipped: list[str]) -> list[Any]:
    """Read every ad; one that cannot be read is named in `skipped` and stops no other."""
    out = []
    for ad in ads:
        try:
            out.append(read(ad))
        except WireError as error:
            skipped.append(str(error))
        except Exception as error:  # noqa: BLE001 - the boundary of one ad
            skipped.append(f"ad {ad.get('Name', '?')}: {type(error).__name__}: {error}")
    return out


def read_pool(pool: str, identity: str, groups: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Everything the Factories of one WMS pool say. Each of `groups` is {"client", "query"} ($$() expanded).

    {"keys": [[global id, key id, pem]], "queries": {query: [rows]}, "clients": {client: [[request name, monitor]]},
    "skipped": [why an ad was left out], "started": when the collector was started}.
    """
    skipped: list[str] = []
    keys = each(htc.query_ads(pool, GLOBALS), lambda ad: public_key(ad, identity), skipped)
    queries = {
        query: each(htc.query_ads(pool, entries_constraint(query)), lambda ad: entry(ad, identity), skipped)
        for query in sorted({g["query"] for g in groups})
    }
    clients = {
        g["client"]: each(
            htc.query_ads(pool, clients_constraint(g["client"], g["query"])), lambda ad: client(ad, identity), skipped
        )
        for g in groups
    }
    return {
        "keys": keys, "queries": queries, "clients": clients, "skipped": sorted(set(skipped)),
        "started": collector_started(pool),
    }  # fmt: skip
