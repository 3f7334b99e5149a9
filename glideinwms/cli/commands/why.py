"""`gwms why`: why no pilots start, from the status of the daemons on this host.

Exit codes beside the common ones: 0 no problems found; 1 problems found.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.diagnosis import Finding, Rank, findings
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY, FRONTEND, SIDES, DaemonSide
from glideinwms.lib.daemon import liveness, policy_file
from glideinwms.lib.errors import StateError

MAX_LINES = 20
FactoryDir = Annotated[
    Path | None,
    typer.Option(
        "--factory-work-dir", envvar=FACTORY.variable, help="Work directory of the Factory."
    ),
]
FrontendDir = Annotated[
    Path | None,
    typer.Option(
        "--frontend-work-dir", envvar=FRONTEND.variable, help="Work directory of the Frontend."
    ),
]
All = Annotated[bool, typer.Option("--all", help=f"Show more than {MAX_LINES} lines.")]


def why(
    factory_work_dir: FactoryDir = None,
    frontend_work_dir: FrontendDir = None,
    as_json: Json = False,
    everything: All = False,
) -> None:
    """Explain why no pilots start, most important reason first. Exit code 1: problems found."""
    found, running = collect(places(factory_work_dir, frontend_work_dir), time.time())
    problems = any(finding.is_problem for finding in found)
    if as_json:
        output.print_json(
            {"flows": not problems, "findings": [_fields(finding) for finding in found]}
        )
        sys.exit(1 if problems else 0)
    shown = found if everything else found[:MAX_LINES]
    for finding in shown:
        output.say(finding.line() if finding.is_problem else f"({finding.line()})")
    if len(shown) < len(found):
        print(f"... and {len(found) - len(shown)} more: --all")
    if not problems:
        print(f"no problems found: {', '.join(running)}")
    sys.exit(1 if problems else 0)


def places(factory_dir: Path | None, frontend_dir: Path | None) -> list[tuple[DaemonSide, Path]]:
    """Return the given work directories, else the usual ones that exist.

    Raise StateError if there are none.
    """
    given = [(FACTORY, factory_dir), (FRONTEND, frontend_dir)]
    named = [(side, path) for side, path in given if path is not None]
    if named:
        return named
    usual = [(side, side.work_dir) for side in SIDES.values() if side.work_dir.is_dir()]
    if not usual:
        raise StateError(
            "no Factory or Frontend work directory found",
            where=f"{FACTORY.work_dir}, {FRONTEND.work_dir}",
            hint="give --factory-work-dir or --frontend-work-dir",
        )
    return usual


def collect(
    work_dirs: list[tuple[DaemonSide, Path]], now: float
) -> tuple[list[Finding], list[str]]:
    """Return the findings in these work directories, most important first, and what runs."""
    found: list[Finding] = []
    running = []
    for side, work_dir in work_dirs:
        state = work_dir / "state"
        if not work_dir.is_dir():
            raise StateError(
                "is not a directory",
                where=str(work_dir),
                hint=f"give the {side.title}'s work directory",
            )
        health = liveness.look(state, side.name, now)
        if not health.running and health.told is None:
            found.append(_never_ran(side, work_dir))
            continue
        found += findings(health, side.name, now)
        status = health.shown
        if status is None:
            running.append(f"{side.name} is in its first cycle")
        else:
            ended = output.ago(now - status.cycle_ended)
            running.append(f"{side.name} cycle {status.cycle}, {ended} ago")
    return sorted(found, key=lambda finding: (not finding.is_problem, finding.rank)), running


def _never_ran(side: DaemonSide, work_dir: Path) -> Finding:
    configured = (work_dir / policy_file.NAME).exists()
    note = "" if configured else ", which has no configuration"
    return Finding(
        rank=Rank.DAEMON,
        daemon=side.name,
        text=f"has never run in {work_dir}{note}",
        see=f"gwms {side.name} {'run' if configured else 'reconfig'}",
    )


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.rank.name.lower(),
        "daemon": finding.daemon,
        "where": list(finding.where),
        "text": finding.text,
        "see": finding.see,
        "stands": finding.is_problem,
    }
