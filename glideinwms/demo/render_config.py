"""The demo's configuration files: `etc/demo` with the words between @ signs filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from glideinwms.lib.errors import DemoError

NAMES = ("factory.xml", "frontend.xml", "gwms.toml", "pilot.conf")
WORD = re.compile(r"@([A-Z][A-Z_]*)@")


def templates() -> Path:
    """The directory of the files: in the checkout, or in the installed package."""
    here = Path(__file__).parent
    found = [d for d in (here / "etc", here.parent.parent / "etc/demo") if (d / NAMES[0]).exists()]
    if not found:
        raise DemoError(
            "the demo's configuration files are missing",
            where=str(here / "etc"),
            hint="install it anew",
        )
    return found[-1]


def fill(text: str, values: Mapping[str, str], where: str, xml: bool) -> str:
    """Replace every @WORD@; DemoError for one without a value."""

    def value(match: re.Match[str]) -> str:
        word = match[1]
        if word not in values:
            raise DemoError(
                f"nothing stands for @{word}@",
                where=where,
                hint=f"known: {', '.join(sorted(values))}",
            )
        return escape(values[word], {'"': "&quot;"}) if xml else values[word]

    return WORD.sub(value, text)


def write(into: Path, values: Mapping[str, str]) -> None:
    """Write the four files; `@ETC@` is `into` itself."""
    into.mkdir(parents=True, exist_ok=True)
    source = templates()
    for name in NAMES:
        text = (source / name).read_text()
        (into / name).write_text(
            fill(text, {**values, "ETC": str(into)}, str(source / name), name.endswith(".xml"))
        )
