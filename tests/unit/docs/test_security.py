"""The threat model names, for each attack that is prevented, a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/explanation/security.md").read_text()
NAMES = sorted(set(re.findall(r"`(tests/[\w/.-]+\.(?:py|bats)(?:::\w+)?)`", TEXT)))


@pytest.mark.parametrize("name", NAMES)
def test_a_test_that_is_named_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert (ROOT / file).is_file()
    assert not function or re.search(
        rf"^\s*def {re.escape(function)}\(", (ROOT / file).read_text(), re.MULTILINE
    )


def test_every_attack_has_a_test() -> None:
    rows = [
        line for line in TEXT.splitlines() if line.startswith("|") and not set(line) <= set("|- ")
    ]
    heads = ("| attack |", "| secret |")
    tables = {"attack": False}
    without = []
    for line in rows:
        if line.startswith(heads):
            tables["attack"] = line.startswith("| attack |")
        elif tables["attack"] and not any(f"`{name}`" in line.rsplit("|", 2)[1] for name in NAMES):
            without.append(line)
    assert not without
    assert len(rows) > 30


def test_the_policy_and_the_model_can_be_found() -> None:
    policy = (ROOT / "SECURITY.md").read_text()
    assert "docs/explanation/security.md" in policy
    assert "explanation/security.md" in (ROOT / "docs/README.md").read_text()
