"""Read the wire's golden data from its archive, which stays packed since it has throw-away keys."""

from __future__ import annotations

import functools
import json
import tarfile
from pathlib import Path
from typing import Any

PACKED = Path(__file__).parents[1] / "data" / "golden-wire" / "golden-wire.tgz"


@functools.cache
def files() -> dict[str, bytes]:
    """Every file by its path in the archive ("ads/01-factory-global.ad")."""
    with tarfile.open(PACKED) as tar:
        found = {}
        for member in tar.getmembers():
            data = tar.extractfile(member) if member.isfile() else None
            if data is not None:
                found[member.name.removeprefix("./")] = data.read()
    return found


def text(path: str) -> str:
    """One file as text."""
    return files()[path].decode()


def data(path: str) -> Any:
    """One JSON file."""
    return json.loads(files()[path])


def unpack(prefix: str, into: Path) -> Path:
    """Write the files below `prefix` to a directory."""
    for path, raw in files().items():
        if path.startswith(prefix):
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
    return into / prefix
