"""When a reading of a queue may be decided on: submits of unknown outcome, clocks that are set back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.factory.collect.pilot_queue import parse_queue
from glideinwms.factory.collect.queries import CountMethod, QueueAnswer
from glideinwms.factory.collect.queue_reader import QueueReader
from glideinwms.factory.collect.schedd_memory import ScheddMemory, UnknownSubmit
from glideinwms.factory.snapshot import ScheddState
from glideinwms.lib.condor.calls import Call, CallResult, CallResults
from glideinwms.lib.condor.htc import ScheddAddress
from tests.unit.factory.builders import NOW, policy

NAME = "schedd@factory"


class Queue:
    """A schedd whose answers `say` makes of the function asked; its clock goes on by 1 s with each."""

    def __init__(self, say: Callable[[str], Any], now: float = NOW) -> None:
        self.say, self.now = say, now
        self.asked: list[Call] = []

    def one(self, call: Call) -> CallResult:
        self.asked.append(call)
        self.now += 1.0
        return CallResult(call, self.say(call.function.__name__), None, self.now - 1.0, self.now)

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        return [self.one(c) for c in calls]

    def begin(self, calls: Sequence[Call]) -> CallResults:
        done = self.run(calls)
        return lambda: done


def rows(n: int) -> QueueAnswer:
    """What `read_queue` returns for n idle pilots."""
    groups = [{"GlideinEntryName": "A", "JobStatus": 1, "JobCount": n}]
    return QueueAnswer(
        pilots=parse_queue(groups, []).queue,
        unreadable=0,
        any_stale=False,
        method=CountMethod.KEYED,
    )


def state(reader: QueueReader, pool: Queue) -> ScheddState:
    [schedd] = reader.read_queues(policy(Path("/x")), pool.now, {})
    return schedd


def made(pool: Queue, *unknown: UnknownSubmit, touched: float = 0.0) -> QueueReader:
    address = ScheddAddress(NAME, "<x>")
    memory = ScheddMemory(address, touched=touched, unknown=list(unknown))
    return QueueReader(pool, {NAME: memory})


def test_pilots_of_a_late_commit_are_in_the_reading_that_is_decided_on() -> None:
    """A schedd that hung commits what it was sent after it has answered one question."""
    pool: Queue

    def say(function: str) -> Any:
        there = 7 if len(pool.asked) > 1 else 0
        return there if function == "find_submit" else rows(there)

    pool = Queue(say)
    reader = made(pool, UnknownSubmit("id", "A", 7, NOW - 60))
    for _ in range(3):
        found = state(reader, pool)
        assert found.queue.value is not None
        assert found.frozen or sum(g.count for g in found.queue.value.groups) == 7
    assert not found.frozen


def test_what_never_came_is_not_waited_for_longer_when_the_clock_is_set_back() -> None:
    pool = Queue(lambda function: 0 if function == "find_submit" else rows(0))
    reader = made(pool, UnknownSubmit("id", "A", 7, NOW - 60))
    assert "not known yet" in state(reader, pool).frozen
    pool.now -= 3600.0
    assert "not known yet" in state(reader, pool).frozen
    pool.now += 10.0
    assert not state(reader, pool).frozen


def test_a_clock_that_is_set_back_costs_one_cycle() -> None:
    pool = Queue(lambda function: rows(3), NOW - 3600.0)
    reader = made(pool, touched=NOW)
    assert "began before our last act" in state(reader, pool).frozen
    pool.now += 60.0
    assert not state(reader, pool).frozen


def test_stale_pilots_are_looked_for_though_the_clock_was_set_back() -> None:
    pool = Queue(lambda function: rows(3))
    reader = made(pool)
    asked = []
    for back in (0.0, 0.0, 1e6):
        pool.now -= back
        state(reader, pool)
        asked.append(pool.asked[-1].args["stale"])
    assert asked == [True, False, True]


def test_stale_pilots_are_looked_for_again_while_there_are_any() -> None:
    pool = Queue(lambda function: replace(rows(3), any_stale=True))
    reader = made(pool)
    asked = []
    for _ in range(2):
        state(reader, pool)
        asked.append(pool.asked[-1].args["stale"])
    assert asked == [True, True]
