"""`gwms pilot report`: what finished pilots did, by entry and Frontend."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import ExistingFactory, Sort
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY

HEADERS = [
    "ENTRY",
    "FRONTEND",
    "CLIENT",
    "PILOTS",
    "REMOVED",
    "FAILED",
    "JOBS",
    "VALID %",
    "IDLE %",
    "BADPUT %",
    "MOST FAILED",
]
WASTE = ("validation", "idle", "badput")


def report(
    entry: Annotated[str, typer.Argument(metavar="[ENTRY]", help="An entry. By default all.")] = "",
    work_dir: ExistingFactory = FACTORY.work_dir,
    hours: Annotated[
        float, typer.Option("--hours", help="Only pilots that ended in the last hours.")
    ] = 24.0,
    client: Annotated[
        str, typer.Option("--client", help="Only pilots of this Frontend or ClientName.")
    ] = "",
    by: Annotated[str, typer.Option("--by", help="One row per entry, client, or both.")] = "both",
    sort: Sort = "",
    as_json: Json = False,
) -> None:
    """Summarize finished pilots by entry and Frontend: failures, causes, jobs, lost time."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.pilot_history import report as reports
    from glideinwms.lib.run_as_owner import work_as_owner

    # SQLite may create files beside the database that it reads
    work_as_owner(work_dir)
    if by not in reports.BY:
        output.fail(f"--by {by}: must be one of {', '.join(reports.BY)}")
    pilots = reports.read(work_dir / "state", time.time() - 3600 * hours, entry)
    frontends = load_policy(work_dir).frontends_by_username()
    wanted = [
        pilot
        for pilot in pilots
        if client in ("", pilot.client, pilot.client.partition(".")[0])
        or client in reports.frontend_of(pilot, frontends).split(",")
    ]
    lines = output.sorted_by(reports.table(wanted, by, frontends), sort, reports.SORTABLE)
    if as_json:
        output.print_json(lines)
        return
    rows = [
        [
            line.entry,
            line.frontend,
            line.client,
            line.pilots,
            line.removed,
            line.failed,
            line.jobs,
            *(f"{line.waste[kind] / 10:.1f}" for kind in WASTE),
            next(iter(line.causes), ""),
        ]
        for line in lines
    ]
    output.table(HEADERS, rows)
