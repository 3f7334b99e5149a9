"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli.sides import FACTORY, FRONTEND

Xml = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE.xml]",
        help=f"The configuration file. By default {FACTORY.xml} or {FRONTEND.xml}.",
    ),
]
XmlOption = Annotated[
    Path | None, typer.Option("--xml", help="The configuration file, given as an option.")
]
ExistingFactory = Annotated[
    Path,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        envvar=FACTORY.variable,
        help="Work directory of the Factory.",
    ),
]
ExistingFrontend = Annotated[
    Path,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        envvar=FRONTEND.variable,
        help="Work directory of the Frontend.",
    ),
]
AnySide = Annotated[
    Path | None,
    typer.Option(
        "--work-dir",
        help=f"Work directory. By default ${FACTORY.variable} or ${FRONTEND.variable}.",
    ),
]
Cycle = Annotated[
    int | None, typer.Option("--cycle", help="Number of a recorded cycle. By default the newest.")
]
SnapshotFile = Annotated[
    str, typer.Option("--snapshot", help="File of a recorded cycle, or `last`.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        exists=True,
        help="Decide with this policy.json or XML configuration file.",
    ),
]
Group = Annotated[str, typer.Option("--group", help="Show only this group.")]
JobClass = Annotated[
    list[str] | None,
    typer.Option("--class", help="ATTRIBUTE=VALUE of a class of jobs. Repeat for more."),
]
Sort = Annotated[
    str,
    typer.Option("--sort", help="Sort by this column, largest first. By default by name."),
]
