"""Logs packed into a pilot's stderr, for the commands under GlideinWMS 3.10 names."""

from __future__ import annotations

from pathlib import Path

from glideinwms.cli import output


def sections_of(path: Path) -> dict[str, str]:
    """Return the logs packed into a file, by name. End the program if the file is missing."""
    from glideinwms.factory.pilot_history.pilot_log import sections

    return sections(text_of(path))


def text_of(path: Path) -> str:
    """Return the end of a pilot's output file. End the program if the file is missing."""
    from glideinwms.factory.pilot_history.pilot_log import MOST, tail

    text = tail(path, MOST)
    if text is None:
        output.fail(f"{path}: no such file")
    return text
