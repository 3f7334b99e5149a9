"""Changes to a downtimes file: read, changed and replaced under a lock, each with a line in the
audit trail (protocol 4.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.lib.daemon.audit import Audit
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.lib.files import locked, write_atomic
from glideinwms.lib.run_as_owner import caller

Render = Callable[[Iterable[Downtime]], str]


def _change(path: Path, render: Render, change: Callable[[list[Downtime]], list[Downtime]]) -> None:
    with locked(path.with_name(f".{path.name}.lock"), "downtime"):
        lines, wrong = downtime_file.load(path)
        if wrong:
            raise StateError("has lines that cannot be read: mend them first", where=wrong[0].where)
        write_atomic(path, render(change(lines)), 0o644, given=True)


def add(path: Path, line: Downtime, render: Render) -> Downtime:
    """A new line; its comment on one line."""
    if line.end is not None and line.end <= line.start:
        raise ConfigError("a downtime ends after it starts", where=str(path))
    line = replace(line, comment=" ".join(line.comment.split()))
    _change(path, render, lambda lines: [*lines, line])
    return line


def finish(
    path: Path, at: float, render: Render, same: Callable[[Downtime], bool]
) -> list[Downtime]:
    """End every line that is on at `at` and is one of `same`; those lines."""
    ended: list[Downtime] = []

    def change(lines: list[Downtime]) -> list[Downtime]:
        out = [replace(d, end=at) if same(d) and d.active(at) else d for d in lines]
        ended.extend(new for new, old in zip(out, lines, strict=True) if new is not old)
        return out

    _change(path, render, change)
    return ended


def vacuum(path: Path, now: float, render: Render) -> list[Downtime]:
    """Drop lines that are over; those lines."""
    gone: list[Downtime] = []

    def change(lines: list[Downtime]) -> list[Downtime]:
        gone.extend(d for d in lines if d.end is not None and d.end < now)
        return [d for d in lines if d not in gone]

    _change(path, render, change)
    return gone


def audit(work_dir: Path, what: str, line: Downtime, **scope: Any) -> None:
    """One line of the trail, if the daemon has one here."""
    if (work_dir / "state").is_dir():
        end = None if line.end is None else downtime_file.iso(line.end)
        Audit(work_dir / "state/audit.jsonl").line(
            "downtime",
            what=what,
            **scope,
            start=downtime_file.iso(line.start),
            end=end,
            comment=line.comment,
            who=caller(),
        )
