"""`gwms pilot run ENTRY`: one pilot by hand, as the Factory would submit it, without CE or batch
system.

The Frontend's half of its command line comes from a Frontend's work directory (`--frontend`), else
from the newest request that the Factory recorded. Exit code: the pilot's; 1 if it cannot start.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli.manual_pilot import (
    parameters,
    pilot_of,
    recorded_request,
    request_of_frontend,
)
from glideinwms.cli.manual_start import check, script, start
from glideinwms.cli.options import ExistingFactory
from glideinwms.cli.sides import FACTORY

Entry = Annotated[str, typer.Argument(metavar="ENTRY", help="Name of the entry.")]
Frontend = Annotated[
    Path | None,
    typer.Option(
        "--frontend", exists=True, file_okay=False, help="Work directory of the Frontend."
    ),
]
Group = Annotated[
    str, typer.Option("--group", help="Group of the Frontend. By default its only one.")
]
Client = Annotated[
    str, typer.Option("--client", help="Without --frontend: use the request of this ClientName.")
]
Token = Annotated[
    Path | None,
    typer.Option(
        "--token", exists=True, dir_okay=False, help="File with an IDTOKEN for the user pool."
    ),
]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", help="Override a parameter: NAME=VALUE.")
]
Verbosity = Annotated[
    str, typer.Option("--verbosity", help="std, nodebug, fast, or check (runs no jobs).")
]
Directory = Annotated[
    Path, typer.Option("--dir", file_okay=False, help="Create the pilot's directory here.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the pilot's directories.")]
Print = Annotated[
    bool, typer.Option("--print", help="Print a script that starts the pilot on any machine.")
]


def run(
    entry: Entry,
    work_dir: ExistingFactory = FACTORY.work_dir,
    frontend: Frontend = None,
    group: Group = "",
    client: Client = "",
    token: Token = None,
    param: Parameters = None,
    verbosity: Verbosity = "",
    where: Directory = Path(),
    keep: Keep = False,
    show: Print = False,
) -> None:
    """Run one pilot on this machine, in a fresh directory, without the delay after a failure."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of

    policy = load_policy(work_dir)
    chosen = entry_of(policy, entry)
    if frontend is not None:
        make_token = not token and not show
        request, text = request_of_frontend(frontend, group, policy, chosen, make_token=make_token)
    else:
        request, text = recorded_request(work_dir, chosen, client)
    request = replace(request, params={**request.params, **parameters(param or ())})
    pilot = pilot_of(policy, chosen, request, verbosity, token.read_text() if token else text)
    if show:
        print(script(pilot), end="")
        return
    check(pilot, os.environ)
    sys.exit(start(pilot, where, keep=keep))
