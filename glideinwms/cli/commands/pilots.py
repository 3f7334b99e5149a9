"""`gwms pilot list`: finished pilots and the files they left; also called entry_ls, find_logs, find_StartdLogs."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.factory import DEFAULT, WorkDir
from glideinwms.cli.output import Json


def list_(
    entry: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY]...", help="All by default.")
    ] = None,
    work_dir: WorkDir = DEFAULT,
    date: Annotated[
        str, typer.Option("--date", help="The day on which they ended, YYYYMMDD; today by default.")
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=1, help="So many days, the last of which is --date.")
    ] = 1,
    user: Annotated[
        str, typer.Option("--user", help="Only of this user name of the Factory.")
    ] = "",
    client: Annotated[
        str, typer.Option("--client", help="Only of this Frontend, or ClientName.")
    ] = "",
    after: Annotated[
        float, typer.Option("--after", help="Ended not before this hour of the day.")
    ] = 0.0,
    before: Annotated[
        float, typer.Option("--before", help="Ended before this hour of the day.")
    ] = 24.0,
    longer: Annotated[
        float, typer.Option("--longer", help="Lived at least so many seconds.")
    ] = 0.0,
    shorter: Annotated[
        float, typer.Option("--shorter", help="Lived at most so many seconds.")
    ] = float("inf"),
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those in which HTCondor never started.")
    ] = False,
    started: Annotated[
        bool, typer.Option("--started", help="Only those in which HTCondor started.")
    ] = False,
    log: Annotated[
        str, typer.Option("--log", help="Only those that left this log: StartdLog, StarterLog ...")
    ] = "",
    files: Annotated[
        str, typer.Option("--files", help="Print only the names of these files: out or err.")
    ] = "",
    long: Annotated[
        bool, typer.Option("--long", help="With --files: also time, size and mode of each.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Finished pilots by entry and day, and the files they left."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of
    from glideinwms.factory.pilot_history import completed_jobs_log
    from glideinwms.factory.pilot_history import report as reports

    if files not in ("", "out", "err"):
        output.fail(f"--files {files}: one of out, err")
    policy = load_policy(work_dir)
    names = [entry_of(policy, name).name for name in entry or []]
    wanted = completed_jobs_log.WantedAttributes(
        user, client, after, before, longer, shorter, failed, log, started
    )
    found = completed_jobs_log.read(
        policy, names, completed_jobs_log.dates(date or time.strftime("%Y%m%d"), days), wanted
    )
    causes = reports.causes(work_dir / "state")
    found = [replace(p, cause=causes.get((p.entry, p.id), "")) for p in found]
    if as_json:
        output.print_json(found)
    elif files:
        for pilot in found:
            path = getattr(pilot, files)
            if line := _long(path) if long else path:
                print(line)
    else:
        output.table(
            [
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
            ],
            [
                [
                    output.clock(p.ended),
                    p.entry,
                    p.id,
                    p.client,
                    p.username,
                    p.duration,
                    p.jobs,
                    "started" if p.condor_started else "never",
                    p.cause,
                    p.err,
                ]
                for p in found
            ],
        )


def _long(path: str) -> str:
    """Time of change, size and mode (octal) of a file, and its name; "" with a word on stderr if it
    is gone.
    """
    try:
        seen = Path(path).stat()
    except OSError as error:
        print(f"gwms: {path}: {error.strerror}", file=sys.stderr)
        return ""
    return f"{time.ctime(seen.st_mtime)} {seen.st_size:10d} {seen.st_mode:6o} {path}"
