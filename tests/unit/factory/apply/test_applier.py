"""The order and the pace of submissions, and what happens to the rest when one fails (decision 31)."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.apply import job_actions
from glideinwms.factory.apply.applier import FactoryApplier, FactoryReport
from glideinwms.factory.collect.schedd_memory import ScheddMemory
from glideinwms.factory.plan import (
    FactoryEntryPlan,
    FactoryPlan,
    PilotRelease,
    Placement,
    RequestPlan,
)
from glideinwms.factory.submit import batches
from glideinwms.factory.submit.batches import sizes
from glideinwms.lib.condor.calls import Call, CallResult
from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.daemon import audit
from glideinwms.lib.daemon.audit import Audit
from glideinwms.lib.errors import CondorError, GwmsError, OutcomeUnknown, StateError, Unreachable
from tests.unit.factory.builders import entry, policy, request


@dataclass
class Clock:
    """Time that passes by sleeping only."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakePool:
    """Takes submits; `fails` maps the number of a call (from 1) to its error."""

    clock: Clock
    fails: dict[int, GwmsError] = field(default_factory=dict)
    seen: list[tuple[float, str, str, int]] = field(default_factory=list)
    acts: list[tuple[str, int]] = field(default_factory=list)
    firm: GwmsError | None = None

    def one(self, call: Call) -> CallResult:
        if call.function is job_actions.pick_and_act:
            self.acts.append((call.args["action"], call.args["cap"]))
            return CallResult(call, job_actions.Outcome([["9.0"]], 1), self.firm, 1.0, 2.0)
        self.seen.append(
            (
                self.clock(),
                call.endpoint,
                call.args["description"]["My.GlideinClient"],
                call.args["count"],
            )
        )
        error = self.fails.get(len(self.seen))
        return CallResult(
            call, None if error else [(len(self.seen), 0, call.args["count"])], error, 1.0, 2.0
        )

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        return [self.one(c) for c in calls]


class Bench:
    """Two entries on two schedds, one request each for `clients`."""

    def __init__(
        self, base: Path, sleep: float = 0.0, fails: dict[int, GwmsError] | None = None
    ) -> None:
        (base / "work").mkdir()
        (base / "work/glidein_startup.0.sh").write_text("x")
        self.clock = Clock()
        self.pool = FakePool(self.clock, fails or {})
        self.entries = [
            entry(n, schedd_name=s, submit_cluster_size=10, submit_sleep=sleep)
            for n, s in (("A", "s1"), ("B", "s2"))
        ]
        self.policy = policy(base, *self.entries)
        self.schedds = {s: ScheddMemory(ScheddAddress(s, "<x>")) for s in ("s1", "s2")}
        self.applier = FactoryApplier(
            self.pool,
            self.schedds,
            Audit(base / "audit.jsonl"),
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def run(self, *asked: tuple[str, str, int]) -> FactoryReport:
        """(entry, client, pilots) of each request."""
        rows: dict[str, list[RequestPlan]] = {e.name: [] for e in self.entries}
        requests = {}
        for name, client, n in asked:
            placed = (Placement("job.condor", n),)
            rows[name].append(
                RequestPlan(
                    f"{name}/{client}", name, client, "fe:frontend", "C", n, placements=placed
                )
            )
            requests[f"{name}/{client}"] = request(
                name=f"{name}/{client}", entry=name, client=client
            )
        plan = FactoryPlan(
            tuple(
                FactoryEntryPlan(
                    e.name,
                    e.schedd_name,
                    requests=tuple(rows[e.name]),
                    releases=(PilotRelease(("9.0",), 7),),
                    unless_submitted=True,
                )
                for e in self.entries
                if rows[e.name]
            )
        )
        return self.applier.run(plan, self.policy, requests, 0.0, random.Random(1))


@pytest.mark.parametrize(
    ("n", "most", "parts"), [(25, 10, [10, 10, 5]), (10, 10, [10]), (3, 0, [1, 1, 1]), (0, 5, [])]
)
def test_parts(n: int, most: int, parts: list[int]) -> None:
    assert sizes(n, most) == parts


def test_the_sleep_of_one_request_is_the_time_of_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sleep=1.0)
    report = bench.run(("A", "a", 30), ("A", "b", 30), ("B", "c", 20))
    assert sum(s.n for s in report.submitted) == 80
    assert bench.clock.now == 2.0, "not 5"
    times: dict[str, list[float]] = {}
    for when, _, client, _ in bench.pool.seen:
        times.setdefault(client, []).append(when)
    assert all(b - a >= 1.0 for t in times.values() for a, b in itertools.pairwise(t))


