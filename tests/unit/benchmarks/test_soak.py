"""The arithmetic of the long run; the run itself is `scripts/bench soak`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.soak import Sample, measure_processes, slope_per_hour, slopes, tree_size, unit_of


def test_slope_is_per_hour():
    assert slope_per_hour([(0, 10), (30, 11), (60, 12)]) == pytest.approx(2)


@pytest.mark.parametrize("points", [[], [(1, 5)], [(1, 5), (1, 6)]])
def test_too_few_points_have_no_slope(points):
    assert slope_per_hour(points) == 0


def test_slopes_leave_out_the_first_quarter():
    samples = [Sample(m, {"factory_rss_mb": 100.0 if m < 10 else 200.0}) for m in range(0, 41, 5)]
    assert list(slopes(samples)) == [
        {
            "name": "factory_rss_mb_per_hour",
            "value": 0.0,
            "unit": "MB/h",
            "first": 100.0,
            "settled": 200.0,
            "last": 200.0,
            "samples": 7,
        }
    ]


def test_slopes_of_nothing_are_none():
    assert list(slopes([])) == []


def test_measures_its_own_process():
    values = measure_processes("me", [os.getpid()])
    assert values["me_processes"] == 1
    assert 1 < values["me_pss_mb"] <= values["me_rss_mb"]
    assert values["me_open_files"] > 2


def test_a_process_that_has_ended_counts_nothing():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert set(measure_processes("gone", [done.pid]).values()) == {0.0}


def test_size_of_a_tree(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below/a").write_bytes(b"x" * 10)
    (tmp_path / "b").write_bytes(b"x" * 5)
    assert tree_size(tmp_path) == (15, 2)


@pytest.mark.parametrize(
    "name, unit",
    [
        ("factory_readers_rss_mb", "MB"),
        ("factory_state_files", "files"),
        ("frontend_failed_cycles", "cycles"),
    ],
)
def test_units(name, unit):
    assert unit_of(name) == unit
