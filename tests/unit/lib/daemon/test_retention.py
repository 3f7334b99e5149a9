"""What is kept of logs, and what goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.creation.xml.common_model import ProcessLog, process_retention
from glideinwms.lib.daemon.policy_file import Retention
from glideinwms.lib.daemon.retention import DAY, RetainedFile, expired, own_kind, sweep


@given(
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 10**6)), max_size=20),
    st.floats(0, 10),
    st.floats(0, 10),
    st.floats(0, 3),
)
def test_what_stays_is_young_or_small(
    rows: list[tuple[float, int]], days: float, more: float, mbytes: float
) -> None:
    keep = Retention(days + more, days, mbytes)
    files = [RetainedFile(Path(str(i)), age * DAY, size) for i, (age, size) in enumerate(rows)]
    gone = expired(files, keep)
    left = [f for f in files if f not in gone]
    assert all(f.age <= keep.max_days * DAY for f in left)
    assert all(f.age > keep.min_days * DAY for f in gone)
    assert sum(f.size for f in left) <= mbytes * 1e6 or all(
        f.age <= keep.min_days * DAY for f in left
    )


@pytest.mark.parametrize(
    ("logs", "wanted"),
    [
        ((), Retention(7, 3, 100)),
        (
            (ProcessLog(max_days=2), ProcessLog(max_days=9, min_days=1, max_mbytes=5)),
            Retention(9, 1, 5),
        ),
        ((ProcessLog(max_days=2), ProcessLog(max_days=0, max_mbytes=0)), Retention(1e9, 3, 1e9)),
    ],
    ids=["the default", "the longest", "0 is never"],
)
def test_of_several_deployed_logs_the_one_kept_longest_counts(
    logs: tuple[ProcessLog, ...], wanted: Retention
) -> None:
    assert process_retention(logs) == wanted


def test_what_somebody_else_removes_meanwhile_stops_nothing(tmp_path: Path) -> None:
    for name in ("old.log.2020-01-01", "gone.log.2020-01-01", "new.log.2020-01-01"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link.log.2020-01-01").symlink_to(tmp_path / "new.log.2020-01-01")
    os.utime(tmp_path / "old.log.2020-01-01", (0, 0))

    def kind_of(path: Path) -> str:
        if path.name.startswith("gone"):
            path.unlink()
        return own_kind(path)

    assert sweep(tmp_path, {"process": Retention(1, 0, 1)}, time.time(), kind_of=kind_of) == [
        tmp_path / "old.log.2020-01-01"
    ]
    assert sorted(p.name.split(".")[0] for p in tmp_path.iterdir()) == ["link", "new"]
