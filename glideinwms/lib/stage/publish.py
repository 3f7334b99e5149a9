"""Writing trees into a stage directory: add-only, one syncfs, then what has a plain name (decisions 10, 33)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from glideinwms.lib.errors import StageError
from glideinwms.lib.files import hint_of, make_directory
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree

MODE = 0o644
Progress = Callable[[int], None]


def missing(root: Path, trees: Iterable[Tree]) -> list[tuple[Path, Blob]]:
    """The immutable files that are not there yet. A file of the right size under a content name is that content:
    files appear by rename only, and a size that differs is what a power cut leaves."""
    wanted: list[tuple[Path, Blob]] = []
    for tree in trees:
        directory = root / tree.subdir
        there = _sizes(directory)
        wanted += [(directory / n, b) for n, b in tree.files.items() if there.get(n) != b.size]
    return wanted


def changed_plain(root: Path, trees: Iterable[Tree]) -> list[tuple[Path, Blob]]:
    """The plainly named files whose content differs, or that the operator does not have yet."""
    found = []
    for tree in trees:
        for name, blob in tree.plain.items():
            path = root / tree.subdir / name
            try:
                same = path.stat().st_size == blob.size and path.read_bytes() == blob.read()
            except FileNotFoundError:
                same = False
            if not same:
                found.append((path, blob))
        for name, blob in tree.once.items():
            if not (root / tree.subdir / name).exists():
                found.append((root / tree.subdir / name, blob))
    return found


def write_all(
    files: Sequence[tuple[Path, Blob]], progress: Progress | None = None, *, shared: bool = True
) -> None:  # fmt: skip
    """Write each file under a temporary name and rename it; a StageError leaves what was written for the next run.

    With `shared`, files of equal content are names of one inode: only for files that nobody edits.
    """
    made: set[Path] = set()
    first: dict[str, Path] = {}
    stamp = f".{secrets.token_hex(6)}"
    for n, (path, blob) in enumerate(files, 1):
        try:
            if path.parent not in made:
                make_directory(path.parent, 0o755)
                made.add(path.parent)
            if not shared or not _linked(first.get(blob.sha256), path):
                _write(path, blob, path.parent / f"{stamp}.{n}.tmp")
                first[blob.sha256] = path
        except OSError as error:
            raise StageError(f"cannot be written: {error.strerror}", where=str(path), hint=hint_of(error)) from error
        if progress:
            progress(n)


def _write(path: Path, blob: Blob, temporary: Path) -> None:
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
        try:
            os.fchmod(fd, MODE)
            _write_fully(fd, blob.read())
        finally:
            os.close(fd)
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _linked(twin: Path | None, path: Path) -> bool:
    """Whether `path` could become a second name of a whole file; not on every file system, nor over another file.
    Whatever is in the way (each file system has its own word for it), the file is written instead, or says why not."""
    if twin is None:
        return False
    try:
        os.link(twin, path)
    except OSError:
        return False
    return True


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


def publish(root: Path, trees: Sequence[Tree], progress: Progress | None = None) -> int:
    """Add what is missing, sync once, then replace plain files. Returns how many files were written."""
    new = missing(root, trees)
    write_all(new, progress)
    if new:
        sync_filesystem(root)
    plain = changed_plain(root, trees)
    write_all(plain, shared=False)
    return len(new) + len(plain)


def _sizes(directory: Path) -> dict[str, int]:
    try:
        with os.scandir(directory) as entries:
            return {e.name: e.stat(follow_symlinks=False).st_size for e in entries}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StageError(f"cannot be read: {error.strerror}", where=str(directory), hint=hint_of(error)) from error
