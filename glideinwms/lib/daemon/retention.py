"""Removal of old logs."""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glideinwms.lib.daemon import log
from glideinwms.lib.daemon.policy_file import Retention

DAY = 86400.0
MEGABYTE = 1_000_000
# a log of ours of a day that is past, see lib.log
ROTATED = re.compile(r"\.log\.\d{4}-\d\d-\d\d$")


@dataclass(frozen=True, slots=True)
class RetainedFile:
    """A file that may go: `age` in seconds."""

    path: Path
    age: float
    size: int


def expired(files: Iterable[RetainedFile], keep: Retention) -> list[RetainedFile]:
    """Older than max_days; then, while the rest is larger than max_mbytes, the oldest of those past
    min_days.
    """
    rows = sorted(files, key=lambda f: -f.age)
    gone = [f for f in rows if f.age > keep.max_days * DAY]
    left = rows[len(gone) :]
    total = sum(f.size for f in left)
    for file in left:
        if total <= keep.max_mbytes * MEGABYTE or file.age <= keep.min_days * DAY:
            break
        gone.append(file)
        total -= file.size
    return gone


def own_kind(path: Path) -> str:
    """Kind "process" is our own logs of days past."""
    return "process" if ROTATED.search(path.name) else ""


def sweep(
    directory: Path,
    retention: Mapping[str, Retention],
    now: float,
    used: Collection[str] = (),
    kind_of: Callable[[Path], str] = own_kind,
) -> list[Path]:
    """Remove what is over in one directory, but for `used`; what was removed. What refuses is said
    and left alone.
    """
    by_kind: dict[str, list[RetainedFile]] = {}
    try:
        paths = list(directory.iterdir()) if directory.is_dir() else []
    except OSError as error:
        log.get("cleanup").warning("cannot be read", directory=str(directory), error=error.strerror)
        return []
    for path in paths:
        kind = kind_of(path)
        if kind in retention and str(path) not in used:
            with contextlib.suppress(OSError):  # somebody else has removed it
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    by_kind.setdefault(kind, []).append(
                        RetainedFile(path, now - found.st_mtime, found.st_size)
                    )
    gone = [f.path for kind, files in by_kind.items() for f in expired(files, retention[kind])]
    return [path for path in gone if removed(path)]


def removed(path: Path) -> bool:
    """Remove a file; what refuses is said and left alone."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.get("cleanup").warning("cannot be removed", file=str(path), error=error.strerror)
        return False
    return True
