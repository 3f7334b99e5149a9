"""load -> write -> load is the identity, whatever parts a file has; a converted file builds the same generation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from glideinwms.creation.built import named
from glideinwms.creation.convert import READERS, convert, write
from glideinwms.creation.elements import Element
from glideinwms.creation.problems import InvalidConfig, Problems
from glideinwms.creation.reconfig import build
from tests.support.configs import DATA, place

SIDES = ["factory", "frontend"]


def bare(model: Any) -> Any:
    """The model without places."""
    return model.model_dump() if isinstance(model, Element) else model


def loaded(side: str, text: bytes | str, folder: Path) -> Element | None:
    path = folder / "x.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems()
    try:
        model = READERS[side][1](path, problems)
    except InvalidConfig:
        return None
    return None if problems.errors else model


@pytest.mark.parametrize("side", SIDES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_load_write_load_is_the_identity(side: str, data: st.DataObject) -> None:
    """From the maximal file with a random part of its elements and attributes."""
    root = etree.fromstring((DATA / f"{side}.maximal.xml").read_bytes())
    elements = [e for e in root.iter() if e is not root]
    for n in data.draw(st.sets(st.integers(0, len(elements) - 1), max_size=25)):
        element = elements[n]
        if element.getparent() is not None and data.draw(st.booleans()):
            element.getparent().remove(element)
        elif element.attrib:
            del element.attrib[data.draw(st.sampled_from(sorted(element.attrib)))]
    with tempfile.TemporaryDirectory() as folder:
        first = loaded(side, etree.tostring(root), Path(folder))
        if first is None:
            return
        text = write(READERS[side][0], first)
        again = loaded(side, text, Path(folder))
        assert again is not None
        assert bare(again) == bare(first)
        assert write(READERS[side][0], again) == text


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", SIDES)
def test_a_converted_file_is_shorter_and_builds_the_same(side: str, size: str, tmp_path: Path) -> None:
    path = place(tmp_path, f"{side}.{size}.xml")
    before, _ = named(build(path, side, Problems()))
    text = convert(path, side, Problems())
    words = etree.fromstring(text.encode()).xpath("count(//@*)")
    assert words <= etree.parse(str(path)).xpath("count(//@*[name()!='comment'])")
    path.write_text(text)
    after, data = named(build(path, side, Problems()))
    if side == "factory":
        assert after.policy == before.policy
    else:
        # the origin of each expression is its line, which has changed
        assert [g["name"] for g in data["groups"]] == [g.name for g in before.policy.groups]  # type: ignore[union-attr]
    assert [t.descript for t in after.trees] == [t.descript for t in before.trees]
