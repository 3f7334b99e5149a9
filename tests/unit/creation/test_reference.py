"""What is generated from the models is current, and says the same as the loader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from glideinwms.creation import reference
from tests.support.configs import place

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_page_is_current() -> None:
    made = "run `python -m glideinwms.creation.reference options > docs/options.md`"
    assert (ROOT / "docs" / "options.md").read_text() == reference.options(), made


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_the_schemas_for_editors_are_current(side: str) -> None:
    made = f"run `python -m glideinwms.creation.reference rng {side} > etc/{side}.rng`"
    assert (ROOT / "etc" / f"{side}.rng").read_text() == reference.relaxng(side), made


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_relax_ng_takes_good_files_and_no_unknown_name(side: str, size: str, tmp_path: Path) -> None:
    schema = etree.RelaxNG(etree.fromstring(reference.relaxng(side).encode()))
    tree = etree.parse(str(place(tmp_path, f"{side}.{size}.xml")))
    assert schema.validate(tree), schema.error_log
    tree.getroot().set("lop_delay", "1")
    assert not schema.validate(tree)


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_json_schema_describes_each_option(side: str) -> None:
    data = json.loads(reference.json_schema(side))
    described = [
        p.get("description") or p.get("$ref") for d in data["$defs"].values() for p in d["properties"].values()
    ]
    assert len(described) > 80 and all(described)


def test_every_option_has_help() -> None:
    for side, (tag, model) in reference.ROOTS.items():
        for path, element in reference._elements(tag, model):
            assert element.__doc__, (side, path)
            for name, field in element.model_fields.items():
                assert name == "where" or field.description, f"{path}@{name}"
