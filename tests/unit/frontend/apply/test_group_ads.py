"""Which ads a plan becomes, and for whom they are sealed (protocol 1.6, 1.7, 1.9, 5.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.frontend.apply.group_ads import GroupAds, Sealer
from glideinwms.frontend.apply.request_ads import PublishedAds
from glideinwms.frontend.apply.sender import AdSender
from glideinwms.frontend.collect import build_snapshot
from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.frontend.credentials.generated import GeneratedCredentials
from glideinwms.frontend.credentials.loaded import GroupCredentials
from glideinwms.frontend.credentials.pilot_tokens import TokenMaker
from glideinwms.frontend.plan import CredentialShare, FrontendEntryPlan, GroupPlan
from glideinwms.frontend.policy import FrontendPolicy, WmsPool
from glideinwms.frontend.state.memory import Memory
from glideinwms.lib.condor.calls import Call, CallResult, Workers
from glideinwms.lib.errors import CondorError, TimedOut, Unreachable
from glideinwms.lib.wire import GlideClient, GlideClientGlobal, open_envelope
from glideinwms.lib.wire.crypto import FactoryKey
from tests.unit.frontend.build_frontend import (
    FACTORY,
    KEY,
    ME,
    NODE,
    NOW,
    POOL,
    factories,
    good,
    group,
    known,
    policy,
)

A, B = "A@inst@factory", "B@inst@factory"
OTHER = "wms2.demo:9618"
WALLET = GroupCredentials(
    {
        "/tok": PublishedAds(
            "CRED", "HASH", "frontend", (("CRED", b"the token"),), {"ScitokenId": "CRED"}
        )
    },
    names={"CRED": "/tok"},
    scitokens={"demo": "the token"},
)
KNOWN: dict[str, Any] = {
    "credentials": {"main": WALLET},
    "memory": Memory(),
    "actions": {},
    "downtime": False,
    "now": NOW,
}
SHARE = CredentialShare("/tok", 3, 9)


def row(entry: str, node: str = NODE, **changes: Any) -> FrontendEntryPlan:
    made = FrontendEntryPlan(entry, node, 3, 9, vector=(0,) * 17, shares=(SHARE,))
    return replace(made, **changes)


def ads(
    tmp_path: Path, given: Inputs, *rows: FrontendEntryPlan, p: FrontendPolicy | None = None
) -> GroupAds:
    p = p or policy()
    [main] = build_snapshot.build(given, p, **KNOWN).groups
    tokens = TokenMaker(tmp_path / "keys", tmp_path / "tokens", "user.demo")
    plan = GroupPlan("main", (), rows)
    return GroupAds(
        p,
        p.groups[0],
        main,
        plan,
        given,
        WALLET,
        Sealer(given),
        tokens,
        GeneratedCredentials(),
        "master",
        NOW,
    )


def one_pool(*names: str, **more: Any) -> Inputs:
    return known(pools={POOL: good("p", factories(*names, **more))})


def test_one_batch_with_the_credentials_first(tmp_path: Path) -> None:
    built = ads(tmp_path, one_pool(A, B), row(A), row(B))
    [batch] = built.requests()
    kinds = [type(ad) for ad in batch.ads]
    assert kinds == [GlideClientGlobal, GlideClient, GlideClient] and batch.requests == (A, B)
    keys = {KEY.public.key_id: KEY}
    opened = [open_envelope(ad, keys, ME) for ad in batch.ads]  # type: ignore[arg-type]
    assert opened[0]["CRED"] == b"the token" and opened[1]["frontend_scitoken"] == b"the token"
    assert len({ad.key_code for ad in batch.ads}) == 1, "one key a cycle and Factory"  # type: ignore[attr-defined]
    [problem] = built.problems
    assert problem.startswith(
        f"no pilot token for {A} and 1 more: there is no signing key in {tmp_path}/keys"
    )


def test_each_pool_gets_its_own_entries_key_and_identity(tmp_path: Path) -> None:
    second = FactoryKey.generate()
    there = factories(B, public=second.public)
    pools = (WmsPool(NODE, FACTORY, ME), WmsPool(OTHER, FACTORY, "me@there"))
    given = known(pools={POOL: good("p", factories(A)), f"{OTHER} {FACTORY}": good("q", there)})
    built = ads(tmp_path, given, row(A), row(B, OTHER), p=policy(group(wms_pools=pools)))
    batches = {b.node: b for b in built.requests()}
    assert {n: b.requests for n, b in batches.items()} == {NODE: (A,), OTHER: (B,)}
    for ad in batches[OTHER].ads:
        open_envelope(ad, {second.public.key_id: second}, "me@there")  # type: ignore[arg-type]


def test_an_entry_without_a_key_is_only_told_of(tmp_path: Path) -> None:
    built = ads(tmp_path, one_pool(A, key=False), row(A, advertise=False))
    assert built.requests() == [] and [r.factory_name for r in built.resources(7)] == [A]


def test_no_share_no_request_and_no_credentials_alone(tmp_path: Path) -> None:
    assert ads(tmp_path, one_pool(A), row(A, shares=())).requests() == []


def test_a_project_travels_sealed(tmp_path: Path) -> None:
    built = ads(tmp_path, one_pool(A), row(A, shares=(replace(SHARE, project="P7"),)))
    [batch] = built.requests()
    assert open_envelope(batch.ads[-1], {KEY.public.key_id: KEY}, ME)["ProjectId"] == b"P7"  # type: ignore[arg-type]


def test_an_entry_that_cannot_be_served_stops_no_other(tmp_path: Path) -> None:
    given = one_pool(A, B)
    [main] = build_snapshot.build(given, policy(), **KNOWN).groups
    odd = replace(main.entries[0], name="not a request name", has_key=True)
    built = replace(
        ads(tmp_path, given, row("not a request name"), row(B)),
        given=replace(main, entries=(odd, *main.entries)),
    )
    [batch] = built.requests()
    assert batch.requests == (B,) and "not a request name" in built.problems[0]


class Half(Workers):
    """A pool that loses what goes to OTHER."""

    def __init__(self, error: type[CondorError]) -> None:
        self.error, self.calls = error, 0

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        self.calls += len(calls)
        return [
            CallResult(
                c, 1, self.error("cut", where=OTHER) if c.endpoint == OTHER else None, NOW, NOW
            )
            for c in calls
        ]


def test_what_did_not_arrive_is_named(tmp_path: Path) -> None:
    [batch] = ads(tmp_path, one_pool(A), row(A)).requests()
    courier = AdSender(Half(Unreachable), policy(), set())
    courier.send([batch, replace(batch, node=OTHER, requests=(B,))])
    courier.settle()
    assert courier.sent == {"glideclientglobal": 1, "glideclient": 1} and courier.requested == {
        "main": [A]
    }
    assert (
        len(courier.failed) == 1
        and OTHER in courier.failed[0]
        and "2 ads of main" in courier.failed[0]
    )


def test_a_suspect_is_probed_once_and_a_silent_one_left_alone(tmp_path: Path) -> None:
    [batch] = ads(tmp_path, one_pool(A), row(A)).requests()
    pool = Half(TimedOut)
    courier = AdSender(pool, policy(), {OTHER, NODE})
    both = [batch, replace(batch, node=OTHER)]
    courier.send(both)
    assert pool.calls == 4, "two probes and two batches"
    courier.send(both)
    courier.settle()
    assert pool.calls == 5 and len(courier.failed) == 2 and "does not answer" in courier.failed[1]
