"""What a schedd answers, takes and refuses; the same tests on a real one and in memory (decisions 2-5, 8, 9)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import pytest

from glideinwms.factory.collect import queries as factory_queries
from glideinwms.frontend.collect.answers import JobQuery
from glideinwms.frontend.collect.queries import jobs as job_queries
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Workers, call
from glideinwms.lib.condor.htc import Expr, ScheddAddress, quoted
from glideinwms.lib.errors import CondorError, OutcomeUnknown, TimedOut, Unreachable
from tests.contract.lib.condor_targets import FRONTEND, CondorTarget, answer, ask, wait_for

Special = Callable[..., CondorTarget]
HELD_JOB = {"universe": "vanilla", "executable": "/bin/true", "hold": "true"}
GRID_JOB = {
    "universe": "grid",
    "grid_resource": "condor nobody@nowhere nowhere:1",
    "executable": "/bin/true",
}


def submit(
    target: CondorTarget,
    tag: str,
    count: int = 1,
    items: list[dict[str, str]] | None = None,
    pool: Workers | None = None,
    **more: str,
) -> list[str]:
    """Submit held jobs that carry a tag; their ids."""
    description = {
        **HELD_JOB,
        "My.Tag": quoted(tag),
        **{k.replace("__", "."): v for k, v in more.items()},
    }
    args: dict[str, Any] = {
        "schedd": target.schedd,
        "description": description,
        "count": count,
        "items": items,
    }
    cluster, first, n = ask(pool or target.pool(), htc.submit, **args)[0]
    return [f"{cluster}.{p}" for p in range(first, first + n)]


def jobs(
    target: CondorTarget, tag: str, *names: str, constraint: str = "true", **more: Any
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(
        target.pool(),
        htc.query_jobs,
        schedd=target.schedd,
        constraint=f"(Tag =?= {quoted(tag)}) && ({constraint})",
        projection=list(names),
        **more,
    )
    return found


def rows(target: CondorTarget, constraint: str, *names: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(
        target.pool(),
        htc.group_jobs,
        schedd=target.schedd,
        constraint=constraint,
        projection=list(names),
        **more,
    )
    return found


def summary(target: CondorTarget, constraint: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(
        target.pool(), htc.summary_jobs, schedd=target.schedd, constraint=constraint
    )
    return found


@pytest.fixture
def tag() -> str:
    return uuid.uuid4().hex[:10]


def test_what_is_submitted_can_be_asked_for(target: CondorTarget, tag: str) -> None:
    ids = submit(
        target,
        tag,
        2,
        [{"k": "1"}, {"k": '"two"'}, {"k": "1 + ProcId"}],
        My__K="$(k)",
        arguments="a $(ProcId)",
        request_cpus="4",
        My__GlideinEntryName='"E.1"',
    )
    assert [i.split(".")[1] for i in ids] == ["0", "1", "2", "3", "4", "5"]
    found = sorted(jobs(target, tag), key=lambda j: int(j["ProcId"]))
    assert [j["K"] for j in found] == [1, 1, "two", "two", "1 + ProcId", "1 + ProcId"]
    assert isinstance(found[4]["K"], Expr) and not isinstance(found[2]["K"], Expr)
    assert [j["Args"] for j in found] == [f"a {p}" for p in range(6)]
    for job in found:
        assert (
            job["JobStatus"],
            job["JobUniverse"],
            job["RequestCpus"],
            job["GlideinEntryName"],
        ) == (5, 5, 4, "E.1")
        assert (
            job["User"] == "factory@wms.demo"
            and job["Owner"] == "factory"
            and job["HoldReasonCode"] == 15
        )
        assert (
            0 <= job["ServerTime"] - job["EnteredCurrentStatus"] < 60
            and job["QDate"] <= job["ServerTime"]
        )


def test_projection_limit_and_names_in_any_case(target: CondorTarget, tag: str) -> None:
    submit(target, tag, 5, My__A="B + 1", My__B="2")
    found = jobs(target, tag, "a", "Missing")
    assert [{k: v for k, v in j.items() if k != "ServerTime"} for j in found] == [
        {"a": "B + 1", "B": 2}
    ] * 5
    assert all("ServerTime" in j for j in found)
    assert len(jobs(target, tag, "ProcId", limit=3)) == 3
    assert len(jobs(target, tag, "ProcId", constraint="A == 3 && mY.b == 2")) == 5


def test_server_time_is_only_in_the_reply(target: CondorTarget, tag: str) -> None:
    submit(target, tag, 2)
    assert jobs(target, tag, "ProcId", constraint="ServerTime - QDate >= 0") == []
    assert len(jobs(target, tag, "ProcId", constraint="time() - QDate >= 0")) == 2
    assert len(jobs(target, tag, "ProcId", constraint="CurrentTime - QDate >= 0")) == 2
    assert summary(target, f"Tag =?= {quoted(tag)} && ServerTime - QDate >= 0")["Jobs"] == 0


def test_groups_count_what_is_equal(target: CondorTarget, tag: str) -> None:
    submit(target, tag, 3, [{"k": "1"}, {"k": '"x"'}], My__K="$(k)")
    submit(target, tag, 1)
    found = rows(target, f"Tag =?= {quoted(tag)}", "Tag", "K")
    seen = {str(r.get("K", "-")): (r["JobCount"], r["JobIds"].split(".")[1][:1]) for r in found}
    assert seen == {"1": (3, "0"), "x": (3, "3"), "-": (1, "0")}
    assert (
        sum(r["JobCount"] for r in found) == summary(target, f"Tag =?= {quoted(tag)}")["Jobs"] == 7
    )
    assert len(rows(target, f"Tag =?= {quoted(tag)}", "Tag", "K", limit=2)) == 2


def test_grouping_on_less_than_the_constraint_names_gives_nothing_without_an_error(
    target: CondorTarget, tag: str
) -> None:
    """The trap of decision 2."""
    submit(target, tag, 4)
    mine = f"Tag =?= {quoted(tag)}"
    assert rows(target, f"{mine} && JobStatus == 5", "Tag") == []
    assert rows(target, f"{mine} && JobStatus == 5 && JobUniverse == 5", "Tag", "JobStatus") == []
    assert [
        r["JobCount"] for r in rows(target, f"{mine} && JobStatus == 5", "Tag", "JobStatus")
    ] == [4]
    assert [r["JobCount"] for r in rows(target, f"{mine} && Nothing =?= undefined", "Tag")] == [4]
    assert summary(target, f"{mine} && JobStatus == 5 && JobUniverse == 5")["Jobs"] == 4


def test_a_grouped_expression_brings_what_it_refers_to(target: CondorTarget, tag: str) -> None:
    """Decision 20: such an attribute multiplies the rows by the values of those it names."""
    submit(target, tag, 4, My__E="A1 + B1", My__A1="1", My__B1="$(ProcId)")
    found = rows(target, f"Tag =?= {quoted(tag)}", "Tag", "E")
    assert sorted((r["E"], r["A1"], r["B1"], r["JobCount"]) for r in found) == [
        ("A1 + B1", 1, b, 1) for b in range(4)
    ]
    assert [r["B1"] for r in rows(target, f"Tag =?= {quoted(tag)} && E == 3", "Tag", "E")] == [2]


def test_a_summary_counts_the_constraint_and_everybody(target: CondorTarget, tag: str) -> None:
    before = summary(target, "true")
    submit(target, tag, 3)
    found = summary(target, f"Tag =?= {quoted(tag)}")
    assert {k: found[k] for k in ("Jobs", "Held", "Idle", "Running", "Removed")} == {
        "Jobs": 3,
        "Held": 3,
        "Idle": 0,
        "Running": 0,
        "Removed": 0,
    }
    assert (
        found["AllusersHeld"] == before["AllusersHeld"] + 3
        and found["AllusersJobs"] == before["AllusersJobs"] + 3
    )


@pytest.mark.parametrize("constraint", ["a b (", '"unclosed'])
def test_a_broken_constraint_is_our_error(target: CondorTarget, constraint: str) -> None:
    for function, projection in ((htc.query_jobs, ["A"]), (htc.group_jobs, ["A"])):
        got = answer(
            target.pool(),
            function,
            schedd=target.schedd,
            constraint=constraint,
            projection=projection,
        )
        assert type(got.error) is CondorError and target.schedd.name in str(got.error)


def test_jobs_are_released_held_and_removed_by_id_with_the_reason(
    target: CondorTarget, tag: str
) -> None:
    pool = target.pool()
    ids = submit(target, tag, 3, universe="grid", grid_resource=GRID_JOB["grid_resource"])

    def act(action: str, *chosen: str) -> int:
        done: int = ask(
            pool,
            htc.act,
            schedd=target.schedd,
            action=action,
            ids=list(chosen),
            reason="since we test",
        )
        return done

    def one(proc: int) -> dict[str, Any]:
        found = jobs(target, tag, constraint=f"ProcId == {proc}")
        return found[0] if found else {}

    assert act("Release", ids[0], ids[1]) == 2
    released = one(0)
    assert (
        released["JobStatus"] == 1
        and "HoldReasonCode" not in released
        and "HoldReason" not in released
    )
    assert released["ReleaseReason"] == "since we test (by user factory)"
    assert act("Release", ids[0]) == 0
    assert act("Hold", ids[1]) == 1
    assert act("Hold", ids[1], ids[2]) == 1, (
        "what a user holds is held; what was submitted on hold is not yet"
    )
    held = one(1)
    assert (held["JobStatus"], held["HoldReasonCode"], held["HoldReason"]) == (
        5,
        1,
        "since we test (by user factory)",
    )
    assert held["NumHolds"] == 2 and held["NumSystemHolds"] == 0
    assert act("RemoveX", ids[2]) == 0
    assert act("Remove", ids[1], ids[2], "999999.0") == 2
    assert act("Remove") == 0
    wait_for(
        target, "two are gone", lambda: jobs(target, tag, "ProcId"), lambda left: len(left) == 1
    )
    assert [j["ProcId"] for j in jobs(target, tag, "ProcId")] == [0]
    assert act("Remove", ids[0]) == 1


@pytest.mark.parametrize("wrong", ["no-id", "1.x"])
def test_ids_that_are_none_are_an_error(target: CondorTarget, wrong: str) -> None:
    got = answer(
        target.pool(), htc.act, schedd=target.schedd, action="Remove", ids=[wrong], reason="x"
    )
    assert isinstance(got.error, CondorError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"universe": "nonsense"}, "the 'nonsense' universe"),
        ({"universe": "grid"}, "grid_resource attribute not defined"),
        ({"My.A": "((("}, "Parse error in expression"),
    ],
)
def test_a_description_that_is_no_job_is_refused_whole(
    target: CondorTarget, tag: str, change: dict[str, str], words: str
) -> None:
    description = {**HELD_JOB, "My.Tag": quoted(tag), **change}
    got = answer(target.pool(), htc.submit, schedd=target.schedd, description=description, count=3)
    assert type(got.error) is CondorError and words in str(got.error) and "\n" not in str(got.error)
    assert jobs(target, tag, "ProcId") == []


def test_submit_checks_none_of_the_files_it_names(target: CondorTarget, tag: str) -> None:
    """Why the Factory checks them itself (decision 8)."""
    submit(
        target,
        tag,
        1,
        executable="/no/such/file",
        transfer_input_files="/no/such/input",
        log="/no/such/dir/log",
    )
    assert len(jobs(target, tag, "ProcId")) == 1


def test_limits_of_the_schedd_are_told_by_their_knob(special: Special, tag: str) -> None:
    target = special(
        {},
        {"max_jobs_per_submission": 5, "max_jobs_per_owner": 8, "max_jobs_submitted": 10},
        {"MAX_JOBS_PER_SUBMISSION": "5", "MAX_JOBS_PER_OWNER": "8", "MAX_JOBS_SUBMITTED": "10"},
    )
    got = answer(target.pool(), htc.submit, schedd=target.schedd, description=HELD_JOB, count=6)
    assert type(got.error) is CondorError and "MAX_JOBS_PER_SUBMISSION" in str(got.error), got.error
    submit(target, tag, 5)
    got = answer(target.pool(), htc.submit, schedd=target.schedd, description=HELD_JOB, count=4)
    assert type(got.error) is CondorError and "MAX_JOBS_PER_OWNER" in str(got.error), got.error
    submit(target, tag, 3)
    assert summary(target, "true")["Jobs"] == 8


def test_the_limit_of_all_jobs(special: Special, tag: str) -> None:
    target = special({}, {"max_jobs_submitted": 3}, {"MAX_JOBS_SUBMITTED": "3"})
    submit(target, tag, 3)
    got = answer(target.pool(), htc.submit, schedd=target.schedd, description=HELD_JOB, count=1)
    assert type(got.error) is CondorError and "MAX_JOBS_SUBMITTED" in str(got.error), got.error
    assert summary(target, "true")["Jobs"] == 3


def test_who_may_not_write_can_read(target: CondorTarget, tag: str) -> None:
    ids = submit(target, tag)
    pool = target.pool(FRONTEND, ("READ",))
    got = answer(pool, htc.submit, schedd=target.schedd, description=HELD_JOB, count=1)
    assert (
        isinstance(got.error, Unreachable)
        and "DENIED" in str(got.error)
        and FRONTEND in str(got.error)
    )
    got = answer(pool, htc.act, schedd=target.schedd, action="Remove", ids=ids, reason="x")
    assert isinstance(got.error, Unreachable) and "do our tokens open it?" in str(got.error)
    assert (
        len(
            ask(
                pool,
                htc.query_jobs,
                schedd=target.schedd,
                constraint=f"Tag =?= {quoted(tag)}",
                projection=["A"],
            )
        )
        == 1
    )


def test_a_schedd_that_is_not_there(target: CondorTarget) -> None:
    nobody = ScheddAddress("nobody@nowhere", "<127.0.0.1:1>")
    calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (htc.query_jobs, {"constraint": "true", "projection": []}),
        (htc.summary_jobs, {"constraint": "true"}),
        (htc.submit, {"description": HELD_JOB, "count": 1}),
        (htc.act, {"action": "Remove", "ids": ["1.0"], "reason": "x"}),
    ]
    for function, args in calls:
        got = answer(target.pool(), function, schedd=nobody, **args)
        assert isinstance(got.error, Unreachable) and nobody.name in str(got.error), (
            function,
            got.error,
        )


def test_a_hung_schedd_delays_no_other(special: Special, tag: str) -> None:
    target = special()
    pool = target.pool()
    ids = submit(target, tag, 2, pool=pool)
    asked = {"schedd": target.schedd, "constraint": "true", "projection": ["ProcId"]}
    jobs_call = call(target.schedd.name, htc.query_jobs, **asked).within(4.0)
    others = [
        call(f"pool{n}", htc.query_ads, collector=target.collector).within(30.0) for n in range(6)
    ]
    removing = call(
        target.schedd.name, htc.act, schedd=target.schedd, action="Remove", ids=ids, reason="x"
    )
    target.hang("SCHEDD")
    try:
        first = pool.run([jobs_call, *others])
        assert isinstance(first[0].error, TimedOut) and target.schedd.name in str(first[0].error)
        assert 4.0 <= first[0].ended - first[0].began < 15.0
        assert all(a.error is None and a.value for a in first[1:])
        second = pool.run([jobs_call, *others])
        assert isinstance(second[0].error, TimedOut)
        assert all(a.error is None for a in second[1:])
        if target.real:  # in quarantine now: nobody waits behind it
            assert max(a.ended for a in second[1:]) < second[0].ended
        assert isinstance(pool.one(removing.within(4.0).as_writer()).error, OutcomeUnknown)
    finally:
        target.resume("SCHEDD")
    found = wait_for(
        target, "it answers again", lambda: pool.one(jobs_call), lambda a: a.error is None
    )
    assert len(found.value) in (0, 2)


def test_pilots_are_counted_and_found(target: CondorTarget, tag: str) -> None:
    """The Factory's own reading, on both."""
    mine = {
        "My__GlideinFactory": quoted(tag),
        "My__GlideinName": '"i"',
        "My__GlideinCredentialIdentifier": '"c"',
        "My__GlideinClient": '"fe.main"',
        "My__GlideinFrontendName": '"fe:frontend"',
        "My__GlideinSubmitId": quoted(f"id-{tag}"),
    }
    ids = submit(target, tag, 3, My__GlideinEntryName='"a"', **mine) + submit(
        target, tag, 2, My__GlideinEntryName='"b"', **mine
    )
    pool = target.pool()
    ask(pool, htc.act, schedd=target.schedd, action="Release", ids=ids[:1], reason="x")
    args = {"schedd": target.schedd, "factory": tag, "glidein": "i", "min_age": 3600}
    value = ask(pool, factory_queries.read_queue, **args)
    counts = {(group.entry, group.status): group.count for group in value.pilots.groups}
    assert counts == {("a", 1): 1, ("a", 5): 2, ("b", 5): 2}
    assert value.method is factory_queries.CountMethod.GROUPED
    assert sorted(pilot.id for pilot in value.pilots.exceptions) == sorted(ids[1:])
    assert {pilot.hold_code for pilot in value.pilots.exceptions} == {15}
    assert (
        ask(
            pool,
            factory_queries.find_submit,
            schedd=target.schedd,
            submit_id=f"id-{tag}",
        )
        == 5
    )
    held = f"GlideinFactory =?= {quoted(tag)} && JobStatus == 5"
    pilots = ask(
        pool,
        factory_queries.read_ids,
        schedd=target.schedd,
        constraint=held,
        limit=2,
    )
    assert list(pilots) == ids[1:3]
    assert {ad["HoldReasonCode"] for ad in pilots.values()} == {15}
    ask(pool, htc.act, schedd=target.schedd, action="Remove", ids=ids, reason="done")


