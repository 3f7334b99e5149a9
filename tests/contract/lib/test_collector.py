"""What a collector does with our ads; the same tests on a real one and in memory (decisions 6, 28; protocol 1.1)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import Expr, quoted
from glideinwms.lib.errors import CondorError, TimedOut, Unreachable
from glideinwms.lib.wire import (
    ALL,
    GlideClient,
    GlideClientGlobal,
    GlideFactory,
    GlideFactoryClient,
    GlideFactoryGlobal,
    GlideFrontendMonitor,
    GlideResource,
    WireAd,
)
from tests.contract.lib.condor_targets import (
    FACTORY,
    FRONTEND,
    CondorTarget,
    InMemoryCondor,
    RealCondor,
    answer,
    ask,
    wait_for,
)

Special = Callable[..., CondorTarget]
PEM = "-----BEGIN PUBLIC KEY-----\nMIIB\nAAAA\n-----END PUBLIC KEY-----\n"


def unique() -> str:
    return uuid.uuid4().hex[:10]


def sample(kind: type[WireAd], tag: str) -> WireAd:
    """An ad of a kind with odd values in it, named so that tests do not meet."""
    request, client = f"E.1-a@i{tag}@F", "fe.main"
    odd = {
        "Text": 'a "quoted" \\ word',
        "Number": 7,
        "Big": 2**40,
        "Real": 1.5,
        "Yes": True,
        "Empty": "",
        "É": "é",
    }
    common: dict[type[WireAd], dict[str, Any]] = {
        GlideFactory: dict(
            name=request,
            factory_name="F",
            glidein_name=f"i{tag}",
            entry_name="E.1-a",
            in_downtime=True,
            params=odd,
            monitor={"TotalStatusIdle": 3},
            config={"PerEntryMaxIdle": 100},
            submit={"+X": "1"},
            attrs={"GLIDEIN_Site": "s", **odd},
            key_id="k",
            key_type="RSA",
            key_pem=PEM,
        ),
        GlideFactoryGlobal: dict(
            name=f"i{tag}@F", factory_name="F", glidein_name=f"i{tag}", key_id="k", key_pem=PEM
        ),
        GlideFactoryClient: dict(
            name=f"{request}@{client}",
            req_glidein=request,
            factory_name="F",
            glidein_name=f"i{tag}",
            entry_name="E.1-a",
            client_name=client,
            monitor={"Status_GlideFactoryLimitIdlePerClass_fe:c": "count=1"},
        ),
        GlideClient: dict(
            name=f"ABCDEFGH_{request}@{client}",
            client_name=client,
            req_name=request,
            req_glidein=request,
            idle=3,
            max_glideins=9,
            params=odd,
            enc_params={"E.1-a.idtoken": "0a1b", "SecurityName": "ff"},
        ),
        GlideClientGlobal: dict(
            name=f"i{tag}@F@{client}",
            frontend_name="fe",
            group_name="main",
            client_name=client,
            enc_params={"AAAABBBB": "00" * 20_000, "SecurityClassAAAABBBB": "ab"},
        ),
        GlideResource: dict(
            name=f"{request}@{client}",
            factory_name=request,
            client_name=client,
            frontend_name="fe",
            group_name="main",
            attrs={"GLIDEIN_Site": "s", **odd},
            monitor={"JobsIdle": 1},
            limits={"A": "count=1"},
        ),
        GlideFrontendMonitor: dict(
            name=f"fe{tag}", frontend_name="fe", performance={"_frontend_iteration": 0.125}
        ),
    }
    return kind(**common[kind])


def seen(target: CondorTarget, constraint: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(
        target.pool(), htc.query_ads, collector=target.collector, constraint=constraint, **more
    )
    return found


def send(
    target: CondorTarget, ads: list[dict[str, Any]], command: str, identity: str = FACTORY
) -> None:
    assert ask(
        target.pool(identity), htc.advertise, collector=target.collector, ads=ads, command=command
    ) == len(ads)


def arrives(target: CondorTarget, constraint: str, n: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wait_for(
        target,
        f"{n} ads with {constraint}",
        lambda: seen(target, constraint),
        lambda ads: len(ads) == n,
    )
    return found


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.KIND.my_type)
def test_each_kind_is_read_back_as_it_was_sent_and_can_be_withdrawn(
    target: CondorTarget, kind: type[WireAd]
) -> None:
    sent = sample(kind, unique())
    other = sample(kind, unique())
    who = FRONTEND if kind in (GlideClient, GlideClientGlobal) else FACTORY
    send(target, [sent.to_ad(), other.to_ad()], kind.KIND.update, who)
    named = f"(GlideinMyType =?= {quoted(kind.KIND.my_type)}) && (Name =?= {quoted(sent.name)})"  # type: ignore[attr-defined]
    read = arrives(target, named)[0]
    assert kind.from_ad(read) == kind.from_ad(sent.to_ad())
    assert {k: v for k, v in read.items() if k in sent.to_ad()} == sent.to_ad()
    assert read["AuthenticatedIdentity"] == who
    ask(
        target.pool(who),
        htc.invalidate,
        collector=target.collector,
        target_type=kind.KIND.my_type,
        constraint=f"Name =?= {quoted(sent.name)}",
        command=kind.KIND.invalidate,  # type: ignore[attr-defined]
    )
    arrives(target, named, 0)
    arrives(target, f"Name =?= {quoted(other.name)}")  # type: ignore[attr-defined]


def test_a_malformed_ad_ends_the_batch(target: CondorTarget) -> None:
    """Why htc leaves out what cannot be filed: the collector hangs up at the first such ad. The
    sender is told only if it is still sending by then.
    """
    tag = unique()
    nowhere = {"MyAddress": Expr("undefined")}
    ads = [
        {"MyType": "l", "Name": f"{n}-{tag}", "Tag": tag, **m}
        for n, m in (("a", {}), ("b", nowhere), ("c", {}))
    ]
    got = answer(
        target.pool(),
        htc.advertise,
        collector=target.collector,
        ads=ads,
        command="UPDATE_LICENSE_AD",
    )
    assert got.error is None or isinstance(got.error, Unreachable), got.error
    arrives(target, f'Name =?= "a-{tag}"')
    # another connection, begun after the first was being read
    send(target, [{"MyType": "last", "Name": f"last-{tag}", "Tag": tag}], "UPDATE_LICENSE_AD")
    arrives(target, f'Name =?= "last-{tag}"')
    assert {ad["Name"] for ad in seen(target, f"Tag =?= {quoted(tag)}")} == {
        f"a-{tag}",
        f"last-{tag}",
    }


@pytest.mark.parametrize("command", ["UPDATE_AD_GENERIC", "UPDATE_MASTER_AD", "UPDATE_LICENSE_AD"])
def test_what_cannot_be_sent_is_named_and_the_others_are_sent(
    target: CondorTarget, command: str
) -> None:
    tag = unique()
    bad = [
        {"MyType": "nameless"},
        {"MyType": "odd", "Name": 5},
        {"MyType": "odd", "Name": Expr("undefined")},
    ]
    ads = [{"MyType": tag, "Name": f"a{tag}"}, *bad, {"MyType": tag, "Name": f"z{tag}"}]
    got = answer(target.pool(), htc.advertise, collector=target.collector, ads=ads, command=command)
    assert type(
        got.error
    ) is CondorError and "3 ads cannot be sent: nameless ?: has no Name" in str(got.error)
    arrives(target, f"MyType =?= {quoted(tag)}", 2)


def test_equal_names_overwrite_each_other_as_the_table_says(target: CondorTarget) -> None:
    tag = unique()
    mine = f"Name =?= {quoted(tag)}"
    for command in ("UPDATE_AD_GENERIC", "UPDATE_LICENSE_AD", "UPDATE_MASTER_AD"):
        # each when the one before is there: connections may overtake each other
        for my_type in ("a", "b"):
            send(target, [{"MyType": my_type + command, "Name": tag}], command)
            arrives(target, f"{mine} && MyType =?= {quoted(my_type + command)}")
        send(
            target, [{"MyType": "b" + command, "Name": tag, "MyAddress": "<127.0.0.2:1>"}], command
        )
        arrives(
            target, f'{mine} && MyType =?= {quoted("b" + command)} && MyAddress =?= "<127.0.0.2:1>"'
        )
    found = sorted((ad["MyType"], ad["MyAddress"]) for ad in arrives(target, mine, 4))
    assert found == [
        ("aUPDATE_AD_GENERIC", "<127.0.0.1:0>"),
        ("bUPDATE_AD_GENERIC", "<127.0.0.2:1>"),
        ("bUPDATE_LICENSE_AD", "<127.0.0.2:1>"),
        ("bUPDATE_MASTER_AD", "<127.0.0.2:1>"),
    ]


def test_generic_ads_are_withdrawn_only_by_their_own_type(target: CondorTarget) -> None:
    tag = unique()
    send(
        target,
        [{"MyType": f"x{tag}", "Name": tag}, {"MyType": f"y{tag}", "Name": tag}],
        "UPDATE_AD_GENERIC",
    )
    arrives(target, f"Name =?= {quoted(tag)}", 2)
    for ad_type in ("Generic", f"x{tag}"):
        ask(
            target.pool(),
            htc.invalidate,
            collector=target.collector,
            target_type=ad_type,
            constraint=f"Name =?= {quoted(tag)}",
            command="INVALIDATE_ADS_GENERIC",
        )
    assert [ad["MyType"] for ad in arrives(target, f"Name =?= {quoted(tag)}")] == [f"y{tag}"]


def test_thousands_of_ads_all_arrive(target: CondorTarget) -> None:
    tag = unique()
    send(
        target, [{"MyType": tag, "Name": f"n{i}", "N": i} for i in range(5000)], "UPDATE_AD_GENERIC"
    )
    found = wait_for(
        target,
        "5000 ads",
        lambda: seen(target, f"MyType =?= {quoted(tag)}", projection=["N"]),
        lambda ads: len(ads) == 5000,
    )
    assert sorted(ad["N"] for ad in found) == list(range(5000))


def test_our_kinds_are_found_under_any_only(target: CondorTarget) -> None:
    tag = unique()
    send(target, [{"MyType": "glidefactory", "Name": tag}], "UPDATE_AD_GENERIC")
    arrives(target, f"Name =?= {quoted(tag)}")
    assert seen(target, f"Name =?= {quoted(tag)}", ad_type="Generic") == []


def test_expressions_undefined_values_and_projection(target: CondorTarget) -> None:
    tag = unique()
    send(
        target,
        [
            {
                "MyType": tag,
                "Name": tag,
                "V": Expr("1 + W"),
                "W": Expr("Z * 2"),
                "Z": 2,
                "U": Expr("undefined"),
                "L": [1, "a"],
                "A.b-c:d": 1,
            }
        ],
        "UPDATE_AD_GENERIC",
    )
    ad = arrives(target, f"MyType =?= {quoted(tag)} && V == 5")[0]
    assert (
        ad["V"] == "1 + W"
        and isinstance(ad["V"], Expr)
        and ad["L"] == [1, "a"]
        and ad["A.b-c:d"] == 1
    )
    assert "U" not in ad and "u" not in ad
    projected = seen(target, f"MyType =?= {quoted(tag)}", projection=["V", "U", "Nothing"])
    assert projected == [{"V": "1 + W", "W": "Z * 2", "Z": 2}]


@pytest.mark.parametrize("constraint", ["W", "undefined", '"text"', "error", "Nothing > 1"])
def test_what_is_not_true_takes_nothing(target: CondorTarget, constraint: str) -> None:
    tag = unique()
    send(target, [{"MyType": tag, "Name": tag, "W": 0}], "UPDATE_AD_GENERIC")
    arrives(target, f"MyType =?= {quoted(tag)}")
    assert seen(target, f"MyType =?= {quoted(tag)} && ({constraint})") == []


def test_a_broken_constraint_is_an_error_of_ours_not_an_endpoint_that_is_down(
    target: CondorTarget,
) -> None:
    got = answer(target.pool(), htc.query_ads, collector=target.collector, constraint="a b (")
    assert type(got.error) is CondorError and target.collector in str(got.error)


def test_an_unknown_command_is_refused_by_name(target: CondorTarget) -> None:
    got = answer(
        target.pool(),
        htc.advertise,
        collector=target.collector,
        ads=[{"Name": "x"}],
        command="UPDATE_NOTHING",
    )
    assert type(got.error) is CondorError and "UPDATE_NOTHING" in str(got.error)


def test_an_identity_sends_only_what_its_token_allows(target: CondorTarget) -> None:
    tag = unique()
    pool = target.pool(
        "frontend@wms.demo" if target.real else "limited@wms.demo", ("READ", "ADVERTISE_MASTER")
    )
    ads = [{"MyType": tag, "Name": tag}]
    done = answer(
        pool, htc.advertise, collector=target.collector, ads=ads, command="UPDATE_MASTER_AD"
    )
    assert done.error is None
    for command in ("UPDATE_AD_GENERIC", "UPDATE_LICENSE_AD"):
        got = answer(pool, htc.advertise, collector=target.collector, ads=ads, command=command)
        assert isinstance(got.error, Unreachable) and "do our tokens open it?" in str(got.error)
    assert len(arrives(target, f"Name =?= {quoted(tag)}")) == 1


def test_a_collector_that_is_not_there(target: CondorTarget) -> None:
    nowhere = "127.0.0.1:1"
    for function, args in (
        (htc.query_ads, {}),
        (htc.advertise, {"ads": [{"MyType": "x", "Name": "x"}], "command": "UPDATE_AD_GENERIC"}),
        (
            htc.invalidate,
            {"target_type": "x", "constraint": "true", "command": "INVALIDATE_ADS_GENERIC"},
        ),
    ):
        got = answer(target.pool(), function, collector=nowhere, **args)
        assert isinstance(got.error, Unreachable) and nowhere in str(got.error), (
            function,
            got.error,
        )


def test_ads_end_with_their_lifetime(special: Special) -> None:
    target = special({"lifetime": 3.0}, {}, {"CLASSAD_LIFETIME": "3"})
    tag = unique()
    ads = [
        {"MyType": tag, "Name": "short", "ClassAdLifetime": 1},
        {"MyType": tag, "Name": "as the collector likes"},
    ]
    send(
        target,
        [*ads, {"MyType": tag, "Name": "long", "ClassAdLifetime": 3600}],
        "UPDATE_AD_GENERIC",
    )
    arrives(target, f"MyType =?= {quoted(tag)}", 3)
    left = wait_for(
        target,
        "only the long one is left",
        lambda: seen(target, f"MyType =?= {quoted(tag)}"),
        lambda a: len(a) == 1,
    )
    assert left[0]["Name"] == "long"


def test_a_hung_collector_costs_its_deadline_and_no_more(special: Special) -> None:
    target = special()
    pool = target.pool()
    ask(pool, htc.query_ads, collector=target.collector)
    target.hang("COLLECTOR")
    try:
        got = answer(pool, htc.query_ads, deadline=3.0, collector=target.collector)
    finally:
        target.resume("COLLECTOR")
    assert isinstance(got.error, TimedOut) and 3.0 <= got.ended - got.began < 10.0
    assert ask(pool, htc.query_ads, collector=target.collector, ad_type="Collector")


def test_the_collectors_own_ad_tells_its_time(target: CondorTarget) -> None:
    own = seen(
        target,
        "true",
        ad_type="Collector",
        projection=["MyType", "Name", "MyCurrentTime", "HostsTotal"],
    )
    assert len(own) == 1 and own[0]["MyType"] == "Collector"
    assert isinstance(own[0]["HostsTotal"], int) and isinstance(own[0]["MyCurrentTime"], int)


def test_a_schedds_ad_is_what_load_rules_need(target: CondorTarget) -> None:
    ads = ask(
        target.pool(),
        htc.locate_schedds,
        collector=target.collector,
        names=[target.schedd.name, "nobody"],
    )
    assert [(ad["Name"], ad["MyAddress"]) for ad in ads] == [
        (target.schedd.name, target.schedd.address)
    ]
    assert ads[0]["MaxJobsRunning"] > 0 and {"TotalIdleJobs", "TotalRunningJobs"} <= set(ads[0])
    assert ask(target.pool(), htc.locate_schedds, collector=target.collector, names=[]) == []


@pytest.mark.condor
def test_both_places_are_meant(target: CondorTarget) -> None:
    assert isinstance(target, RealCondor if target.real else InMemoryCondor)
