"""Operators' words to a running Frontend (decision 37): removals for one cycle (protocol 5.1)."""

from __future__ import annotations

from collections.abc import Mapping

from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.daemon.operator_commands import OperatorCommand, unhandled
from glideinwms.lib.errors import StateError

LEVELS = {"wait": "removeWait", "idle": "removeIdle", "all": "removeAll"}
ALL_GROUPS = "all"


def handle(
    word: OperatorCommand, policy: FrontendPolicy, actions: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The answer, and the removal actions by group that the next cycle takes. A StateError refuses
    the word.
    """
    if word.verb != "remove":
        unhandled(word)
    level = word.args.get("level", "")
    if level not in LEVELS:
        raise StateError(f"{level!r} is no removal level", hint=f"use one of {', '.join(LEVELS)}")
    known = [g.name for g in policy.groups if g.enabled]
    group = word.args.get("group", ALL_GROUPS)
    if group != ALL_GROUPS and group not in known:
        raise StateError(
            f"there is no enabled group {group!r}", hint=f"groups are {', '.join(known)}"
        )
    action = LEVELS[level] + ("Excess" if word.args.get("excess") == "true" else "")
    chosen = known if group == ALL_GROUPS else [group]
    text = f"{action} goes out with the next cycle of {', '.join(chosen)}"
    if action.startswith("removeAll"):
        text += "; most running pilots stay until each Factory's operator approves their removal, within 4 h"
    return text, {**actions, **dict.fromkeys(chosen, action)}
