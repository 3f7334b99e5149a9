"""Contents of staged files with their sums, and the names made of them (decision 10: 12 hex of
SHA-256).
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from glideinwms.lib.errors import StageError

HEX = 12
BLOCK = 1 << 20
SMALL = 1 << 16


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in memory (`data`) or a file (`path`), with size in bytes and both sums."""

    size: int
    sha1: str
    sha256: str
    data: bytes | None = None
    path: Path | None = None

    def read(self) -> bytes:
        """The content; a StageError if a file changed since its sums were taken."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        data = self.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise StageError(
                "changed while it was being staged", where=str(self.path), hint="run reconfig again"
            )
        return data


def of_bytes(data: bytes | str) -> Blob:
    """A blob of generated text; equal small texts, which most entries share, are one blob."""
    raw = data.encode() if isinstance(data, str) else data
    return _shared(raw) if len(raw) < SMALL else _of_raw(raw)


def _of_raw(raw: bytes) -> Blob:
    return Blob(len(raw), hashlib.sha1(raw).hexdigest(), hashlib.sha256(raw).hexdigest(), data=raw)


_shared = functools.lru_cache(maxsize=64)(_of_raw)


def of_file(path: Path) -> Blob:
    """A blob that stays on disk; StageError if it cannot be read."""
    one, two, size = hashlib.sha1(), hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                one.update(block)
                two.update(block)
                size += len(block)
    except OSError as error:
        raise StageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return Blob(size, one.hexdigest(), two.hexdigest(), path=path)


def content_name(name: str, sha256: str) -> str:
    """`constants.cfg` -> `constants.<12 hex>.cfg`; without an extension the stamp is appended
    (protocol 6.1).
    """
    stem, dot, extension = name.rpartition(".")
    stamp = sha256[:HEX]
    return f"{stem}.{stamp}.{extension}" if dot and stem else f"{name}.{stamp}"
