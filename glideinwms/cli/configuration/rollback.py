"""`gwms factory|frontend rollback`: return to an earlier configuration.

Exit codes beside the common ones: 4 if the daemon does not load the generation in time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.configuration.reconfig import NOT_TAKEN
from glideinwms.cli.options import AnySide, Xml, XmlOption
from glideinwms.cli.output import Json
from glideinwms.cli.sides import DaemonSide, side_of

if TYPE_CHECKING:
    from glideinwms.creation.reconfig.rollback import KeptGeneration

To = Annotated[
    str, typer.Option("--to", help="Generation to return to. By default the previous one.")
]
Listing = Annotated[bool, typer.Option("--list", help="Only list the generations.")]
ToUpstream = Annotated[
    bool,
    typer.Option(
        "--to-upstream",
        "--to-deployed",
        help="Hand the directories back to GlideinWMS 3.10.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkArea:
    """A work directory, and the file or directory whose owner may change it."""

    work_dir: Path
    owned: Path

    @property
    def xml(self) -> Path | None:
        """The configuration file; None if only the work directory was given."""
        return self.owned if self.owned != self.work_dir else None


def rollback(
    context: typer.Context,
    xml: Xml = None,
    file: XmlOption = None,
    work_dir: AnySide = None,
    to: To = "",
    listing: Listing = False,
    to_upstream: ToUpstream = False,
    as_json: Json = False,
) -> None:
    """Activate an earlier generation, or hand the directories back to GlideinWMS 3.10."""
    from glideinwms.creation.reconfig import rollback as generations
    from glideinwms.lib.run_as_owner import become_owner, caller, work_as_owner

    side = side_of(context)
    area = _area(side, file or xml, work_dir)
    operator = caller()
    if listing:
        _list(generations.listed(area.work_dir), as_json)
        return
    become_owner(area.owned)
    work_as_owner(area.work_dir)
    if to_upstream:
        moved = generations.to_deployed(area.work_dir, side.name, operator)
        if as_json:
            output.print_json({"work_dir": str(area.work_dir), "aside": moved})
        else:
            print(f"put aside in {area.work_dir}: {', '.join(moved) or 'nothing'}")
        return
    _activate(side, area, to, operator, as_json)


def _area(side: DaemonSide, xml: Path | None, work_dir: Path | None) -> WorkArea:
    """Find the work area.

    Use the given file, else --work-dir or its environment variable, else the usual file.
    """
    from glideinwms.creation.reconfig import fingerprint

    given = side.given_work_dir(work_dir)
    if xml is None and given is not None:
        if not given.is_dir():
            output.fail(f"{given}: is not a directory")
        return WorkArea(work_dir=given.absolute(), owned=given.absolute())
    path = (xml or side.xml).absolute()
    work = fingerprint.work_dir(path, side.name)
    if work is None:
        output.fail(
            f"{path}: names no work area, or cannot be read; "
            "give the configuration file, or the work area with --work-dir"
        )
    return WorkArea(work_dir=work, owned=path)


def _list(kept: list[KeptGeneration], as_json: bool) -> None:
    if as_json:
        output.print_json(kept)
        return
    for generation in kept:
        state = ""
        if generation.current:
            state = "active"
        elif generation.missing:
            state = f"{len(generation.missing)} files missing"
        print(f"{generation.name}  {output.clock(generation.made)}  {state}".rstrip())


def _activate(side: DaemonSide, area: WorkArea, to: str, operator: str, as_json: bool) -> None:
    from glideinwms.creation.reconfig import rollback as generations
    from glideinwms.creation.reconfig.run import NotTaken, tell

    name = generations.rollback(area.work_dir, to, operator)
    try:
        reloaded = tell(area.work_dir, name)
    except NotTaken as error:
        print(f"gwms: generation {name} is active, but {error}", file=sys.stderr)
        sys.exit(NOT_TAKEN)
    if as_json:
        output.print_json({"generation": name, "reloaded": reloaded})
        return
    print(f"generation {name} is active" + ("; the daemon runs it" if reloaded else ""))
    file = str(area.xml or "the configuration file")
    plan = f"gwms {side.name} plan {area.xml}" if area.xml else f"gwms {side.name} plan FILE.xml"
    print(f"{file} is unchanged: the next reconfig applies it again; {plan} shows what differs")
