"""Which questions are asked, and when groups stop sharing one (decision 23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.frontend.collect.reader import (
    collect,
    job_queries,
    schedd_names,
    table_of,
    wide_queries,
)
from glideinwms.frontend.policy import MatchAttribute, WmsPool
from glideinwms.lib.condor.calls import Call, CallResult, Workers
from glideinwms.lib.errors import Unreachable
from tests.unit.frontend.build_frontend import (
    NODE,
    NOW,
    group,
    jobs,
    known,
    policy,
    schedd_ads,
    table,
)

USER = group("users", job_attrs=(MatchAttribute("Wants"), MatchAttribute("User")))


def test_groups_with_one_query_share_it() -> None:
    one, two = job_queries([group(), USER, group("other", job_query="JobUniverse == 7")])
    assert one.names == ("Wants", "RequestCpus", "User") and two.query == "JobUniverse == 7"


def test_plugins_that_count_users_or_projects_get_a_column_of_their_own() -> None:
    [one] = job_queries([group(selection_plugin="ProxyUserCardinality"), group("b")])
    assert one.extras == ("User",) and "User" not in one.names


def test_a_query_that_became_too_wide_is_split_and_stays_split() -> None:
    rows = [(["x", 1, f"u{i}"], 1, 0) for i in range(50)]
    shared = table(*rows, names=("Wants", "RequestCpus", "User"))
    assert wide_queries((), (shared,), [group()]) == {"true"}
    assert wide_queries((), (shared,), [group(), USER]) == set()  # one of them needs all those rows
    assert wide_queries(("true",), (table((["x", 1], 50, 0)),), [group()]) == {"true"}
    apart = job_queries([group(), USER], {"true"})
    assert [q.names for q in apart] == [("Wants", "RequestCpus"), ("Wants", "User", "RequestCpus")]
    found = table_of((shared, table((["x", 1], 50, 0))), group())
    assert found is not None
    assert found.names == ("Wants", "RequestCpus")


def test_all_schedds() -> None:
    assert schedd_names(group(schedds=("ALL",)), schedd_ads("b", "a").ads) == ("a", "b")


class Deaf(Workers):
    """A pool whose every call fails."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        self.calls += calls
        return [CallResult(c, None, Unreachable("cut", where=c.endpoint), NOW, NOW) for c in calls]


def test_when_nothing_answers_every_reading_is_held_and_schedds_are_asked_where_they_were() -> None:
    pool = Deaf()
    after = collect(pool, policy(), known())
    assert after.loads and after.loads.reading.held() and after.slots and after.slots.reading.held()
    assert all(i.reading.held() for i in (*after.schedds.values(), *after.pools.values()))
    assert next(c for c in pool.calls if c.endpoint == "schedd1").args["address"] == "<a>"


def test_what_worked_is_asked_again_until_it_fails() -> None:
    def asked(before: Inputs) -> tuple[str, Inputs]:
        pool = Deaf()
        after = collect(pool, policy(), before)
        return next(c.args["queries"][0].method for c in pool.calls if "queries" in c.args), after

    one = known().schedds["schedd1"]
    worked = replace(
        one, reading=replace(one.reading, value=jobs(table((["x", 1], 10, 2), method="timed")))
    )
    way, after = asked(known(schedds={"schedd1": worked}))
    assert way == "timed" and after.schedds["schedd1"].reading.held()
    assert asked(after)[0] == ""


def test_two_factories_at_one_collector_are_two_readings() -> None:
    pools = (WmsPool(NODE, "f1@x", "me"), WmsPool(NODE, "f2@x", "me"))
    after = collect(Deaf(), policy(group(wms_pools=pools)), Inputs())
    assert sorted(after.pools) == [f"{NODE} f1@x", f"{NODE} f2@x"]


def test_a_schedd_that_no_collector_knows_is_named() -> None:
    after = collect(Deaf(), policy(), Inputs())
    assert "no ad in the user collector" in after.schedds["schedd1"].reading.error
