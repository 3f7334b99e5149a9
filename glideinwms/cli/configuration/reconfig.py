"""`gwms factory|frontend reconfig|changes`: apply a configuration file, or show what it changes.

Exit codes beside the common ones: `reconfig` 4 if the daemon does not load the new configuration in
time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.configuration import plan as config_plan
from glideinwms.cli.configuration.examine import problem_fields
from glideinwms.cli.options import Xml, XmlOption
from glideinwms.cli.output import Json
from glideinwms.cli.sides import DaemonSide, side_of

if TYPE_CHECKING:
    from glideinwms.creation.reconfig.run import ReconfigOutcome

NOT_TAKEN = 4
Force = Annotated[
    bool,
    typer.Option("--force-delete", help="Allow the removal of active entries or groups."),
]
NoReload = Annotated[
    bool, typer.Option("--no-reload", help="Do not tell the running daemon to reload.")
]


def changes(
    context: typer.Context, xml: Xml = None, file: XmlOption = None, as_json: Json = False
) -> None:
    """Show what a reconfig would change. Nothing is written."""
    side = side_of(context)
    config_plan.configuration(file or xml or side.xml, side, as_json)


def reconfig(
    context: typer.Context,
    xml: Xml = None,
    file: XmlOption = None,
    force_delete: Force = False,
    no_reload: NoReload = False,
    as_json: Json = False,
) -> None:
    """Apply the configuration file and reload the running daemon.

    Exit code 4: the daemon did not load it in time.
    """
    from glideinwms.creation.reconfig import fingerprint, hooks
    from glideinwms.lib.run_as_owner import become_owner, caller, work_as_owner

    side = side_of(context)
    path = (file or xml or side.xml).absolute()
    operator = caller()
    become_owner(path)
    if work := fingerprint.work_dir(path, side.name):
        work_as_owner(work)
    if not hooks.programs(path, "pre"):
        unchanged = fingerprint.unchanged(path, side.name)
        if unchanged:
            _print_unchanged(unchanged, as_json)
            count = fingerprint.standing_warnings(work) if work else 0
            if count:
                hint = f"gwms {side.name} validate {path} shows them"
                print(
                    f"the configuration still has {count} warning{'s' * (count > 1)}; {hint}",
                    file=sys.stderr,
                )
            return
    outcome = _apply(path, side, force=force_delete, wait=not no_reload, operator=operator)
    _print_outcome(outcome, as_json)


def _apply(
    path: Path, side: DaemonSide, *, force: bool, wait: bool, operator: str
) -> ReconfigOutcome:
    import gc

    from glideinwms.creation.reconfig.run import NotTaken
    from glideinwms.creation.reconfig.run import reconfig as apply
    from glideinwms.creation.xml.problems import InvalidConfig, Problems

    # the trees are large, have few reference cycles, and the process is short-lived
    gc.disable()
    problems = Problems()
    try:
        return apply(
            path,
            side.name,
            _progress,
            problems,
            force_delete=force,
            wait=wait,
            who=operator,
        )
    except InvalidConfig:
        for warning in problems.warnings:
            print(warning, file=sys.stderr)
        raise
    except NotTaken as error:
        output.fail(str(error), NOT_TAKEN)


def _print_unchanged(generation: str, as_json: bool) -> None:
    if not as_json:
        print(f"nothing changes (generation {generation})")
        return
    output.print_json(
        {
            "plan": None,
            "generation": generation,
            "written": 0,
            "pruned": 0,
            "reloaded": "",
            "warnings": [],
        }
    )


def _print_outcome(outcome: ReconfigOutcome, as_json: bool) -> None:
    if as_json:
        output.print_json(
            {
                "plan": outcome.plan,
                "generation": outcome.plan.generation,
                "written": outcome.written,
                "pruned": outcome.pruned,
                "reloaded": outcome.reloaded,
                "warnings": [problem_fields(warning) for warning in outcome.warnings],
            }
        )
        return
    for warning in outcome.warnings:
        print(warning)
    config_plan.describe(outcome.plan)
    reloaded = f"; the daemon runs {outcome.reloaded}" if outcome.reloaded else ""
    print(f"{outcome.written} files written{reloaded}")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"{text} ...", file=sys.stderr)
