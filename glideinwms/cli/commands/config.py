"""`gwms factory|frontend validate|reconfig|show|rollback|convert`: from the XML file to what the daemon obeys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glideinwms.cli.commands import config_plan
from glideinwms.cli.output import Json

if TYPE_CHECKING:
    from glideinwms.creation.xml.problems import Problem

NOT_TAKEN = 4
FACTORY_XML = Path("/etc/gwms-factory/glideinWMS.xml")
FRONTEND_XML = Path("/etc/gwms-frontend/frontend.xml")
Xml = Annotated[Path, typer.Argument(help="The configuration file.")]
RollbackXml = Annotated[
    Path | None, typer.Argument(help="The configuration file.", show_default="the usual one")
]
FactoryDir = Annotated[
    Path | None,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        envvar="GWMS_FACTORY_DIR",
        help="The Factory's work directory, where no file is named.",
    ),
]
FrontendDir = Annotated[
    Path | None,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        envvar="GWMS_FRONTEND_DIR",
        help="The Frontend's work directory, where no file is named.",
    ),
]
XmlOption = Annotated[Path | None, typer.Option("--xml", help="The same, as an option.")]
Force = Annotated[
    bool, typer.Option("--force-delete", help="Let active entries or groups be removed.")
]
NoReload = Annotated[bool, typer.Option("--no-reload", help="Do not tell the running daemon.")]


Online = Annotated[bool, typer.Option("--online", help="Also ask DNS, URLs and collectors.")]
Disabled = Annotated[
    bool, typer.Option("--disabled", help="Also show the warnings of disabled entries.")
]
Name = Annotated[str, typer.Option("--name", help="One entry or group, with what it inherits.")]
Given = Annotated[bool, typer.Option("--given", help="Leave defaults out.")]
To = Annotated[str, typer.Option("--to", help="A generation; default the one before the current.")]
Listing = Annotated[bool, typer.Option("--list", help="Only list the generations.")]
ToDeployed = Annotated[
    bool, typer.Option("--to-deployed", help="Leave the directories to the deployed program.")
]


def factory_validate(
    xml: Xml = FACTORY_XML,
    file: XmlOption = None,
    online: Online = False,
    disabled: Disabled = False,
    as_json: Json = False,
) -> None:
    """Check the Factory's file; exit code 1 if it has an error."""
    _validate(file or xml, "factory", online, as_json, disabled)


def frontend_validate(
    xml: Xml = FRONTEND_XML, file: XmlOption = None, online: Online = False, as_json: Json = False
) -> None:
    """Check the Frontend's file; exit code 1 if it has an error."""
    _validate(file or xml, "frontend", online, as_json)


def factory_changes(xml: Xml = FACTORY_XML, file: XmlOption = None, as_json: Json = False) -> None:
    """What a reconfig of the Factory would change. Touches nothing."""
    config_plan.configuration(file or xml, "factory", as_json)


def frontend_changes(
    xml: Xml = FRONTEND_XML, file: XmlOption = None, as_json: Json = False
) -> None:
    """What a reconfig of the Frontend would change. Touches nothing."""
    config_plan.configuration(file or xml, "frontend", as_json)


def factory_reconfig(
    xml: Xml = FACTORY_XML,
    file: XmlOption = None,
    force_delete: Force = False,
    no_reload: NoReload = False,
    as_json: Json = False,
) -> None:
    """Make the file the Factory's configuration, and reload a running daemon; exit code 4 if that
    does not take it.
    """
    _reconfig(file or xml, "factory", force_delete, no_reload, as_json)


def frontend_reconfig(
    xml: Xml = FRONTEND_XML,
    file: XmlOption = None,
    force_delete: Force = False,
    no_reload: NoReload = False,
    as_json: Json = False,
) -> None:
    """Make the file the Frontend's configuration, and reload a running daemon; exit code 4 if that
    does not take it.
    """
    _reconfig(file or xml, "frontend", force_delete, no_reload, as_json)


def factory_show(
    xml: Xml = FACTORY_XML,
    file: XmlOption = None,
    name: Name = "",
    given: Given = False,
    as_json: Json = False,
) -> None:
    """The effective configuration, each value with its file:line or `default`."""
    _effective(file or xml, "factory", name, given, as_json)


def frontend_show(
    xml: Xml = FRONTEND_XML,
    file: XmlOption = None,
    name: Name = "",
    given: Given = False,
    as_json: Json = False,
) -> None:
    """The effective configuration, each value with its file:line or `default`."""
    _effective(file or xml, "frontend", name, given, as_json)


