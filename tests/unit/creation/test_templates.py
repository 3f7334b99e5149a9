"""The templates for new installations need nothing but their words in capitals replaced."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from glideinwms.creation.reconfig.run import build
from glideinwms.creation.views import convert
from glideinwms.creation.xml.problems import Problems
from tests.support.configs import FILES

TEMPLATES = Path(__file__).resolve().parents[3] / "etc" / "templates"


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_a_filled_template_gives_no_word(side: str, tmp_path: Path) -> None:
    text = (TEMPLATES / f"{side}.xml").read_text()
    text = re.sub(r"\b([A-Z]+)_HOST\b", lambda m: f"{m[1].lower()}.example.org", text)
    text = re.sub(r"\b(FACTORY|FRONTEND)_NAME\b", lambda m: m[1].lower(), text)
    (tmp_path / "condor.tar.gz").write_bytes(b"x")
    (tmp_path / "ce.scitoken").write_bytes(FILES["ce.scitoken"])
    text = text.replace("/var/lib/gwms-factory/condor/", f"{tmp_path}/").replace(
        "/etc/gwms-frontend/cred.d/", f"{tmp_path}/"
    )
    path = tmp_path / f"{side}.xml"
    path.write_text(text)
    problems = Problems()
    build(path, side, problems)
    assert [str(p) for p in problems.found] == []


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_what_is_not_filled_in_is_named(side: str) -> None:
    path, problems = TEMPLATES / f"{side}.xml", Problems()
    convert.READERS[side][1](path, problems)
    words = {
        n: re.findall(r"[A-Z]+_(?:HOST|NAME)\b", line)
        for n, line in enumerate(path.read_text().splitlines(), 1)
    }
    named = [
        (p.where.line, p.what.split()[0])
        for p in problems.warnings
        if "is a placeholder of the template" in p.what
    ]
    assert {n for n, _ in named} == {n for n, found in words.items() if found} and len(named) > 5
    assert all(word in words[n] for n, word in named)


def test_the_templates_of_both_sides_know_each_other() -> None:
    factory, frontend = (
        ElementTree.parse(TEMPLATES / f"{side}.xml").getroot() for side in ("factory", "frontend")
    )
    [trusted], [collector] = (
        factory.findall(".//frontend"),
        frontend.findall("match/factory/collectors/collector"),
    )
    assert trusted.get("identity") == collector.get("my_identity")
    assert trusted.get("name") == frontend.find("security").get("security_name")  # type: ignore[union-attr]
    [entry], [credential] = factory.findall("entries/entry"), frontend.findall(".//credential")
    assert entry.get("trust_domain") == credential.get("trust_domain")
    assert entry.get("auth_method") == credential.get("type")
