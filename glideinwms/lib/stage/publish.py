"""Writing trees into a stage directory: add-only, one syncfs, then what has a plain name (decisions
10, 33).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from glideinwms.lib.errors import StageError
from glideinwms.lib.files import hint_of, make_directory
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree

MODE = 0o644
# where files lie until they are whole; what a killed run left there goes with the next
NEW = ".new"
Files = Mapping[str, Mapping[str, Blob]]  # directory of the stage ("" its root) -> name -> content


def missing(root: Path, trees: Iterable[Tree]) -> Files:
    """The immutable files that are not there yet. A file of the right size under a content name is
    that content: files appear by rename only, and a size that differs is what a power cut leaves.
    """
    wanted: dict[str, dict[str, Blob]] = {}
    for tree in trees:
        there = _sizes(root / tree.subdir)
        if lacking := {n: b for n, b in tree.files.items() if there.get(n) != b.size}:
            wanted.setdefault(tree.subdir, {}).update(lacking)
    return wanted


def changed_plain(root: Path, trees: Iterable[Tree]) -> Files:
    """The plainly named files whose content differs, or that the operator does not have yet."""
    found: dict[str, dict[str, Blob]] = {}
    for tree in trees:
        for name, blob in tree.plain.items():
            path = root / tree.subdir / name
            try:
                same = path.stat().st_size == blob.size and path.read_bytes() == blob.read()
            except FileNotFoundError:
                same = False
            if not same:
                found.setdefault(tree.subdir, {})[name] = blob
        for name, blob in tree.once.items():
            if not (root / tree.subdir / name).exists():
                found.setdefault(tree.subdir, {})[name] = blob
    return found


def names_of(files: Files) -> list[str]:
    """Stage-relative names."""
    return [
        f"{subdir}/{name}" if subdir else name
        for subdir, content in files.items()
        for name in content
    ]


def write_all(root: Path, files: Files, *, shared: bool = True) -> None:
    """Write files aside and rename them into their places; a directory that is new appears with all
    its files at once. A StageError leaves what has appeared for the next run.

    With `shared`, files of equal content are names of one inode: only for files that nobody edits.
    """
    aside = root / NEW
    shutil.rmtree(aside, ignore_errors=True)
    twins: dict[str, str] = {}
    try:
        for subdir, content in files.items():
            place = root / subdir
            try:
                make_directory(aside, 0o755)
                _put_all(aside, content, place, twins)
            except OSError as error:
                name = Path(error.filename or "").name
                where = place / name if name in content else place
                what = f"cannot be written: {error.strerror}"
                raise StageError(what, where=str(where), hint=hint_of(error)) from error
            if shared:
                twins |= {
                    b.sha256: f"{place}/{n}" for n, b in content.items() if b.sha256 not in twins
                }
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_all(
    aside: Path, content: Mapping[str, Blob], place: Path, twins: Mapping[str, str]
) -> None:
    if place.is_dir():
        for name, blob in content.items():
            _put(f"{aside}/{name}", blob, twins.get(blob.sha256))
            (aside / name).rename(place / name)
        return
    make_directory(place.parent, 0o755)
    whole = aside / place.name
    make_directory(whole, 0o755)
    for name, blob in content.items():
        _put(f"{whole}/{name}", blob, twins.get(blob.sha256))
    whole.rename(place)


def _put(path: str, blob: Blob, twin: str | None) -> None:
    """Make a file: a further name of its twin, where the file system can."""
    if twin is not None:
        # whatever is in the way, the file is written instead, or says why not
        with contextlib.suppress(OSError):
            return os.link(twin, path)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    try:
        os.fchmod(fd, MODE)
        _write_fully(fd, blob.read())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)


def _write_fully(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_filesystem(path: Path) -> None:
    """syncfs(2) of the file system that holds `path`."""
    fd = os.open(path, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise StageError(f"cannot be synced: {os.strerror(code)}", where=str(path))
    finally:
        os.close(fd)


def publish(root: Path, trees: Sequence[Tree]) -> int:
    """Add what is missing, sync once, then replace plain files. Returns how many files were
    written.
    """
    new = missing(root, trees)
    write_all(root, new)
    if new:
        sync_filesystem(root)
    plain = changed_plain(root, trees)
    write_all(root, plain, shared=False)
    return len(names_of(new)) + len(names_of(plain))


def _sizes(directory: Path) -> dict[str, int]:
    try:
        with os.scandir(directory) as entries:
            return {e.name: e.stat(follow_symlinks=False).st_size for e in entries}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StageError(
            f"cannot be read: {error.strerror}", where=str(directory), hint=hint_of(error)
        ) from error
