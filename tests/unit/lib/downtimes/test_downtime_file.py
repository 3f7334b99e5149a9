"""Downtime files: the deployed format, both ways, and who is down when (protocol 4.9)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import StateError
from tests.support import golden

T = 1_750_000_000
WORD = st.from_regex(r"[A-Za-z0-9_.:@-]{1,12}", fullmatch=True)
WHEN = st.integers(0, 4_000_000_000)
COMMENT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
LINES = st.builds(
    Downtime, WHEN.map(float), st.one_of(st.none(), WHEN.map(float)), WORD, WORD, WORD, COMMENT
)


@given(st.lists(LINES, max_size=6))
def test_what_is_written_is_read_back(lines: list[Downtime]) -> None:
    found, wrong = downtime_file.parse(downtime_file.render(lines))
    assert not wrong and len(found) == len(lines)
    for read, sent in zip(found, lines, strict=True):
        assert (read.start, read.end, read.entry, read.frontend, read.security_class) == (
            sent.start,
            sent.end,
            sent.entry,
            sent.frontend,
            sent.security_class,
        )
        assert read.comment == " ".join(sent.comment.split()), (
            "a comment never makes a line of its own"
        )


def test_a_deployed_file_is_read(tmp_path: Path) -> None:
    found = [p for p in golden.files() if "downtimes" in p.lower()]
    assert found
    for path in found:
        lines, wrong = downtime_file.parse(golden.text(path), path)
        assert not wrong
        real = [x for x in golden.text(path).splitlines() if x.strip() and not x.startswith("#")]
        assert len(lines) == len(real)
    target = tmp_path / "glideinWMS.downtimes"
    target.write_text(downtime_file.render(lines))
    assert downtime_file.load(target) == (lines, [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2025-06-15T15:06:40+00:00 2025-06-15T16:06:40+00:00", Downtime(T, T + 3600)),
        ("2025-06-15T17:06:40+02:00 None", Downtime(T, None)),
        ("2025-06-15T08:06:40-07:00  None  All", Downtime(T, None, "All")),
        (
            "2025-06-15T15:06:40+00:00 None E.1 fe:x # on # purpose",
            Downtime(T, None, "E.1", "fe:x", "All", "on # purpose"),
        ),
        ("2025-06-15T15:06:40+00:00 None E.1 fe c #", Downtime(T, None, "E.1", "fe", "c")),
    ],
)
def test_lines(line: str, expected: Downtime) -> None:
    assert downtime_file.parse(line) == ([expected], [])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("now", "needs a start and an end"),
        ("now None", "bad time 'now'"),
        ("2025-06-15T15:06:40+00:00 later", "bad time 'later'"),
        ("2025-13-45T00:00:00+00:00 None", "bad time"),
        ("  # indented", "needs a start"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(line: str, words: str) -> None:
    text = f"# head\n\n{line}\n2025-06-15T15:06:40+00:00 None\n"
    found, wrong = downtime_file.parse(text, "file")
    assert found == [Downtime(T, None)]
    assert [e.where for e in wrong] == ["file:3"] and words in str(wrong[0])


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert downtime_file.load(tmp_path / "none") == ([], [])
    (tmp_path / "directory").mkdir()
    with pytest.raises(StateError, match="cannot be read"):
        downtime_file.load(tmp_path / "directory")


def test_a_bad_byte_in_a_comment_hides_no_downtime(tmp_path: Path) -> None:
    path = tmp_path / "downtimes"
    path.write_bytes(b"2026-01-01T00:00:00+00:00 None All All All # caf\xe9\n")
    found, wrong = downtime_file.load(path)
    assert [line.comment for line in found] == ["caf\ufffd"] and wrong == []


def test_bad_bytes_that_may_have_been_a_downtime_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "downtimes").write_bytes(b"# good\n\xff\xfe\n")
    with pytest.raises(StateError, match="downtimes:2: cannot be read"):
        downtime_file.load(tmp_path / "downtimes")


@given(LINES, st.floats(0, 4e9))
def test_a_line_holds_from_its_start_to_its_end(line: Downtime, now: float) -> None:
    assert line.active(line.start) is (line.end is None or line.end >= line.start)
    assert not line.active(line.start - 1)
    if line.end is None:
        assert line.active(max(now, line.start))
    else:
        assert not line.active(line.end + 1)
        assume(line.start <= line.end)
        assert line.active(line.end)


@pytest.mark.parametrize(
    ("entry", "frontend", "cls", "factory", "entry_e", "other", "fe_c", "fe_d", "fx_c"),
    [
        ("factory", "All", "All", True, False, False, True, True, True),
        ("All", "All", "All", False, True, True, True, True, True),
        ("E", "All", "All", False, True, False, True, True, True),
        ("X", "All", "All", False, False, True, False, False, False),
        ("E", "fe", "All", False, False, False, True, True, False),
        ("E", "fe", "c", False, False, False, True, False, False),
        ("All", "All", "c", False, False, False, True, False, True),
        ("factory", "fe", "c", False, False, False, True, False, False),
    ],
)
def test_who_is_down(
    entry: str,
    frontend: str,
    cls: str,
    factory: bool,
    entry_e: bool,
    other: bool,
    fe_c: bool,
    fe_d: bool,
    fx_c: bool,
) -> None:
    lines = [Downtime(T, T + 10, entry, frontend, cls, "why")]
    assert (downtime_file.factory_down(lines, T) is not None) is factory
    assert (downtime_file.entry_down(lines, T, "E") is not None) is entry_e
    assert (downtime_file.entry_down(lines, T, "X") is not None) is other
    assert (downtime_file.class_down(lines, T, "E", "fe", "c") is not None) is fe_c
    assert (downtime_file.class_down(lines, T, "E", "fe", "d") is not None) is fe_d
    assert (downtime_file.class_down(lines, T, "E", "fx", "c") is not None) is fx_c
    assert downtime_file.frontend_down(lines, T + 5) == lines[0]
    later = (
        downtime_file.factory_down(lines, T + 11),
        downtime_file.entry_down(lines, T + 11, "E"),
        downtime_file.frontend_down(lines, T + 11),
    )
    assert (
        later == (None, None, None)
        and downtime_file.class_down(lines, T - 1, "E", "fe", "c") is None
    )


@given(st.integers(0, 4_000_000_000))
def test_times_are_written_with_their_zone(when: int) -> None:
    text = downtime_file.iso(when)
    assert text.endswith("+00:00") and len(text) == 25
    assert downtime_file.parse(f"{text} None")[0][0].start == when


@pytest.mark.parametrize("zone", ["America/Chicago", "UTC", "Asia/Tokyo"])
def test_times_at_the_ends_of_the_calendar_stop_no_daemon(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What operators write for ever."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        ends = ("9999-12-31T23:59:59", "9999-12-31T23:59:59-06:00", "9999-12-31")
        text = "".join(
            f"0001-01-01T00:00:00{'+12:00' * (n % 2)} {end}\n" for n, end in enumerate(ends)
        )
        lines, wrong = downtime_file.parse(text)
        assert not wrong and len(lines) == 3 and all(d.active(T) for d in lines)
        assert downtime_file.parse(downtime_file.render(lines)) == (lines, [])
        for far in ("+99999999d", "9" * 30, "9999-12-31T23:59:59"):
            assert downtime_file.iso(downtime_file.when(far, T)).startswith("9999")
    finally:
        monkeypatch.undo()
        time.tzset()
