"""`gwms frontend explain`: the production decision on what a cycle recorded, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.job_explain import explain_jobs
from glideinwms.cli.explain_text import OtherRequests, entry_lines
from glideinwms.cli.options import (
    Cycle,
    ExistingFrontend,
    Group,
    JobClass,
    PolicyFile,
    SnapshotFile,
)
from glideinwms.cli.output import Json
from glideinwms.cli.recorded import RecordedCycle, plan_of
from glideinwms.cli.sides import FRONTEND
from glideinwms.frontend.plan import FrontendEntryPlan, FrontendPlan, GroupPlan
from glideinwms.lib.errors import StateError

Entries = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ENTRY]...", help="Entries or request names. By default all."),
]


def explain(
    entries: Entries = None,
    work_dir: ExistingFrontend = FRONTEND.work_dir,
    cycle: Cycle = None,
    snapshot: SnapshotFile = "",
    config: PolicyFile = None,
    group: Group = "",
    of_class: JobClass = None,
    as_json: Json = False,
) -> None:
    """Explain the requests to entries step by step, or with --class for jobs with attributes."""
    chosen = RecordedCycle(work_dir=work_dir, cycle=cycle, snapshot=snapshot)
    if of_class and entries:
        raise StateError(
            "takes entries or --class, not both", where="explain", hint="--class shows every entry"
        )
    if of_class:
        explain_jobs(
            chosen, name="", of_class=of_class, config=config, group=group, as_json=as_json
        )
    _explain_entries(chosen, set(entries or ()), config, group, as_json)


def _explain_entries(
    chosen: RecordedCycle, wanted: set[str], config: Path | None, group: str, as_json: bool
) -> None:
    record = chosen.read()
    policy = chosen.policy(record, config)
    plan = plan_of(record, policy, decide_again=config is not None, group=group)
    pairs = _entries(plan, wanted, group)
    if not pairs:
        raise StateError(
            "no such entry in this cycle", where="explain", hint="see gwms frontend plan"
        )
    inputs = {given.name: given for given in record.snapshot.groups}
    others = OtherRequests(plan, policy, inputs)
    if as_json:
        output.print_json(
            [
                {
                    "group": planned.name,
                    "entry": entry,
                    "factory": inputs[planned.name].told.get(entry.entry, {}),
                    "others": others.beside(planned, entry),
                }
                for planned, entry in pairs
            ]
        )
        return
    for planned, entry in pairs:
        for line in entry_lines(planned, entry, inputs[planned.name]):
            output.say(line)
        for other in others.beside(planned, entry):
            print(other.line())


def _entries(
    plan: FrontendPlan, wanted: set[str], group: str
) -> list[tuple[GroupPlan, FrontendEntryPlan]]:
    """Return the plans of the wanted entries: all if none is named."""
    return [
        (planned, entry)
        for planned in plan.groups
        if group in ("", planned.name)
        for entry in planned.entries
        if not wanted or {entry.entry, entry.entry.split("@")[0]} & wanted
    ]
