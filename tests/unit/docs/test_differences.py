"""The register of differences names, for each row, a test that exists (decision: docs/differences.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COLUMNS = 6


def rows() -> list[tuple[str, list[str]]]:
    """(file:line, cells) of every table row of the register, heads and rulers left out."""
    found = []
    for path in [ROOT / "docs/differences.md", *sorted((ROOT / "docs/differences.d").glob("*.md"))]:
        if not path.exists():
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            if cells and cells[0].lower() != "what" and not set("".join(cells)) <= set("-: "):
                found.append((f"{path.name}:{number}", cells))
    return found


@pytest.mark.parametrize(("where", "cells"), rows(), ids=[w for w, _ in rows()])
def test_every_row_names_a_test_that_exists(where: str, cells: list[str]) -> None:
    assert len(cells) == COLUMNS, (
        f"{where}: {len(cells)} columns, expected what|upstream|ours|why|where|test"
    )
    names = re.findall(r"[\w/.-]+\.(?:py|bats)(?:::\w+)?", cells[-1])
    assert names, f"{where}: names no test"
    for name in names:
        file, _, function = name.partition("::")
        path = ROOT / file if (ROOT / file).exists() else ROOT / "tests" / file
        assert path.exists(), f"{where}: {file} does not exist"
        assert not function or re.search(rf"\b{re.escape(function)}\b", path.read_text()), (
            f"{where}: no {name}"
        )


def test_no_row_stands_twice() -> None:
    names = [cells[0].lower() for _, cells in rows()]
    assert not {n for n in names if names.count(n) > 1}
