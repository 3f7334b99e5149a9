"""No expression takes long or much memory, whatever the values are, and what is accepted always runs."""

from __future__ import annotations

import random
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.frontend.decide import decide
from glideinwms.frontend.decide.match import table as table_module
from glideinwms.frontend.decide.match.builtins import CALLS, cpus_of_glidein
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.decide.match.expression import conjuncts
from glideinwms.frontend.decide.match.matcher import match_rules, matcher
from glideinwms.frontend.decide.match.vectorize import fast
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.lib.errors import ConfigError
from tests.unit.frontend.build_frontend import group, policy
from tests.unit.frontend.decide.golden import expression

LONG = "a" * 16_000
JOB = {
    "X": LONG,
    "C": ",".join("a" * 8000),
    "N": 2**62,
    "F": 1e300,
    "P": "(.{0,100}a){5}b",
    "L": ["x" * 1000] * 200,
}
ATTRS = {"X": "b" * 64_000, "C": ",".join("b" * 30_000), "N": 2**62}
ENTRY = {"attrs": ATTRS, "params": {}, "monitor": {}}
THEIRS = 'glidein["attrs"]["C"].split(",")'
ATTACKS = [
    "sum([list(range(1000)) for x in range(1000)], [])",
    "sum([[1] * 2 for x in range(1000)], [])",
    "[list(range(1000)) for x in range(1000) for y in range(1000)]",
    "[job['X'] + job['X'] for x in range(1000) for y in range(1000)]",
    "[glidein['attrs']['X'].lower() for x in range(1000) for y in range(1000)]",
    "[glidein['attrs']['X'].split('b') for x in range(1000)]",
    "[glidein['attrs']['X'][1:] for x in range(1000)]",
    "[glidein['attrs']['X'].replace('b', 'cc') for x in range(1000)]",
    "[glidein['attrs'].items() for x in range(1000) for y in range(1000)]",
    f"any(a == b for a in job['C'].split(',') for b in {THEIRS})",
    f"[a for a in job['C'].split(',') if a in {THEIRS}]",
    f"len([a for a in {THEIRS} if sorted({THEIRS})])",
    "str([job['X'] for x in range(1000)])",
    "str({'a': [job['X']] + [job['X']]})",
    "(job['L'] + job['L'] + job['L'] + job['L']) * 1000",
    "max([x * x * x * x * x * x * x * x for x in [job['N']]]) > 1",
    "*".join(["job['N']"] * 900),
    "+".join(["job['X']"] * 40),
    "+".join(["job['L']"] * 40) + " + " + "+".join(["job['L']"] * 40),
    "job['X'].join(job['X'])",
    "','.join(c + c for c in job['X'] for d in job['X'])",
    "any(re.search(job['P'], job['X']) for x in range(1000))",
    "any(re.match('(a|aa)*' + str(x), job['X'] + job['X']) for x in range(1000) for y in range(100))",
    "sorted([c for c in job['X'] for d in job['X']])",
    "{c: d for c in job['X'] for d in job['X']}",
    "set([c for c in job['X']]) == {d for d in job['X'] for e in job['X']}",
    "all([c in job['X'] for c in job['X'] for d in job['X']])",
    "dict([(x, y) for x in range(1000) for y in range(1000)])",
    "tuple(list(sorted(range(1000)))[x] for x in range(1000))",
    "min(range(1000), key=lambda x: x)",
    "round(job['F'], 300)",
    "int(job['F']) * int(job['F'])",
    "int('9' * 5000)",
    "int(job['X'])",
    "job['X'] * job['N']",
    "'%' + '9' * 9 + 'd' % 1",
    "float(job['N']) ** 2",
]
FINE = [
    "re.match('(a+)+b', job['X'])",
    "re.match('(a|a)*b', job['X'])",
    "re.match('(a{1,16}){1,16}b', job['X'])",
    "re.match('" + "a?" * 30 + "b', job['X'])",
    "re.match('" + "(a|aa)" * 40 + "b', job['X'])",
    "re.match('(?:a|a){16}(?:a|a){16}b', job['X'])",
    r"re.match('(\\w{1,16}[-_]?){1,10}$', job['X'])",
    "re.match('.*a.*a.*b', job['X'])",
    "re.match('(' + 'a+' + ')+$', job['X'])",
    "any(s == 'c' for s in job['C'].split(','))",
]


def cost(text: str) -> tuple[float, int, str]:
    """CPU seconds, peak of memory, and the error of an expression over the hostile values, in both
    of its forms.
    """
    tracemalloc.start()
    began = time.process_time()
    error = ""
    try:
        [one] = conjuncts(text, "x:1")
        one.test(JOB, ENTRY, {})
    except Exception as failure:  # noqa: BLE001 - any error will do, but a cost
        error = type(failure).__name__
    entries = [EntryState("E", "p", ATTRS)]
    try:
        own = group(match=expression(text))
        matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(
            tuple(JOB), tuple(JOB.values())
        )
    except Exception as failure:  # noqa: BLE001
        error = error or type(failure).__name__
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return took, peak, error


