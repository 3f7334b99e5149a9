"""Match expressions that can never be true are seen, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.creation.checks.unsatisfiable import never
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import Problems
from glideinwms.frontend.decide.match.expression import conjuncts
from tests.support.configs import place

SITE = 'glidein["attrs"].get("GLIDEIN_Site")'


@pytest.mark.parametrize(
    ("expressions", "why"),
    [
        (["False"], "False is never true"),
        (["1 == 2"], "1 == 2 is never true"),
        (['"x" in []'], "'x' in [] is never true"),
        (['True and (0 or "" or None)'], "0 or '' or None is never true"),
        (['job.get("A") in ()'], "job.get('A') in () is never true"),
        (['int("x") == 1'], "int('x') == 1 is never true"),
        (['job["A"] == 1 and job["A"] == 2'], "job['A'] == 1 and job['A'] == 2 exclude each other"),
        (
            ['job["A"] == "x"', '"x" != job["A"]'],
            "job['A'] == 'x' and 'x' != job['A'] exclude each other",
        ),
        (
            ['job["A"] in ("x",)', 'job["A"] == "z"'],
            "job['A'] in ('x',) and job['A'] == 'z' exclude each other",
        ),
        (
            ['int(job["A"]) > 8', '4 >= int(job["A"])'],
            "int(job['A']) > 8 and 4 >= int(job['A']) exclude each other",
        ),
        (
            ['job["A"] == "x"', 'job["A"] > 3'],
            "job['A'] == 'x' and job['A'] > 3 exclude each other",
        ),
        (['9 < job["A"] < 9'], "9 < job['A'] < 9 and 9 < job['A'] < 9 exclude each other"),
    ],
)
def test_what_is_never_true(expressions: list[str], why: str) -> None:
    assert list(never(expressions)) == [why]


@pytest.mark.parametrize(
    "text",
    [
        "True",
        "1",
        'job.get("A", 1) == 1',
        f'{SITE} == "T2" and job["A"] == "T3"',
        'job["A"] in ("x",)',
        'job["A"] == 1 or job["A"] == 2',
        '3 <= job["A"] <= 3',
        'job["A"] > 1 and job["A"] < 2',
        "[x for x in [1]] == [1]",
        'getGlideinCpusNum(glidein) >= int(job.get("RequestCpus", 1))',
        'job["A"] > "a" and job["A"] < 3',
    ],
)
def test_what_may_be_true(text: str) -> None:
    assert list(never([text])) == []


literals = st.one_of(
    st.integers(-3, 3), st.sampled_from(["a", "b", ""]), st.booleans(), st.sampled_from([0.5, 1.5])
)
comparisons = st.one_of(
    st.builds(
        'job["A"] {} {!r}'.format, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), literals
    ),
    st.builds(
        'job["A"] {} {!r}'.format, st.sampled_from(["in", "not in"]), st.lists(literals, max_size=3)
    ),
    st.builds("{!r} {} {!r}".format, literals, st.sampled_from(["==", "!="]), literals),
)


@given(st.lists(comparisons, min_size=1, max_size=4), literals)
def test_what_some_value_fulfils_is_not_taken_for_never(parts: list[str], value: object) -> None:
    if list(never([" and ".join(parts)])):
        law = conjuncts(" and ".join(parts), "here")
        assert not all(_passes(c.test, value) for c in law)


def _passes(test: object, value: object) -> bool:
    try:
        return bool(test({"A": value}, {}, {}))  # type: ignore[operator]
    except Exception:  # noqa: BLE001 - what raises is no match
        return False


def test_a_group_against_the_global_part(tmp_path: Path) -> None:
    path = place(
        tmp_path, "frontend.minimal.xml", ("<match>", '<match match_expr="len(job) &gt; 4">')
    )
    text = path.read_text()
    group = '<group name="main"><match match_expr="len(job) == 2"/></group>'
    path.write_text(text.replace('<group name="main"/>', group))
    problems = Problems()
    build(path, "frontend", problems)
    assert [(p.subject, p.what) for p in problems.warnings] == [
        ("group[main]/match@match_expr", "len(job) > 4 and len(job) == 2 exclude each other")
    ]
