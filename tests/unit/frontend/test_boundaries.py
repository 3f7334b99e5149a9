"""What fails for one entry, group, credential or generator costs nothing else, and is shown."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest

from glideinwms.frontend.apply import request_ads
from glideinwms.frontend.collect import build_snapshot, inputs
from glideinwms.frontend.collect.queries import factory_ads
from glideinwms.frontend.credentials import loaded, renewal
from glideinwms.frontend.credentials.generated import GeneratedCredentials
from glideinwms.frontend.credentials.pilot_tokens import TokenMaker, walltime
from glideinwms.frontend.credentials.renewal import Renewals
from glideinwms.frontend.decide import decide
from glideinwms.frontend.decide import group as group_module
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.frontend.state import memory
from glideinwms.frontend.state.memory import Memory
from glideinwms.lib.bounded import Expr
from glideinwms.lib.condor.calls import Call, CallResult, Workers
from glideinwms.lib.credentials.tokens import claims_of, remaining
from glideinwms.lib.errors import CredentialError
from glideinwms.testing import World
from tests.support.hostile_values import JSON, NAMES, NUMBERS, TOKENS, params
from tests.unit.frontend.apply.test_group_ads import A, B, ads, one_pool, row
from tests.unit.frontend.build_frontend import NOW, group, known, policy
from tests.unit.frontend.hostile_ads import VALUES

PLAIN = {
    kind: v if isinstance(v, str | int | float | bool) else str(v)
    for kind, v in {**VALUES, **NUMBERS}.items()
}


@pytest.mark.parametrize("function", ["client_ad", "resource_ad"])
def test_one_entry_whose_ad_cannot_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    made = getattr(request_ads, function)

    def broken(**args: Any) -> Any:
        if A in map(str, args.values()):
            raise KeyError("something with a secret")
        return made(**args)

    monkeypatch.setattr(request_ads, function, broken)
    built = ads(tmp_path, one_pool(A, B), row(A), row(B))
    [batch] = built.requests()
    resources = [ad.factory_name for ad in built.resources(1)]
    assert batch.requests == ((B,) if function == "client_ad" else (A, B))
    assert resources == ([B] if function == "resource_ad" else [A, B])
    [problem] = [p for p in built.problems if "unexpected KeyError at test_boundaries.py" in p]
    assert A in problem and "secret" not in problem


def test_one_entry_whose_request_cannot_be_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    made = group_module.decide_entry

    def broken(entry: EntryState, *args: Any, **more: Any) -> Any:
        if entry.name == A:
            raise ZeroDivisionError("x")
        return made(entry, *args, **more)

    monkeypatch.setattr(group_module, "decide_entry", broken)
    given = GroupInput("main", entries=(EntryState(A, "p", {}), EntryState(B, "p", {})))
    [plan] = decide(FrontendSnapshot(NOW, (given,)), policy(), NOW, random.Random(1)).groups
    assert [e.entry for e in plan.entries] == [B]
    assert plan.problems[0].startswith(f"no request to {A}: unexpected ZeroDivisionError at ")


@pytest.mark.parametrize(
    "name",
    [
        "GLIDEIN_CPUS",
        "GLIDEIN_ESTIMATED_CPUS",
        "GLIDEIN_NODES",
        "GLIDEIN_In_Downtime",
        "GLIDEIN_TrustDomain",
        "GLIDEIN_SupportedAuthenticationMethod",
    ],
)
def test_what_an_entry_says_changes_no_other_request(name: str) -> None:
    good = EntryState(B, "p", {"GLIDEIN_CPUS": "1"})
    jobs = (JobTable("s", ("RequestCpus",), (JobClassRow((1,), 10),)),)
    [alone] = decide(
        FrontendSnapshot(NOW, (GroupInput("main", jobs, (good, EntryState(A, "p", {}))),)),
        policy(),
        NOW,
        random.Random(1),
    ).groups
    for kind, value in PLAIN.items():
        given = GroupInput("main", jobs, (good, EntryState(A, "p", {name: value})))
        [plan] = decide(FrontendSnapshot(NOW, (given,)), policy(), NOW, random.Random(1)).groups
        assert plan.entries[1] == alone.entries[1] and not plan.problems, kind


def test_one_group_whose_readings_cannot_be_used() -> None:
    given = known()
    broken = group("broken", schedds=("schedd1",), credentials=())
    memory = Memory(groups={"broken": None})  # type: ignore[dict-item]
    found = {
        g.name: g
        for g in build_snapshot.build(
            given,
            policy(broken, group()),
            credentials={},
            memory=memory,
            actions={},
            downtime=False,
            now=NOW,
        ).groups
    }
    assert found["broken"].unknown[0].startswith("readings: unexpected AttributeError")
    assert found["main"].entries and not found["main"].unknown


def test_projects_are_bounded() -> None:
    counts = {f"p{n}": n for n in range(1000)}
    found = build_snapshot.projects_of({**counts, "x" * 300: 10**6, 7: 5000})
    assert (
        len(found) == build_snapshot.MAX_PROJECTS
        and found["7"] == 5000
        and "p999" in found
        and "p1" not in found
    )


def entry(**attrs: Any) -> EntryState:
    return EntryState(A, "p", {"GLIDEIN_Site": "S", **attrs}, {"CONDOR_VERSION": "default"})


@pytest.fixture
def maker(tmp_path: Path) -> TokenMaker:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/FRONTEND").write_bytes(b"hello")
    return TokenMaker(tmp_path / "keys", tmp_path / "tokens", "user.demo", "fe.host")


@pytest.mark.parametrize("kind", PLAIN)
def test_a_walltime_of_any_kind_gives_a_token(maker: TokenMaker, kind: str) -> None:
    lasts = walltime({"GLIDEIN_Max_Walltime": PLAIN[kind]})
    assert 0 <= lasts < 1e9
    claims = claims_of(maker.token(group(), entry(GLIDEIN_Max_Walltime=PLAIN[kind]), time.time()))
    assert 0 < claims["exp"] - claims["iat"] <= 86400


@pytest.mark.parametrize(
    "site", [*params(NAMES, [n for n in NAMES if n not in ("empty", "none")]), "condor@pool"]
)
def test_a_site_that_is_no_file_name_costs_its_token_only(maker: TokenMaker, site: Any) -> None:
    site = site if isinstance(site, str) and not isinstance(site, Expr) else str(site)
    try:
        claims = claims_of(maker.token(group(), entry(GLIDEIN_Site=site), time.time()))
        assert claims["sub"] == f"{site}@fe.host" and len(site) <= 200
    except CredentialError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)


def test_the_tokens_that_are_kept_are_bounded(
    maker: TokenMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glideinwms.frontend.credentials.pilot_tokens.MAX_HELD", 10)
    for number in range(30):
        maker.token(
            group(), EntryState(f"E{number}@i@F", "p", entry().attrs, entry().params), time.time()
        )
    assert len(maker._held) <= 11


@pytest.mark.parametrize("text", params(TOKENS))
def test_one_hostile_credential_file(tmp_path: Path, text: str) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(jwt.encode({"exp": NOW + 1000}, "k" * 32))
    bad.write_bytes(text.encode(errors="replace"))
    credentials = tuple(
        CredentialPolicy(str(p), "scitoken", "demo", "fe", absfname=str(p)) for p in (bad, good)
    )
    found = loaded.load(group(credentials=credentials), NOW)
    assert str(good) in found.usable
    assert found.scitokens["demo"] == good.read_text() or str(bad) in found.usable
    assert remaining(text, NOW) >= 0.0
    assert text not in found.unusable.get(str(bad), "x") or not text


@pytest.mark.parametrize(
    "kind", ["grid_proxy", "scitoken", "username_password", "auth_file", "cert_pair"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"x" * 2_000_000,
    ],
)
def test_one_hostile_file_of_any_type(tmp_path: Path, kind: str, content: bytes) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(jwt.encode({"exp": NOW + 1000}, "k" * 32))
    bad.write_bytes(content)
    credentials = (
        CredentialPolicy(str(bad), kind, "demo", "fe", absfname=str(bad), keyabsfname=str(bad)),
        CredentialPolicy(str(good), "scitoken", "demo", "fe", absfname=str(good)),
    )
    found = loaded.load(group(credentials=credentials), NOW)
    assert str(good) in found.usable
    if len(content) in (0, 2_000_000):
        assert str(bad) in found.unusable


def test_one_credential_whose_reading_fails_in_a_way_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: Any) -> float:
        raise LookupError("version 66")

    for module in (loaded, renewal):
        monkeypatch.setattr(module, "lifetime", odd)
    path = tmp_path / "proxy"
    path.write_bytes(b"x")
    one = CredentialPolicy(
        str(path), "auth_file", "d", "c", absfname=str(path), creation_script="/bin/true"
    )
    found = loaded.load(group(credentials=(one,)), NOW)
    assert (
        "unexpected LookupError" in found.unusable[str(path)]
        and "66" not in found.unusable[str(path)]
    )
    [(name, why)] = Renewals().run(World().pool(), [one], NOW)
    assert name == str(path) and "unexpected LookupError" in why


class Strange(Workers):
    """Readers whose generators answer something nobody expects."""

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        return [
            CallResult(
                c,
                {"texts": {A: ["x", "y"]}, "wrong": {}, "said": []}
                if c.args["name"] == "odd"
                else {"texts": {A: ["text", 100.0]}, "wrong": {}, "said": []},
                None,
                NOW,
                NOW,
            )
            for c in calls
        ]


def test_one_generator_that_answers_nonsense() -> None:
    kinds = [CredentialPolicy(n, "auth_file", "demo", "fe", generator=n) for n in ("odd", "fine")]
    mine, minted = group(credentials=tuple(kinds)), GeneratedCredentials()
    minted.refresh(
        Strange(),
        policy(mine),
        [(mine, [EntryState(A, "p", {"GLIDEIN_TrustDomain": "demo"})])],
        NOW,
    )
    assert minted.text("main", kinds[1], A, NOW) == "text"
    assert "unexpected TypeError" in minted.why_not("main", kinds[0], NOW)


def test_a_factory_cannot_speak_in_our_place(tmp_path: Path) -> None:
    """Attributes of an entry are forwarded to the user pool; none of them replaces one of our own."""
    built = ads(tmp_path, one_pool(A), row(A))
    plain = built.resources(1)[0].to_ad()
    for name in {n for n in plain if n.startswith("Glide")} - factory_ads.STRIPPED:
        built.given.entries[0].attrs[name] = "forged"
    assert built.resources(1)[0].to_ad() == plain


@pytest.mark.parametrize("content", params(JSON))
@pytest.mark.parametrize("module", [inputs, memory])
def test_a_state_file_of_any_content_is_left_aside(
    tmp_path: Path, module: Any, content: bytes
) -> None:
    path, told = tmp_path / "x.json", []
    path.write_bytes(content)
    assert module.load(path, told.append) == module.load(tmp_path / "none", told.append)
    assert len(told) == 1