@pytest.mark.parametrize("text", ATTACKS)
def test_no_expression_costs_much(text: str) -> None:
    took, peak, error = cost(text)
    assert error and took < 2.0 and peak < 32_000_000


@pytest.mark.parametrize("text", FINE)
def test_a_pattern_that_would_backtrack_is_matched_in_linear_time(text: str) -> None:
    took, peak, error = cost(text)
    assert not error and took < 1.0 and peak < 32_000_000


def test_the_budget_is_of_one_job_and_one_entry() -> None:
    text = 'any(a == glidein["attrs"]["T"] for a in job["S"].split(",")) and len([c for c in job["S"]]) > 1'
    own = group(match=expression(text))
    entries = [EntryState(f"E{n}", "p", {"T": "a" if n % 2 else "b"}) for n in range(300)]
    found = matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(
        ("S",), ("a," + "x," * 200,)
    )
    assert found == sum(1 << n for n in range(1, 300, 2))


def test_a_generator_is_gone_through_anew_for_each_entry() -> None:
    own = group(match=expression('glidein["attrs"]["T"] in (s for s in job["S"].split(","))'))
    entries = [EntryState(f"E{n}", "p", {"T": "b"}) for n in range(5)]
    assert (
        matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(("S",), ("a,b,c",))
        == 0b11111
    )


@pytest.mark.parametrize(
    "text",
    [
        'glidein["attrs"]["S"][:len(job["W"])] == job["W"]',
        'job["W"][len(glidein["attrs"]["S"]):] == ""',
        'glidein["attrs"]["S"][len(job["W"]) - 1:len(job["W"])] == "a"',
        'glidein["attrs"]["S"][job["N"]:job["M"]:job["M"]] == ""',
        '(glidein["attrs"]["S"] + job["W"])[:1] == "a"',
    ],
)
def test_a_slice_over_both_sides(text: str) -> None:
    own, job = group(match=expression(text)), {"W": "a", "N": 0, "M": 1}
    entries = [
        EntryState("E0", "p", {"S": "a"}),
        EntryState("E1", "p", {"S": "bb"}),
        EntryState("E2", "p", {}),
    ]
    wanted = [i for i, e in enumerate(entries) if e.attrs and truth(text, job, e.attrs)]
    found = matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(
        tuple(job), tuple(job.values())
    )
    assert found == sum(1 << i for i in wanted)


def truth(text: str, job: dict[str, Any], attrs: dict[str, Any]) -> bool:
    """What Python itself says; False where it fails."""
    glidein = {"attrs": attrs, "params": {}, "monitor": {}}
    names = {
        **CALLS,
        "getGlideinCpusNum": cpus_of_glidein,
        "job": job,
        "glidein": glidein,
        "attr_dict": {},
    }
    try:
        return bool(eval(text, {"__builtins__": {}, **names}) == True)  # noqa: E712, S307 - generated below
    except Exception:  # noqa: BLE001
        return False


ATOMS = st.sampled_from(
    [
        'job["S"]',
        'job.get("N", 1)',
        'glidein["attrs"]["T"]',
        'glidein["attrs"].get("M", 2)',
        "1",
        '"a"',
        "None",
        "True",
        '"a,b"',
        "getGlideinCpusNum(glidein)",
        '"S" in job',
        "[]",
        "0.5",
    ]
)
UNARY = [
    "not {0}",
    "-{0}",
    "len({0})",
    "str({0})",
    "int({0})",
    "bool({0})",
    "{0}.split(',')",
    "{0}.lower()",
    "{0}[:1]",
    "sorted({0})",
    "any({0})",
    "[{0}]",
    "({0},)",
    "{{{0}}}",
    "{{{0}: 1}}",
    "list({0})",
    "set({0})",
    "sum([{0}])",
    "max({0})",
    "{0}[0]",
    "{0}[::-1]",
    "isinstance({0}, str)",
    "{0}.strip()",
    "abs({0})",
    "round({0}, 1)",
    "dict([({0}, 1)])",
    "tuple({0})",
    "range({0})",
    "{0}.isdigit()",
]
BINARY = [
    "{0} and {1}",
    "{0} or {1}",
    "{0} == {1}",
    "{0} != {1}",
    "{0} < {1}",
    "{0} in {1}",
    "{0} not in {1}",
    "{0} + {1}",
    "{0} - {1}",
    "{0} * {1}",
    "{0} / {1}",
    "{0} % {1}",
    "{0} // {1}",
    "{0}[:{1}]",
    "{0}[{1}:]",
    "{0}[{1}]",
    "{0}.startswith({1})",
    "{0} if {1} else 0",
    "[x for x in {0} if x == {1}]",
    "any(x in {1} for x in {0})",
    "{0} in (x for x in {1})",
    "{0}.join({1})",
    "{0}.replace({1}, 'b')",
    "{{x: {1} for x in {0}}}",
    "[{0}, {1}]",
    "{0} is {1}",
    "max({0}, {1})",
    "{0}.find({1})",
    "[y for x in {0} for y in x if y != {1}]",
    "all([x > {1} for x in {0}])",
    "{0} <= {1}",
]
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds(lambda form, a: form.format(f"({a})"), st.sampled_from(UNARY), inner)
        | st.builds(
            lambda form, a, b: form.format(f"({a})", f"({b})"),
            st.sampled_from(BINARY),
            inner,
            inner,
        )
    ),
    max_leaves=8,
)
VALUES = st.sampled_from([1, 0, 2.5, True, "", "a", "a,b", "b", "abc", -1])


