"""Every number by which comments and pages name a source can be looked up in docs/sources.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = [p for top in ("glideinwms", "docs", "tests", "benchmarks") for p in (ROOT / top).rglob("*")
         if p.suffix in (".py", ".md", ".sh", ".source", ".bats", ".toml") and p.name != "options.md"]  # fmt: skip
NUMBER = r"[0-9]+(?:\.[0-9]+)?"
NUMBERS = rf"{NUMBER}(?:(?:, | and |-){NUMBER})*"


def listed(heading: str) -> set[str]:
    """The numbers in a table."""
    table = (ROOT / "docs/sources.md").read_text().partition(heading)[2].partition("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    if heading == DECISIONS:
        return {row[1].strip() for row in rows}
    return {n for row in rows for n in re.findall(NUMBER, f"{row[1]} {row[2]}")}


DECISIONS = "| | in one line |"


@pytest.mark.parametrize(
    ("word", "heading"),
    [
        (r"\bdecisions? ", DECISIONS),
        (r"\bprotocol ", "| protocol | |"),
        (r"\bconfig ", "| config | |"),
        (r"\bpilot\.md ", "| pilot.md | |"),
    ],
)
def test_what_is_named_is_listed(word: str, heading: str) -> None:
    known, unknown, seen = listed(heading), [], 0
    for path in FILES:
        for found in re.finditer(rf"{word}({NUMBERS})(?![\w(])", path.read_text()):
            numbers = re.findall(NUMBER, found[1])
            seen += len(numbers)
            unknown += [f"{path.relative_to(ROOT)}: {found[0]}" for n in numbers if n not in known]
    assert seen > 30 and not unknown, "\n".join(unknown)
