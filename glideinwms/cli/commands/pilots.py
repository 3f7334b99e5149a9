"""`gwms pilot list`: finished pilots and the files they left.

Also called entry_ls, find_logs and find_StartdLogs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import ExistingFactory
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY

if TYPE_CHECKING:
    from glideinwms.factory.pilot_history.completed_jobs_log import EndedJob

HEADERS = [
    "ENDED",
    "ENTRY",
    "ID",
    "CLIENT",
    "USER",
    "SECONDS",
    "JOBS",
    "HTCONDOR",
    "CAUSE",
    "STDERR",
]


class Files(StrEnum):
    """Which file of each pilot to print."""

    OUT = "out"
    ERR = "err"


Entries = Annotated[
    list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Entries. By default all.")
]
Date = Annotated[
    str, typer.Option("--date", help="Day on which they ended, YYYYMMDD. By default today.")
]
Days = Annotated[
    int, typer.Option("--days", min=1, help="Number of days, of which --date is the last.")
]
User = Annotated[str, typer.Option("--user", help="Only pilots of this Factory user name.")]
Client = Annotated[
    str, typer.Option("--client", help="Only pilots of this Frontend or ClientName.")
]
After = Annotated[float, typer.Option("--after", help="Ended at or after this hour of the day.")]
Before = Annotated[float, typer.Option("--before", help="Ended before this hour of the day.")]
Longer = Annotated[float, typer.Option("--longer", help="Lived at least this many seconds.")]
Shorter = Annotated[float, typer.Option("--shorter", help="Lived at most this many seconds.")]
Failed = Annotated[
    bool, typer.Option("--failed", help="Only pilots in which HTCondor never started.")
]
Started = Annotated[bool, typer.Option("--started", help="Only pilots in which HTCondor started.")]
Log = Annotated[
    str, typer.Option("--log", help="Only pilots that left this log: StartdLog, StarterLog ...")
]
FilesOption = Annotated[
    Files | None, typer.Option("--files", help="Print only the names of these files.")
]
Long = Annotated[bool, typer.Option("--long", help="With --files: also print time, size and mode.")]


def list_(
    entry: Entries = None,
    work_dir: ExistingFactory = FACTORY.work_dir,
    date: Date = "",
    days: Days = 1,
    user: User = "",
    client: Client = "",
    after: After = 0.0,
    before: Before = 24.0,
    longer: Longer = 0.0,
    shorter: Shorter = float("inf"),
    failed: Failed = False,
    started: Started = False,
    log: Log = "",
    files: FilesOption = None,
    long: Long = False,
    as_json: Json = False,
) -> None:
    """List finished pilots by entry and day, and the files they left."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of
    from glideinwms.factory.pilot_history import completed_jobs_log
    from glideinwms.factory.pilot_history import report as reports

    policy = load_policy(work_dir)
    names = [entry_of(policy, name).name for name in entry or []]
    wanted = completed_jobs_log.WantedAttributes(
        username=user,
        client=client,
        first_hour=after,
        last_hour=before,
        shortest=longer,
        longest=shorter,
        failed=failed,
        log=log,
        started=started,
    )
    chosen = completed_jobs_log.dates(date or time.strftime("%Y%m%d"), days)
    causes = reports.causes(work_dir / "state")
    pilots = [
        replace(pilot, cause=causes.get((pilot.entry, pilot.id), ""))
        for pilot in completed_jobs_log.read(policy, names, chosen, wanted)
    ]
    if as_json:
        output.print_json(pilots)
    elif files is not None:
        _print_files([pilot.out if files is Files.OUT else pilot.err for pilot in pilots], long)
    else:
        output.table(HEADERS, [_row(pilot) for pilot in pilots])


def _row(pilot: EndedJob) -> list[object]:
    return [
        output.clock(pilot.ended),
        pilot.entry,
        pilot.id,
        pilot.client,
        pilot.username,
        pilot.duration,
        pilot.jobs,
        "started" if pilot.condor_started else "never",
        pilot.cause,
        pilot.err,
    ]


def _print_files(paths: Sequence[str], long: bool) -> None:
    for path in paths:
        line = _long(path) if long else path
        if line:
            print(line)


def _long(path: str) -> str:
    """Return time, size, octal mode and name of a file; "" and a warning if it is gone."""
    try:
        info = Path(path).stat()
    except OSError as error:
        output.warn(f"{path}: {error.strerror}")
        return ""
    return f"{time.ctime(info.st_mtime)} {info.st_size:10d} {info.st_mode:6o} {path}"
