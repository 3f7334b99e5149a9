"""Hooks of the documentation site (mkdocs.yml)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

# Scripts of the theme that would be fetched from elsewhere, for diagrams and old browsers. No page
# needs them.
ELSEWHERE = re.compile(r"https://unpkg\.com/[\w@./-]+")
LINK = re.compile(r"\[([^\]\n]+)\]\(((?![a-z]+:|#)[^)\s]+)\)")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links to files outside docs/, which the site does not contain, into their text."""
    docs = Path(config["docs_dir"]).resolve()
    here = docs / Path(page.file.src_uri).parent

    def outside(match: re.Match[str]) -> str:
        target = (here / match[2].partition("#")[0]).resolve()
        return match[0] if target.is_relative_to(docs) and target.is_file() else match[1]

    return LINK.sub(outside, markdown)


def on_post_build(config: Any) -> None:
    """Leave no address of a foreign host in the theme's scripts."""
    for path in Path(config["site_dir"], "assets").rglob("*"):
        if path.suffix == ".map":
            path.unlink()
        elif path.suffix == ".js":
            text = path.read_text()
            if ELSEWHERE.search(text):
                path.write_text(ELSEWHERE.sub("", text))
