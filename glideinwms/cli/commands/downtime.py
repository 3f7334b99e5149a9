"""`gwms downtime ...`: a Factory's downtimes, in the deployed file; also called manageFactoryDowntimes.

Exit codes beside the common ones: `check` 1 if it is down, 0 if it is up.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.factory import DEFAULT, WorkDir
from glideinwms.cli.output import Json

MANDATORY = "GLIDEIN_MANDATORY_COMMENTS"
Entry = Annotated[str, typer.Option("--entry", help="An entry, All (every entry), or factory.")]
Frontend = Annotated[str, typer.Option("--frontend", help="A Frontend's SecurityName, or All.")]
Class = Annotated[str, typer.Option("--security", help="A security class, or All.")]
Start = Annotated[
    str, typer.Option("--start", help="now, +2h, or 2026-01-31T08:00 (local time without a zone).")
]
End = Annotated[str, typer.Option("--end", help="As --start; none: open.")]


def _place(work_dir: Path) -> tuple[Path, Any]:
    from glideinwms.factory.daemon import load_policy
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    policy = load_policy(work_dir)
    return work_dir / policy.downtimes_file, policy


def _known(policy: Any, entry: str, frontend: str, security: str) -> None:
    from glideinwms.lib.errors import ConfigError

    if entry not in ("factory", "All") and entry not in {e.name for e in policy.entries}:
        raise ConfigError(
            f"there is no entry {entry}", where="downtime", hint="see gwms entry list"
        )
    names = {f.name: f.usernames for f in policy.frontends}
    if frontend != "All" and frontend not in names:
        raise ConfigError(
            f"there is no Frontend {frontend}", where="downtime", hint=f"known: {', '.join(names)}"
        )
    if security != "All" and frontend != "All" and security not in names[frontend]:
        raise ConfigError(
            f"{frontend} has no class {security}", hint=f"known: {', '.join(names[frontend])}"
        )


def add(
    work_dir: WorkDir = DEFAULT,
    entry: Entry = "factory",
    frontend: Frontend = "All",
    security: Class = "All",
    start: Start = "now",
    end: End = "none",
    comment: Annotated[str, typer.Option("--comment", help="Shown to Frontends.")] = "",
    as_json: Json = False,
) -> None:
    """Begin a downtime, now or later."""
    from glideinwms.factory.housekeeping import downtimes
    from glideinwms.lib.downtimes import downtime_file

    path, policy = _place(work_dir)
    _known(policy, entry, frontend, security)
    if not comment.strip() and os.environ.get(MANDATORY, "").lower() not in (
        "",
        "0",
        "false",
        "no",
    ):
        output.fail(f"a downtime needs a reason here ({MANDATORY} is set): --comment TEXT")
    now = time.time()
    begins, ends = downtime_file.when(start, now), downtime_file.until(end, now)
    line = downtimes.add(path, begins, ends, entry, frontend, security, comment)
    downtimes.audit(work_dir, "add", line)
    _print([line], as_json)


def end(
    work_dir: WorkDir = DEFAULT,
    entry: Entry = "factory",
    frontend: Frontend = "All",
    security: Class = "All",
    when: Annotated[str, typer.Option("--end", help="now, +2h, or a time.")] = "now",
    as_json: Json = False,
) -> None:
    """End the downtimes of exactly this scope that are on at that time."""
    from glideinwms.factory.housekeeping import downtimes
    from glideinwms.lib.downtimes import downtime_file

    path, _ = _place(work_dir)
    ended = downtimes.finish(path, downtime_file.when(when, time.time()), entry, frontend, security)
    for line in ended:
        downtimes.audit(work_dir, "end", line)
    if not ended:
        output.fail(f"no such downtime is on: entry {entry}, Frontend {frontend}, class {security}")
    _print(ended, as_json)


def list_(
    work_dir: WorkDir = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    as_json: Json = False,
) -> None:
    """Downtimes that are on or to come."""
    path, _ = _place(work_dir)
    lines, now = _lines(path), time.time()
    _print([d for d in lines if every or d.end is None or d.end >= now], as_json)


def check(
    work_dir: WorkDir = DEFAULT,
    entry: Annotated[str, typer.Option("--entry", help="One entry; all by default.")] = "",
    frontend: Frontend = "All",
    security: Class = "All",
    as_json: Json = False,
) -> None:
    """Whether submission goes on now: for the Factory and each entry, or for a Frontend's class
    there.
    """
    from glideinwms.factory.housekeeping import downtimes

    path, policy = _place(work_dir)
    _known(policy, entry or "All", frontend, security)
    lines = _lines(path)
    names = (
        [entry]
        if entry not in ("", "All")
        else ["factory", *(e.name for e in policy.entries if e.enabled)]
    )
    found = {n: downtimes.state(lines, time.time(), n, frontend, security) for n in names}
    if as_json:
        output.print_json({n: {"down": d is not None, "by": d} for n, d in found.items()})
    else:
        output.table(
            ["ENTRY", "STATE", "UNTIL", "COMMENT"], [[n, *_columns(d)] for n, d in found.items()]
        )
    sys.exit(1 if any(found.values()) else 0)


def vacuum(work_dir: WorkDir = DEFAULT, as_json: Json = False) -> None:
    """Drop lines that are over."""
    from glideinwms.factory.housekeeping import downtimes

    path, _ = _place(work_dir)
    _print(downtimes.vacuum(path, time.time()), as_json)


def _lines(path: Path) -> list[Any]:
    """The file's downtimes; of lines that cannot be read a word on stderr."""
    from glideinwms.lib.downtimes import downtime_file

    lines, wrong = downtime_file.load(path)
    for error in wrong:
        print(f"gwms: {error}", file=sys.stderr)
    return lines


def _columns(down: Any) -> list[str]:
    if down is None:
        return ["Up", "", ""]
    return ["Down", "open" if down.end is None else output.clock(down.end), down.comment]


def _print(lines: list[Any], as_json: bool) -> None:
    if as_json:
        output.print_json(lines)
        return
    rows = [
        [
            output.clock(d.start),
            "open" if d.end is None else output.clock(d.end),
            d.entry,
            d.frontend,
            d.security_class,
            d.comment,
        ]
        for d in lines
    ]
    output.table(["START", "END", "ENTRY", "FRONTEND", "CLASS", "COMMENT"], rows)
