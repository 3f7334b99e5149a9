"""`gwms frontend plan`: what a recorded cycle decided, or what another policy would decide.

Exit codes beside the common ones: 1 if --config decides differently, or has problems.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from glideinwms.cli import output
from glideinwms.cli.recorded import RecordedCycle, plan_of
from glideinwms.frontend.plan import FrontendEntryPlan, FrontendPlan

if TYPE_CHECKING:
    from glideinwms.frontend.inspect.replay import Record

EntryPair = tuple[FrontendEntryPlan | None, FrontendEntryPlan | None]
NOT_PLANNED = ("-", "-", "-")


def plan(chosen: RecordedCycle, config: Path | None, group: str, as_json: bool) -> None:
    """Show what a cycle decided for each entry, or with --config how requests would change."""
    record = chosen.read()
    policy = chosen.policy(record, config)
    if config is not None:
        again = plan_of(record, policy, decide_again=True, group=group)
        _print_changes(record, again, group, as_json)
    decided = plan_of(record, policy, decide_again=False, group=group)
    groups = [planned for planned in decided.groups if group in ("", planned.name)]
    if as_json:
        output.print_json(
            {"cycle": record.cycle, "generation": record.generation, "groups": groups}
        )
        return
    print(f"cycle {record.cycle} of {output.clock(record.began)}, policy {record.generation}")
    output.table(
        ["GROUP", "ENTRY", "JOBS", "SHARE", "IDLE", "MAX", "REMOVE", "WHY"],
        [_row(planned.name, entry) for planned in groups for entry in planned.entries],
    )


def _row(group: str, entry: FrontendEntryPlan) -> list[object]:
    idle = entry.jobs["Idle"]
    reasons = "; ".join([*map(str, entry.clips), *map(str, entry.refusals)])
    return [
        group,
        entry.entry,
        idle.count,
        idle.prop_mc,
        entry.idle,
        entry.max_glideins,
        entry.removal,
        reasons,
    ]


def _print_changes(record: Record, again: FrontendPlan, group: str, as_json: bool) -> None:
    from glideinwms.frontend.inspect import replay

    differences: Mapping[str, Mapping[str, EntryPair]] = {
        name: entries
        for name, entries in replay.differences(record.plan, again).items()
        if group in ("", name)
    }
    if as_json:
        output.print_json({"cycle": record.cycle, "changes": differences})
    else:
        rows = [
            [name, entry, *_numbers(before), *_numbers(after)]
            for name, entries in differences.items()
            for entry, (before, after) in entries.items()
        ]
        output.table(
            ["GROUP", "ENTRY", "IDLE", "MAX", "REMOVE", "-> IDLE", "-> MAX", "-> REMOVE"], rows
        )
    problems = [
        f"group {planned.name}: {problem}"
        for planned in again.groups
        if group in ("", planned.name)
        for problem in planned.problems
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if differences or problems else 0)


def _numbers(entry: FrontendEntryPlan | None) -> tuple[object, object, object]:
    return (entry.idle, entry.max_glideins, entry.removal) if entry else NOT_PLANNED
