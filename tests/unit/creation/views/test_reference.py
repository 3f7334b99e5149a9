"""What is generated from the models is current, and says the same as the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from glideinwms.creation.views import reference
from tests.support.configs import place

ROOT = Path(__file__).resolve().parents[4]


def test_the_reference_page_is_current() -> None:
    made = "run `python -m glideinwms.creation.views.reference options > docs/reference/options.md`"
    assert (ROOT / "docs" / "reference" / "options.md").read_text() == reference.options(), made


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_the_schemas_for_editors_are_current(side: str) -> None:
    made = f"run `python -m glideinwms.creation.views.reference rng {side} > etc/{side}.rng`"
    assert (ROOT / "etc" / f"{side}.rng").read_text() == reference.relaxng(side), made


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_relax_ng_takes_good_files_and_no_unknown_name(
    side: str, size: str, tmp_path: Path
) -> None:
    schema = etree.RelaxNG(etree.fromstring(reference.relaxng(side).encode()))
    tree = etree.parse(str(place(tmp_path, f"{side}.{size}.xml")))
    assert schema.validate(tree), schema.error_log
    tree.getroot().set("lop_delay", "1")
    assert not schema.validate(tree)


def editor(side: str) -> Any:
    return etree.RelaxNG(etree.fromstring(reference.relaxng(side).encode()))


@pytest.mark.parametrize(
    "content",
    [
        '<entries><entry name="A" gatekeeper="ce ce:9619"><attrs><attr name="N" value="5"/></attrs></entry></entries>',
        '<security><frontends><frontend name="a" identity="a@b"/></frontends></security>',
        '<stage web_base_url="http://host/stage"/><attrs><attr name="A" value=""/></attrs>',
        "",
    ],
)
def test_relax_ng_takes_pieces_of_config_d(content: str) -> None:
    schema = editor("factory")
    assert schema.validate(etree.fromstring(f"<glidein>{content}</glidein>")), schema.error_log


@pytest.mark.parametrize(
    ("side", "old", "new", "word"),
    [
        ("factory", 'loop_delay="60"', 'loop_delay="five"', "loop_delay"),
        (
            "factory",
            'enabled="True" gatekeeper="beta',
            'enabled="Treu" gatekeeper="beta',
            "enabled",
        ),
        ("factory", 'type="int" value="8000"', 'type="integer" value="8000"', "type"),
        ("factory", 'cluster_size="10"', 'cluster_size="-1"', "cluster_size"),
        (
            "factory",
            'verbosity="std" work_dir="Condor"',
            'verbosity="stdd" work_dir="Condor"',
            "verbosity",
        ),
        ("factory", 'idle="604800"', 'idel="604800"', "stale_age"),
        ("factory", '<stale_age idle="604800" running="2678400"/>', "<stael_age/>", "stael_age"),
        ("frontend", 'relative_to_queue="1.15"', 'relative_to_queue="many"', "relative_to_queue"),
        ("frontend", 'min_memory="2500"', 'min_memory="2500MB"', "min_memory"),
        ("frontend", 'secondary="True"', 'secondary="perhaps"', "secondary"),
        ("frontend", 'name="RequestGPUs" type="int"', 'name="RequestGPUs" type="integer"', "type"),
    ],
)
def test_relax_ng_finds_a_mistake_at_its_line(
    side: str, old: str, new: str, word: str, tmp_path: Path
) -> None:
    good = place(tmp_path, f"{side}.real.xml")
    schema = editor(side)
    assert schema.validate(etree.parse(str(good))), schema.error_log
    text = good.read_text()
    bad = place(tmp_path / "bad", f"{side}.real.xml", (old, new))
    assert not schema.validate(etree.parse(str(bad)))
    line = text[: text.index(old)].count("\n") + 1
    assert line in {e.line for e in schema.error_log}, schema.error_log
    assert word in str(schema.error_log)


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_json_schema_describes_each_option(side: str) -> None:
    data = json.loads(reference.json_schema(side))
    described = [
        p.get("description") or p.get("$ref")
        for d in data["$defs"].values()
        for p in d["properties"].values()
    ]
    assert len(described) > 80 and all(described)


def test_every_option_has_help() -> None:
    for side, (tag, model) in reference.ROOTS.items():
        for path, element in reference._elements(tag, model):
            assert element.__doc__, (side, path)
            for name, field in element.model_fields.items():
                assert name == "where" or field.description, f"{path}@{name}"
