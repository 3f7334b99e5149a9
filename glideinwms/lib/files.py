"""Small file acts that must not leave half a file: atomic writes, appended lines, exclusive locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from glideinwms.lib.errors import StateError

LOOKS = 5


def write_atomic(
    path: Path, data: bytes | str, mode: int = 0o644, *, fsync: bool = False, given: bool = False
) -> None:
    """Write `data` beside `path` and rename it there, so that a reader sees the old file or the new
    one, never half.

    The file has exactly `mode`. With `fsync` the file and its directory survive a power cut; with
    `given` see `give`.
    """
    raw = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            if given:
                give(fd, path.parent)
            file.write(raw)
            if fsync:
                file.flush()
                os.fsync(fd)
        temporary.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StateError(
            f"cannot be written: {error.strerror}", where=str(path), hint=hint_of(error)
        ) from error
    if fsync:
        sync_directory(path.parent)


def give(fd: int, directory: Path) -> None:
    """What root makes in a daemon's directory belongs to the owner of that, like all else there:
    the daemon goes on with it.
    """
    if os.geteuid() != 0:
        return
    found, above = os.fstat(fd), directory.stat()
    if found.st_uid == 0 and found.st_nlink == 1:
        os.fchown(fd, above.st_uid, above.st_gid)


def make_directory(path: Path, mode: int) -> None:
    """Make a directory with exactly `mode`, whatever the umask, and parents that it lacks, which
    all may pass (0755).

    One that is there stays as it is. OSError where it cannot be made.
    """
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_directory(path.parent, 0o755)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=mode)
        path.chmod(mode)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def append_line(path: Path, line: str, mode: int = 0o640) -> None:
    """Append one line in a single write, so that lines of two writers never mix. One for which
    there is no room is taken back whole.
    """
    raw = line.rstrip("\n").encode() + b"\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, mode)
        try:
            give(fd, path.parent)
            if (written := os.write(fd, raw)) < len(raw):
                os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR) - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)
    except OSError as error:
        raise StateError(
            f"cannot be appended to: {error.strerror}", where=str(path), hint=hint_of(error)
        ) from error


def read_text(path: Path) -> str:
    """The text of a file of ours; a StateError says why it cannot be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StateError(f"cannot be read: {reason}", where=str(path)) from error


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on `path` while working; a StateError names who has it (`what` says
    what for).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        give(fd, path.parent)
    except OSError as error:
        raise StateError(
            f"cannot be locked: {error.strerror}", where=str(path), hint=hint_of(error)
        ) from error
    try:
        if not _taken(fd):
            holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
            raise StateError(
                f"is held by {holder}", where=str(path), hint="wait for it to end, or end it"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{what}, pid {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    """Whether the lock is ours. Who only looks whether it is held has it for an instant: asked more
    than once.
    """
    for _ in range(LOOKS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.1)
    return False


def held(path: Path) -> bool:
    """Whether somebody holds the lock `path`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def hint_of(error: OSError) -> str:
    """What to do about the commonest refusals of a file system."""
    return {
        errno.ENOSPC: "the file system is full",
        errno.EACCES: "check owner and mode",
        errno.EROFS: "the file system is read-only",
        errno.ENOENT: "the directory does not exist",
        errno.EDQUOT: "the disk quota is used up",
    }.get(error.errno or 0, "")
