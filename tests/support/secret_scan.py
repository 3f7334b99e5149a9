"""Search files, ads and command lines for secrets, after any test that ran the daemons."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

# what looks like a secret whoever made it: a JSON web token with a signature, a private key
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
Secrets = Mapping[str, str | bytes]


def forms(secret: str | bytes) -> set[bytes]:
    """A secret as it stands, stripped, escaped, and in the usual codes; of a text of many lines
    also its long lines.
    """
    raw = secret.encode() if isinstance(secret, str) else secret
    texts = {raw, raw.strip()} | {line.strip() for line in raw.splitlines() if len(line) >= 40}
    found = set(texts)
    for text in texts:
        found |= {text.hex().encode(), text.hex().upper().encode()}
        found |= {base64.b64encode(text).rstrip(b"="), base64.urlsafe_b64encode(text).rstrip(b"=")}
        found |= {
            json.dumps(text.decode(code, "replace"))[1:-1].encode() for code in ("latin-1", "utf-8")
        }
        found.add(repr(text)[2:-1].encode())
    return {f for f in found if len(f) >= 6}


def in_bytes(data: bytes, secrets: Secrets) -> list[str]:
    """Names of the secrets in the data, and the kinds of what only looks like one."""
    known = [
        name for name, secret in secrets.items() if any(form in data for form in forms(secret))
    ]
    looks = [
        kind
        for kind, pattern in (("a JWT", JWT), ("a private key", PRIVATE))
        if pattern.search(data)
    ]
    return known + looks


def in_files(
    root: Path, secrets: Secrets, may: Callable[[Path], bool] = lambda path: False
) -> list[str]:
    """Files below `root` that hold a secret although `may` does not allow them to ("path: which"),
    and those that may but that others can read. Compressed records are looked into.
    """
    found = []
    # os.walk goes on where a directory vanishes
    everything = sorted(Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    for path in (p for p in everything if p.is_file() and not p.is_symlink()):
        try:
            # of the same file: in a running grid another may have its name by now, or none
            with path.open("rb") as file:
                data, mode = file.read(), os.fstat(file.fileno()).st_mode
        except FileNotFoundError:
            continue
        if path.suffix == ".gz":
            try:
                data = gzip.decompress(data)
            except (OSError, EOFError, zlib.error):
                found.append(f"{path}: cannot be looked into")
        names = in_bytes(data, secrets)
        if names and not may(path):
            found.append(f"{path}: {', '.join(names)}")
        elif names and mode & 0o077:
            found.append(f"{path}: {', '.join(names)}, and its mode is {mode & 0o777:04o}")
    return found


def in_data(what: str, data: Any, secrets: Secrets) -> list[str]:
    """Whether plain data (ads, a status, arguments) holds a secret."""
    text = repr(data).encode() + json.dumps(data, default=str).encode()
    return [f"{what}: {name}" for name in in_bytes(text, secrets)]


def in_processes(pids: Iterable[int], secrets: Secrets) -> list[str]:
    """Processes that have a secret in their command line or environment."""
    found = []
    for pid in pids:
        for part in ("cmdline", "environ"):
            try:
                data = Path(f"/proc/{pid}/{part}").read_bytes()
            except OSError:
                continue
            found += [f"{part} of process {pid}: {name}" for name in in_bytes(data, secrets)]
    return found
