"""Match expressions in Python: the listed subset works as in Python, the rest is refused, nothing is endless."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.frontend.decide.match.builtins import SizeBound
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.decide.match.expression import conjuncts
from glideinwms.frontend.decide.match.matcher import match_rules, matcher
from glideinwms.frontend.decide.match.vectorize import fast
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.errors import ConfigError
from tests.unit.frontend.build_frontend import group
from tests.unit.frontend.decide.golden import expression

WHERE = "frontend.xml:12"


def value(text: str, job: dict[str, Any] | None = None, attrs: dict[str, Any] | None = None) -> Any:
    [one] = conjuncts(text, WHERE)
    return one.test(job or {}, {"attrs": attrs or {}, "params": {}, "monitor": {}}, {"VO": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "job.__class__",
        "().__class__.__bases__[0].__subclasses__()",
        "__import__('os')",
        "open('/etc/passwd')",
        "eval('1')",
        "exec('1')",
        "getattr(job, 'x')",
        "globals()",
        "(lambda: 1)()",
        "[x for x in job.__dict__]",
        "f'{job}'",
        "'{0.__class__}'.format(job)",
        "(x := 1)",
        "job['a'].__len__()",
        "str.__subclasses__(str)",
        "re.compile('x')",
        "re.sub('x', 'y', 'z')",
        "re.match.__globals__",
        "job.get.__self__",
        "type(job)",
        "vars()",
        "[f('') for f in [job.get]]",
        "[f(9) for f in [range]]",
        "[_times for _times in [1]]",
        "[job for job in [1]]",
        "_times('x', 3)",
        "job.pop('x')",
        "job.update(a=1)",
        "print(1)",
        "breakpoint()",
        "await x",
        "(yield)",
        "9**9**9",
        "1 << 99999",
        "~1",
        "*job",
        "job @ job",
        "lambda: 1",
        "1 if",
        "import os",
        "",
        "job\x00",
        "re.match('(?<=a)b', job['X'])",
        "re.match(r'(a)\\1', job['X'])",
        "re.match('(?=a)', job['X'])",
        "re.match('(', 'x')",
        "re.match('((a{1,100}){1,100}){1,100}', job['X'])",
        "re.match('" + "a" * 1001 + "', job['X'])",
        "job['S'][1:2, 3]",
        "[1 for a in job for b in job for c in job]",
        "(" * 60 + "1" + ")" * 60 + "[",
        "not " * 60 + "1",
        "1+" * 300 + "1",
        "'a' in " + "'" + "x" * 20_001 + "'",
    ],
)
def test_what_is_not_listed_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        conjuncts(text, WHERE)
    assert str(caught.value).startswith(f"{WHERE}: ") and caught.value.message
    if "expression" not in caught.value.message or "not allowed" in caught.value.message:
        assert caught.value.hint, "an operator wants to know what to write instead"


BIG = {"X": "a" * 60_000, "F": "%999999999d", "L": ["x" * 1000] * 200}


@pytest.mark.parametrize(
    "text",
    [
        "job['X'] * 999999999 == 1",
        "'x' * 10000000000 == 1",
        "[0] * 10000000000 == 1",
        "job['F'] % 1 == 1",
        "'%999999999d' % 1 == 1",
        "any(range(10000000000))",
        "list(range(10000000000))",
        "sum(range(999999999999))",
        "job['X'].replace('a', job['X']) == 1",
        "job['X'].replace('', 'aaaa') == 1",
        "job['X'].join(job['L']) == 1",
        "round(5, -1000000000) == 1",
        "re.search(job['X'][:1] + '+' + 'b', job['X'] * 1)",
        "re.search('(?<=' + 'a)', job['X'])",
        "re.search(job['X'], job['X'])",
        "int('9' + job['X'])",
    ],
)
def test_no_value_of_a_user_costs_time_or_memory(text: str) -> None:
    began = time.process_time()
    with pytest.raises((SizeBound, ValueError, TypeError)):
        value(text, BIG)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("job['A'] * 2 + 1 == 7", True),
        ("7 % 4", 3),
        ("7 // 2 - 1", 2),
        ("-job['A']", -3),
        ("job.get('Z', 5)", 5),
        ("'b' in job['S'].split(',')", True),
        ("job['S'].replace(',', '') == 'abc'", True),
        ("','.join(['a', 'b'])", "a,b"),
        ("max([len(s) for s in job['S'].split(',')])", 1),
        ("any(s == 'c' for s in job['S'].split(','))", True),
        ("{k: 1 for k in ['a']}['a']", 1),
        ("sorted({'b', 'a'})[0:1]", ["a"]),
        ("re.match('T[12]_', 'T2_X') is not None", True),
        ("re.search('(?i)ab+', 'xAB') is None", False),
        ("attr_dict['VO'] == 'x'", True),
        ("round(2.567, 1)", 2.6),
        ("sum(range(4))", 6),
        ("1 if 'A' in job else 0", 1),
        ("isinstance(job['A'], int)", True),
        ("1 < job['A'] <= 3", True),
        ("getGlideinCpusNum(glidein)", 8),
        ("str(job['A']).isdigit()", True),
        ("dict(a=1)['a']", 1),
    ],
)
def test_what_is_listed_works(text: str, wanted: Any) -> None:
    assert value(text, {"A": 3, "S": "a,b,c"}, {"GLIDEIN_CPUS": 8}) == wanted


def test_what_is_read_is_known() -> None:
    [a, b] = conjuncts(
        'job.get("A", 1) > 1 and glidein["attrs"]["B"] in job["C"] and True'.rpartition(" and ")[0],
        WHERE,
    )
    assert a.reads.job == ("A",) and a.reads.glidein == ()
    assert b.reads.job == ("C",) and b.reads.glidein == (("attrs", "B"),)


TERMS = [
    'job.get("S") == None',
    'glidein["attrs"].get("T") in job["S"].split(",")',
    'job["N"] <= glidein["attrs"]["M"]',
    'glidein["attrs"].get("M", 0) > 3',
    'job["N"] / glidein["attrs"]["M"] > 1',
    'glidein["attrs"]["T"] not in job["S"].split()',
    'len([s for s in job["S"].split(",") if s == glidein["attrs"]["T"]]) > 0',
    'getGlideinCpusNum(glidein) >= int(job.get("N", 1))',
    'glidein["attrs"]["M"] == job.get("N")',
    "True",
    "1",
    'job["N"] is True',
    'attr_dict["VO"] == job["S"]',
    '"x"',
]
terms = st.recursive(
    st.sampled_from(TERMS),
    lambda inner: (
        st.builds(
            lambda op, a, b: f"(({a}) {op} ({b}))",
            st.sampled_from(["or", "and", "=="]),
            inner,
            inner,
        )
        | inner.map(lambda a: f"(not ({a}))")
    ),
    max_leaves=6,
)
values = st.sampled_from([None, 1, 1.0, True, 0, 5, "", "a", "a,b", "b", [1]])


@given(
    terms,
    st.dictionaries(st.sampled_from("SN"), values),
    st.lists(st.dictionaries(st.sampled_from("TM"), values)),
)
def test_the_fast_form_says_what_python_says(
    text: str, job: dict[str, Any], attrs: list[dict[str, Any]]
) -> None:
    entries = [
        EntryState(f"E{i}", "p", {n: v for n, v in a.items() if v is not None})
        for i, a in enumerate(attrs)
    ]
    job = {n: v for n, v in job.items() if v is not None}
    own = group(match=expression(text), attrs={"VO": "a"})
    got = matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(
        tuple(job), tuple(job.values())
    )
    wanted = 0
    parts = match_rules(own)
    for i, entry in enumerate(entries):
        glidein = {"attrs": entry.attrs, "params": {}, "monitor": {}}
        try:
            found = [p.test(job, glidein, own.attrs) for p in parts]
            wanted |= (all(found[:-1]) and found[-1] == True) << i  # noqa: E712
        except Exception:  # noqa: BLE001
            continue
    assert got == wanted


def test_the_fast_form_splits_once() -> None:
    made = fast('glidein["attrs"]["T"] in job["S"].split(",")', False)
    assert made.of_job({"S": "a,b"}, {}) == (frozenset({"a", "b"}),)
    assert made.run(made.of_job({"S": "a,b"}, {}), [(("a",), 1), (("c",), 2), (("b",), 4)], {}) == 5


def test_a_classad_expression() -> None:
    own = group(
        match=(
            type(expression("x")[0])(
                "TARGET.Site == MY.Wants && TARGET.Mem >= MY.RequestMemory", WHERE, "classad"
            ),
        )
    )
    entries = [
        EntryState("A", "p", {"Site": "x", "Mem": 4}),
        EntryState("B", "p", {"Site": "x", "Mem": 1}),
        EntryState("C", "p", {}),
    ]
    assert (
        matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(
            ("Wants", "RequestMemory"), ("X", 2)
        )
        == 1
    )
    with pytest.raises(ConfigError, match=WHERE):
        match_rules(group(match=(type(expression("x")[0])("((", WHERE, "classad"),)))
