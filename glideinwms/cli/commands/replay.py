"""`gwms factory|frontend replay`: repeat the decisions of recorded cycles and compare them.

Exit codes beside the common ones: 1 if a decision differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import AnySide, PolicyFile
from glideinwms.cli.output import Json
from glideinwms.cli.recorded import policy_of, policy_of_cycle
from glideinwms.cli.sides import FACTORY, side_of
from glideinwms.frontend.plan import FrontendEntryPlan
from glideinwms.lib.daemon.records import Ring
from glideinwms.lib.errors import StateError

MAX_ENTRIES_SHOWN = 20
Directory = Annotated[Path | None, typer.Argument(help="Directory of recorded cycles.")]
OneCycle = Annotated[
    int | None, typer.Option("--cycle", help="Repeat only this cycle. By default all kept cycles.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleDifferences:
    """What differs when a cycle is decided again: the data for `--json`, and a line per entry."""

    cycle: int
    differences: object
    entries: Sequence[str]

    def line(self) -> str:
        """Describe it for people."""
        if not self.entries:
            return f"cycle {self.cycle}: same plan"
        shown = ", ".join(self.entries[:MAX_ENTRIES_SHOWN])
        more = ", ... (all: --json)" if len(self.entries) > MAX_ENTRIES_SHOWN else ""
        return f"cycle {self.cycle}: {len(self.entries)} entries differ: {shown}{more}"


def replay(
    context: typer.Context,
    directory: Directory = None,
    work_dir: AnySide = None,
    cycle: OneCycle = None,
    config: PolicyFile = None,
    as_json: Json = False,
) -> None:
    """Repeat the decisions of recorded cycles and compare them. Exit code 1: they differ."""
    side = side_of(context)
    chosen = side.given_work_dir(work_dir) or side.work_dir
    folder = directory or chosen / "state/cycles"
    base = directory.parent.parent if directory else chosen
    compare = _compare_factory if side is FACTORY else _compare_frontend
    compared = compare(_records(folder, cycle), base, config)
    if as_json:
        output.print_json({one.cycle: one.differences for one in compared})
    else:
        for one in compared:
            print(one.line())
    sys.exit(1 if any(one.entries for one in compared) else 0)


def _records(folder: Path, cycle: int | None) -> list[Path]:
    paths = list(Ring(folder).paths()) if folder.is_dir() else []
    if not paths:
        raise StateError(
            "no recorded cycles", where=str(folder), hint="give a state/cycles directory"
        )
    return paths if cycle is None else [folder / f"{cycle:08d}.json.gz"]


def _compare_factory(
    paths: Sequence[Path], base: Path, config: Path | None
) -> list[CycleDifferences]:
    from glideinwms.factory.inspect import replay as recorded

    given = policy_of(config, "factory", recorded.load_policy) if config else None
    compared = []
    for path in paths:
        record = recorded.read_file(path)
        policy = given or recorded.load_policy(policy_of_cycle(base, record.generation))
        differences = recorded.differences(record.plan, recorded.replay(record, policy))
        compared.append(
            CycleDifferences(cycle=record.cycle, differences=differences, entries=list(differences))
        )
    return compared


def _compare_frontend(
    paths: Sequence[Path], base: Path, config: Path | None
) -> list[CycleDifferences]:
    from glideinwms.frontend.inspect import replay as recorded

    given = policy_of(config, "frontend", recorded.load_policy) if config else None
    compared = []
    for path in paths:
        record = recorded.read_file(path)
        policy = given or recorded.load_policy(policy_of_cycle(base, record.generation))
        differences = recorded.differences(record.plan, recorded.replay(record, policy))
        entries = [
            f"{group}/{entry} {_change(before, after)}"
            for group, pairs in differences.items()
            for entry, (before, after) in pairs.items()
        ]
        compared.append(
            CycleDifferences(cycle=record.cycle, differences=differences, entries=entries)
        )
    return compared


def _change(before: FrontendEntryPlan | None, after: FrontendEntryPlan | None) -> str:
    """Format `(12/35/NO -> 10/35/NO)`: idle, maximum and removal."""
    old, new = _numbers(before), _numbers(after)
    return f"({old} -> {new})" if old != new else f"({old}, other reasons or credentials)"


def _numbers(entry: FrontendEntryPlan | None) -> str:
    return f"{entry.idle}/{entry.max_glideins}/{entry.removal}" if entry else "none"
