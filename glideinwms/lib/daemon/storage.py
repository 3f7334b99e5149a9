"""Directories that a daemon needs, and what stops when one cannot be written: a full or read-only
file system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.lib.daemon import log
from glideinwms.lib.errors import GwmsError

MIN_FREE_BYTES = 16384


@dataclass(frozen=True, slots=True)
class Directory:
    """`stops`: the work that stops when it cannot be written. `ours`: the daemon itself writes
    there, not only `reconfig`, which another account may run.
    """

    path: Path
    stops: str
    ours: bool = True


def problem(path: Path, *, ours: bool = True) -> str:
    """Why a directory cannot be written ("": it can). One that does not exist is no problem of its
    file system.
    """
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path} cannot be used: {error.strerror}"
    if found.f_flag & os.ST_RDONLY:
        return f"the file system of {path} is read-only"
    if full(found):
        return f"the file system of {path} is full"
    if ours and not os.access(path, os.W_OK | os.X_OK):
        return f"{path} is not writable for this account"
    return ""


def full(found: os.statvfs_result) -> bool:
    """Whether a file system has no room or no inodes; one that does not count them has."""
    no_room = found.f_blocks > 0 and found.f_bavail * found.f_frsize < MIN_FREE_BYTES
    return no_room or (found.f_files > 0 and found.f_favail == 0)


def problems(directories: Iterable[Directory]) -> list[str]:
    """One text per directory that cannot be written: why, and what stops."""
    found = ((problem(d.path, ours=d.ours), d.stops) for d in directories)
    return [f"{text}: {stops}" for text, stops in found if text]


@dataclass(slots=True)
class StateWrites:
    """Writes of state files. One that fails is a problem to be shown, and does not end the cycle:
    what was to be kept is still in memory.
    """

    failed: list[str] = field(default_factory=list)

    def attempt(self, write: Callable[[], object]) -> bool:
        """Do it; False if it failed."""
        try:
            write()
        except (GwmsError, OSError) as error:
            self.failed.append(str(error))
            log.get("state").error("state not written", error=str(error))
            return False
        return True

    def taken(self) -> list[str]:
        """The failures since the last call."""
        failed, self.failed = list(dict.fromkeys(self.failed)), []
        return failed