def factory_rollback(
    xml: RollbackXml = None,
    file: XmlOption = None,
    work_dir: FactoryDir = None,
    to: To = "",
    listing: Listing = False,
    to_deployed: ToDeployed = False,
    as_json: Json = False,
) -> None:
    """Put an earlier generation of the Factory in force, or leave its directories to the deployed
    program.
    """
    _rollback(
        _area(file or xml, work_dir, "factory", FACTORY_XML),
        "factory",
        to,
        listing,
        to_deployed,
        as_json,
    )


def frontend_rollback(
    xml: RollbackXml = None,
    file: XmlOption = None,
    work_dir: FrontendDir = None,
    to: To = "",
    listing: Listing = False,
    to_deployed: ToDeployed = False,
    as_json: Json = False,
) -> None:
    """Put an earlier generation of the Frontend in force, or leave its directories to the deployed
    program.
    """
    _rollback(
        _area(file or xml, work_dir, "frontend", FRONTEND_XML),
        "frontend",
        to,
        listing,
        to_deployed,
        as_json,
    )


def factory_convert(xml: Xml = FACTORY_XML, file: XmlOption = None) -> None:
    """The shortest file that means the same, to standard output; what it loses, to standard error."""
    _convert(file or xml, "factory")


def frontend_convert(xml: Xml = FRONTEND_XML, file: XmlOption = None) -> None:
    """The shortest file that means the same, to standard output; what it loses, to standard error."""
    _convert(file or xml, "frontend")


def _convert(xml: Path, side: str) -> None:
    from glideinwms.creation.views.convert import convert
    from glideinwms.creation.xml.problems import Problems

    problems = Problems()
    text = convert(xml, side, problems)
    for problem in problems.warnings:
        print(problem, file=sys.stderr)
    print(text, end="")


def _show(value: Any) -> None:
    import json

    from glideinwms.lib.jsondata import to_json

    print(json.dumps(to_json(value), indent=2, default=str))


def _problem(found: Problem) -> dict[str, Any]:
    return {
        "level": found.level,
        "file": found.where.file,
        "line": found.where.line,
        "subject": found.subject,
        "what": found.what,
        "hint": found.hint,
    }


def _whole(xml: Path, side: str) -> Path:
    """The main file of a config.d piece, which is not a configuration by itself; else the file
    itself.
    """
    if side != "factory" or xml.parent.name != "config.d" or not xml.exists():
        return xml
    beside = xml.absolute().parent.parent
    usual = beside / FACTORY_XML.name
    mains = [usual] if usual.exists() else sorted(beside.glob("*.xml"))
    return mains[0] if len(mains) == 1 else xml


def _validate(xml: Path, side: str, online: bool, as_json: bool, disabled: bool = False) -> None:
    from glideinwms.creation.reconfig.run import build
    from glideinwms.creation.xml.problems import InvalidConfig, Problems

    problems, errors = Problems(), list[Any]()
    piece, xml = xml, _whole(xml, side)
    try:
        built = build(xml, side, problems)
        if online:
            from glideinwms.creation.checks import online as asking
            from glideinwms.lib.condor.workers import ProcessWorkers

            with ProcessWorkers() as pool:
                asking.check(built, xml, problems, pool)
    except InvalidConfig as error:
        errors = list(error.problems)
    warnings = problems.all_warnings if disabled else problems.warnings
    if piece != xml:
        print(f"{piece} is a piece of {xml}: checked as part of it", file=sys.stderr)
        errors = [p for p in errors if p.where.file == str(piece)]
        warnings = [p for p in warnings if p.where.file == str(piece)]
    found = [*errors, *warnings]
    if as_json:
        _show([_problem(p) for p in found])
    else:
        for problem in found:
            print(problem)
        count = len(warnings if piece != xml else problems.all_warnings)
        print(f"{piece}: {len(errors)} errors, {count} warnings")
    if errors:
        sys.exit(1)


