"""What one user wrote into his jobs costs nobody else's jobs anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glideinwms.frontend.collect.answers import JobQuery, OddJobs, ValueCount
from glideinwms.frontend.collect.queries import job_groups, jobs
from glideinwms.frontend.collect.queries.job_values import MAX_VALUE, Oddities, age_of, class_of
from glideinwms.lib.condor.htc import Expr
from glideinwms.testing import World
from tests.support.hostile_values import TIMES
from tests.support.single_jobs import read_queue
from tests.unit.frontend.hostile_ads import VALUES

FIELDS = (
    "EnteredCurrentStatus",
    "ServerTime",
    "QDate",
    "RequestCpus",
    "Wants",
    "User",
    "x509UserProxyFirstFQAN",
)
QUERY = JobQuery(query="JobUniverse == 5", names=("Wants", "RequestCpus"), extras=("User",))
WAYS = [("", jobs.SLICE), *((method, 20) for method in ("grouped", "timed", "scaled", "sliced"))]


def world_with(name: str, value: Any) -> World:
    """30 idle jobs that have waited for 5000 s, 5 running ones, and one idle and one running job of
    a hostile user, who was here first.
    """
    made = World()
    schedd = made.schedd("s", made.collector("c:1"))
    since = int(made.clock()) - 5000
    for status in (1, 2):
        schedd.add(
            1, **{"Wants": "bad", "EnteredCurrentStatus": since, "JobStatus": status, name: value}
        )
    schedd.add(30, Wants="good", EnteredCurrentStatus=since, RequestCpus=1)
    schedd.add(5, Wants="good", JobStatus=2, RequestCpus=1)
    return made


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", VALUES)
def test_one_hostile_job_changes_no_other_class(field: str, kind: str) -> None:
    world = world_with(field, VALUES[kind])
    address = next(iter(world.schedds.values())).address
    slow = kind == "slow expression"
    for method, size in (("sliced", 100),) if slow else WAYS:
        with world.installed():
            queries = [replace(QUERY, method=method)]
            answer = jobs.read_jobs("s", address, queries, slice_size=size)
        [table] = answer.tables
        [good] = [row for row in table.rows() if row.values == ("good", 1)]
        assert good.idle == 30 and good.running == 5
        if not table.estimated:
            assert good.idle_600 == good.idle_3600 == 30
        assert table.jobs == 37, "the hostile jobs are jobs too"
        more = field != "User"
        count = ValueCount(value="user@fake", idle=30 + more, running=5 + more)
        assert count in table.extras["User"]


def test_a_time_that_is_none_is_shown_and_counts_as_now() -> None:
    world = world_with("EnteredCurrentStatus", Expr("(time() - 9999)"))
    with world.installed():
        answer = jobs.read_jobs(
            "s", next(iter(world.schedds.values())).address, [replace(QUERY, method="sliced")]
        )
    [bad] = [row for row in answer.tables[0].rows() if row.values[0] == "bad"]
    assert (bad.idle, bad.idle_600, bad.idle_3600) == (1, 0, 0)
    reason = "EnteredCurrentStatus is no time, age 0 is taken"
    assert answer.odd == (OddJobs(reason=reason, jobs=1),)


def test_the_clock_is_not_taken_from_a_job_that_brings_its_own() -> None:
    world = world_with("ServerTime", 4_000_000_000)
    schedd = next(iter(world.schedds.values()))
    with world.installed():
        from glideinwms.lib.condor import htc

        assert job_groups.schedd_time(htc.ScheddAddress("s", schedd.address)) == int(world.clock())


@pytest.mark.parametrize("kind", TIMES)
def test_the_age_of_a_job_is_a_number_not_below_zero(kind: str) -> None:
    for row in (
        {"EnteredCurrentStatus": TIMES[kind], "ServerTime": 1.7e9},
        {"ServerTime": TIMES[kind]},
        {"EnteredCurrentStatus": 1.6e9, "ServerTime": TIMES[kind]},
    ):
        assert 0.0 <= age_of(row, None, Oddities()) < 1e9


def test_long_values_and_slow_expressions_are_taken_as_undefined() -> None:
    odd = Oddities()
    assert class_of(
        {"A": "a" * (MAX_VALUE + 1), "B": [1, 2], "C": Expr("B[0] + 1")}, ("A", "B", "C"), odd
    ) == (
        None,
        "[1, 2]",
        2,
    )
    odd.evaluating = 1e9
    assert class_of({"C": Expr("1 + 1")}, ("C",), odd) == (None,)
    assert len(odd.jobs) == 2 and all("taken as undefined" in why for why in odd.jobs)


def test_reasons_are_bounded() -> None:
    odd = Oddities()
    for number in range(1000):
        odd.note(f"reason {number}")
    assert len(odd.jobs) == 21 and sum(odd.jobs.values()) == 1000


@pytest.mark.parametrize("field", [*FIELDS, "RemoteHost"])
@pytest.mark.parametrize("kind", VALUES)
def test_jobs_one_by_one(field: str, kind: str) -> None:
    """The same for a caller that has the ads (a Decision Engine)."""
    since = {"EnteredCurrentStatus": 1000, "ServerTime": 5000}
    jobs = [{"JobStatus": s, "Wants": "bad", **since, field: VALUES[kind]} for s in (1, 2)]
    jobs += [{"JobStatus": 1, "Wants": "good", **since}] * 3
    found = {row.values: row for row in read_queue("s", jobs, ("Wants",), 6000.0).table.rows}
    assert found["good",].idle == found["good",].idle_3600 == 3
