"""The record ring: snapshot, seed, plan and report of each cycle, bounded, so that it can be
replayed (decision 18).
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from glideinwms.lib import jsondata
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import write_atomic
from glideinwms.lib.jsondata import dumps, from_json

NAME = re.compile(r"^(\d{8})\.json\.gz$")
S = TypeVar("S")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Record(Generic[S, P]):
    """One cycle as it was: its inputs, its seed, what was decided."""

    cycle: int
    began: float
    seed: int
    generation: str
    snapshot: S
    plan: P


class Ring:
    """`<state>/cycles/NNNNNNNN.json.gz`: at most `cycles` files and `size` bytes, the oldest go
    first.
    """

    def __init__(self, directory: Path, *, cycles: int = 120, size: int = 200_000_000) -> None:
        self.directory = directory
        self.cycles = cycles
        self.size = size
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)

    def paths(self) -> list[Path]:
        """The records there are, oldest first."""
        return sorted(p for p in self.directory.iterdir() if NAME.match(p.name))

    def next_number(self) -> int:
        """The number the next record gets."""
        found = self.paths()
        return int(found[-1].name[:8]) + 1 if found else 1

    def append(self, number: int, record: Any) -> Path:
        """Keep one cycle and drop what is over the bounds."""
        path = self.directory / f"{number:08d}.json.gz"
        write_atomic(path, gzip.compress(dumps(record).encode(), compresslevel=3), 0o640)
        self._prune()
        return path

    def _prune(self) -> None:
        found = self.paths()
        sizes = {p: p.stat().st_size for p in found}
        total = sum(sizes.values())
        while len(found) > 1 and (len(found) > self.cycles or total > self.size):
            oldest = found.pop(0)
            total -= sizes[oldest]
            oldest.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any]:
    """One record, or a bare snapshot as JSON, as plain data; a StateError says what is wrong with
    it.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise StateError(f"cannot be read: {error}", where=str(path)) from error
    data = jsondata.parse(content, str(path))
    if not isinstance(data, dict):
        raise StateError("is no snapshot", where=str(path), hint="give a file of state/cycles")
    return data


def newest(directory: Path) -> dict[str, Any]:
    """The last record of a ring; a StateError if there is none yet."""
    found = sorted(p for p in directory.glob("*.json.gz") if NAME.match(p.name))
    if not found:
        raise StateError(
            "no cycle has been recorded", where=str(directory), hint="is the daemon running?"
        )
    return load(found[-1])


def of_cycle(directory: Path, cycle: int) -> dict[str, Any]:
    """A ring's record of a cycle; a StateError if it is not kept any more."""
    path = directory / f"{cycle:08d}.json.gz"
    if not path.exists():
        raise StateError(
            f"cycle {cycle} is not kept", where=str(directory), hint="see the file names there"
        )
    return load(path)


def parse(data: dict[str, Any], where: str, snapshot: type[S], nothing: P) -> Record[S, P]:
    """From plain data. A bare snapshot's plan is `nothing`, an empty one, and its numbers are 0."""
    if "snapshot" not in data:
        data = {"snapshot": data, "began": data.get("now", 0.0)}
    try:
        plan = data.get("plan")
        return Record(
            int(data.get("cycle", 0)),
            float(data["began"]),
            int(data.get("seed", 0)),
            str(data.get("generation", "")),
            from_json(snapshot, data["snapshot"], where=f"{where} snapshot", ignore_unknown=True),
            nothing
            if plan is None
            else from_json(type(nothing), plan, where=f"{where} plan", ignore_unknown=True),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise StateError(f"is no record of a cycle: {error!r}", where=where) from error
