"""Operators' removal words (protocol 5.1)."""

from __future__ import annotations

import pytest

from glideinwms.frontend.state import command_handlers
from glideinwms.lib.daemon.operator_commands import OperatorCommand
from glideinwms.lib.errors import StateError
from tests.unit.frontend.build_frontend import group, policy

POLICY = policy(group("a"), group("b"), group("off", enabled=False))


def word(verb: str = "remove", **args: str) -> OperatorCommand:
    return OperatorCommand("id", verb, args, "root", 0.0)


def test_all_groups_or_one() -> None:
    text, actions = command_handlers.handle(word(level="wait"), POLICY, {})
    assert actions == {"a": "removeWait", "b": "removeWait"} and "a, b" in text
    _, actions = command_handlers.handle(
        word(level="all", group="b", excess="true"), POLICY, {"a": "removeWait"}
    )
    assert actions == {"a": "removeWait", "b": "removeAllExcess"}
    text, _ = command_handlers.handle(word(level="all"), POLICY, {})
    assert "until each Factory's operator approves" in text


@pytest.mark.parametrize(
    "bad", [word(level="some"), word(), word(level="all", group="off"), word("dance")]
)
def test_what_is_not_understood_is_refused(bad: OperatorCommand) -> None:
    with pytest.raises(StateError):
        command_handlers.handle(bad, POLICY, {})