@pytest.mark.parametrize(
    ("error", "left", "told", "unknown"),
    [
        (CondorError("-3"), {"'b'": 2, "'c'": 2}, {"A/a": "SubmitFailed"}, 0),
        (Unreachable("gone"), {"'c'": 2}, {"A/a": "SubmitFailed", "A/b": "SubmitFailed"}, 0),
        (
            OutcomeUnknown("cut off"),
            {"'c'": 2},
            {"A/a": "SubmitOutcomeUnknown", "A/b": "SubmitFailed"},
            1,
        ),
    ],
)
def test_what_an_error_stops(
    error: GwmsError, left: dict[str, int], told: dict[str, str], unknown: int, tmp_path: Path
) -> None:
    """A refusal ends that request; a schedd that is gone, or whose act is unknown, gets nothing
    more this cycle, and each of its requests says so once.
    """
    bench = Bench(tmp_path, fails={1: error})
    report = bench.run(("A", "a", 20), ("A", "b", 20), ("B", "c", 20))
    done: dict[str, int] = {}
    for _, _, client, _ in bench.pool.seen[1:]:
        done[client.replace('"', "'")] = done.get(client.replace('"', "'"), 0) + 1
    assert done == left
    assert [(r.where, r.reason.value) for r in report.refusals] == list(told.items())
    assert [u.n for m in bench.schedds.values() for u in m.unknown] == [10] * unknown
    assert bench.schedds["s1"].touched == 2.0


def test_an_act_that_fails_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fails={1: CondorError("-3")})
    bench.pool.firm = CondorError("no permission")
    told = {r.where: str(r) for r in bench.run(("A", "a", 5)).refusals}
    assert told["A"] == "RemovalOrReleaseFailed: Release (HeldRecoverable): no permission"


def test_an_entry_that_cannot_be_described_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = batches.describe
    monkeypatch.setattr(
        batches, "describe", lambda order: real(order) if order.entry.name != "A" else 1 / 0
    )
    bench = Bench(tmp_path)
    report = bench.run(("A", "a", 5), ("B", "b", 5))
    assert [s.entry for s in report.submitted] == ["B"]
    [refusal] = report.refusals
    assert refusal.where == "A/a" and refusal.text.startswith("unexpected ZeroDivisionError at ")


def test_a_request_that_cannot_be_described_does_not_stop_another_at_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = batches.describe
    monkeypatch.setattr(
        batches, "describe", lambda order: real(order) if order.request.name != "A/bad" else 1 / 0
    )
    report = Bench(tmp_path).run(("A", "bad", 5), ("A", "good", 5))
    assert [(s.request, s.n) for s in report.submitted] == [("A/good", 5)]
    assert [r.where for r in report.refusals] == ["A/bad"]


def test_a_trail_without_room_does_not_end_the_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StateError("cannot be appended to: No space left on device")

    monkeypatch.setattr(audit, "append_line", full)
    bench = Bench(tmp_path)
    assert sum(s.n for s in bench.run(("A", "a", 25), ("B", "b", 5)).submitted) == 30


def test_every_cluster_has_its_own_id_and_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    report = bench.run(("A", "a", 25))
    ids = {s.submit_id for s in report.submitted}
    assert len(ids) == 3
    lines: list[dict[str, Any]] = [
        json.loads(t) for t in (tmp_path / "audit.jsonl").read_text().splitlines()
    ]
    assert {line["submit_id"] for line in lines} == ids
    assert [line["n"] for line in lines] == [10, 10, 5]


@pytest.mark.parametrize(
    ("fails", "acts"),
    [
        ({}, []),
        ({2: CondorError("-3")}, []),
        ({1: CondorError("-3")}, [("Release", 7)]),
        ({1: Unreachable("gone")}, []),
    ],
)
def test_held_pilots_are_looked_after_where_nothing_could_be_submitted(
    fails: dict[int, GwmsError], acts: list[tuple[str, int]], tmp_path: Path
) -> None:
    bench = Bench(tmp_path, fails=fails)
    bench.run(("A", "a", 20))
    assert bench.pool.acts == acts
