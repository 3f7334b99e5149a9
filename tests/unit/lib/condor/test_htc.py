"""Plain data in and out of HTCondor's bindings, and what its errors mean."""

from __future__ import annotations

from typing import Any

import classad2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib.bounded import Missing
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import Expr
from glideinwms.lib.errors import CondorError

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}", fullmatch=True).filter(
    lambda n: n.lower() not in {"true", "false", "undefined", "error", "is", "isnt", "parent"}
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), NUMBER, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAME, inner, max_size=3)),
    max_leaves=6,
)


def unique(ad: dict[str, Any]) -> bool:
    return len({n.lower() for n in ad}) == len(ad) and all(
        unique(v) for v in ad.values() if isinstance(v, dict)
    )


@given(st.dictionaries(NAME, VALUES, max_size=5).filter(unique))
def test_plain_data_survives_a_classad(ad: dict[str, Any]) -> None:
    made = htc.to_classad(ad)
    again = {name: htc.plain(made[name], classad2) for name in made}
    assert _sorted(again) == _sorted(ad)


def test_a_text_that_is_not_utf8_costs_its_bad_bytes_only() -> None:
    """A user or a peer that writes Latin-1 must not make a whole queue or pool unreadable."""
    texts = ('"caf\\377 x"', '{"\\377"}', '[E = "\\377"]')
    wrong = [classad2.ClassAd(f"[A = 1; B = {text}; C = undefined; D = 2]") for text in texts]
    found = htc.plain_ads([*wrong, classad2.ClassAd('[A = 1; B = "é"]')])
    assert found == [
        {"A": 1, "B": "caf\ufffd x", "D": 2},
        *[{"A": 1, "D": 2}] * 2,
        {"A": 1, "B": "é"},
    ]


def test_undefined_error_and_absent_are_told_apart_where_that_is_asked_for() -> None:
    ad = classad2.ClassAd("[A = undefined; B = error; C = 1; L = {undefined}]")
    assert htc.plain_ads([ad]) == [{"C": 1, "L": [None]}]
    [kept] = htc.plain_ads([ad], keep_missing=True)
    assert kept == {"A": Missing.UNDEFINED, "B": Missing.ERROR, "C": 1, "L": [None]}
    bad_text = classad2.ClassAd('[A = undefined; B = error; T = "caf\\351"]')
    assert htc.plain_ads([bad_text]) == [{"T": "caf\ufffd"}]
    [kept] = htc.plain_ads([bad_text], keep_missing=True)
    assert kept == {"A": Missing.UNDEFINED, "B": Missing.ERROR, "T": "caf\ufffd"}


def test_an_ad_with_an_attribute_name_that_is_not_utf8_is_counted_and_named() -> None:
    unreadable = classad2.ClassAd(
        '[ \'caf\\351\' = 1; Name = "n"; GlideinMyType = "glideclient"; ClusterId = 3 ]'
    )
    [stand_in, other] = htc.plain_ads([unreadable, classad2.ClassAd("[A = 1]")])
    assert stand_in["Name"] == "n"
    assert stand_in["ClusterId"] == 3
    assert "not UTF-8" in stand_in[htc.UNREADABLE]
    assert "GlideinMyType" not in stand_in, "nobody may take it for a whole request"
    assert other == {"A": 1}


class Sent:
    """Stands for a collector that takes every ad."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def advertise(self, ads: list[Any], command: str, tcp: bool) -> None:
        self.names += [ad["Name"] for ad in ads]


@pytest.mark.parametrize(
    "value",
    [
        10**30,
        -(2**64),
        [1, 10**30],
        {"A": object()},
        object(),
        "\udce9",
        ["\udce9"],
        {"\udce9": 1},
        Expr("(("),
    ],
)
def test_an_ad_that_cannot_be_sent_is_named_and_the_others_go(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent()
    monkeypatch.setattr(htc, "_collector", lambda pool: sent)
    ads = [{"MyType": "t", "Name": name, "V": 1} for name in ("a", "b", "c")]
    ads[1]["V"] = value
    with pytest.raises(CondorError, match=r"UPDATE: 1 ads cannot be sent: t b: ") as error:
        htc.advertise("", ads, "UPDATE")
    assert sent.names == ["a", "c"] and "returned a result with an exception" not in str(
        error.value
    )


def _sorted(value: Any) -> Any:
    """Nested ads lose the spelling of their names' order only; expressions inside lists are their
    text.
    """
    if isinstance(value, dict):
        return {k.lower(): _sorted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_sorted(v) for v in value]
    return value


@pytest.mark.parametrize(
    "value", ["caf\udce9", ["a", "caf\udce9"], {"b": {"caf\udce9": 1}}, htc.Expr("caf\udce9")]
)
def test_a_text_that_is_not_unicode_is_refused(value: Any) -> None:
    """The bindings crash of it, and a reader process with them."""
    with pytest.raises(ValueError):
        htc.to_classad({"A": value})


@given(TEXT)
def test_a_quoted_text_is_that_text_to_htcondor(text: str) -> None:
    assert classad2.ExprTree(htc.quoted(text)).eval() == text


@given(TEXT, TEXT)
def test_no_text_breaks_out_of_a_constraint(text: str, other: str) -> None:
    ad = htc.to_classad({"Name": other})
    found = classad2.ExprTree(f"(Name =?= {htc.quoted(text)})").eval(ad)
    assert found is (text == other)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("undefined", None),
        ("error", None),
        ("1 + A", Expr("1 + A")),
        ("{ 1, undefined }", [1, None]),
        ("1.5", 1.5),
    ],
)
def test_values_of_expressions(value: str, expected: Any) -> None:
    ad = classad2.ClassAd()
    ad["V"] = classad2.ExprTree(value)
    found = htc.plain(ad["V"], classad2)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "knob"),
    [
        (
            "Failed to create new proc ID, errmsg=Expected next ProcId to be 5, but Schedd says -4",
            "MAX_JOBS_PER_SUBMISSION",
        ),
        ("... but Schedd says -3\n", "MAX_JOBS_PER_OWNER"),
        ("Failed to create new cluster ID, errmsg=-2", "MAX_JOBS_SUBMITTED"),
        ("something else 42", ""),
    ],
)
def test_refusals_of_a_submit_name_their_knob(text: str, knob: str) -> None:
    explained = htc.explain_submit(text)
    assert "\n" not in explained and explained.startswith("submit refused: ")
    assert (f"the schedd's limit {knob}" in explained) if knob else ("limit" not in explained)
