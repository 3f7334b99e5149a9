"""A mistake in an expression comes with what to write."""

from __future__ import annotations

import pytest

from glideinwms.creation.checks.expression_hints import for_classad, for_python


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Cpus > 1 and Memory > 2", "write &&, || and ! in a ClassAd expression"),
        ("JobUniverse = 5", "write == to compare"),
        ("Cpus =< 8", "write <= or >="),
        ("Cpus \u2265 8", "write <=, >= or !="),
        ("Cpus < = 8", "write the operator without a blank in it"),
        ('Site == "A', "a quotation mark is missing"),
        ("Site == \u201cA\u201d", 'write text in straight quotes: "text"'),
        ('Site == "A and = B" && (', ""),
        ('Site =?= "A" && Other =!= "B" && C != 1 && (', ""),
    ],
)
def test_of_a_classad_expression(text: str, hint: str) -> None:
    assert for_classad(text) == hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('job["A"] > 1 && job["B"]', "write and, or and not in a Python expression"),
        ('!job["A"]', "write and, or and not in a Python expression"),
        ('job["A"] AND job["B"]', "write and, or and not in small letters"),
        ('job["A"] = 5', "write == to compare"),
        ('job["A"] =?= 5', "write == or != in a Python expression"),
        ('job["A] > 0', "a quotation mark is missing"),
        ('job["A"] != 5 and (job["B"] == "x && y"', ""),
    ],
)
def test_of_a_match_expression(text: str, hint: str) -> None:
    assert for_python(text) == hint
