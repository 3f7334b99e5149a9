"""load -> write -> load is the identity, whatever parts a file has; a converted file builds the same generation."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic.fields import FieldInfo

from glideinwms.creation.build.resolved import named
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.views.convert import READERS, convert, write
from glideinwms.creation.xml.elements import Element, load, shape
from glideinwms.creation.xml.factory_model import Factory
from glideinwms.creation.xml.frontend_model import Frontend
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.creation.xml.source import parse
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


TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), st.sampled_from("\n\t\"'<&$")),
    max_size=5,
)


def of_field(info: FieldInfo) -> st.SearchStrategy[Any]:
    """Any value that the field takes."""
    return of(info.annotation, info.metadata)


def of(kind: Any, bounds: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Any value of a type within the bounds that pydantic gives it."""
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is Annotated:
        return of(
            get_args(kind)[0], [m for b in get_args(kind)[1:] for m in getattr(b, "metadata", [b])]
        )
    if get_args(kind):
        return st.one_of(of(k, ()) for k in get_args(kind))
    least = next((b.ge for b in bounds if hasattr(b, "ge")), None)
    length = next((b.min_length for b in bounds if hasattr(b, "min_length")), 0)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT.filter(lambda t: len(t) >= length),
        bool: st.booleans(),
        type(None): st.none(),
        float: st.floats(least, 1e9, allow_nan=False),
        int: st.integers(least, 10**9),
    }
    return simple[kind]


def models(root: type[Element]) -> list[type[Element]]:
    """Every model that a file of `root` is made of."""
    found = [root]
    for model in found:
        found += [kind for _, kind in shape(model).values() if kind and kind not in found]
    return found


def filled(model: type[Element], values: Callable[[FieldInfo], Any], depth: int = 1) -> Element:
    """The model with a value of `values` in each of its attributes, and `depth` levels of such
    children.
    """
    fields: dict[str, Any] = {}
    for name, (item, kind) in shape(model).items():
        if kind is None:
            fields[name] = values(model.model_fields[name])
        elif depth:
            child = filled(kind, values, depth - 1)
            fields[name] = (child, child) if item else child
    return model(**fields)


@pytest.mark.parametrize(
    "model", dict.fromkeys([*models(Factory), *models(Frontend)]), ids=lambda m: m.__name__
)
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_no_value_of_any_field_is_lost(model: type[Element], data: st.DataObject) -> None:
    """Any value in any field of each model, not only those that the corpus names."""
    depth = 0 if model in (Factory, Frontend) else 1
    first, problems = filled(model, lambda info: data.draw(of_field(info)), depth), Problems()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.xml").write_text(write("x", first))
        again = load(parse(Path(folder) / "x.xml"), model, problems, strict=True)
    assert [str(p) for p in problems.found] == []
    assert again is not None and bare(again) == bare(first)


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", SIDES)
def test_a_converted_file_is_shorter_and_builds_the_same(
    side: str, size: str, tmp_path: Path
) -> None:
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
