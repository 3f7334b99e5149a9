"""Files that run with our rights: only root or we can have written them (decision 21)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from glideinwms.lib.errors import ConfigError

OTHERS = stat.S_IWGRP | stat.S_IWOTH


def check(path: Path) -> os.stat_result:
    """Its stat, or a ConfigError if somebody else may have written the file or may put another in its place."""
    try:
        folder, found = path.parent.stat(), path.stat()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    _check(path.parent, folder)
    _check(path, found)
    return found


def read(path: Path) -> bytes:
    """The bytes of such a file; what is checked is the file that is read, whatever its name says by then."""
    check(path)
    try:
        with path.open("rb") as file:
            _check(path, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"belongs to user {found.st_uid}", where=str(path), hint="chown it to root or to our user")
    # in a directory such as /tmp nobody replaces another's file
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & OTHERS and not sticky:
        raise ConfigError("can be written by others", where=str(path), hint=f"chmod go-w {path}")
