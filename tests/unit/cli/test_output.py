"""How verbs print."""

from __future__ import annotations

import pytest

from glideinwms.cli import output
from glideinwms.lib.daemon.status import SCHEMA, Status


def test_a_table_has_one_line_for_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["WHY", "N"], [["no\nspace\x9b1m", 1], ["Größe", 12]])
    assert (
        capsys.readouterr().out
        == "WHY               N\nno\\nspace\\x9b1m   1\nGröße            12\n"
    )


@pytest.mark.parametrize(
    ("took", "more"),
    [
        ({}, ""),
        (
            {"words": 0.0, "collect": 9.24, "decide": 0.049, "apply": 2.0},
            "; collect 9.2 s, apply 2.0 s",
        ),
    ],
)
def test_a_cycle_says_what_took_how_long(took: dict[str, float], more: str) -> None:
    found = Status(SCHEMA, "frontend", 1, "g1", 7, 0.0, 90.0, 100.0, 0.25, 60.0, took=took)
    assert output.cycle(found, 142.0) == f"cycle 7 ended 42s ago, 0.25 s of CPU{more}"
