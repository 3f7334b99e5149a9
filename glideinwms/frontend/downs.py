"""Changes to the Frontend's downtime file, under a lock; readable by the deployed program (protocol 4.9)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib import downtimes
from glideinwms.lib.audit import Audit
from glideinwms.lib.downtimes import Downtime
from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.lib.files import locked, write_atomic
from glideinwms.lib.operator import user


def path_of(work_dir: Path, policy: FrontendPolicy) -> Path:
    """The downtime file."""
    return work_dir / policy.downtimes_file


def _change(path: Path, change: Callable[[list[Downtime]], list[Downtime]]) -> None:
    with locked(path.with_name(f".{path.name}.lock"), "downtime"):
        lines, wrong = downtimes.load(path)
        if wrong:
            raise StateError("has lines that cannot be read: mend them first", where=wrong[0].where)
        write_atomic(path, downtimes.render_frontend(change(lines)), 0o644)


def begin(work_dir: Path, path: Path, start: float, end: float | None, comment: str) -> Downtime:
    """A new downtime."""
    if end is not None and end <= start:
        raise ConfigError("a downtime ends after it starts", where=str(path))
    line = Downtime(start, end, comment=" ".join(comment.split()))
    _change(path, lambda lines: [*lines, line])
    _audit(work_dir, "begin", line)
    return line


def finish(work_dir: Path, path: Path, at: float) -> list[Downtime]:
    """End every downtime that is on at `at`; those."""
    ended: list[Downtime] = []

    def change(lines: list[Downtime]) -> list[Downtime]:
        ended.extend(replace(d, end=at) for d in lines if d.active(at))
        return [replace(d, end=at) if d.active(at) else d for d in lines]

    _change(path, change)
    for line in ended:
        _audit(work_dir, "end", line)
    return ended


def _audit(work_dir: Path, what: str, line: Downtime) -> None:
    until = None if line.end is None else downtimes.iso(line.end)
    Audit(work_dir / "state/audit.jsonl").line(
        "downtime", what=what, start=downtimes.iso(line.start), end=until, comment=line.comment, who=user(os.getuid())
    )
