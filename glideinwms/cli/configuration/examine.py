"""`gwms factory|frontend validate|show|convert`: examine a configuration file; change nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import Xml, XmlOption
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY, DaemonSide, side_of

if TYPE_CHECKING:
    from glideinwms.creation.xml.problems import Problem

Online = Annotated[bool, typer.Option("--online", help="Also ask DNS, web servers and collectors.")]
Disabled = Annotated[
    bool, typer.Option("--disabled", help="Also show warnings about disabled entries.")
]
Name = Annotated[
    str, typer.Option("--name", help="Show one entry or group, with inherited values.")
]
Given = Annotated[bool, typer.Option("--given", help="Leave out default values.")]
UNCHECKED = (
    "no single main file is beside config.d, so only elements, types and values were checked, "
    "not what refers to other files"
)


def validate(
    context: typer.Context,
    xml: Xml = None,
    file: XmlOption = None,
    online: Online = False,
    disabled: Disabled = False,
    as_json: Json = False,
) -> None:
    """Check the configuration file. Exit code 1: it has errors."""
    from glideinwms.creation.reconfig.run import build
    from glideinwms.creation.xml.problems import InvalidConfig, Problems

    side = side_of(context)
    piece = file or xml or side.xml
    whole = _whole(piece, side)
    problems = Problems()
    errors: list[Problem] = []
    try:
        built = build(whole, side.name, problems)
        if online:
            from glideinwms.creation.checks import online as online_checks
            from glideinwms.lib.condor.workers import ProcessWorkers

            with ProcessWorkers() as workers:
                online_checks.check(built, whole, problems, workers)
    except InvalidConfig as error:
        errors = list(error.problems)
    warnings = problems.all_warnings if disabled else problems.warnings
    count = len(problems.all_warnings)
    if piece != whole:
        print(f"{piece} is a piece of {whole}: checked as part of it", file=sys.stderr)
        errors = [problem for problem in errors if problem.where.file == str(piece)]
        warnings = [problem for problem in warnings if problem.where.file == str(piece)]
        count = len(warnings)
    elif _is_piece(piece, side):
        print(f"{piece} is a piece of a configuration: {UNCHECKED}", file=sys.stderr)
        errors = [problem for problem in errors if not _only_main_has(problem)]
    if as_json:
        output.print_json([problem_fields(problem) for problem in (*errors, *warnings)])
    else:
        for problem in (*errors, *warnings):
            print(problem)
        print(f"{piece}: {len(errors)} errors, {count} warnings")
    if errors:
        sys.exit(1)


def _is_piece(xml: Path, side: DaemonSide) -> bool:
    return side is FACTORY and xml.parent.name == "config.d"


def _only_main_has(problem: Problem) -> bool:
    """Whether a problem is the lack of something in the root element, which the main file has."""
    of_root = problem.subject.startswith("glidein@") or not set(problem.subject) & set("@/[")
    return of_root and problem.what == "is required"


def _whole(xml: Path, side: DaemonSide) -> Path:
    """Return the main file of a piece in config.d, which is not a configuration by itself."""
    if not _is_piece(xml, side) or not xml.exists():
        return xml
    folder = xml.absolute().parent.parent
    usual = folder / FACTORY.xml.name
    mains = [usual] if usual.exists() else sorted(folder.glob("*.xml"))
    return mains[0] if len(mains) == 1 else xml


def problem_fields(problem: Problem) -> dict[str, object]:
    """Return a problem of a configuration as the fields that `--json` prints."""
    return {
        "level": problem.level,
        "file": problem.where.file,
        "line": problem.where.line,
        "subject": problem.subject,
        "what": problem.what,
        "hint": problem.hint,
    }


def show(
    context: typer.Context,
    xml: Xml = None,
    file: XmlOption = None,
    name: Name = "",
    given: Given = False,
    as_json: Json = False,
) -> None:
    """Show the effective configuration, each value with its file and line or `default`."""
    from glideinwms.creation.views.show import DEFAULT, effective

    side = side_of(context)
    path = (file or xml or side.xml).absolute()
    values = effective(path, side.name, name)
    if given:
        values = [value for value in values if value.origin != DEFAULT]
    if as_json:
        output.print_json(values)
        return
    for value in values:
        print(f"{value.path} = {value.value!r}  ({value.origin})")


def convert(context: typer.Context, xml: Xml = None, file: XmlOption = None) -> None:
    """Print the shortest equivalent configuration file, and on stderr what it loses."""
    from glideinwms.creation.views.convert import convert as shortest
    from glideinwms.creation.xml.problems import Problems

    side = side_of(context)
    problems = Problems()
    text = shortest(file or xml or side.xml, side.name, problems)
    for problem in problems.warnings:
        print(problem, file=sys.stderr)
    print(text, end="")