@given(
    EXPRESSIONS,
    st.dictionaries(st.sampled_from("SN"), VALUES),
    st.lists(st.dictionaries(st.sampled_from("TM"), VALUES), max_size=4),
)
@settings(max_examples=400, deadline=None)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_what_is_accepted_compiles_and_says_what_python_says(
    text: str, job: dict[str, Any], attrs: list[dict[str, Any]]
) -> None:
    try:
        accepted = conjuncts(text, "x:1")
    except ConfigError:
        return
    for part in accepted:
        for last in (False, True):
            fast(part.safe_text, last)
    own = group(match=expression(text))
    entries = [EntryState(f"E{i}", "p", a) for i, a in enumerate(attrs)]
    got = matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(
        tuple(job), tuple(job.values())
    )
    # bounded operations may refuse what Python does, and then match nothing; never the other way
    # round
    wanted = sum(truth(text, job, e.attrs) << i for i, e in enumerate(entries))
    refused = wanted & ~got
    assert not got & ~wanted
    for i, entry in enumerate(entries):
        if refused >> i & 1:
            glidein = {"attrs": entry.attrs, "params": {}, "monitor": {}}
            with pytest.raises(ValueError, match=r"only numbers|str of a|steps|bits"):
                for part in match_rules(own):
                    part.test(job, glidein, {})


@pytest.mark.parametrize(
    "text",
    [
        "not " * 40 + "1",
        "-" * 40 + "1",
        "[" * 40 + "1" + "]" * 40,
        "(1 + " * 40 + "1" + ")" * 40,
        "str(" * 40 + "1" + ")" * 40,
        "1 if (" * 20 + "1" + ") else 0" * 20,
        "job['a']" + "[0]" * 40,
        "job['a']" + "[1:]" * 40,
        "(1 * " * 45 + "job['N']" + ")" * 45,
    ],
)
def test_deep_expressions_that_are_accepted_compile(text: str) -> None:
    for part in conjuncts(text, "x:1"):
        fast(part.safe_text, True)


def test_a_pair_for_which_an_expression_fails_is_shown_and_costs_no_other() -> None:
    text = 'int(job["A"]) <= int(glidein["attrs"]["M"]) and glidein["attrs"]["M"] != "z"'
    own, cache = group(match=expression(text)), MatchCache()
    entries = tuple(EntryState(f"E{n}", "p", {"M": m}) for n, m in enumerate(["5", "x", "7"]))
    jobs = JobTable(
        "s", ("A",), (JobClassRow((1,), 3), JobClassRow(("many",), 4), JobClassRow((6,), 5))
    )
    for _ in range(2):  # the second time from the cache
        snapshot = FrontendSnapshot(0.0, (GroupInput("main", (jobs,), entries),))
        [plan] = decide(snapshot, policy(own), 0.0, random.Random(1), cache).groups
        assert [e.jobs["Idle"].count for e in plan.entries] == [3, 0, 8]
        [failing] = plan.failing
        assert failing.classes == 3 and failing.text.startswith("int(job['A'])")
        assert failing.error == "ValueError: invalid literal for int() with base 10: 'x'"
    mended = (entries[0], EntryState("E1", "p", {"M": "9"}), entries[2])
    snapshot = FrontendSnapshot(0.0, (GroupInput("main", (jobs,), mended),))
    [plan] = decide(snapshot, policy(own), 0.0, random.Random(1), cache).groups
    assert [f.classes for f in plan.failing] == [1] and "'many'" in plan.failing[0].error


def test_an_expression_without_a_fast_form_is_evaluated_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> Any:
        raise SyntaxError("invalid syntax")

    monkeypatch.setattr(table_module, "fast", broken)
    own = group(match=expression('job["A"] == glidein["attrs"]["M"]'))
    entries = [EntryState(f"E{n}", "p", {"M": n}) for n in range(3)]
    assert matcher(own, entries, 0, MatchCache(), match_rules(own)).entries(("A",), (2,)) == 0b100
