"""Characters that look like others, or like nothing, are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.creation.checks import characters
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from tests.support.configs import place

ZERO_WIDTH = "it contains U+200B, ZERO WIDTH SPACE"


def test_the_first_character_outside_ascii_is_named() -> None:
    assert characters.hint("Al\u200bpha\u0410") == ZERO_WIDTH
    assert characters.hint("Alpha 1") == ""


@pytest.mark.parametrize(
    ("side", "before", "after"),
    [
        ("factory", 'entry name="Alpha"', 'entry name="Al\u200bpha"'),
        ("factory", 'factory_name="min_factory"', 'factory_name="min\u200bfactory"'),
        ("factory", 'username="vo"', 'username="v\u200bo"'),
        ("factory", "GLIDEIN_Max_Walltime", "GLIDEIN_Max\u200bWalltime"),
        ("frontend", 'group name="main"', 'group name="ma\u200bin"'),
        ("frontend", 'frontend_name="', 'frontend_name="\u200b'),
    ],
)
def test_a_name_with_an_invisible_character(
    side: str, before: str, after: str, tmp_path: Path
) -> None:
    path = place(tmp_path, f"{side}.minimal.xml", (before, after))
    with pytest.raises(InvalidConfig) as refused:
        build(path, side, Problems())
    assert ZERO_WIDTH in {problem.hint for problem in refused.value.problems}
