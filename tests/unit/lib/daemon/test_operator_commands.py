"""Operators' commands in number. What one of them may hold is in test_kernel_files and in tests/fuzz."""

from __future__ import annotations

from pathlib import Path

from glideinwms.lib.daemon import operator_commands
from glideinwms.lib.daemon.operator_commands import MAX_COMMANDS_PER_CYCLE


def test_a_flood_of_commands_is_taken_over_several_cycles(tmp_path: Path) -> None:
    for number in range(MAX_COMMANDS_PER_CYCLE + 5):
        (tmp_path / f"{number:05d}.json").write_text("{")
    assert len(list(operator_commands.pending(tmp_path))) == 0
    assert len(list(tmp_path.glob("*.answer.json"))) == MAX_COMMANDS_PER_CYCLE
    last = operator_commands.put(tmp_path, "pause", {})
    done = operator_commands.consume(tmp_path, lambda command: "done")
    assert [command.id for command, _ in done] == [last]
    assert len(list(tmp_path.glob("*.json"))) == MAX_COMMANDS_PER_CYCLE + 6
