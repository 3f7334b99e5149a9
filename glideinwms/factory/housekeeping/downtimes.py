"""The Factory's downtimes: lines of an entry, a Frontend and a security class (protocol 4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glideinwms.lib.downtimes import downtime_file, edit
from glideinwms.lib.downtimes.downtime_file import FACTORY, Downtime


def add(
    path: Path,
    start: float,
    until: float | None,
    entry: str,
    frontend: str,
    security: str,
    comment: str,
) -> Downtime:
    """A new line."""
    return edit.add(
        path, Downtime(start, until, entry, frontend, security, comment), downtime_file.render
    )


def finish(path: Path, at: float, entry: str, frontend: str, security: str) -> list[Downtime]:
    """End every line of exactly this scope that is on at `at`; those lines."""
    scope = (entry, frontend, security)
    return edit.finish(
        path, at, downtime_file.render, lambda d: (d.entry, d.frontend, d.security_class) == scope
    )


def vacuum(path: Path, now: float) -> list[Downtime]:
    """Drop lines that are over; those lines."""
    return edit.vacuum(path, now, downtime_file.render)


def state(
    lines: Sequence[Downtime], now: float, entry: str, frontend: str, security: str
) -> Downtime | None:
    """The line that stops submissions of a Frontend's class (`All`: of everybody) at an entry, or
    at the Factory.
    """
    down = downtime_file.factory_down(lines, now)
    if entry != FACTORY and down is None:
        down = downtime_file.entry_down(lines, now, entry)
    if down is None and frontend != "All":
        down = downtime_file.class_down(lines, now, entry, frontend, security)
    return down


def audit(work_dir: Path, act: str, line: Downtime) -> None:
    """One line of the trail, if the Factory has one here."""
    scope = {"entry": line.entry, "frontend": line.frontend, "security_class": line.security_class}
    edit.audit(work_dir, act, line, **scope)
