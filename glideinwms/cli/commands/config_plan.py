"""`gwms factory|frontend plan`: what a reconfig with a file would change; or, without one, what a cycle decided."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.output import Json

if TYPE_CHECKING:
    from glideinwms.creation.reconfig.affected_pilots import Affected
    from glideinwms.creation.reconfig.plan import Change, ReconfigPlan

SHOWN = 20
File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE.xml]", help="A configuration file: what would change."),
]
XmlOption = Annotated[Path | None, typer.Option("--xml", help="The same, as an option.")]
FactoryDir = Annotated[
    Path | None,
    typer.Option("--work-dir", envvar="GWMS_FACTORY_DIR", help="The Factory's work directory."),
]
FrontendDir = Annotated[
    Path | None,
    typer.Option("--work-dir", envvar="GWMS_FRONTEND_DIR", help="The Frontend's work directory."),
]
Cycle = Annotated[
    int | None, typer.Option("--cycle", help="A recorded cycle; the newest by default.")
]
Snapshot = Annotated[str, typer.Option("--snapshot", help="A recorded cycle's file, or `last`.")]
Config = Annotated[
    Path | None, typer.Option("--config", exists=True, help="Decide with this policy.json.")
]
Group = Annotated[str, typer.Option("--group", help="Only this group.")]


def factory(
    file: File = None,
    xml: XmlOption = None,
    work_dir: FactoryDir = None,
    cycle: Cycle = None,
    as_json: Json = False,
) -> None:
    """With a file, what a reconfig of the Factory would change, and whose pilots; else what a cycle
    decided.
    """
    if found := xml or file:
        configuration(found, "factory", as_json)
        return
    from glideinwms.cli.commands.factory import DEFAULT, plan

    plan(_existing(work_dir or DEFAULT, "factory"), cycle, as_json)


def frontend(
    file: File = None,
    xml: XmlOption = None,
    work_dir: FrontendDir = None,
    cycle: Cycle = None,
    snapshot: Snapshot = "",
    config: Config = None,
    group: Group = "",
    as_json: Json = False,
) -> None:
    """With a file, what a reconfig of the Frontend would change; else what a cycle decided, or
    would with --config.
    """
    if found := xml or file:
        configuration(found, "frontend", as_json)
        return
    from glideinwms.cli.commands.explain import plan
    from glideinwms.cli.commands.frontend import DEFAULT

    plan(work_dir or DEFAULT, cycle, snapshot, config, group, as_json)


def _existing(work_dir: Path, side: str) -> Path:
    if not work_dir.is_dir():
        output.fail(
            f"{work_dir}: is not a directory (give --work-dir, or the configuration file: gwms {side} plan FILE)"
        )
    return work_dir


def configuration(xml: Path, side: str, as_json: bool) -> None:
    """What a reconfig would change. Touches nothing."""
    from glideinwms.creation.build.resolved import named
    from glideinwms.creation.reconfig.affected_pilots import affected
    from glideinwms.creation.reconfig.plan import make_plan
    from glideinwms.creation.reconfig.run import build
    from glideinwms.creation.xml.problems import InvalidConfig, Problems
    from glideinwms.lib.jsondata import to_json

    xml, problems = xml.absolute(), Problems()
    try:
        built, data = named(build(xml, side, problems))
    except InvalidConfig:
        for warning in problems.warnings:
            print(warning, file=sys.stderr)
        raise
    plan = make_plan(built, data)
    touched = (*plan.changed, *plan.removed)
    met = affected(built.work_dir, touched) if side == "factory" and touched else None
    if as_json:
        output.print_json({**to_json(plan), "pilots": met, "warnings": len(problems.all_warnings)})
        return
    if standing := len(problems.all_warnings):
        print(f"{standing} warnings stand; gwms {side} validate shows them", file=sys.stderr)
    describe(plan)
    for change in plan.changes:
        if not any(
            change.path.endswith(f"[{name}]") and "." not in change.path
            for name in (*plan.added, *plan.removed)
        ):
            print(f"  {change.path}: {_moved(change)}")
    if plan.removed_active:
        print(f"needs --force-delete: {names(plan.removed_active)} are enabled")
    if met:
        _pilots(met)


def _moved(change: Change) -> str:
    """Old -> new; of match expressions only their text."""
    old, new = _text(change.old), _text(change.new)
    return f"{old} -> {new}" if old != new else "only moved within the file"


def _text(value: Any) -> str:
    rows = value if isinstance(value, list | tuple) else ()
    if rows and all(isinstance(r, dict) and "text" in r for r in rows):
        return " and ".join(r["text"] for r in rows)
    return repr(value)


def _pilots(met: Affected) -> None:
    print(
        f"their pilots in cycle {met.cycle} of {output.clock(met.time)}, which keep what they were submitted with:"
    )
    rows: list[list[Any]] = [[n, p.idle, p.running, p.held] for n, p in met.entries.items()]
    output.table(["ENTRY", "IDLE", "RUNNING", "HELD"], rows)
    if met.unknown:
        print(f"not counted, since not known then: {', '.join(met.unknown)}")


def names(found: tuple[str, ...]) -> str:
    """Up to twenty names, then how many more."""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def describe(plan: ReconfigPlan) -> None:
    """The plan in a few lines."""
    if plan.empty:
        print(f"nothing changes (generation {plan.generation})")
        return
    what = "entries" if plan.side == "factory" else "groups"
    print(
        f"generation {plan.previous or '(none)'} -> {plan.generation}; {len(plan.files)} files to write"
    )
    for word in ("added", "removed", "changed"):
        if some := getattr(plan, word):
            print(f"{len(some)} {what} {word}: {names(some)}")