def _reconfig(xml: Path, side: str, force: bool, no_reload: bool, as_json: bool) -> None:
    from glideinwms.creation.reconfig import fingerprint, hooks
    from glideinwms.lib.daemon.operator_commands import caller
    from glideinwms.lib.run_as_owner import become_owner, work_as_owner

    xml, who = xml.absolute(), caller()
    become_owner(xml)
    if work := fingerprint.work_dir(xml, side):
        work_as_owner(work)
    if not hooks.programs(xml, "pre") and (same := fingerprint.unchanged(xml, side)):
        if as_json:
            _show(
                {
                    "plan": None,
                    "generation": same,
                    "written": 0,
                    "pruned": 0,
                    "reloaded": "",
                    "warnings": [],
                }
            )
        else:
            print(f"nothing changes (generation {same})")
        return
    import gc

    from glideinwms.creation.reconfig.run import NotTaken, reconfig
    from glideinwms.creation.xml.problems import InvalidConfig, Problems

    # large trees with few cycles, and a short life
    gc.disable()
    problems = Problems()
    try:
        outcome = reconfig(
            xml, side, _progress, problems, force_delete=force, wait=not no_reload, who=who
        )
    except InvalidConfig:
        for warning in problems.warnings:
            print(warning, file=sys.stderr)
        raise
    except NotTaken as error:
        print(f"gwms: {error}", file=sys.stderr)
        sys.exit(NOT_TAKEN)
    if as_json:
        _show(
            {
                "plan": outcome.plan,
                "generation": outcome.plan.generation,
                "written": outcome.written,
                "pruned": outcome.pruned,
                "reloaded": outcome.reloaded,
                "warnings": [_problem(w) for w in outcome.warnings],
            }
        )
        return
    for warning in outcome.warnings:
        print(warning)
    config_plan.describe(outcome.plan)
    print(
        f"{outcome.written} files written"
        + (f"; the daemon runs {outcome.reloaded}" if outcome.reloaded else "")
    )


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"{text} ...", file=sys.stderr)


def _effective(xml: Path, side: str, name: str, given: bool, as_json: bool) -> None:
    from glideinwms.creation.views.show import DEFAULT, effective

    found = [s for s in effective(xml.absolute(), side, name) if not given or s.origin != DEFAULT]
    if as_json:
        _show(found)
        return
    for shown in found:
        print(f"{shown.path} = {shown.value!r}  ({shown.origin})")


def _area(xml: Path | None, work_dir: Path | None, side: str, default: Path) -> tuple[Path, Path]:
    """(work area, the file whose owner may change it): of the file that is named, else of
    --work-dir or its variable,
    else of the usual file.
    """
    from glideinwms.cli.output import fail
    from glideinwms.creation.reconfig import fingerprint

    if xml is None and work_dir is not None:
        return work_dir.absolute(), work_dir.absolute()
    chosen = (xml or default).absolute()
    work = fingerprint.work_dir(chosen, side)
    if work is None:
        fail(
            f"{chosen}: names no work area, or cannot be read; name the file, or the work area with --work-dir"
        )
    assert work is not None
    return work, chosen


def _rollback(
    area: tuple[Path, Path], side: str, to: str, listing: bool, to_deployed: bool, as_json: bool
) -> None:
    from glideinwms.cli.output import clock
    from glideinwms.creation.reconfig import rollback
    from glideinwms.creation.reconfig.run import NotTaken, tell
    from glideinwms.lib.daemon.operator_commands import caller
    from glideinwms.lib.run_as_owner import become_owner, work_as_owner

    (work, owned), who = area, caller()
    if listing:
        found = rollback.listed(work)
        if as_json:
            _show(found)
        for kept in [] if as_json else found:
            state = (
                "in force"
                if kept.current
                else f"{len(kept.missing)} files missing"
                if kept.missing
                else ""
            )
            print(f"{kept.name}  {clock(kept.made)}  {state}".rstrip())
        return
    become_owner(owned)
    work_as_owner(work)
    if to_deployed:
        aside = rollback.to_deployed(work, side, who)
        if as_json:
            _show({"work_dir": str(work), "aside": aside})
        else:
            print(f"put aside in {work}: {', '.join(aside) or 'nothing'}")
        return
    name = rollback.rollback(work, to, who)
    try:
        told = tell(work, name)
    except NotTaken as error:
        print(f"gwms: generation {name} is in force, but {error}", file=sys.stderr)
        sys.exit(NOT_TAKEN)
    if as_json:
        _show({"generation": name, "reloaded": told})
    else:
        print(f"generation {name} is in force" + ("; the daemon runs it" if told else ""))
        # with --work-dir the file is not known
        xml = str(owned) if owned != work else "the configuration file"
        plan = f"gwms {side} plan {owned}" if owned != work else f"gwms {side} plan"
        print(
            f"{xml} is as it was: the next reconfig puts it in force again; {plan} shows what differs"
        )
