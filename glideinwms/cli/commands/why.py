"""`gwms why`: in one look, why nothing starts; of whichever daemons live on this host.

Exit codes beside the common ones: 0 all flows; 1 something stands.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.commands import factory, frontend
from glideinwms.cli.diagnosis import Finding, Rank, findings
from glideinwms.cli.output import Json
from glideinwms.lib.daemon import liveness, policy_file
from glideinwms.lib.errors import StateError

LINES = 20
FactoryDir = Annotated[
    Path | None,
    typer.Option(
        "--factory-work-dir", envvar="GWMS_FACTORY_DIR", help="The Factory's work directory."
    ),
]
FrontendDir = Annotated[
    Path | None,
    typer.Option(
        "--frontend-work-dir", envvar="GWMS_FRONTEND_DIR", help="The Frontend's work directory."
    ),
]


def why(
    factory_work_dir: FactoryDir = None,
    frontend_work_dir: FrontendDir = None,
    as_json: Json = False,
    everything: Annotated[bool, typer.Option("--all", help=f"More than {LINES} lines.")] = False,
) -> None:
    """Why nothing starts: what stands in the way, most important first."""
    found, flowing = collect(places(factory_work_dir, frontend_work_dir), time.time())
    stands = any(f.stands for f in found)
    if as_json:
        output.print_json({"flows": not stands, "findings": [_plain(f) for f in found]})
        sys.exit(1 if stands else 0)
    shown = found if everything else found[:LINES]
    for one in shown:
        output.say(one.line() if one.stands else f"({one.line()})")
    if len(shown) < len(found):
        print(f"... and {len(found) - len(shown)} more: --all")
    if not stands:
        print(f"all flows: {', '.join(flowing)}")
    sys.exit(1 if stands else 0)


def places(factory_dir: Path | None, frontend_dir: Path | None) -> list[tuple[str, Path]]:
    """Which daemons are meant: the directories given, else the usual ones that are there; a
    StateError if none is.
    """
    given = [("factory", factory_dir), ("frontend", frontend_dir)]
    named = [(who, path) for who, path in given if path is not None]
    usual = [("factory", factory.DEFAULT), ("frontend", frontend.DEFAULT)]
    found = named or [(who, path) for who, path in usual if path.is_dir()]
    if found:
        return found
    where = f"{factory.DEFAULT}, {frontend.DEFAULT}"
    raise StateError(
        "no daemon lives here", where=where, hint="give --factory-work-dir or --frontend-work-dir"
    )


def collect(dirs: list[tuple[str, Path]], now: float) -> tuple[list[Finding], list[str]]:
    """What is found in these work directories, most important first; and a word on each daemon."""
    found: list[Finding] = []
    words = []
    for who, work in dirs:
        path = work / "state/status.json"
        if not work.is_dir():
            raise StateError(
                "is no directory", where=str(work), hint=f"is this the {who}'s work directory?"
            )
        alive = liveness.look(path.parent, who, now)
        if not alive.running and alive.told is None:
            ready = (work / policy_file.NAME).exists()
            text = f"has never run in {work}" + ("" if ready else ", which holds no configuration")
            found.append(
                Finding(Rank.DAEMON, who, text, see=f"gwms {who} {'run' if ready else 'reconfig'}")
            )
            continue
        found += findings(alive, who, now)
        told = alive.shown
        cycle = (
            f"cycle {told.cycle}, {output.ago(now - told.cycle_ended)} ago"
            if told
            else "is in its first cycle"
        )
        words.append(f"{who} {cycle}")
    return sorted(found, key=lambda f: (not f.stands, f.rank)), words


def _plain(one: Finding) -> dict[str, object]:
    return {
        "kind": one.rank.name.lower(),
        "daemon": one.daemon,
        "where": list(one.where),
        "text": one.text,
        "see": one.see,
        "stands": one.stands,
    }
