"""`gwms factory|frontend replay`, and what other verbs need of recorded cycles: options, and the policy to decide with.

Exit code beside the common ones: `replay` 1 if something is decided otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.factory import DEFAULT as FACTORY
from glideinwms.cli.commands.frontend import DEFAULT as FRONTEND
from glideinwms.cli.output import Json
from glideinwms.frontend.plan import FrontendEntryPlan
from glideinwms.lib.daemon import policy_file
from glideinwms.lib.daemon.records import Record, Ring
from glideinwms.lib.errors import StateError

FactoryDir = Annotated[
    Path,
    typer.Option("--work-dir", envvar="GWMS_FACTORY_DIR", help="The Factory's work directory."),
]
FrontendDir = Annotated[
    Path,
    typer.Option("--work-dir", envvar="GWMS_FRONTEND_DIR", help="The Frontend's work directory."),
]
Directory = Annotated[Path | None, typer.Argument(help="A directory of recorded cycles.")]
OneCycle = Annotated[
    int | None, typer.Option("--cycle", help="Only this cycle; all that are kept by default.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", exists=True, help="Decide with this policy.json or XML configuration."
    ),
]
P = TypeVar("P")
SHOWN = 20


def configured(path: Path, side: str, load: Callable[[Path], P]) -> P:
    """A policy, or what a configuration would become; InvalidConfig if a reconfig would refuse
    that.
    """
    if path.suffix != ".xml":
        return load(path)
    from glideinwms.creation.build.resolved import named
    from glideinwms.creation.reconfig.run import build
    from glideinwms.creation.xml.problems import Problems

    problems = Problems()
    built, _ = named(build(path, side, problems))
    for problem in problems.warnings:
        print(f"gwms: {problem}", file=sys.stderr)
    return cast(P, built.policy)


def obeyed(work_dir: Path, generation: str) -> Path:
    """The file of the policy that a cycle obeyed, else of the one in force."""
    copy = policy_file.kept(work_dir / "state", generation)
    return copy if copy.exists() else work_dir / policy_file.NAME


def _replay(
    room: Any, side: str, base: Path, folder: Path, cycle: int | None, config: Path | None
) -> dict[int, dict[str, Any]]:
    """Differences of each cycle in a folder; `room`: factory.recorded or frontend.recorded."""
    if not folder.is_dir() or not (paths := Ring(folder).paths()):
        raise StateError(
            "no cycle is recorded there", where=str(folder), hint="give a state/cycles directory"
        )
    if cycle is not None:
        paths = [folder / f"{cycle:08d}.json.gz"]
    given = configured(config, side, room.load_policy) if config else None
    found = {}
    for path in paths:
        kept: Record[Any, Any] = room.read_file(path)
        policy = given or room.load_policy(obeyed(base, kept.generation))
        found[kept.cycle] = room.differences(kept.plan, room.replay(kept, policy))
    return found


def _tell(
    found: dict[int, dict[str, Any]],
    names: Callable[[dict[str, Any]], Iterable[str]],
    as_json: bool,
) -> None:
    if as_json:
        output.print_json(found)
    else:
        for number, rows in found.items():
            differ = list(names(rows))
            shown = ", ".join(differ[:SHOWN]) + (
                ", ... (all: --json)" if len(differ) > SHOWN else ""
            )
            print(
                f"cycle {number}: {f'{len(differ)} entries differ: {shown}' if differ else 'same plan'}"
            )
    sys.exit(1 if any(found.values()) else 0)


def factory(
    directory: Directory = None,
    work_dir: FactoryDir = FACTORY,
    cycle: OneCycle = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Decide recorded cycles anew, and compare."""
    from glideinwms.factory.inspect import replay

    base, folder = _places(directory, work_dir)
    _tell(_replay(replay, "factory", base, folder, cycle, config), list, as_json)


def frontend(
    directory: Directory = None,
    work_dir: FrontendDir = FRONTEND,
    cycle: OneCycle = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Decide recorded cycles anew, and compare."""
    from glideinwms.frontend.inspect import replay

    base, folder = _places(directory, work_dir)
    found = _replay(replay, "frontend", base, folder, cycle, config)
    _tell(
        found,
        lambda groups: [
            f"{g}/{e} {_change(*pair)}" for g, es in groups.items() for e, pair in es.items()
        ],
        as_json,
    )


def _change(old: FrontendEntryPlan | None, new: FrontendEntryPlan | None) -> str:
    """`(12/35/NO -> 10/35/NO)`: idle, maximum and removal."""
    before, after = (f"{e.idle}/{e.max_glideins}/{e.removal}" if e else "none" for e in (old, new))
    return (
        f"({before} -> {after})"
        if before != after
        else f"({before}, for other reasons or credentials)"
    )


def _places(directory: Path | None, work_dir: Path) -> tuple[Path, Path]:
    return (
        (directory.parent.parent, directory) if directory else (work_dir, work_dir / "state/cycles")
    )
