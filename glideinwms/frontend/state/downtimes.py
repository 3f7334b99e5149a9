"""Downtimes of the whole Frontend; the file is readable by GlideinWMS 3.10 (protocol 4.9)."""

from __future__ import annotations

from pathlib import Path

from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.downtimes import edit
from glideinwms.lib.downtimes.downtime_file import Downtime, render_frontend


def path_of(work_dir: Path, policy: FrontendPolicy) -> Path:
    """The downtime file."""
    return work_dir / policy.downtimes_file


def begin(work_dir: Path, path: Path, start: float, end: float | None, comment: str) -> Downtime:
    """A new downtime."""
    line = edit.add(path, Downtime(start, end, comment=comment), render_frontend)
    edit.audit(work_dir, "begin", line)
    return line


def finish(work_dir: Path, path: Path, at: float) -> list[Downtime]:
    """End every downtime that is on at `at`; those."""
    ended = edit.finish(path, at, render_frontend, lambda line: True)
    for line in ended:
        edit.audit(work_dir, "end", line)
    return ended
