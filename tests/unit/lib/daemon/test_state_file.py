"""A damaged state file is put aside with a message, and the daemon goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from glideinwms.factory.apply.removal_state import RemovalLimitFile
from glideinwms.factory.collect.schedd_memory import QueueRecords
from glideinwms.factory.housekeeping.cleanup import LastUse
from glideinwms.factory.snapshot import RunningRemovals

DAMAGE = {
    "empty": b"",
    "half": b'{"taken": [',
    "another shape": b'["taken"]',
    "zeros": bytes(100),
    "not UTF-8": b'{"caf\xe9": 1}',
    "too deep": b"[" * 100_000,
    "long number": b'{"a": ' + b"9" * 5000 + b"}",
    "NaN": b'{"taken": [{"when": NaN, "entry": "A", "request": "r", "n": 1}], "a": NaN}',
    "infinite": b'{"taken": [{"when": 1e999, "entry": "A", "request": "r", "n": 1}], "a": 1e999, '
    b'"schedds": 1}',
}
READERS: dict[str, tuple[Callable[[Path], object], object]] = {
    "removal limit": (lambda path: RemovalLimitFile(path).rail, RunningRemovals()),
    "last use": (lambda path: LastUse(path).times, {}),
    "queues": (lambda path: QueueRecords(path).saved, {}),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_put_aside(
    tmp_path: Path,
    reader: str,
    damage: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    read, empty = READERS[reader]
    path = tmp_path / "state.json"
    path.write_bytes(DAMAGE[damage])
    assert read(path) == empty
    assert not path.exists()
    assert (tmp_path / "state.json.damaged").read_bytes() == DAMAGE[damage]
    # where it goes depends on whether a test before this one has set up the daemons' log
    captured = capsys.readouterr()
    assert "damaged file put aside" in captured.out + captured.err + caplog.text
    caplog.clear()
    assert read(path) == empty, "no file is no damage"
    assert "damaged" not in capsys.readouterr().out + caplog.text


def test_a_directory_in_its_place_stops_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()
    assert LastUse(path).times == {}
