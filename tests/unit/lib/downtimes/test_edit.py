"""Changes to downtimes files, as both daemons' commands make them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glideinwms.factory.housekeeping import downtimes as factory
from glideinwms.frontend.state import downtimes as frontend
from glideinwms.lib.daemon import audit
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.lib.files import locked

NOW = 1_750_000_000.0
HOUR = 3600.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "downtimes"


def lines(file: Path) -> list[Downtime]:
    found, wrong = downtime_file.load(file)
    assert not wrong
    return found


def test_the_factory_ends_lines_of_exactly_one_scope(file: Path) -> None:
    a = factory.add(file, NOW, None, "A", "All", "All", "broken\n disk")
    factory.add(file, NOW, None, "A", "fe", "All", "")
    factory.add(file, NOW + HOUR, None, "A", "All", "All", "later")
    assert a.comment == "broken disk" and len(lines(file)) == 3
    ended = factory.finish(file, NOW + 60, "A", "All", "All")
    assert [(d.frontend, d.start, d.end) for d in ended] == [("All", NOW, NOW + 60)]
    assert [d.end for d in lines(file)] == [NOW + 60, None, None]
    assert factory.finish(file, NOW + 90, "B", "All", "All") == []
    assert factory.vacuum(file, NOW + 61) == ended and len(lines(file)) == 2


def test_the_frontend_ends_all_that_are_on(file: Path) -> None:
    work = file.parent
    frontend.begin(work, file, NOW, None, "a")
    frontend.begin(work, file, NOW, NOW + HOUR, "b")
    frontend.begin(work, file, NOW + HOUR, None, "c")
    assert "factory" not in file.read_text(), "two columns, as the deployed program reads"
    assert [d.end for d in frontend.finish(work, file, NOW + 60)] == [NOW + 60, NOW + 60]
    assert [d.end for d in lines(file)] == [NOW + 60, NOW + 60, None]
    trail = list(audit.read(work / "state/audit.jsonl", act="downtime"))
    assert [(t["what"], t["comment"]) for t in trail] == [
        ("begin", "a"),
        ("begin", "b"),
        ("begin", "c"),
        ("end", "a"),
        ("end", "b"),
    ]


def test_the_factory_trail_names_the_scope(file: Path) -> None:
    line = factory.add(file, NOW, None, "A", "fe", "c", "")
    factory.audit(file.parent, "add", line)
    factory.audit(file.parent / "elsewhere", "add", line)
    [told] = audit.read(file.parent / "state/audit.jsonl")
    assert (told["entry"], told["frontend"], told["security_class"], told["what"]) == (
        "A",
        "fe",
        "c",
        "add",
    )


def test_what_cannot_be_done_leaves_the_file(file: Path) -> None:
    factory.add(file, NOW, None, "A", "All", "All", "")
    before = file.read_text()
    with pytest.raises(ConfigError, match="ends after it starts"):
        factory.add(file, NOW, NOW, "A", "All", "All", "")
    with (
        locked(file.with_name(".downtimes.lock"), "downtime"),
        pytest.raises(StateError, match="is held by downtime"),
    ):
        factory.vacuum(file, NOW)
    assert file.read_text() == before
    file.write_text(before + "nonsense\n")
    with pytest.raises(StateError, match="mend them first") as caught:
        factory.finish(file, NOW, "A", "All", "All")
    assert caught.value.where.endswith("downtimes:3") and file.read_text() == before + "nonsense\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works in directories of others")
def test_what_root_writes_is_the_daemons(file: Path) -> None:
    """A trail or a lock of root's would keep the daemon and its operators from all that comes
    after.
    """
    work = file.parent
    for place in (work, work / "state"):
        os.chown(place, 65534, 65534)
    frontend.begin(work, file, NOW, None, "by root")
    made = {p.name: (p.stat().st_uid, p.stat().st_gid) for p in work.rglob("*") if p.is_file()}
    assert made == dict.fromkeys(("downtimes", ".downtimes.lock", "audit.jsonl"), (65534, 65534))
