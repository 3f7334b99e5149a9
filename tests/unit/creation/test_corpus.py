"""What configuration files are taken, and what is said of those that are not (config 13, 15)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from glideinwms.creation.problems import InvalidConfig, Problems
from glideinwms.creation.reconfig import build
from tests.support.configs import DATA, place


def cases(table: str) -> list[Any]:
    found = []
    for side in ("factory", "frontend"):
        data = tomllib.loads((DATA / f"{table}.{side}.toml").read_text())
        found += [pytest.param(side, case, id=f"{side}-{name}") for name, case in data.items()]
    return found


def changed(directory: Path, side: str, case: dict[str, Any]) -> Path:
    path = place(directory, f"{side}.minimal.xml", tuple(case["change"]))
    if "add" in case:
        old, new = (t.replace("@DIR@", str(directory)) for t in case["add"])
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    return path


def told(found: Any, directory: Path) -> list[str]:
    """Problems as `line: text`, the directory as @DIR@."""
    return [str(p).replace(f"{p.where.file}:", "", 1).replace(str(directory), "@DIR@") for p in found]


def compare(got: list[str], says: list[str]) -> None:
    """Equal; words that end in ... need only begin so (the rest is another part's)."""
    cut = [g[: len(s) - 3] + "..." if s.endswith("...") else g for g, s in zip(got, says, strict=False)]
    assert cut + got[len(cut) :] == says


@pytest.mark.parametrize(("side", "case"), cases("refused"))
def test_what_is_refused(side: str, case: dict[str, Any], tmp_path: Path) -> None:
    path = changed(tmp_path, side, case)
    with pytest.raises(InvalidConfig) as caught:
        build(path, side, Problems())
    compare(told(caught.value.problems, tmp_path), case["says"])


@pytest.mark.parametrize(("side", "case"), cases("noticed"))
def test_what_is_noticed(side: str, case: dict[str, Any], tmp_path: Path) -> None:
    problems = Problems()
    build(changed(tmp_path, side, case), side, problems)
    compare(told(problems.warnings, tmp_path), case["says"])


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_a_good_file_gives_no_word(side: str, size: str, tmp_path: Path) -> None:
    problems = Problems()
    built = build(place(tmp_path, f"{side}.{size}.xml"), side, problems)
    assert [str(p) for p in problems.found] == []
    assert built.trees[0].subdir == ""
