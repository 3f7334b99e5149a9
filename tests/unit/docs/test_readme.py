"""Tests that the output of the demo that README.md shows is what the demo prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glideinwms.demo import display
from glideinwms.demo.jobs import CLASSES, Job
from glideinwms.demo.progress import PHASES, EntryLook, Look

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
SHOWN = README.partition("<!-- demo-output -->\n```\n")[2].partition(
    "\n```\n<!-- /demo-output -->"
)[0]
LINES = [line for line in SHOWN.splitlines() if "  |  " in line]
ENTRY = re.compile(r"(\w+) asked (\d+)/(\d+), pilots (\d+) waiting, (\d+) at the CE, (\d+) running")


def look_of(line: str) -> Look:
    """The moment that a line shows."""
    seconds, slots = re.search(r"^ *(\d+) s .*\|  (\d+) slots$", line).groups()  # type: ignore[union-attr]
    states = re.findall(r"(\d+) (idle|running|done)", line.partition("  |  ")[0])
    jobs = [
        Job(id=f"1.{number}", kind="any site", submitted=0.0, state=state)
        for count, state in states
        for number in range(int(count))
    ]
    entries = [
        EntryLook(
            name=name,
            asked=int(asked),
            most=int(most),
            waiting=int(waiting),
            queued=int(queued),
            running=int(running),
        )
        for name, asked, most, waiting, queued, running in ENTRY.findall(line)
    ]
    return Look(now=float(seconds), jobs=tuple(jobs), entries=tuple(entries), slots=int(slots))


def test_some_lines_of_progress_are_shown() -> None:
    assert len(LINES) >= 5


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_progress_is_what_the_demo_prints(line: str) -> None:
    assert display.line(look_of(line), 0.0) == line


def test_the_phases_are_those_of_the_demo() -> None:
    assert re.findall(r"│ ([a-zA-Z ]+?) +│ \d+ s +│$", SHOWN, re.MULTILINE) == list(PHASES)


def test_the_jobs_are_those_of_the_demo() -> None:
    shown = re.findall(r"│ \d+\.\d+ │ ([\w ]+?) +│ (?:done|idle)", SHOWN)
    assert shown == [kind.name for kind in CLASSES for _ in range(kind.count)]
