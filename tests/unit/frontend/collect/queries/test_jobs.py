"""What a reading of jobs does when a schedd cannot do what is asked (decision 2); the rest is held to a real schedd."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest

from glideinwms.frontend.collect.answers import JobClasses, JobQuery, ValueCount
from glideinwms.frontend.collect.queries import jobs
from glideinwms.lib.condor import htc
from glideinwms.lib.errors import CondorError, Unreachable
from glideinwms.testing import FakeSchedd, World

QUERY = JobQuery(query="JobUniverse == 5", names=("Wants",), extras=("User",))


@pytest.fixture
def world() -> World:
    made = World()
    schedd = made.schedd("s", made.collector("c:1"))
    schedd.add(30, Wants="a", EnteredCurrentStatus=int(made.clock()) - 5000)
    schedd.add(12, Wants="b")
    schedd.add(5, Wants="b", JobStatus=2)
    return made


def read(world: World, method: str = "") -> JobClasses:
    schedd: FakeSchedd = next(iter(world.schedds.values()))
    with world.installed():
        answer = jobs.read_jobs(schedd.name, schedd.address, [replace(QUERY, method=method)])
    return answer.tables[0]


def rows(table: JobClasses) -> list[list[Any]]:
    return sorted([list(values), *numbers] for values, *numbers in map(astuple, table.rows()))


def test_counts(world: World) -> None:
    table = read(world)
    assert (
        rows(table) == [[["a"], 30, 30, 30, 0, 0], [["b"], 12, 0, 0, 5, 0]]
        and table.method == "grouped"
    )
    assert table.extras == {"User": [ValueCount(value="user@fake", idle=42, running=5)]}


def test_a_grouping_that_fails_is_had_by_slices(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise CondorError("Failed to fetch ads from schedd, errmsg=", where="s")

    monkeypatch.setattr(htc, "group_jobs", fail)
    table = read(world)
    assert table.method == "sliced" and rows(table) == [
        [["a"], 30, 30, 30, 0, 0],
        [["b"], 12, 0, 0, 5, 0],
    ]
    assert table.extras == {"User": [ValueCount(value="user@fake", idle=42, running=5)]}


def test_slices_are_slices_also_of_clusters_of_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    world, sizes = World(), []
    schedd = world.schedd("s", world.collector("c:1"))
    for _ in range(100):
        schedd.add(1, Wants="a")
    real = htc.query_jobs

    def query(*args: Any) -> Any:
        sizes.append(len(found := real(*args)))
        return found

    monkeypatch.setattr(htc, "query_jobs", query)
    with world.installed():
        answer = jobs.read_jobs(
            "s", schedd.address, [replace(QUERY, extras=(), method="sliced")], slice_size=20
        )
    assert answer.tables[0].jobs == 100 and max(sizes) <= 25, sizes


def test_a_schedd_that_goes_away_is_no_reason_for_slices(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise Unreachable("refused", where="s")

    monkeypatch.setattr(htc, "group_jobs", gone)
    with pytest.raises(Unreachable):
        read(world)


@pytest.mark.parametrize("method", ["", "grouped", "timed", "scaled", "sliced"])
def test_whatever_worked_before_the_counts_are_the_same(world: World, method: str) -> None:
    assert rows(read(world, method)) == rows(read(world))


@pytest.mark.parametrize(("shared", "method", "looks"), [(True, "timed", 3), (False, "scaled", 5)])
def test_a_large_queue_is_first_sampled(
    monkeypatch: pytest.MonkeyPatch, shared: bool, method: str, looks: int
) -> None:
    """A grouping by times that nobody shares would last longer than a reading may."""
    world = World()
    schedd, now = world.schedd("s", world.collector("c:1")), int(world.clock())
    for k in range(200):
        schedd.add(1, Wants="a", EnteredCurrentStatus=now - 100 if shared else now - 100 - 40 * k)
    asked: list[tuple[str, ...]] = []
    ask = htc._job_query

    def listen(schedd: Any, constraint: str, projection: Any, opts: str, limit: int) -> Any:
        asked.extend([(opts, *projection)] if limit != 1 else [])
        return ask(schedd, constraint, projection, opts, limit)

    monkeypatch.setattr(htc, "_job_query", listen)
    with world.installed():
        query = replace(QUERY, extras=())
        [table] = jobs.read_jobs("s", schedd.address, [query], slice_size=20).tables
    assert table.method == method and table.jobs == 200 and len(asked) == looks
    assert any(a[0] == "GroupBy" and jobs.ENTERED in a for a in asked) == shared


def test_a_query_that_takes_little_of_the_queue_is_checked_by_its_own_count(world: World) -> None:
    next(iter(world.schedds.values())).add(500, Wants="c", JobUniverse=7)
    table = read(world)
    assert (
        rows(table) == [[["a"], 30, 30, 30, 0, 0], [["b"], 12, 0, 0, 5, 0]]
        and table.method == "grouped"
    )


def test_a_query_that_takes_nothing_needs_no_slices(world: World) -> None:
    with world.installed():
        query = replace(QUERY, query="Wants == 7")
        answer = jobs.read_jobs("s", next(iter(world.schedds.values())).address, [query])
    [table] = answer.tables
    assert (rows(table), table.method, table.extras["User"]) == ([], "grouped", [])
    assert answer.all_queued == 47


def test_a_grouping_without_rows_is_had_by_slices(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(htc, "group_jobs", lambda *_: [])
    table = read(world)
    assert (
        table.method == "sliced"
        and table.jobs == 47
        and table.extras == {"User": [ValueCount(value="user@fake", idle=42, running=5)]}
    )
