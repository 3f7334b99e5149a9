"""Mistakes picked by hand are named at their line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.configs import DATA
from tests.unit.creation.mutations import SIDES, Judge, Verdict, made
from tests.unit.creation.picked_mistakes import PICKED


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    judge = Judge(Path(tmp_path_factory.mktemp("picked")))
    texts = {side: (DATA / f"{side}.real.xml").read_text() for side in SIDES}
    judged = []
    for picked in PICKED:
        text = texts[picked.side]
        start = text.index(picked.before)
        mistake = made(text, start, start + len(picked.before), picked.after, "picked")
        assert mistake is not None, picked
        judged.append(judge.of(picked.side, mistake))
    return judged


def test_at_most_one_in_twenty_is_silent(verdicts: list[Verdict]) -> None:
    silent = [verdict.mistake.what for verdict in verdicts if verdict.verdict == "silent"]
    assert len(silent) * 20 <= len(verdicts), silent


def test_none_is_vague(verdicts: list[Verdict]) -> None:
    assert Counter(verdict.verdict for verdict in verdicts)["vague"] == 0


def test_at_most_one_in_twenty_is_reported_at_another_line(verdicts: list[Verdict]) -> None:
    elsewhere = [
        (verdict.mistake.what, verdict.said)
        for verdict in verdicts
        if verdict.verdict == "elsewhere"
    ]
    assert len(elsewhere) * 20 <= len(verdicts), elsewhere
