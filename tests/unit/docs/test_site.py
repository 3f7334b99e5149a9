"""Tests of the documentation site: it builds without a warning and uses nothing from other hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed")

ROOT = Path(__file__).resolve().parents[3]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=["'](?:https?:)?//[^"']*"""
    r"""|url\((?:https?:)?//"""
)


def build(site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(site),
        *options,
    ]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("site")
    done = build(top)
    assert done.returncode == 0, done.stderr
    return top


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(pages) > 30
    assert [
        f"{path.name}: {found[0]}" for path in pages if (found := FETCHED.search(path.read_text()))
    ] == []


def test_scripts_name_no_other_host_to_load_from(site: Path) -> None:
    scripts = [path for path in site.rglob("*.js") if "unpkg.com" in path.read_text()]
    assert scripts == []


def test_a_link_to_an_anchor_that_does_not_exist_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text("# Home\n\n[nowhere](#nowhere)\n")
    text = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    text = text.replace("scripts/site_hooks.py", str(ROOT / "scripts/site_hooks.py"))
    (tmp_path / "mkdocs.yml").write_text(text.replace("site_dir: build/site\n", ""))
    done = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert done.returncode != 0
    assert "nowhere" in done.stderr
