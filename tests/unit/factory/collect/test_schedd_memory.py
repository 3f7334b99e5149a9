"""A job queue that was lost is noticed, and one that emptied as its pilots ended is not."""

from __future__ import annotations

from pathlib import Path

from glideinwms.factory.collect.schedd_memory import QueueRecords, ScheddMemory
from tests.unit.factory.builders import NOW


def sign(memory: ScheddMemory) -> str:
    return memory.record.lost.sign if memory.record.lost else ""


def counted(*readings: tuple[int, int]) -> ScheddMemory:
    """The memory after readings of (pilots in the queue, ends in the event logs)."""
    memory = ScheddMemory()
    for pilots, ended in readings:
        memory.counted(pilots, ended, NOW)
    return memory


def test_a_queue_that_empties_without_ends_in_the_event_logs_is_lost() -> None:
    assert sign(counted((9, 0), (0, 0))) == "", "the logs may be read a cycle later"
    assert "all 9 pilots left" in sign(counted((9, 0), (0, 0), (0, 1)))


def test_a_queue_that_empties_as_its_pilots_end_is_not_lost() -> None:
    assert sign(counted((9, 0), (0, 9), (0, 9))) == ""
    assert sign(counted((9, 0), (0, 0), (0, 9))) == ""
    assert sign(counted((9, 5), (0, 14), (0, 14), (0, 14))) == ""


def test_pilots_that_are_back_in_the_next_reading_were_not_lost() -> None:
    assert sign(counted((9, 0), (0, 0), (9, 0))) == ""


def test_cluster_ids_that_fall_show_a_lost_queue() -> None:
    memory = ScheddMemory()
    memory.submitted(7, NOW)
    assert sign(memory) == ""
    memory.submitted(1, NOW)
    assert sign(memory) == "new pilots got cluster id 1 after 7"


def test_a_queue_that_is_lost_while_no_daemon_runs_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "schedds.json"
    memory = ScheddMemory()
    memory.submitted(7, NOW)
    memory.counted(9, 4, NOW)
    QueueRecords(path).save({"s": memory})
    emptied = QueueRecords(path).restore()["s"]
    emptied.counted(0, 0, NOW)
    emptied.counted(0, 0, NOW)
    assert "all 9 pilots left" in sign(emptied)
    refilled = QueueRecords(path).restore()["s"]
    refilled.submitted(1, NOW)
    assert "cluster id 1 after 7" in sign(refilled)


def test_records_that_cannot_be_read_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "schedds.json"
    for text in ("", "[1]", '{"schedds": {"s": {"pilots": "x"}}}'):
        path.write_text(text)
        assert QueueRecords(path).restore() == {}
