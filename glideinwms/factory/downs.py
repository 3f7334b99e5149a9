"""Changes to the downtimes file: read, changed and replaced under a lock; lines that cannot be read stay (4.9)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from glideinwms.lib import downtimes
from glideinwms.lib.audit import Audit
from glideinwms.lib.downtimes import FACTORY, Downtime
from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.lib.files import locked
from glideinwms.lib.operator import user


def _change(path: Path, change: Callable[[list[Downtime]], list[Downtime]]) -> None:
    with locked(path.with_name(f".{path.name}.lock"), "downtime"):
        lines, wrong = downtimes.load(path)
        if wrong:
            raise StateError("has lines that cannot be read: mend them first", where=wrong[0].where)
        downtimes.save(path, change(lines))


def add(
    path: Path, start: float, until: float | None, entry: str, frontend: str, security: str, comment: str
) -> Downtime:
    """A new line."""
    if until is not None and until <= start:
        raise ConfigError("a downtime ends after it starts", where=str(path))
    line = Downtime(start, until, entry, frontend, security, " ".join(comment.split()))
    _change(path, lambda lines: [*lines, line])
    return line


def finish(path: Path, at: float, entry: str, frontend: str, security: str) -> list[Downtime]:
    """End every line of exactly this scope that is on at `at`; those lines."""
    ended: list[Downtime] = []

    def change(lines: list[Downtime]) -> list[Downtime]:
        out = []
        for line in lines:
            same = (line.entry, line.frontend, line.security_class) == (entry, frontend, security)
            if same and line.active(at):
                line = replace(line, end=at)
                ended.append(line)
            out.append(line)
        return out

    _change(path, change)
    return ended


def vacuum(path: Path, now: float) -> list[Downtime]:
    """Drop lines that are over; those lines."""
    gone: list[Downtime] = []

    def change(lines: list[Downtime]) -> list[Downtime]:
        gone.extend(d for d in lines if d.end is not None and d.end < now)
        return [d for d in lines if d not in gone]

    _change(path, change)
    return gone


def state(lines: Sequence[Downtime], now: float, entry: str, frontend: str, security: str) -> Downtime | None:
    """The line that stops submissions of a Frontend's class (`All`: of everybody) at an entry, or at the Factory."""
    down = downtimes.factory_down(lines, now)
    if entry != FACTORY and down is None:
        down = downtimes.entry_down(lines, now, entry)
    if down is None and frontend != "All":
        down = downtimes.class_down(lines, now, entry, frontend, security)
    return down


def audit(work_dir: Path, act: str, line: Downtime) -> None:
    """One line of the trail, if the Factory has one here."""
    if (work_dir / "state").is_dir():
        until = None if line.end is None else downtimes.iso(line.end)
        Audit(work_dir / "state/audit.jsonl").line(
            "downtime", what=act, entry=line.entry, frontend=line.frontend, security_class=line.security_class,
            start=downtimes.iso(line.start), end=until, comment=line.comment, who=user(os.getuid()),
        )  # fmt: skip
