"""Small policies and readings for the Frontend's unit tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glideinwms.frontend.collect import inputs
from glideinwms.frontend.collect.inputs import HeldInput, Inputs
from glideinwms.frontend.policy import (
    SCHEMA,
    CredentialPolicy,
    Expression,
    FrontendPolicy,
    GroupPolicy,
    MatchAttribute,
    StageTriple,
    WmsPool,
)
from glideinwms.lib.wire.crypto import FactoryKey

NODE, FACTORY, ME = "wms.demo:9618", "factory@wms.demo", "frontend@wms.demo"
POOL = f"{NODE} {FACTORY}"
KEY = FactoryKey.generate()
NOW = 1_700_000_000.0


def group(name: str = "main", **changes: Any) -> GroupPolicy:
    """A group whose jobs go everywhere."""
    made = GroupPolicy(
        name,
        True,
        "fe",
        StageTriple(f"http://fe/group_{name}", "d", "s"),
        (Expression("True", "test:1"),),
        "true",
        "true",
        "true",
        (MatchAttribute("Wants"),),
        (),
        ("schedd1",),
        (WmsPool(NODE, FACTORY, ME),),
        (CredentialPolicy("/tok", "scitoken", "demo", "frontend", absfname="/tok"),),
        {},
        {},
    )
    return replace(made, **changes)


def policy(*groups: GroupPolicy, **changes: Any) -> FrontendPolicy:
    """A Frontend of these groups."""
    made = FrontendPolicy(
        SCHEMA,
        "g1",
        "v",
        "fe",
        "/work",
        "/stage",
        "",
        "http://fe/monitor",
        "user.demo:9618",
        "user.demo:9618",
        "",
        "/keys",
        "/tokens",
        StageTriple("http://fe", "d", "s"),
        groups or (group(),),
    )
    return replace(made, **changes)


def table(
    *rows: tuple[list[Any], int, int],
    query: str = "true",
    names: tuple[str, ...] = ("Wants", "RequestCpus"),
    **more: Any,
) -> dict[str, Any]:
    """A job table of rows (values, idle, running)."""
    return {
        "query": query,
        "names": list(names),
        "rows": [[v, idle, 0, 0, running, 0] for v, idle, running in rows],
        "method": "grouped",
        "estimated": False,
        "jobs": sum(i + r for _, i, r in rows),
        "extras": {},
        **more,
    }


def jobs(*tables: dict[str, Any]) -> dict[str, Any]:
    """A schedd's reading."""
    return {"tables": list(tables), "all_queued": 0, "address": "<a>", "wide": []}


def row(name: str, **attrs: Any) -> dict[str, Any]:
    """A Factory entry as fold_factory gives it."""
    attrs = {
        "GLIDEIN_Site": "S",
        "GLIDEIN_TrustDomain": "demo",
        "AuthenticatedIdentity": FACTORY,
        "GLIDEIN_SupportedAuthenticationMethod": "scitoken",
        **attrs,
    }
    return {"name": name, "attrs": attrs, "params": {"CONDOR_VERSION": "default"}, "monitor": {}}


def factories(*names: str, key: bool = True, query: str = "true") -> dict[str, Any]:
    """A WMS pool's reading."""
    keys = [["inst@factory", KEY.public.key_id, KEY.public.pem]] if key else []
    return {
        "keys": keys,
        "queries": {query: [row(n) for n in names]},
        "clients": {},
        "skipped": [],
        "started": -1,
    }


def slots(*buckets: list[Any], here: tuple[list[Any], ...] = ()) -> dict[str, Any]:
    """The slots' reading: buckets are [client, request, credential id, 7 counts]."""
    totals = [sum(b[3 + i] for b in buckets) for i in range(7)]
    return {
        "slots": list(buckets),
        "here": list(here),
        "frontend": totals,
        "global": totals,
        "witness": -1,
        "started": -1,
    }


def good(source: str, value: dict[str, Any], at: float = NOW, max_age: float = 1800.0) -> HeldInput:
    """A reading that was answered."""
    return inputs.new(source, max_age, None).answered(value, 0, -1, at)


def known(**changes: Any) -> Inputs:
    """Everything answered: one schedd with 10 idle jobs, one entry, no slots."""
    made = Inputs(
        schedds={"schedd1": good("schedd schedd1", jobs(table((["x", 1], 10, 2))))},
        loads=good(
            "schedd ads",
            {"ads": [{"Name": "schedd1", "MyAddress": "<a>", "bad": ""}], "started": -1},
        ),
        slots=good("slots", slots(), max_age=600.0),
        pools={POOL: good(f"Factories of {NODE}", factories("E@inst@factory"), max_age=900.0)},
    )
    return replace(made, **changes)
