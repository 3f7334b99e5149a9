"""Readings that survive: failures hold the last good value, suspicious answers are held back once (decision 15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glideinwms.frontend.collect import inputs
from glideinwms.frontend.collect.inputs import HeldInput, Inputs
from tests.unit.frontend.build_frontend import jobs, known, table

VALUE = jobs(table((["x", 1], 10, 2)))


def fresh(source: str, max_age: float) -> HeldInput[Any]:
    return inputs.new(source, max_age, None)


def good(count: int, witness: int, now: float = 0.0) -> HeldInput[Any]:
    return fresh("schedd s", 1800.0).answered(VALUE, count, witness, now)


def test_a_failure_keeps_the_value_and_its_age() -> None:
    held = good(10, 10, 100.0).failed("hung")
    assert held.reading.value == VALUE and held.reading.age(160.0) == 60.0 and held.reading.held()
    assert held.reading.known(160.0) and not held.reading.known(100.0 + 1801.0)


def test_zero_against_the_witness_is_held_once() -> None:
    first = good(1000, 1000).answered({"rows": []}, 0, 1000, 60.0)
    assert first.reading.value == VALUE and "witness" in first.reading.error
    second = first.answered({"rows": []}, 0, 1000, 120.0)
    assert second.reading.value == {"rows": []} and not second.reading.error


def test_zero_that_the_witness_saw_too_is_taken() -> None:
    assert good(1000, 1200).answered({"rows": []}, 0, 200, 60.0).reading.value == {"rows": []}
    assert good(1000, 1000).answered({"rows": []}, 0, 0, 60.0).reading.value == {"rows": []}


def test_changing_suspects_stay_suspect() -> None:
    held = good(10000, 10000)
    for n in (0, 500, 0, 500):
        held = held.answered({"rows": [n]}, n, 10000, 60.0)
        assert held.reading.value == VALUE


def test_a_restarted_collector_is_not_believed_until_everybody_could_report() -> None:
    first = fresh("slots", 600.0).answered(VALUE, 1000, 1000, 0.0, started=50.0)
    empty = first.answered({"rows": []}, 0, 0, 60.0, started=59.0)
    assert empty.reading.value == VALUE and "restarted" in empty.reading.error
    some = empty.answered({"rows": []}, 900, 900, 300.0, started=61.0)
    assert some.reading.value == VALUE
    full = some.answered({"rows": [2]}, 1000, 1000, 310.0, started=60.0)
    assert full.reading.value == {"rows": [2]} and not full.reading.error
    gone = full.answered({"rows": [3]}, 800, 800, 400.0, started=60.0)
    assert gone.reading.value == {"rows": [3]}
    late = some.answered({"rows": [4]}, 10, 10, 60.0 + inputs.RELEARN, started=60.0)
    assert late.reading.value == {"rows": [4]}


@given(st.integers(0, 10000), st.integers(0, 10000), st.integers(-1, 20000), st.integers(-1, 20000))
def test_growth_and_small_changes_are_always_taken(before: int, now: int, w0: int, w1: int) -> None:
    answer = good(before, w0).answered({"n": [now]}, now, w1, 60.0)
    if now >= before or now >= inputs.SUSPECT_SHARE * before > 0:
        assert answer.reading.value == {"n": [now]} and not answer.reading.error


def test_readings_survive_a_restart(tmp_path: Path) -> None:
    kept = known()
    inputs.save(tmp_path / "readings.json", kept)
    said: list[str] = []
    assert inputs.load(tmp_path / "readings.json", said.append) == kept
    assert said == []


def test_readings_of_another_version_are_dropped_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "readings.json").write_text('{"schema": 1, "schedds": {"s": {"reading": {}}}}')
    said: list[str] = []
    assert inputs.load(tmp_path / "readings.json", said.append) == Inputs()
    assert "was written by another version" in said[0]


def test_unreadable_readings_are_dropped_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "readings.json").write_text('{"schema": 2, "schedds": 3}')
    said: list[str] = []
    assert inputs.load(tmp_path / "readings.json", said.append) == Inputs()
    assert len(said) == 1 and "schedds" in said[0]
