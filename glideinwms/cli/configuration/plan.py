"""`gwms factory|frontend plan`: what a reconfig would change, or what a cycle decided."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import AnySide, Cycle, Group, PolicyFile, SnapshotFile, XmlOption
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY, FRONTEND, DaemonSide

if TYPE_CHECKING:
    from glideinwms.creation.reconfig.affected_pilots import Affected
    from glideinwms.creation.reconfig.plan import Change, ReconfigPlan

MAX_NAMES_SHOWN = 20
File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE.xml]", help="Show what this configuration file would change."),
]


def factory(
    file: File = None,
    xml: XmlOption = None,
    work_dir: AnySide = None,
    cycle: Cycle = None,
    as_json: Json = False,
) -> None:
    """Show what a reconfig would change and whose pilots it affects.

    Without a file, show what a cycle decided.
    """
    path = xml or file
    if path:
        configuration(path, FACTORY, as_json)
        return
    from glideinwms.cli.commands.factory import plan

    plan(_existing(FACTORY, work_dir), cycle, as_json)


def frontend(
    file: File = None,
    xml: XmlOption = None,
    work_dir: AnySide = None,
    cycle: Cycle = None,
    snapshot: SnapshotFile = "",
    config: PolicyFile = None,
    group: Group = "",
    as_json: Json = False,
) -> None:
    """Show what a reconfig would change.

    Without a file, show what a cycle decided, or with --config what it would decide.
    """
    path = xml or file
    if path:
        configuration(path, FRONTEND, as_json)
        return
    from glideinwms.cli.commands.frontend_plan import plan
    from glideinwms.cli.recorded import RecordedCycle

    chosen = FRONTEND.given_work_dir(work_dir) or FRONTEND.work_dir
    plan(RecordedCycle(work_dir=chosen, cycle=cycle, snapshot=snapshot), config, group, as_json)


def _existing(side: DaemonSide, option: Path | None) -> Path:
    work_dir = side.given_work_dir(option) or side.work_dir
    if not work_dir.is_dir():
        output.fail(
            f"{work_dir}: is not a directory "
            f"(give --work-dir, or the configuration file: gwms {side.name} plan FILE)"
        )
    return work_dir


def configuration(xml: Path, side: DaemonSide, as_json: bool) -> None:
    """Show what a reconfig would change. Nothing is written."""
    from glideinwms.creation.build.resolved import named
    from glideinwms.creation.reconfig.affected_pilots import affected
    from glideinwms.creation.reconfig.plan import make_plan
    from glideinwms.creation.reconfig.run import build
    from glideinwms.creation.xml.problems import InvalidConfig, Problems
    from glideinwms.lib.jsondata import to_json

    problems = Problems()
    try:
        built, policy = named(build(xml.absolute(), side.name, problems))
    except InvalidConfig:
        for warning in problems.warnings:
            print(warning, file=sys.stderr)
        raise
    plan = make_plan(built, policy)
    touched = (*plan.changed, *plan.removed)
    pilots = affected(built.work_dir, touched) if side is FACTORY and touched else None
    warnings = len(problems.all_warnings)
    if as_json:
        output.print_json({**to_json(plan), "pilots": pilots, "warnings": warnings})
        return
    if warnings:
        print(f"{warnings} warnings; gwms {side.name} validate shows them", file=sys.stderr)
    describe(plan)
    whole = {f"[{name}]" for name in (*plan.added, *plan.removed)}
    for change in plan.changes:
        if not ("." not in change.path and change.path.endswith(tuple(whole))):
            print(f"  {change.path}: {_old_and_new(change)}")
    if plan.removed_active:
        print(f"needs --force-delete: {names(plan.removed_active)} are enabled")
    if pilots:
        _print_pilots(pilots)


def _old_and_new(change: Change) -> str:
    """Old -> new. Match expressions are shown by their text only."""
    old, new = _text(change.old), _text(change.new)
    return f"{old} -> {new}" if old != new else "only moved within the file"


def _text(value: object) -> str:
    expressions = value if isinstance(value, list | tuple) else ()
    if expressions and all(isinstance(one, dict) and "text" in one for one in expressions):
        return " and ".join(expression["text"] for expression in expressions)
    return repr(value)


def _print_pilots(pilots: Affected) -> None:
    print(
        f"their pilots in cycle {pilots.cycle} of {output.clock(pilots.time)}, "
        "which keep what they were submitted with:"
    )
    output.table(
        ["ENTRY", "IDLE", "RUNNING", "HELD"],
        [[name, row.idle, row.running, row.held] for name, row in pilots.entries.items()],
    )
    if pilots.unknown:
        print(f"not counted because they were unknown then: {', '.join(pilots.unknown)}")


def names(listed: tuple[str, ...]) -> str:
    """Join up to twenty names and say how many more there are."""
    hidden = len(listed) - MAX_NAMES_SHOWN
    more = f" and {hidden} more" if hidden > 0 else ""
    return ", ".join(listed[:MAX_NAMES_SHOWN]) + more


def describe(plan: ReconfigPlan) -> None:
    """Print the plan in a few lines."""
    if plan.empty:
        print(f"nothing changes (generation {plan.generation})")
        return
    kind = "entries" if plan.side == "factory" else "groups"
    print(
        f"generation {plan.previous or '(none)'} -> {plan.generation}; "
        f"{len(plan.files)} files to write"
    )
    changed = {"added": plan.added, "removed": plan.removed, "changed": plan.changed}
    for label, listed in changed.items():
        if listed:
            print(f"{len(listed)} {kind} {label}: {names(listed)}")
