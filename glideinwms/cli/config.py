"""`gwms factory|frontend validate|plan|reconfig`: from the XML file to what the daemon obeys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from glideinwms.creation.plan import Plan
    from glideinwms.creation.problems import Problem

NOT_TAKEN = 4
FACTORY_XML = Path("/etc/gwms-factory/glideinWMS.xml")
FRONTEND_XML = Path("/etc/gwms-frontend/frontend.xml")
Xml = Annotated[Path, typer.Argument(help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Force = Annotated[bool, typer.Option("--force-delete", help="Let entries be removed.")]
NoReload = Annotated[bool, typer.Option("--no-reload", help="Do not tell the running daemon.")]


def factory_validate(xml: Xml = FACTORY_XML, as_json: Json = False) -> None:
    """Check the Factory's file; exit code 1 if it has an error."""
    _validate(xml, "factory", as_json)


def frontend_validate(xml: Xml = FRONTEND_XML, as_json: Json = False) -> None:
    """Check the Frontend's file; exit code 1 if it has an error."""
    _validate(xml, "frontend", as_json)


def factory_plan(xml: Xml = FACTORY_XML, as_json: Json = False) -> None:
    """What a reconfig of the Factory would change. Touches nothing."""
    _plan(xml, "factory", as_json)


def frontend_plan(xml: Xml = FRONTEND_XML, as_json: Json = False) -> None:
    """What a reconfig of the Frontend would change. Touches nothing."""
    _plan(xml, "frontend", as_json)


def factory_reconfig(
    xml: Xml = FACTORY_XML, force_delete: Force = False, no_reload: NoReload = False, as_json: Json = False
) -> None:  # fmt: skip
    """Make the file the Factory's configuration, and reload a running daemon; exit code 4 if that does not take it."""
    _reconfig(xml, "factory", force_delete, no_reload, as_json)


def frontend_reconfig(xml: Xml = FRONTEND_XML, no_reload: NoReload = False, as_json: Json = False) -> None:
    """Make the file the Frontend's configuration, and reload a running daemon; exit code 4 if that does not take it."""
    _reconfig(xml, "frontend", False, no_reload, as_json)


def _show(value: Any) -> None:
    import json

    from glideinwms.lib.jsondata import to_json

    print(json.dumps(to_json(value), indent=2, default=str))


def _problem(found: Problem) -> dict[str, Any]:
    return {
        "level": found.level, "file": found.where.file, "line": found.where.line, "subject": found.subject,
        "what": found.what, "hint": found.hint,
    }  # fmt: skip


def _validate(xml: Path, side: str, as_json: bool) -> None:
    from glideinwms.creation.problems import InvalidConfig, Problems
    from glideinwms.creation.reconfig import build

    problems, errors = Problems(), list[Any]()
    try:
        build(xml, side, problems)
    except InvalidConfig as error:
        errors = list(error.problems)
    found = [*errors, *problems.warnings]
    if as_json:
        _show([_problem(p) for p in found])
    else:
        for problem in found:
            print(problem)
        print(f"{xml}: {len(errors)} errors, {len(problems.warnings)} warnings")
    if errors:
        sys.exit(1)


def _plan(xml: Path, side: str, as_json: bool) -> None:
    from glideinwms.creation.built import named
    from glideinwms.creation.plan import make_plan
    from glideinwms.creation.problems import Problems
    from glideinwms.creation.reconfig import build

    plan = make_plan(*named(build(xml, side, Problems())))
    if as_json:
        _show(plan)
        return
    _describe(plan)
    for change in plan.changes:
        print(f"  {change.path}: {change.old!r} -> {change.new!r}")


def _describe(plan: Plan) -> None:
    if plan.empty:
        print(f"nothing changes (generation {plan.generation})")
        return
    what = "entries" if plan.side == "factory" else "groups"
    print(f"generation {plan.previous or '(none)'} -> {plan.generation}; {len(plan.files)} files to write")
    for word in ("added", "removed", "changed"):
        if names := getattr(plan, word):
            print(f"{what} {word}: {', '.join(names)}")


def _reconfig(xml: Path, side: str, force: bool, no_reload: bool, as_json: bool) -> None:
    from glideinwms.creation.reconfig import NotTaken, become_owner, reconfig

    become_owner(xml)
    try:
        outcome = reconfig(xml.absolute(), side, force_delete=force, wait=not no_reload)
    except NotTaken as error:
        print(f"gwms: {error}", file=sys.stderr)
        sys.exit(NOT_TAKEN)
    if as_json:
        _show({"plan": outcome.plan, "written": outcome.written, "pruned": outcome.pruned,
               "reloaded": outcome.reloaded, "warnings": [_problem(w) for w in outcome.warnings]})  # fmt: skip
        return
    for warning in outcome.warnings:
        print(warning)
    _describe(outcome.plan)
    print(f"{outcome.written} files written" + (f"; the daemon runs {outcome.reloaded}" if outcome.reloaded else ""))
