"""Build policies, requests and sealed ads of a Frontend for Factory tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.factory.collect.request_validation import RequestValidator
from glideinwms.factory.policy import (
    SCHEMA,
    EntryPolicy,
    FactoryPolicy,
    FrontendTrust,
    Limits,
    StageTriple,
)
from glideinwms.factory.snapshot import Request, Web
from glideinwms.lib.wire import GlideClient, GlideClientGlobal, Seal
from glideinwms.lib.wire.crypto import FactoryKey

NOW = 1_800_000_000.0
IDENTITY = "vofrontend@fe.example.org"
CLIENT = "fe.main"
ROOMY = Limits(1000, 1000, 1000)


@functools.cache
def key() -> FactoryKey:
    """One Factory key for all tests: making one takes long."""
    return FactoryKey.generate()


@functools.cache
def other_key() -> FactoryKey:
    """A key that is not the Factory's."""
    return FactoryKey.generate()


def entry(name: str = "A", **changes: Any) -> EntryPolicy:
    """A condor entry that takes SciTokens."""
    made = EntryPolicy(
        name,
        True,
        "schedd@factory",
        "ce.example.org ce.example.org:9619",
        "condor",
        "scitoken",
        "grid",
        StageTriple("http://f/stage/entry", "description.e.cfg", "e" * 40),
        ROOMY,
        ROOMY,
        {},
        {},
        {"CONDOR_VERSION": "default"},
        submit_sleep=0.0,
    )
    return replace(made, **changes)


def policy(base: Path, *entries: EntryPolicy, **changes: Any) -> FactoryPolicy:
    """A Factory below `base`."""
    made = FactoryPolicy(
        SCHEMA,
        "g1",
        "4",
        "fact",
        "inst",
        str(base / "work"),
        str(base / "stage"),
        str(base / "log"),
        str(base / "client"),
        str(base / "proxies"),
        "",
        "glidein_startup.0.sh",
        StageTriple("http://f/stage", "description.m.cfg", "m" * 40),
        (
            FrontendTrust("fe", IDENTITY, {"frontend": "feuser", "special": "spuser"}),
            FrontendTrust("other", "other@fe2.example.org", {"frontend": "otheruser"}),
        ),
        entries or (entry(),),
    )
    return replace(made, **changes)


def seal(identity: str = IDENTITY, factory: FactoryKey | None = None) -> Seal:
    """A cycle's key towards the Factory."""
    return Seal.make((factory or key()).public, identity)


SECRETS: Mapping[str, str] = {
    "SecurityName": "fe",
    "SecurityClass": "frontend",
    "ScitokenId": "TOKENIDX",
    "frontend_scitoken": "a.b.c",
}


def request_ad(
    secrets: Mapping[str, str | bytes] = SECRETS,
    sealed: Seal | None = None,
    seen_as: str = IDENTITY,
    heard: float = NOW - 5,
    **changes: Any,
) -> dict[str, Any]:
    """A glideclient as the collector gives it."""
    s = sealed or seal()
    made = GlideClient(
        name="HASHHASH_A@inst@fact@fe.main",
        client_name=CLIENT,
        frontend_name="fe",
        group_name="main",
        req_name="A@inst@fact",
        req_glidein="A@inst@fact",
        web_url="http://v/stage",
        web_sign_type="sha1",
        web_descript="description.v.cfg",
        web_sign="v" * 40,
        web_group_url="http://v/stage/group_main",
        web_group_descript="description.g.cfg",
        web_group_sign="g" * 40,
        key_id=s.key_id,
        key_code=s.key_code,
        enc_identity=s.enc_identity,
        idle=3,
        max_glideins=10,
        params={"GLIDEIN_Collector": "c:9618"},
        enc_params=s.params(secrets),
        monitor={"Idle": 5},
    )
    ad = {
        **replace(made, **changes).to_ad(),
        "AuthenticatedIdentity": seen_as,
        "LastHeardFrom": heard,
    }
    return {k: v for k, v in ad.items() if v is not None}


def global_ad(
    values: Mapping[str, str | bytes],
    sealed: Seal | None = None,
    seen_as: str = IDENTITY,
    heard: float = NOW - 5,
    **changes: Any,
) -> dict[str, Any]:
    """A glideclientglobal as the collector gives it."""
    s = sealed or seal()
    made = GlideClientGlobal(
        name="inst@fact@fe.main",
        frontend_name="fe",
        group_name="main",
        client_name=CLIENT,
        key_id=s.key_id,
        key_code=s.key_code,
        enc_identity=s.enc_identity,
        enc_params=s.params(values),
    )
    return {
        **replace(made, **changes).to_ad(),
        "AuthenticatedIdentity": seen_as,
        "LastHeardFrom": heard,
    }


def trust(base: Path, *entries: EntryPolicy, **changes: Any) -> RequestValidator:
    """A judge of ads with the one key."""
    return RequestValidator(policy(base, *entries, **changes), {key().public.key_id: key()}, NOW)


def request(**changes: Any) -> Request:
    """A good row, as `Trust` makes it."""
    made = Request(
        "HASHHASH_A@inst@fact@fe.main",
        "A",
        CLIENT,
        "fe",
        "main",
        IDENTITY,
        "fe",
        "frontend",
        "feuser",
        "TOKENIDX",
        3,
        10,
        idle_lifetime="864000",
        last_heard=NOW - 5,
        web=Web(
            "http://v/stage",
            "sha1",
            "description.v.cfg",
            "v" * 40,
            "",
            "http://v/stage/group_main",
            "description.g.cfg",
            "g" * 40,
            "",
        ),
        params={"GLIDEIN_Collector": "c:9618"},
    )
    return replace(made, **changes)
