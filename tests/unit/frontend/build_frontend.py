"""Small policies and readings for the Frontend's unit tests."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, TypeVar

from glideinwms.frontend.collect import inputs
from glideinwms.frontend.collect.answers import (
    EntryAd,
    JobClasses,
    KeyAd,
    PoolSlots,
    RunningHere,
    ScheddAd,
    ScheddAds,
    ScheddJobs,
    SlotBucket,
    WmsPoolAds,
)
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
from glideinwms.frontend.snapshot import SlotCounts
from glideinwms.lib.wire.crypto import FactoryKey, PublicKey

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
) -> JobClasses:
    """A job table of rows (values, idle, running)."""
    zeros = [0] * len(rows)
    made = JobClasses(
        query=query,
        names=names,
        values=[tuple(values) for values, _, _ in rows],
        idle=[idle for _, idle, _ in rows],
        idle_600=zeros,
        idle_3600=zeros,
        running=[running for _, _, running in rows],
        voms=zeros,
        jobs=sum(idle + running for _, idle, running in rows),
        method="grouped",
    )
    return replace(made, **more)


def jobs(*tables: JobClasses, **more: Any) -> ScheddJobs:
    """A schedd's answer."""
    return ScheddJobs(tables=tables, all_queued=0, address="<a>", **more)


def schedd_ads(*names: str, overload: str = "") -> ScheddAds:
    """The user pool's schedds."""
    return ScheddAds(
        ads=tuple(ScheddAd(name=name, address="<a>", overload=overload) for name in names)
    )


def row(name: str, **attrs: Any) -> EntryAd:
    """A Factory entry as factory_ads reads it."""
    attrs = {
        "GLIDEIN_Site": "S",
        "GLIDEIN_TrustDomain": "demo",
        "AuthenticatedIdentity": FACTORY,
        "GLIDEIN_SupportedAuthenticationMethod": "scitoken",
        **attrs,
    }
    return EntryAd(name=name, attrs=attrs, params={"CONDOR_VERSION": "default"}, monitor={})


def factories(
    *names: str, key: bool = True, query: str = "true", public: PublicKey | None = None, **more: Any
) -> WmsPoolAds:
    """A WMS pool's answer."""
    public = public or KEY.public
    own_key = KeyAd(global_id="inst@factory", key_id=public.key_id, pem=public.pem)
    return WmsPoolAds(
        keys=(own_key,) if key else (), entries={query: tuple(row(n) for n in names)}, **more
    )


def slots(*buckets: SlotBucket, here: tuple[RunningHere, ...] = ()) -> PoolSlots:
    """The answer about slots; the whole pool is this Frontend's."""
    total = functools.reduce(SlotCounts.plus, (b.counts for b in buckets), SlotCounts())
    return PoolSlots(buckets=buckets, here=here, frontend=total, everything=total)


def bucket(client: str, request: str, credential: str, *counts: int) -> SlotBucket:
    """Slots of one client, request and credential."""
    return SlotBucket(
        client=client, request=request, credential=credential, counts=SlotCounts(*counts)
    )


T = TypeVar("T")


def good(source: str, value: T, at: float = NOW, max_age: float = 1800.0) -> HeldInput[T]:
    """A reading that was answered."""
    empty: HeldInput[T] = inputs.new(source, max_age, None)
    return empty.answered(value, 0, -1, at)


def known(**changes: Any) -> Inputs:
    """Everything answered: one schedd with 10 idle jobs, one entry, no slots."""
    made = Inputs(
        schedds={"schedd1": good("schedd schedd1", jobs(table((["x", 1], 10, 2))))},
        loads=good("schedd ads", schedd_ads("schedd1")),
        slots=good("slots", slots(), max_age=600.0),
        pools={POOL: good(f"Factories of {NODE}", factories("E@inst@factory"), max_age=900.0)},
    )
    return replace(made, **changes)
