"""README and docs name what exists: every link, page, command, option and unit of systemd."""

from __future__ import annotations

import configparser
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from glideinwms.cli import main as cli
from glideinwms.cli.commands import factory, frontend
from glideinwms.cli.tree import DEFAULT
from glideinwms.creation.build.stage_files import load_pilot

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# these describe another program, whose commands and files are not here
UPSTREAM = ("protocol", "configuration", "pilot-contract", "credentials-3.11.md", "features.md")
OURS = [
    page
    for page in PAGES
    if not any(page.is_relative_to(ROOT / "docs/reference" / name) for name in UPSTREAM)
]
MAX_COLUMNS = 120
# their tables are read by tests, or are generated
WIDE_TABLES = ("differences.md", "security.md", "script-api.md", "options.md")
EACH = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
OF_OURS = pytest.mark.parametrize("page", OURS, ids=[str(p.relative_to(ROOT)) for p in OURS])
NAMES = r"[\w-]+(?:(?:\\?\||, )\w+)*"
COMMAND = re.compile(rf"\bgwms ({NAMES})(?: ({NAMES}))?([^`\n]*)")


def links(page: Path) -> set[str]:
    return {t for t in re.findall(r"\]\(([^)#\s]+)", page.read_text()) if "://" not in t}


def commands(page: Path) -> Iterator[tuple[str, list[str], list[str], str]]:
    """(noun, verbs, options, text) of each command in code, inline or fenced."""
    text = page.read_text()
    fenced = re.findall(r"^```.*?^```", text, re.S | re.M)
    for code in [*fenced, *re.findall(r"(?<!`)`(gwms [^`\n]+)`", text)]:
        for nouns, verbs, rest in COMMAND.findall(code):
            for noun in re.split(r"\\?\||, ", nouns):
                yield (
                    noun,
                    [v for v in re.split(r"\\?\||, ", verbs) if v],
                    re.findall(r"--[a-z][\w-]*", rest),
                    code,
                )


@functools.cache
def tree() -> Any:
    """All nouns and verbs as the command line has them."""
    return typer.main.get_command(cli.build([], everything=True))


@EACH
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = sorted(t for t in links(page) if not (page.parent / t).exists())
    assert not dead, f"{page.name}: {dead}"


@OF_OURS
def test_every_command_exists_with_its_options(page: Path) -> None:
    for noun, verbs, options, text in commands(page):
        if noun.startswith("-"):
            continue
        found = tree().commands.get(noun)
        assert found is not None, f"{page.name}: no `gwms {noun}`: {text}"
        chosen = [found]
        if hasattr(found, "commands"):
            names = verbs or ([DEFAULT[noun]] if noun in DEFAULT else [])
            assert set(names) <= set(found.commands), (
                f"{page.name}: no `gwms {noun} {verbs}`: {text}"
            )
            chosen = [found.commands[n] for n in names]
        known = {o for one in chosen for p in one.params for o in p.opts} | {"--help"}
        assert set(options) <= known, f"{page.name}: {sorted(set(options) - known)} of: {text}"


@OF_OURS
def test_every_module_and_path_that_is_named_exists(page: Path) -> None:
    files = {
        str(p.relative_to(ROOT))
        for top in ("glideinwms", "tests", "benchmarks")
        for p in (ROOT / top).rglob("*")
    }
    # what is put together when it is staged
    files |= {f"main/{f.item.outfile}" for f in load_pilot().files if f.item is not None}
    named = re.findall(r"`([\w./-]+\.(?:py|bats|source|sh))`", page.read_text())
    named = [name for name in named if not name.startswith("/")]
    assert not [n for n in named if not any(f"/{f}".endswith(f"/{n}") for f in files)], page.name
    paths = re.findall(
        r"`((?:tests|etc|scripts|benchmarks|glideinwms)/[\w./-]*)`", page.read_text()
    )
    assert not [n for n in paths if not (ROOT / n).exists()], page.name


def test_commands_are_found_at_all() -> None:
    assert len({(noun, *verbs) for page in PAGES for noun, verbs, _, _ in commands(page)}) > 20


def test_the_index_and_the_pages_are_the_same() -> None:
    docs = ROOT / "docs"
    index = {target for target in links(docs / "README.md") if not target.startswith("../")}
    parts = {docs / "adr", *(path.parent for path in docs.glob("reference/*/index.md"))}
    pages = {page for page in docs.rglob("*.md") if page.parent not in parts}
    pages |= {page for part in parts for page in [*part.glob("README.md"), *part.glob("index.md")]}
    assert index == {str(page.relative_to(docs)) for page in pages} - {"README.md"}


@EACH
def test_lines_are_short_enough_to_review(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    wide = page.name in WIDE_TABLES
    lines = [line for line in text.splitlines() if not (wide and line.startswith("|"))]
    assert [line for line in lines if len(line) > MAX_COLUMNS] == []


@pytest.mark.parametrize(
    ("side", "place"), [("factory", factory.DEFAULT), ("frontend", frontend.DEFAULT)]
)
def test_units_run_the_daemons_where_the_commands_look(side: str, place: Path) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / f"etc/systemd/gwms-{side}.service")
    service = unit["Service"]
    assert service["ExecStart"] == f"/usr/bin/gwms {side} run --work-dir {place}"
    assert service["Type"] == "notify" and service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Restart"] == "on-failure" and int(service["WatchdogSec"]) >= 600
