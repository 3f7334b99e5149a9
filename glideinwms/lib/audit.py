"""The audit trail: one JSON line per submit, remove, release, stored credential, downtime, approval (decision 47)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from glideinwms.lib.errors import StateError
from glideinwms.lib.files import append_line
from glideinwms.lib.jsondata import to_json


class Audit:
    """Appends to `<state>/audit.jsonl`; `clock` gives epoch seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock

    def line(self, act: str, **fields: Any) -> None:
        """Record that `act` was done: entry, request, n, ids, reasons, cycle, who ... whatever says why."""
        record = {"time": round(self.clock(), 3), "act": act, **{k: to_json(v) for k, v in fields.items()}}
        append_line(self.path, json.dumps(record, sort_keys=False, default=str))


def read(path: Path, **match: Any) -> Iterator[dict[str, Any]]:
    """Lines of the trail whose fields equal `match`, oldest first; a broken line is named, not skipped silently."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                record = json.loads(text)
            except ValueError as error:
                raise StateError(f"not a JSON line: {error}", where=f"{path}:{number}") from error
            if all(record.get(k) == v for k, v in match.items()):
                yield record