def test_user_jobs_are_counted_in_classes(target: CondorTarget, tag: str) -> None:
    """The Frontend's own reading, on both: grouped where that holds, and the same classes when it
    must slice.
    """
    submit(
        target,
        tag,
        1,
        [{"w": "1"}, {"w": "1"}, {"w": '"x"'}],
        hold="false",
        My__Want="$(w)",
        requirements="false",
    )
    query = f"(JobUniverse==5) && Tag =?= {quoted(tag)}"
    args: dict[str, Any] = {"name": target.schedd.name, "address": target.schedd.address}
    tables = {}
    for method in ("", "sliced"):
        queries = [JobQuery(query=query, names=("Want", "RequestCpus"), method=method)]
        value = ask(
            target.pool(),
            job_queries.read_jobs,
            queries=queries,
            **args,
        )
        tables[method] = value.tables[0]
    for method, table in tables.items():
        assert sorted(map(astuple, table.rows()), key=str) == [
            (("x", 1), 1, 0, 0, 0, 0),
            ((1, 1), 2, 0, 0, 0, 0),
        ]
        assert table.method == (method or "grouped")


def test_one_attribute_of_a_job_can_be_set(target: CondorTarget, tag: str) -> None:
    ids = submit(target, tag, 2)
    pool = target.pool()
    for expression, seen in (('"text"', "text"), ("7", 7), ("1 + ProcId", "1 + ProcId")):
        assert (
            answer(
                pool, htc.edit, schedd=target.schedd, job=ids[1], name="Note", expression=expression
            ).error
            is None
        )
        assert [
            j.get("Note")
            for j in sorted(jobs(target, tag, "ProcId", "Note"), key=lambda j: int(j["ProcId"]))
        ] == [
            None,
            seen,
        ]
    got = answer(pool, htc.edit, schedd=target.schedd, job="999999.0", name="Note", expression="1")
    assert isinstance(got.error, CondorError)
    got = answer(
        target.pool(FRONTEND, ("READ",)),
        htc.edit,
        schedd=target.schedd,
        job=ids[0],
        name="Note",
        expression="1",
    )
    assert isinstance(got.error, CondorError)
