"""Create a small file system that a test can fill."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """A tmpfs of `size` ("256k") on a new directory that everybody may write; skips where none can
    be mounted.
    """
    if not shutil.which("mount"):
        pytest.skip("there is no mount")
    path.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "gwms-test", path]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(path: Path) -> Path:
    """A file that takes all the place there is; remove it to give the place back."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    return filler
