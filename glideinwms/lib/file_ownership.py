"""Files that run with our rights: only root or we can have written them (decision 21)."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from glideinwms.lib.errors import ConfigError

OTHERS = stat.S_IWGRP | stat.S_IWOTH
INTERPRETER = re.compile(r"(?:ba|da|k|z|c|tc)?sh|python[0-9.]*|perl|ruby|env|sudo|nice|timeout")


def check(path: Path) -> os.stat_result:
    """Its stat, or a ConfigError if somebody else may have written the file or may put another in
    its place.
    """
    try:
        found = path.stat()
        # whoever may write a directory anywhere above can put another tree in its place
        above = {
            folder: folder.stat() for folder in (*path.absolute().parents, *path.resolve().parents)
        }
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    for folder, stats in above.items():
        _check(folder, stats)
    _check(path, found)
    return found


def check_command(words: Sequence[str]) -> None:
    """A ConfigError if others may have written the program of a command line, or the script that it
    interprets.
    """
    program = shutil.which(words[0])
    if program is None:
        return  # it cannot be run at all
    check(Path(program))
    if INTERPRETER.fullmatch(Path(program).name):
        for word in words[1:]:
            if word.startswith("/") and Path(word).is_file():
                check(Path(word))


def read(path: Path) -> bytes:
    """The bytes of such a file; what is checked is the file that is read, whatever its name says by
    then.
    """
    check(path)
    try:
        with path.open("rb") as file:
            _check(path, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"belongs to user {found.st_uid}",
            where=str(path),
            hint="chown it to root or to our user",
        )
    # in a directory such as /tmp nobody replaces another's file
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & OTHERS and not sticky:
        raise ConfigError("can be written by others", where=str(path), hint=f"chmod go-w {path}")
