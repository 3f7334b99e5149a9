"""Whether anything that a configuration was made of has changed since (decision 41). Imports no model.

`state/inputs.json` remembers each input as (size, mtime_ns, inode, SHA-256): only where the first three differ is a
file read again. It also remembers the directories of the stage by their times, so that a lost file is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from glideinwms import __version__
from glideinwms.lib import jsondata
from glideinwms.lib.daemon import status
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import write_atomic

SCHEMA = 3
NAME = "inputs.json"
GLIDEIN = Path(__file__).parents[2] / "glidein"
AREA = {
    "factory": ("submit", "factory_versioning", "glidein_name", "glidein_"),
    "frontend": ("work", "frontend_versioning", "frontend_name", "frontend_"),
}


def unchanged(xml: Path, side: str) -> str:
    """The generation in force if a reconfig of `xml` would do nothing and no running daemon lacks
    it, else "".
    """
    work = work_dir(xml, side)
    data = known(work, xml) if work else {}
    if not work or not data or any(mtime(Path(d)) != when for d, when in data["outputs"].items()):
        return ""
    generation = str(data["generation"])
    return generation if _taken(work / "state" / "status.json", generation) else ""


def known(work: Path, xml: Path, skip: Container[Path] = ()) -> dict[str, Any]:
    """What is remembered of the inputs, if none but those of `skip` has changed; else {}."""
    try:
        data = jsondata.read_file(work / "state" / NAME)
    except StateError:
        return {}
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        return {}
    if data.get("version") != __version__ or data.get("xml") != str(xml):
        return {}
    listed = {str(p) for p in sorted((xml.parent / "config.d").glob("*.xml"))} | {
        str(p) for p in pilot_files()
    }
    if not listed <= set(data["files"]):
        return {}
    return (
        data
        if all(Path(p) in skip or _same(Path(p), old) for p, old in data["files"].items())
        else {}
    )


def sources(xml: Path) -> dict[str, Any]:
    """How the files of the configuration itself look before they are read: one that is saved
    meanwhile has changed.
    """
    beside = [xml.parent / "gwms.toml", *sorted((xml.parent / "config.d").glob("*.xml"))]
    return {str(p): _look(p, None) for p in (xml, *beside)}


def standing_warnings(work: Path) -> int:
    """Return how many warnings the configuration in force has, 0 if that is not known."""
    try:
        count = jsondata.read_file(work / "state" / NAME).get("warnings", 0)
    except (StateError, AttributeError):
        return 0
    return count if isinstance(count, int) else 0


def remember(
    xml: Path,
    work: Path,
    generation: str,
    *,
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    entries: Mapping[str, Any],
    seen: Mapping[str, Any],
    warnings: int,
) -> None:
    """Write what `unchanged` compares with, unless it is there already.

    `seen` are the `sources` before they were read, `entries` the sums of the entries, and
    `warnings` is the number of warnings of this configuration.
    """
    path = work / "state" / NAME
    try:
        before = jsondata.read_file(path)
        old = before["files"]
    except (StateError, KeyError, TypeError):
        before, old = {}, {}
    paths = dict.fromkeys([*inputs, *pilot_files(), work / "policy.json"])
    data = {
        "schema": SCHEMA,
        "version": __version__,
        "xml": str(xml),
        "generation": generation,
        "files": {
            str(p): seen[str(p)] if str(p) in seen else _look(p, old.get(str(p))) for p in paths
        },
        "outputs": {str(d): mtime(d) for d in outputs},
        "entries": entries,
        "warnings": warnings,
    }
    if data != before:
        write_atomic(path, json.dumps(data, separators=(",", ":")), 0o640)


def pilot_files() -> list[Path]:
    """The pilot's own files."""
    return sorted(p for p in GLIDEIN.iterdir() if p.is_file())


def _look(path: Path, old: Any) -> list[Any] | None:
    """[size, mtime_ns, inode, sum] of a file, None where there is none."""
    try:
        stat = path.stat()
        seen = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        if old and old[:3] == seen:
            return list(old)
        with path.open("rb") as file:
            return [*seen, hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError:
        return None


def _same(path: Path, old: Any) -> bool:
    new = _look(path, old)
    return new == old or (new is not None and old is not None and new[3] == old[3])


def mtime(path: Path) -> int:
    """Modification time in nanoseconds, -1 of what is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _taken(path: Path, generation: str) -> bool:
    """Whether no daemon runs, or it runs this."""
    try:
        pid = status.pid(path)
        found = status.read(path) if pid else None
        return found is None or (found.pid, found.generation) == (pid, generation)
    except StateError:
        return False


def work_dir(xml: Path, side: str) -> Path | None:
    """The work area that a file names, read without its model; None if it says none."""
    tag, versioning, name, prefix = AREA[side]
    root: dict[str, str] = {}
    area: dict[str, str] = {}
    for file in [
        xml,
        *(sorted((xml.parent / "config.d").glob("*.xml")) if side == "factory" else []),
    ]:
        try:
            _scan(file, tag, root, area)
        except _Seen:
            continue
        except (OSError, LookupError, ValueError, expat.ExpatError):
            return None
    base = area.get("base_dir")
    if not base:
        return None
    versioned = root.get(versioning, str(side == "frontend")).strip().lower() in (
        "true",
        "1",
        "yes",
        "on",
    )
    return (
        Path(base) / f"{prefix}{root.get(name, 'gfactory_instance')}" if versioned else Path(base)
    )


class _Seen(Exception):
    """The rest of a file is not needed."""


def _scan(file: Path, tag: str, root: dict[str, str], area: dict[str, str]) -> None:
    """Add the attributes of the root and of its first child `tag`, and stop there by _Seen."""
    reader, depth = expat.ParserCreate(), [0]

    def start(name: str, attrs: Mapping[str, str]) -> None:
        depth[0] += 1
        if depth[0] == 1:
            root.update(attrs)
        elif depth[0] == 2 and name == tag:
            area.update(attrs)
            raise _Seen

    def end(name: str) -> None:
        depth[0] -= 1

    reader.StartElementHandler, reader.EndElementHandler = start, end
    reader.Parse(file.read_bytes(), True)
