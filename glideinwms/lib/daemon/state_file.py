"""Reads a state file of a daemon; a damaged one is put aside and never stops the daemon."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TypeVar

from glideinwms.lib.daemon import log
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import from_json, read_file

T = TypeVar("T")


def load(path: Path, kind: type[T], empty: T, *, lost: str) -> T:
    """Return what the file holds, or `empty` if there is no file.

    A damaged file is renamed to `<name>.damaged`, and the log says what is `lost` with it.
    """
    if not path.exists():
        return empty
    try:
        return from_json(kind, read_file(path), where=str(path), ignore_unknown=True)
    except StateError as error:
        aside = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(OSError):
            path.replace(aside)
        log.get("state").error(
            "damaged file put aside", file=str(aside), error=str(error), lost=lost
        )
        return empty
