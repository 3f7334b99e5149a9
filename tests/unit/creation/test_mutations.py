"""Random mistakes of every kind are named at their place; few pass without a word."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.creation.mutations import MAKERS, judged, mistakes

NUMBER = 260
# at most one in twenty
SILENT = NUMBER // 20


@pytest.mark.parametrize("seed", [20261130])
def test_few_mistakes_pass_silently_and_none_is_vague(seed: int) -> None:
    found = judged(seed, NUMBER)
    verdicts = Counter(v.verdict for v in found)
    assert len(found) == NUMBER
    assert verdicts["vague"] == 0
    silent = [
        f"{v.side}: {v.mistake.kind}: {v.mistake.what}" for v in found if v.verdict == "silent"
    ]
    assert len(silent) <= SILENT, silent
    elsewhere = [f"{v.side}: {v.mistake.what}: {v.said}" for v in found if v.verdict == "elsewhere"]
    assert len(elsewhere) <= SILENT, elsewhere


def test_every_kind_of_mistake_is_tried() -> None:
    kinds = {mistake.kind for _, mistake in mistakes(1, 10 * len(MAKERS))}
    assert len(kinds) >= len(MAKERS)
