"""Dataclasses to JSON and back: nothing lost, and what does not fit is named with its path."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib import jsondata
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import dumps, from_json, to_json
from tests.support import hostile_values
from tests.support.hostile_values import params


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    weight: float = 1.0
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True)
class Fork:
    left: int
    right: int


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    main: Leaf | None
    pair: tuple[int, str]
    by_name: dict[str, Leaf] = field(default_factory=dict)
    by_number: dict[int, int] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    either: Leaf | Fork | None = None
    value: str | int | float | bool = ""
    anything: Any = None
    listed: list[bool] = field(default_factory=list)


TEXT = st.text(max_size=10)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a": Infinity}'])
def test_what_json_has_no_number_for_is_refused(text: str) -> None:
    with pytest.raises(StateError, match="is not a number of JSON"):
        jsondata.parse(text, "file")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(StateError, match=r"times\.a: expected a finite number"):
        jsondata.from_json(dict[str, float], {"a": value}, where="times")


LEAVES = st.builds(Leaf, TEXT, NUMBER, st.sampled_from(Colour))
FORKS = st.builds(Fork, st.integers(), st.integers())
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), NUMBER, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)
TREES = st.builds(
    Tree,
    st.lists(LEAVES, max_size=3).map(tuple),
    st.one_of(st.none(), LEAVES),
    st.tuples(st.integers(), TEXT),
    st.dictionaries(TEXT, LEAVES, max_size=3),
    st.dictionaries(st.integers(), st.integers(), max_size=3),
    st.frozensets(TEXT, max_size=3),
    st.one_of(st.none(), LEAVES, FORKS),
    st.one_of(TEXT, st.integers(), NUMBER, st.booleans()),
    PLAIN,
    st.lists(st.booleans(), max_size=3),
)


@given(TREES)
def test_a_tree_comes_back_from_its_json_text(tree: Tree) -> None:
    text = json.dumps(to_json(tree))
    again = from_json(Tree, json.loads(text))
    assert again == tree and type(again.value) is type(tree.value)
    assert json.dumps(to_json(again)) == text


@given(TREES)
def test_the_fast_text_is_the_same(tree: Tree) -> None:
    assert json.loads(dumps(tree)) == json.loads(json.dumps(to_json(tree)))
    assert (
        dumps({Colour.RED: (Colour.BLUE, MappingProxyType({1: frozenset("ba")}))})
        == '{"red":["blue",{"1":["a","b"]}]}'
    )


@given(TREES)
def test_a_newer_writers_fields_are_refused_or_passed_over(tree: Tree) -> None:
    data = to_json(tree)
    data["news"] = 1
    with pytest.raises(StateError, match="Tree: unknown field news; written by a newer version"):
        from_json(Tree, data)
    assert from_json(Tree, data, ignore_unknown=True) == tree


GOOD: dict[str, Any] = {
    "leaves": [{"name": "a"}],
    "main": {"name": "m"},
    "pair": [1, "x"],
    "by_name": {"k": {"name": "k"}},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leaves": [{"name": 5}]}, r"Tree\.leaves\[0\]\.name: expected str, found 5"),
        (
            {"leaves": [{"name": "a", "weight": "heavy"}]},
            r"Tree\.leaves\[0\]\.weight: expected float, found 'heavy'",
        ),
        (
            {"leaves": [{"name": "a", "weight": True}]},
            r"Tree\.leaves\[0\]\.weight: expected float, found True",
        ),
        ({"leaves": [{}]}, r"Tree\.leaves\[0\]: missing field name"),
        (
            {"leaves": [{"name": "a", "colour": "green"}]},
            r"leaves\[0\]\.colour: 'green' is none of \['red', 'blue'\]",
        ),
        ({"leaves": {"name": "a"}}, r"Tree\.leaves: expected a list, found dict"),
        ({"leaves": "text"}, r"Tree\.leaves: expected a list, found str"),
        ({"leaves": [3]}, r"Tree\.leaves\[0\]: expected an object, found int"),
        ({"main": {"name": 5}}, r"Tree\.main\.name: expected str, found 5"),
        ({"main": {"name": "a", "size": 1}}, r"Tree\.main: unknown field size"),
        ({"pair": [1]}, r"Tree\.pair: expected 2 items, found 1"),
        ({"pair": ["x", "x"]}, r"Tree\.pair\[0\]: expected int, found 'x'"),
        ({"by_name": {"k": {"name": None}}}, r"Tree\.by_name\.k\.name: expected str, found None"),
        ({"by_name": []}, r"Tree\.by_name: expected an object, found list"),
        (
            {"by_number": {"one": 1}},
            r"Tree\.by_number: expected a whole number as key, found 'one'",
        ),
        ({"either": {"name": 5}}, r"Tree\.either: .* fits none of Leaf, Fork, NoneType"),
        ({"value": None}, r"Tree\.value: None fits none of str, int, float, bool"),
        ({"pair": None}, r"Tree\.pair: expected a list, found NoneType"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(change: dict[str, Any], message: str) -> None:
    assert from_json(Tree, GOOD).main == Leaf("m")
    with pytest.raises(StateError, match=message):
        from_json(Tree, {**GOOD, **change})


@given(PLAIN)
def test_nonsense_is_never_anything_but_a_state_error(data: Any) -> None:
    try:
        from_json(Tree, data, where="file.json")
    except StateError as error:
        assert str(error).startswith("file.json")


def test_a_missing_optional_has_its_default_and_whole_numbers_are_floats() -> None:
    leaf = from_json(Leaf, {"name": "a", "weight": 3})
    assert leaf == Leaf("a", 3.0) and type(leaf.weight) is float


@pytest.mark.parametrize(
    "text",
    params(hostile_values.JSON, ["nested", "nested-objects", "5000-digits", "not-utf8", "half"]),
)
def test_a_text_that_is_not_json_is_one_error(text: bytes) -> None:
    with pytest.raises(StateError, match=r"^file: is not JSON") as error:
        jsondata.parse(text, "file")
    assert len(str(error.value)) < 200


def test_a_text_may_have_a_largest_size() -> None:
    assert jsondata.parse(b"[1, 2.5]", "file", largest=8) == [1, 2.5]
    with pytest.raises(StateError, match="9 bytes, at most 8 are allowed"):
        jsondata.parse(b"[1, 2.50]", "file", largest=8)


def test_a_value_in_a_message_is_short() -> None:
    with pytest.raises(StateError) as error:
        from_json(
            Tree,
            {
                "leaves": [],
                "main": None,
                "pair": [1, "x"],
                "value": "x" * 10,
                "listed": ["y" * 10_000_000],
            },
        )
    assert len(str(error.value)) < 300
