"""CompletedJobs numbers: bars by jobs per pilot, of the last hour only."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.factory.pilot_history.ad_numbers import NAMES, CompletedJobs, bar, numbers
from glideinwms.factory.pilot_history.pilot import FinishedPilot
from glideinwms.factory.pilot_history.store import PilotStore
from tests.unit.factory.builders import NOW


@pytest.mark.parametrize(
    ("jobs", "name"),
    [
        (0, "None"),
        (1, "1job"),
        (2, "2jobs"),
        (3, "4jobs"),
        (4, "4jobs"),
        (16, "16jobs"),
        (17, "Many"),
    ],
)
def test_bars(jobs: int, name: str) -> None:
    assert bar(jobs) == name


def test_sums_per_entry_and_factory() -> None:
    found = numbers([("A", 0, 3), ("A", 1, 2), ("B", 1, 5), ("B", 40, 1)])
    assert set(found) == {"A", "B"}
    assert set(found["A"]) == {
        f"CompletedJobsPer{who}{n}" for who in ("Entry", "Factory") for n in NAMES
    }
    assert (
        found["A"]["CompletedJobsPerEntry1job"] == 2
        and found["B"]["CompletedJobsPerEntryMany"] == 1
    )
    assert (
        found["A"]["CompletedJobsPerFactory1job"] == found["B"]["CompletedJobsPerFactory1job"] == 7
    )


def test_only_the_last_hour_counts(tmp_path: Path) -> None:
    db = PilotStore(tmp_path / "learned.db")
    log = db.add_log("/log")
    pilots = [
        FinishedPilot("A", "c", "u", f"{i}.0", NOW - 9000, NOW - 8000, NOW - age, jobs=1)
        for i, age in enumerate((10, 20, 7200))
    ]
    db.ended(log, pilots, pending=False)
    seen = CompletedJobs(db.db)
    assert seen.current(NOW)["A"]["CompletedJobsPerEntry1job"] == 2
    assert seen.current(NOW + 4000) == {}
