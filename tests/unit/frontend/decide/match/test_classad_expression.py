"""ClassAd match expressions run in the daemon, so what they may call is a list (decision 21)."""

from __future__ import annotations

import random

import pytest

from glideinwms.frontend.decide import decide
from glideinwms.frontend.decide.match.matcher import match_rules
from glideinwms.frontend.policy import Expression
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.lib.errors import ConfigError
from tests.unit.frontend.build_frontend import group, policy

WHERE = "frontend.xml:7"


def rules(text: str) -> tuple[Expression, ...]:
    return (Expression(text, WHERE, "classad"),)


@pytest.mark.parametrize(
    "text",
    [
        'regexp("^(a+)+$", MY.X)',
        'REGEXP("a", MY.X)',
        'regexp ("a", MY.X)',
        'MY.X == 1 || ifThenElse(true, stringListRegexpMember("a", MY.X), false)',
        'regexps("a", MY.X, "b") == "c"',
        'regexpMember("a", {MY.X})',
        'replace("(a+)+", MY.X, "b") == "c"',
        'replaceAll("(a+)+", MY.X, "b") == "c"',
        "eval(MY.X)",
        "time() > 0",
        "random() < 0.5",
        'userHome("root") == "/root"',
        "[a = eval(MY.X)].a",
        "evalInEachContext(eval(X), {MY})",
    ],
)
def test_functions_of_unbounded_cost_or_hidden_inputs_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not allowed in a ClassAd match expression") as caught:
        match_rules(group(match=rules(text)))
    assert caught.value.where == WHERE
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('MY.X == "a" && member(TARGET.S, {"p", "q"})', True),
        ('size(MY.X) == 1 && (MY.X is "a") && isUndefined(MY.None)', True),
        ("MY.X isnt (TARGET.S)", True),
        ('strcat("regexp(", MY.X) == "regexp(a"', True),
        ("'regexp' is undefined", True),
        ('toUpper(MY.X) == "B"', False),
    ],
)
def test_what_is_bounded_is_evaluated(text: str, fits: bool) -> None:
    jobs = JobTable("s", ("X",), (JobClassRow(("a",), 5),))
    given = GroupInput("main", (jobs,), (EntryState("E", "p", {"S": "p"}),))
    own = policy(group(match=rules(text)))
    [plan] = decide(FrontendSnapshot(0.0, (given,)), own, 0.0, random.Random(1)).groups
    assert plan.problems == ()
    assert plan.entries[0].jobs["Idle"].count == (5 if fits else 0)
