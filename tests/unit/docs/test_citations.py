"""Tests that every citation of the reference or of a decision leads to an anchor that exists.

A citation is the name of a document and a number, such as `protocol 5.6`, `config 15/3`, `contract
1.13`, `feature A5` or `decision 22`. Its anchor is the same text with a hyphen for the blank.
docs/reference/citations.md explains the form.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SUFFIXES = {".py", ".md", ".sh", ".source", ".bats", ".toml", ".xml"}
FILES = [
    path
    for top in ("glideinwms", "docs", "tests", "benchmarks", "etc")
    for path in sorted((ROOT / top).rglob("*"))
    if path.suffix in SUFFIXES and path.name != "options.md"
]
PAGES = [
    *sorted((ROOT / "docs/reference").rglob("*.md")),
    *sorted((ROOT / "docs/adr").glob("*.md")),
]
ALIASES = {"features": "feature", "decisions": "decision", "Protocol": "protocol"}
# forms that lead nowhere
OLD = re.compile(r"\b(?:pilot\.md|design|asks|quirk|script-api) [0-9]|\(9\.[0-9]/[0-9]")
# a section number without the name of its document
BARE = re.compile(r"[a-z] \(([1-9]\.[0-9]{1,2})[),]")
OLD_ON_PAGES = re.compile(rf"{OLD.pattern}|(?<=\s)\[[0-9]{{1,2}}\](?![(\w\[])")
NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:/[0-9]+)?"
FEATURE = r"[A-O][0-9]*"


def listed(number: str) -> str:
    return rf"({number}(?:(?:, | and |-){number})*)(?![\w(])"


CITATIONS = [
    re.compile(rf"\b([Pp]rotocol|config|contract|credentials-3\.11|decisions?) {listed(NUMBER)}"),
    re.compile(rf"\b(features?) {listed(FEATURE)}"),
]


def anchors() -> Counter[str]:
    return Counter(
        anchor for page in PAGES for anchor in re.findall(r'<a id="([^"]+)"></a>', page.read_text())
    )


def citations(text: str) -> list[str]:
    """The anchors that the citations in a text name."""
    joined = re.sub(r"\s*\n[\s#*]*", " ", text)
    return [
        f"{ALIASES.get(document, document)}-{number}"
        for pattern in CITATIONS
        for document, numbers in pattern.findall(joined)
        for number in re.findall(f"{NUMBER}|{FEATURE}", numbers)
    ]


def test_no_anchor_is_defined_twice() -> None:
    assert [anchor for anchor, count in anchors().items() if count > 1] == []


def test_there_is_something_to_cite() -> None:
    assert len(anchors()) > 500


@pytest.mark.parametrize("document", ["protocol", "config", "contract", "feature", "decision"])
def test_every_document_is_cited(document: str) -> None:
    assert any(
        cited.startswith(f"{document}-") for path in FILES for cited in citations(path.read_text())
    )


def test_every_citation_leads_to_an_anchor() -> None:
    known = set(anchors())
    unresolved = [
        f"{path.relative_to(ROOT)}: {cited}"
        for path in FILES
        for cited in citations(path.read_text())
        if cited not in known
    ]
    assert unresolved == []


def test_no_form_is_used_that_leads_nowhere() -> None:
    files = [path for path in FILES if path != Path(__file__)]
    old = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in files
        for found in (OLD_ON_PAGES if path.suffix == ".md" else OLD).finditer(path.read_text())
    ]
    assert old == []


def test_no_number_stands_without_its_document() -> None:
    known = set(anchors())
    files = [path for path in FILES if ROOT / "docs/reference" not in path.parents]
    bare = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in files
        for found in BARE.finditer(path.read_text())
        if f"protocol-{found[1]}" in known
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as protocol 9.1/12 says", ["protocol-9.1/12"]),
        ("(config 13, 15/3 and 16)", ["config-13", "config-15/3", "config-16"]),
        ("decisions 1-3", ["decision-1", "decision-3"]),
        ("feature A5 and G; protocol\n    # 5.6", ["protocol-5.6", "feature-A5", "feature-G"]),
        ("the protocol of 3.11, config FILE", []),
    ],
)
def test_a_citation_is_recognised(text: str, expected: list[str]) -> None:
    assert citations(text) == expected
