"""Parameters of generators: three ways to write them, and whatever is no dict is refused (config 16)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.creation.build.frontend_credentials import parsed

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcxyz_", min_size=1), PLAIN, max_size=4))
def test_three_ways_to_write_the_same(value: dict[str, Any]) -> None:
    assert parsed(repr(value)) == value
    assert parsed(json.dumps(value)) == value
    assert parsed(yaml.safe_dump(value)) == value


@given(st.text(max_size=40))
def test_any_text_is_a_dict_that_can_be_kept_or_refused(text: str) -> None:
    try:
        found = parsed(text)
    except ValueError:
        return
    assert isinstance(json.loads(json.dumps(found)), dict)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "{1: 2}",
        "{'a': {1, 2}}",
        "{'a': b'x'}",
        "__import__('os').getcwd()",
        "{",
        "!!python/name:os.x ''",
    ],
)
def test_what_is_no_dict_of_plain_values(text: str) -> None:
    with pytest.raises(ValueError, match=r"no dict|JSON serializable|expected|could not determine"):
        parsed(text)
