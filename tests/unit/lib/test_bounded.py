"""Every foreign value becomes a bounded one or a BadValue, and nothing else."""

from __future__ import annotations

import contextlib
import enum
import math
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib import bounded
from glideinwms.lib.bounded import BadValue, Expr, Fault, Missing


class Colour(enum.StrEnum):
    RED = "red"


HUGE = [10**400, -(10**5000), "9" * 5000, "1" * 20, float("inf"), float("nan"), 1e308, "١٢", "1_0"]
ODD = [None, True, [], {}, b"1", (1,), object(), Expr("time() - 9"), *Missing, *HUGE]
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(Expr, st.text())
)
ANYTHING = (
    st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
    | st.sampled_from(ODD)
    | st.text(alphabet="0123456789.eE+-_ \t", max_size=40)
    | st.sampled_from(list(Missing))
)
READERS: list[Callable[[Any], Any]] = [
    bounded.count,
    bounded.number,
    bounded.moment,
    bounded.text,
    bounded.file_name,
    lambda value: bounded.choice(value, Colour),
]


@given(ANYTHING, st.sampled_from(READERS))
def test_a_value_is_read_or_refused_with_a_short_text(
    value: Any, read: Callable[[Any], Any]
) -> None:
    try:
        read(value)
    except BadValue as error:
        assert len(str(error)) < 250 and str(error).isprintable()


@given(ANYTHING)
def test_a_count_is_bounded(value: Any) -> None:
    found = bounded.count_or(value, None)
    assert found is None or (type(found) is int and 0 <= found <= 2**31 - 1)


@given(ANYTHING)
def test_a_number_is_finite(value: Any) -> None:
    with contextlib.suppress(BadValue):
        assert math.isfinite(bounded.number(value))
    found = bounded.number_or(value, None)
    assert found is None or math.isfinite(found)


@given(ANYTHING)
def test_a_moment_can_be_shown_as_a_date(value: Any) -> None:
    found = bounded.moment_or(value, None)
    assert found is None or time.gmtime(found).tm_year in range(2000, 2101)


@given(ANYTHING | st.text(alphabet="a-./\n\x1b\u00e9\ud800", max_size=300))
def test_a_file_name_stays_in_its_directory(value: Any) -> None:
    try:
        name = bounded.file_name(value)
    except BadValue:
        return
    assert name not in ("", ".", "..") and "/" not in name and "\0" not in name and name[0] != "-"
    assert len(name.encode()) <= 200 and not bounded.CONTROL.search(name)


@given(ANYTHING)
def test_a_reason_is_one_short_line(value: Any) -> None:
    found = bounded.reason(value)
    assert len(found) <= 200 and not bounded.CONTROL.search(found)
    found.encode()


@given(st.text())
def test_no_control_character_reaches_a_terminal(text: str) -> None:
    assert not set(bounded.printable(text + "\x1b]0;x\x07")) & {
        chr(c) for c in range(32) if chr(c) not in "\n\t"
    }


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (Missing.ABSENT, Fault.ABSENT),
        (Missing.UNDEFINED, Fault.UNDEFINED),
        (Missing.ERROR, Fault.ERROR),
        (Expr("1 + 1"), Fault.WRONG_TYPE),
        ([], Fault.WRONG_TYPE),
    ],
)
def test_what_is_no_value_is_told_apart(value: object, fault: Fault) -> None:
    for read in READERS[:5]:
        with pytest.raises(BadValue) as error:
            read(value)
        assert error.value.fault is fault


def test_an_absent_attribute_is_told_from_an_undefined_one() -> None:
    assert bounded.field({}, "A") is Missing.ABSENT
    assert bounded.field({"A": Missing.UNDEFINED}, "A") is Missing.UNDEFINED


@pytest.mark.parametrize("value", [5, 5.0, 5.9, "5", " 5 ", "+5"])
def test_numbers_come_in_several_types(value: object) -> None:
    assert bounded.count(value) == 5


@pytest.mark.parametrize("value", [2**31, -1, "2147483648", 1e300, "9" * 32])
def test_a_count_beyond_its_range_is_out_of_range(value: object) -> None:
    with pytest.raises(
        BadValue, match=r"^ad x: N: .* is not a whole number from 0 to 2147483647$"
    ) as error:
        bounded.count(value, "ad x: N")
    assert error.value.fault is Fault.OUT_OF_RANGE


@pytest.mark.parametrize(
    "value", ["a" * 201, "é" * 101, "", ".", "..", "-rf", "a/b", "a\nb", "a\x1bb", "\udce9"]
)
def test_these_are_no_file_names(value: str) -> None:
    with pytest.raises(BadValue):
        bounded.file_name(value, "entry")


@pytest.mark.parametrize("value", ["a" * 200, "é" * 100, "...", "a b", "entry-1_x.y@z"])
def test_these_are_file_names(value: str) -> None:
    assert bounded.file_name(value) == value


def test_a_refusal_does_not_contain_a_long_text() -> None:
    with pytest.raises(BadValue) as error:
        bounded.text("secret" * 20000, "token")
    assert "secret" not in str(error.value) and error.value.fault is Fault.TOO_LONG


def test_a_refusal_survives_the_way_out_of_a_reader_process() -> None:
    error = pickle.loads(pickle.dumps(BadValue("m", where="w", hint="h", fault=Fault.TOO_LONG)))  # noqa: S301
    assert (str(error), error.fault) == ("w: m; h", Fault.TOO_LONG)


def test_a_megabyte_of_anything_is_refused_at_once() -> None:
    began = time.process_time()
    for value in ("9" * 10**6, "-" * 10**6, "\x1b" * 10**6, " " * 10**6, 10 ** (10**5)):
        bounded.count_or(value, None)
        bounded.reason(value)
        for read in (bounded.number, bounded.file_name):
            with pytest.raises(BadValue):
                read(value)
    assert time.process_time() - began < 2


def test_a_choice_is_a_member() -> None:
    assert bounded.choice("red", Colour) is Colour.RED
    for value in ("blue", 5, None, [], Missing.ABSENT):
        with pytest.raises(BadValue):
            bounded.choice(value, Colour)
