"""The audit trail: one JSON line per submit, remove, release, stored credential, downtime,
approval, reconfig and rollback (decision 47).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from glideinwms.lib.errors import StateError
from glideinwms.lib.files import append_line
from glideinwms.lib.jsondata import to_json

KEEP_DAYS = 31.0


class Audit:
    """Appends to `<state>/audit.jsonl`; `clock` gives epoch seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        self.failed: list[str] = []

    def line(self, act: str, **fields: Any) -> None:
        """Record that `act` was done: entry, request, n, ids, reasons, cycle, who ... whatever says
        why.
        """
        record = {
            "time": round(self.clock(), 3),
            "act": act,
            **{k: to_json(v) for k, v in fields.items()},
        }
        append_line(self.path, json.dumps(record, sort_keys=False, default=str))

    def note(self, act: str, **fields: Any) -> None:
        """As `line`, of what has been done already: where there is no room for the line, the log
        has it, and the failure is kept for `failed_writes`.
        """
        try:
            self.line(act, **fields)
        except StateError as error:
            # commands write this trail too: they do not need the log's libraries
            from glideinwms.lib.daemon import log

            log.get("audit").error(
                "act not in the audit trail", act=act, error=str(error), **fields
            )
            self.failed.append(str(error))

    def failed_writes(self) -> list[str]:
        """Failures of `note` since the last call, each once."""
        failed, self.failed = list(dict.fromkeys(self.failed)), []
        return failed


def rotate(path: Path, now: float, keep_days: float) -> None:
    """Put a trail of days past aside as `audit.jsonl.YYYY-MM-DD`, and drop those older than
    `keep_days`. Writers open the file anew for each line, so none is lost.
    """
    if path.exists() and (day := _day(path.stat().st_mtime)) < _day(now):
        aside = path.with_name(f"{path.name}.{day}")
        if not aside.exists():
            path.rename(aside)
    for old in _old(path):
        if now - old.stat().st_mtime > keep_days * 86400.0:
            old.unlink(missing_ok=True)


def _day(when: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(when))


def _old(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.????-??-??"))


def read(path: Path, **match: Any) -> Iterator[dict[str, Any]]:
    """Lines of the trail, with what was put aside, whose fields equal `match`, oldest first. One
    that cannot be read, as a power cut leaves it, is an act of its own, `unreadable`, at the time
    of the line before.
    """
    for part in [*_old(path), *([path] if path.exists() else [])]:
        yield from _read(part, match)


def _read(path: Path, match: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    when = 0.0
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            try:
                record = dict(json.loads(text))
                when = float(record["time"])
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                yield {
                    "time": when,
                    "act": "unreadable",
                    "where": f"{path}:{number}",
                    "error": str(error),
                }
                continue
            if all(record.get(k) == v for k, v in match.items()):
                yield record
