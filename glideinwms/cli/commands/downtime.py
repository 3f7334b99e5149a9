"""`gwms downtime ...`: a Factory's downtimes, in the file of GlideinWMS 3.10.

Exit codes beside the common ones: `check` 1 if the Factory or an entry is in downtime.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import ExistingFactory
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY

if TYPE_CHECKING:
    from glideinwms.factory.policy import FactoryPolicy
    from glideinwms.lib.downtimes.downtime_file import Downtime

DEFAULT = FACTORY.work_dir
MANDATORY_COMMENTS = "GLIDEIN_MANDATORY_COMMENTS"
FALSE = ("", "0", "false", "no")
TIME = "now, +2h, or 2026-01-31T08:00 (local time unless it has a zone)."
HEADERS = ["START", "END", "ENTRY", "FRONTEND", "CLASS", "COMMENT"]
Entry = Annotated[
    str, typer.Option("--entry", help="An entry, All (every entry), or factory (all of it).")
]
Frontend = Annotated[str, typer.Option("--frontend", help="SecurityName of a Frontend, or All.")]
Class = Annotated[str, typer.Option("--security", help="A security class, or All.")]
Start = Annotated[str, typer.Option("--start", help=f"Start: {TIME}")]
End = Annotated[str, typer.Option("--end", help="End, as --start; none: no end is set.")]


def _open(work_dir: Path) -> tuple[Path, FactoryPolicy]:
    """Return the file of downtimes and the policy."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    policy = load_policy(work_dir)
    return work_dir / policy.downtimes_file, policy


def _check_names(policy: FactoryPolicy, entry: str, frontend: str, security: str) -> None:
    from glideinwms.lib.errors import ConfigError

    if entry not in ("factory", "All", *(known.name for known in policy.entries)):
        raise ConfigError(
            f"there is no entry {entry}", where="downtime", hint="see gwms entry list"
        )
    if frontend == "All":
        return
    classes = {known.name: known.usernames for known in policy.frontends}
    if frontend not in classes:
        raise ConfigError(
            f"there is no Frontend {frontend}",
            where="downtime",
            hint=f"the Frontends are {', '.join(classes)}",
        )
    if security not in ("All", *classes[frontend]):
        raise ConfigError(
            f"Frontend {frontend} has no security class {security}",
            hint=f"its classes are {', '.join(classes[frontend])}",
        )


def add(
    work_dir: ExistingFactory = DEFAULT,
    entry: Entry = "factory",
    frontend: Frontend = "All",
    security: Class = "All",
    start: Start = "now",
    end: End = "none",
    comment: Annotated[str, typer.Option("--comment", help="Reason. Frontends can read it.")] = "",
    as_json: Json = False,
) -> None:
    """Add a downtime, now or later."""
    from glideinwms.factory.housekeeping import downtimes
    from glideinwms.lib.downtimes import downtime_file

    path, policy = _open(work_dir)
    _check_names(policy, entry, frontend, security)
    if not comment.strip() and os.environ.get(MANDATORY_COMMENTS, "").lower() not in FALSE:
        output.fail(f"a downtime needs --comment TEXT, because {MANDATORY_COMMENTS} is set")
    now = time.time()
    begins, ends = downtime_file.when(start, now), downtime_file.until(end, now)
    line = downtimes.add(
        path, begins, ends, entry=entry, frontend=frontend, security=security, comment=comment
    )
    downtimes.audit(work_dir, "add", line)
    _print([line], as_json)


def end(
    work_dir: ExistingFactory = DEFAULT,
    entry: Entry = "factory",
    frontend: Frontend = "All",
    security: Class = "All",
    when: Annotated[str, typer.Option("--end", help="When it ends: now, +2h, or a time.")] = "now",
    as_json: Json = False,
) -> None:
    """End the downtimes of exactly this scope that are active at that time."""
    from glideinwms.factory.housekeeping import downtimes
    from glideinwms.lib.downtimes import downtime_file

    path, _ = _open(work_dir)
    ends = downtime_file.when(when, time.time())
    ended = downtimes.finish(path, ends, entry, frontend, security)
    for line in ended:
        downtimes.audit(work_dir, "end", line)
    if not ended:
        output.fail(
            f"no such downtime is active: entry {entry}, Frontend {frontend}, class {security}"
        )
    _print(ended, as_json)


def list_(
    work_dir: ExistingFactory = DEFAULT,
    every: Annotated[
        bool, typer.Option("--all", help="Also list downtimes that have ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List current and future downtimes."""
    path, _ = _open(work_dir)
    now = time.time()
    _print([line for line in _load(path) if every or line.end is None or line.end >= now], as_json)


def check(
    work_dir: ExistingFactory = DEFAULT,
    entry: Annotated[str, typer.Option("--entry", help="Check one entry. By default all.")] = "",
    frontend: Frontend = "All",
    security: Class = "All",
    as_json: Json = False,
) -> None:
    """Check whether the Factory and each entry are in downtime now.

    With --frontend and --security, check for that class only. Exit code 1: one is in downtime.
    """
    from glideinwms.factory.housekeeping import downtimes

    path, policy = _open(work_dir)
    _check_names(policy, entry or "All", frontend, security)
    names = [entry]
    if entry in ("", "All"):
        names = ["factory", *(known.name for known in policy.entries if known.enabled)]
    lines, now = _load(path), time.time()
    states = {name: downtimes.state(lines, now, name, frontend, security) for name in names}
    if as_json:
        output.print_json(
            {name: {"down": state is not None, "by": state} for name, state in states.items()}
        )
    else:
        output.table(
            ["ENTRY", "STATE", "UNTIL", "COMMENT"],
            [[name, *_state(state)] for name, state in states.items()],
        )
    sys.exit(1 if any(states.values()) else 0)


def vacuum(work_dir: ExistingFactory = DEFAULT, as_json: Json = False) -> None:
    """Delete downtimes that have ended."""
    from glideinwms.factory.housekeeping import downtimes

    path, _ = _open(work_dir)
    _print(downtimes.vacuum(path, time.time()), as_json)


def _load(path: Path) -> list[Downtime]:
    """Read the downtimes, and report lines that cannot be read on stderr."""
    from glideinwms.lib.downtimes import downtime_file

    lines, errors = downtime_file.load(path)
    for error in errors:
        output.warn(str(error))
    return lines


def _end(line: Downtime) -> str:
    return "open" if line.end is None else output.clock(line.end)


def _state(line: Downtime | None) -> list[str]:
    return ["Up", "", ""] if line is None else ["Down", _end(line), line.comment]


def _print(lines: list[Downtime], as_json: bool) -> None:
    if as_json:
        output.print_json(lines)
        return
    rows = [
        [
            output.clock(line.start),
            _end(line),
            line.entry,
            line.frontend,
            line.security_class,
            line.comment,
        ]
        for line in lines
    ]
    output.table(HEADERS, rows)
