"""Tests that each hop of docs/explanation/architecture.md names a module, function and type that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "glideinwms"
TEXT = (ROOT / "docs/explanation/architecture.md").read_text()
JOURNEYS = TEXT.split("\n## ")[1:3]
ROW = re.compile(r"^\| [^|`]+ \| `([\w/.]+)` \| `(\w+)` \| `(\w+)` \|$", re.MULTILINE)
HOPS = [hop for journey in JOURNEYS for hop in ROW.findall(journey)]
MAX_HOPS = 15


@pytest.fixture(scope="module")
def classes() -> set[str]:
    sources = [path.read_text() for path in PACKAGE.rglob("*.py")]
    return {name for text in sources for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("journey", JOURNEYS, ids=[text.splitlines()[0] for text in JOURNEYS])
def test_a_journey_is_short(journey: str) -> None:
    assert 10 <= len(ROW.findall(journey)) == journey.count("\n| ") - 1 <= MAX_HOPS


@pytest.mark.parametrize(("module", "function", "kind"), HOPS)
def test_a_hop_exists(module: str, function: str, kind: str, classes: set[str]) -> None:
    text = (PACKAGE / module).read_text()
    assert re.search(rf"^ *def {function}\(", text, re.MULTILINE), f"no {function} in {module}"
    assert kind in classes, f"no class {kind}"
    assert re.search(rf"\b{kind}\b", text) or module == "lib/daemon/policy_file.py", module
