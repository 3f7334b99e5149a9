"""Nothing that a pilot, its jobs or its site write stops the statistics, or costs more than itself."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from glideinwms.factory.pilot_history import follow, pilot_log
from glideinwms.factory.pilot_history.event_log import (
    CHUNK,
    EventClock,
    LogPosition,
    parse,
    read_new,
)
from glideinwms.factory.pilot_history.follow import OUTPUT_WAIT, SHOW, PilotFollower
from glideinwms.factory.pilot_history.pilot_log import facts, sections, xml_result
from glideinwms.lib.bounded import CONTROL
from glideinwms.lib.reasons import Reason
from tests.support import hostile_values
from tests.support.hostile_values import params
from tests.unit.factory.builders import policy
from tests.unit.factory.pilot_history.test_follow import GOOD, NOW, Site, learner


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def ids(mine: PilotFollower) -> set[str]:
    """Pilots of entry A that were described."""
    return {pilot.id for pilot in mine.db.finished("A", 0)}


@pytest.mark.parametrize("stdout", params(hostile_values.STDOUT))
def test_a_hostile_stdout_is_described_beside_the_good_ones(base: Path, stdout: str) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(7, NOW, stdout)
    site.pilot(8, NOW - 1)
    began = time.process_time()
    mine.update(p, NOW + 1)
    assert time.process_time() - began < 3
    assert ids(mine) == {"7.0", "8.0"} and mine.db.pending(9) == []
    good = next(pilot for pilot in mine.db.finished("A", 0) if pilot.id == "8.0")
    assert (good.jobs, good.lifetime) == (1, 14)
    bad = next(pilot for pilot in mine.db.finished("A", 0) if pilot.id == "7.0")
    assert max(bad.lifetime, bad.condor, bad.validation, bad.jobs, bad.job_seconds) < 10**9
    assert not CONTROL.search(bad.cause)


@pytest.mark.parametrize("text", params({**hostile_values.STDOUT, **hostile_values.STDERR}))
def test_every_reader_of_outputs_is_linear_and_bounded(text: str) -> None:
    began = time.process_time()
    facts(text)
    xml_result(text)
    found = sections(text)
    assert time.process_time() - began < 5
    assert sum(map(len, found.values())) <= pilot_log.MOST and len(found) <= pilot_log.MAX_SECTIONS


def test_what_nobody_foresaw_costs_that_pilot_only(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, p, mine = Site(base), policy(base), learner(base)

    def broken(text: str) -> pilot_log.PilotFacts:
        if "odd" in text:
            raise RuntimeError("nobody foresaw this\x1b[2J")
        return facts(text)

    monkeypatch.setattr(follow, "facts", broken)
    site.pilot(7, NOW, "odd")
    site.pilot(8, NOW - 1)
    mine.update(p, NOW + 1)
    bad = next(pilot for pilot in mine.db.finished("A", 0) if pilot.id == "7.0")
    assert bad.cause.startswith("output cannot be read") and not bad.output
    assert ids(mine) == {"7.0", "8.0"}
    [refusal] = mine.refusals(NOW + 1)
    assert (refusal.reason, Path(refusal.where).name) == (Reason.UNREADABLE, "job.7.0.out")
    assert "nobody foresaw" in refusal.text and refusal.text.isprintable()
    again = learner(base)
    again.update(p, NOW + 2)
    assert again.refusals(NOW + 2) == (), "it is not read again after a restart"
    assert mine.refusals(NOW + 2 + SHOW) == ()


def test_an_output_that_may_not_be_read_is_not_awaited_for_ever(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(7, NOW, None)
    (site.dir / "job.7.0.out").mkdir()
    site.pilot(8, NOW - 1)
    mine.update(p, NOW + 1)
    assert ids(mine) == {"8.0"}
    mine.update(p, NOW + OUTPUT_WAIT + 1)
    assert ids(mine) == {"7.0", "8.0"} and len(mine.refusals(NOW + OUTPUT_WAIT + 1)) == 1


@pytest.mark.parametrize("data", params(hostile_values.EVENTS))
def test_a_hostile_event_costs_itself(base: Path, data: bytes) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(1, NOW - 5)
    with site.log.open("ab") as log:
        log.write(data)
    site.pilot(2, NOW - 3)
    other = Site(base, client="other.main")
    other.pilot(3, NOW - 2)
    mine.update(p, NOW + OUTPUT_WAIT + 10)
    assert ids(mine) >= {"1.0", "2.0", "3.0"}
    assert all(pilot.ended <= NOW + 86400 for pilot in mine.db.finished("A", 0))
    assert mine.db.pending(9) == []


def test_events_with_impossible_dates_are_counted(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(1, NOW - 5)
    with site.log.open("ab") as log:
        log.write(hostile_values.EVENTS["month-13"] * 3)
    mine.update(p, NOW)
    [refusal] = mine.refusals(NOW)
    assert refusal.text == "3 events have an impossible date" and refusal.where == str(site.log)


def test_a_log_that_breaks_the_reader_is_passed_over(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    other = Site(base, client="other.main")
    site.pilot(1, NOW - 5)
    other.pilot(2, NOW - 4)
    fold = PilotFollower._fold

    def broken(self: PilotFollower, number: int, path: Path, *rest: object) -> None:
        if path == site.log:
            raise KeyError("odd")
        fold(self, number, path, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(PilotFollower, "_fold", broken)
        mine.update(p, NOW)
    assert ids(mine) == {"2.0"} and len(mine.refusals(NOW)) == 1
    site.pilot(3, NOW - 1)
    again = learner(base)
    again.update(p, NOW + 1)
    assert ids(again) == {"2.0", "3.0"} and again.refusals(NOW + 1) == ()


def test_a_log_whose_name_is_not_utf8_is_named(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(1, NOW - 5)
    os.rename(site.log, os.fsencode(site.log) + b"\xe9.log")
    site.pilot(2, NOW - 5)
    mine.update(p, NOW)
    assert ids(mine) == {"2.0"}
    assert [refusal.text for refusal in mine.refusals(NOW)] == ["its name is not UTF-8"]


def test_an_entry_whose_log_cannot_be_written_stops_no_other(base: Path) -> None:
    site, other, p, mine = Site(base), Site(base, name="B"), policy(base), learner(base)
    (base / "log").mkdir(exist_ok=True)
    (base / "log/entry_A").write_text("in the way")
    site.pilot(1, NOW - 5)
    other.pilot(2, NOW - 4)
    mine.update(p, NOW)
    assert [pilot.id for pilot in mine.db.finished("B", 0)] == ["2.0"] and ids(mine) == set()
    (base / "log/entry_A").unlink()
    mine.update(p, NOW + 1)
    assert ids(mine) == {"1.0"}
    assert len(next((base / "log/entry_A").iterdir()).read_text().splitlines()) == 1


def test_broken_statistics_do_not_stop_the_factory(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, p = learner(base), policy(base)
    monkeypatch.setattr(mine, "_judge", lambda *_: 1 / 0)
    assert mine.update(p, NOW) == ()
    assert "ZeroDivisionError" in mine.refusals(NOW)[0].text


def test_an_event_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glideinwms.factory.pilot_history.event_log.MAX_EVENT_BYTES", 4 * CHUNK)
    path = tmp_path / "a.log"
    path.write_bytes(
        b"x" * (20 * CHUNK) + b"\n...\n005 (007.000.000) 2026-11-30 10:00:00 end\n...\n"
    )
    position, now = LogPosition(path), time.mktime((2026, 11, 30, 12, 0, 0, 0, 0, -1))
    events = [event for part in read_new(position, EventClock(now), 1 << 30) for event in part]
    assert [event[:3] for event in events] == [(5, 7, 0)] and position.offset == path.stat().st_size


def test_dates_are_read_in_time_whatever_they_are() -> None:
    data = b"\n...\n".join(
        b"005 (7.0.0) 20%02d-%02d-40 10:00:00Z x" % (n % 100, n % 100) for n in range(20_000)
    )
    began = time.process_time()
    parse(data + b"\n...\n", EventClock(time.time()))
    assert time.process_time() - began < 3


def test_a_good_output_is_still_read_whole() -> None:
    assert facts(GOOD).jobs == 1
