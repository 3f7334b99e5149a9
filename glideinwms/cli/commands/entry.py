"""`gwms entry ...`: entries of a Factory, their pilots and logs.

Exit codes beside the common ones: `rm`, `submit` 1 if refused, 3 if the daemon is not running.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.daemon_command import send
from glideinwms.cli.options import ExistingFactory, Sort
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY

if TYPE_CHECKING:
    from glideinwms.factory.policy import EntryPolicy, FactoryPolicy

DEFAULT = FACTORY.work_dir
Name = Annotated[str, typer.Argument(metavar="ENTRY", help="Name of the entry.")]
LIST_HEADERS = [
    "ENTRY",
    "STATE",
    "IDLE",
    "RUNNING",
    "HELD",
    "GRIDTYPE",
    "AUTH",
    "SCHEDD",
    "GATEKEEPER",
]


def list_(work_dir: ExistingFactory = DEFAULT, as_json: Json = False) -> None:
    """List all entries: state, pilots, and where they submit."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.lib.daemon import status as status_file
    from glideinwms.lib.downtimes import downtime_file

    policy = load_policy(work_dir)
    path = work_dir / "state/status.json"
    summary = status_file.read(path).summary if path.exists() else {}
    counts: dict[str, dict[str, Any]] = summary.get("entries", {})
    downtimes, _ = downtime_file.load(work_dir / policy.downtimes_file)
    now = time.time()
    rows = []
    for entry in sorted(policy.entries, key=lambda entry: entry.name):
        state = "up" if entry.enabled else "disabled"
        if entry.enabled and (
            downtime_file.factory_down(downtimes, now)
            or downtime_file.entry_down(downtimes, now, entry.name)
        ):
            state = "down"
        pilots = counts.get(entry.name, {})
        rows.append(
            [
                entry.name,
                state,
                pilots.get("idle"),
                pilots.get("running"),
                pilots.get("held"),
                entry.gridtype,
                entry.auth_method,
                entry.schedd_name,
                entry.gatekeeper,
            ]
        )
    if as_json:
        keys = [header.lower() for header in LIST_HEADERS]
        output.print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        output.table(LIST_HEADERS, rows)


def show(
    entry: Name,
    work_dir: ExistingFactory = DEFAULT,
    submit: Annotated[
        bool, typer.Option("--submit", help="Show the submit description of its pilots.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the resolved configuration of an entry, or how its pilots are submitted."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of
    from glideinwms.lib.jsondata import to_json

    policy = load_policy(work_dir)
    chosen = entry_of(policy, entry)
    if not submit:
        fields = to_json(chosen)
        if as_json:
            output.print_json(fields)
        else:
            _print_tree(fields, "")
        return
    descriptions = _submit_descriptions(work_dir, policy, chosen)
    if as_json:
        output.print_json(descriptions)
        return
    for name, description in descriptions.items():
        print(f"# {name}")
        for key, value in description.items():
            print(f"{key} = {value}")
        print("queue")


def _print_tree(fields: dict[str, Any], indent: str) -> None:
    for key, value in fields.items():
        if isinstance(value, dict) and value:
            print(f"{indent}{key}:")
            _print_tree(value, indent + "  ")
        elif value not in ({}, [], ""):
            print(f"{indent}{key}: {value}")


def _submit_descriptions(
    work_dir: Path, policy: FactoryPolicy, entry: EntryPolicy
) -> dict[str, dict[str, str]]:
    """Return a submit description for each recorded request, else for an example request."""
    from glideinwms.factory.inspect import replay
    from glideinwms.factory.inspect.listing import example, requests_of
    from glideinwms.factory.submit.description import SubmitSpec, describe, sub_entries
    from glideinwms.lib.errors import StateError

    try:
        recorded = replay.read(work_dir / "state").snapshot.requests.value or ()
    except StateError:
        recorded = ()
    day = time.strftime("%Y%m%d")
    requests = requests_of(recorded, entry.name) or [example(policy, entry)]
    return {
        f"{request.name} {sub_entry.submit_file}": describe(
            SubmitSpec(policy, entry, sub_entry, request, "SUBMIT-ID", day)
        )
        for request in requests
        for sub_entry in sub_entries(entry)
    }


def q(entry: Name, work_dir: ExistingFactory = DEFAULT, as_json: Json = False) -> None:
    """List the pilots of an entry that are in the queue now."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect import listing
    from glideinwms.lib.condor.workers import ProcessWorkers

    policy = load_policy(work_dir)
    with ProcessWorkers() as workers:
        ads = listing.pilots(policy, listing.entry_of(policy, entry), workers)
    if as_json:
        output.print_json(ads)
        return
    rows = [listing.pilot_row(ad) for ad in ads]
    headers = ["ID", "ST", "GRID", "CLIENT", "CLASS", "CREDENTIAL", "AGE", "WHY HELD"]
    output.table(headers, [[*row[:6], output.ago(row[6]), row[7]] for row in rows])
    states = [row[1] for row in rows]
    print(
        f"{len(rows)} pilots: {states.count('I')} idle, {states.count('R')} running, "
        f"{states.count('H')} held"
    )


def rm(
    entry: Name,
    work_dir: ExistingFactory = DEFAULT,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="wait, queued, running or held. By default wait."),
    ] = None,
    n: Annotated[
        int,
        typer.Option(
            "--n",
            min=0,
            help="Remove at most this many, longest in their state first. 0: all.",
        ),
    ] = 0,
    client: Annotated[
        str, typer.Option("--client", help="Remove only pilots of this ClientName.")
    ] = "",
    force: Annotated[
        bool,
        typer.Option("--force", help="Delete them from the queue without waiting for the site."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove pilots of an entry. Running pilots need no approval here."""
    args = {
        "entry": entry,
        "states": ",".join(state or ["wait"]),
        "n": str(n) if n > 0 else "",
        "client": client,
        "force": "yes" if force else "",
    }
    send(work_dir, "remove", args, daemon=FACTORY.name, as_json=as_json)


def submit(
    entry: Name,
    client: Annotated[
        str, typer.Option("--client", help="ClientName whose request the pilot is for.")
    ],
    work_dir: ExistingFactory = DEFAULT,
    n: Annotated[int, typer.Option("--n", min=1, max=100, help="Number of pilots.")] = 1,
    as_json: Json = False,
) -> None:
    """Submit a pilot for a Frontend's request now, regardless of limits and downtimes."""
    args = {"entry": entry, "client": client, "n": str(n)}
    send(work_dir, "submit", args, daemon=FACTORY.name, as_json=as_json)


def stats(
    entry: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Entries. By default all.")
    ] = None,
    work_dir: ExistingFactory = DEFAULT,
    hours: Annotated[
        float, typer.Option("--hours", help="Average over the kept cycles of the last hours.")
    ] = 2.0,
    sort: Sort = "",
    as_json: Json = False,
) -> None:
    """Show averages over recorded cycles: requested, waiting, running and held pilots."""
    from glideinwms.factory.inspect import queue_stats, replay

    if entry:
        from glideinwms.factory.daemon import load_policy
        from glideinwms.factory.inspect.listing import entry_of

        policy = load_policy(work_dir)
        entry = [entry_of(policy, name).name for name in entry]
    plans = replay.plans(work_dir / "state", time.time() - 3600 * hours)
    averages = [row for row in queue_stats.table(plans) if not entry or row.entry in entry]
    averages = output.sorted_by(averages, sort, queue_stats.COLUMNS)
    if as_json:
        output.print_json(averages)
        return
    rows = [
        [
            row.entry,
            row.cycles,
            *(round(getattr(row, column), 1) for column in queue_stats.COLUMNS[2:-1]),
            row.submitted,
        ]
        for row in averages
    ]
    output.table([column.upper() for column in queue_stats.COLUMNS], rows)


def log(
    entry: Name,
    work_dir: ExistingFactory = DEFAULT,
    lines: Annotated[
        int,
        typer.Option("--lines", help="Show this many lines of the newest event log. 0: none."),
    ] = 20,
    as_json: Json = False,
) -> None:
    """Show the log files of an entry, newest first, and the end of the newest event log."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect import listing

    policy = load_policy(work_dir)
    files = [
        (path, path.stat()) for path in listing.log_files(policy, listing.entry_of(policy, entry))
    ]
    if as_json:
        output.print_json(
            [
                {"file": str(path), "bytes": info.st_size, "changed": info.st_mtime}
                for path, info in files
            ]
        )
        return
    output.table(
        ["CHANGED", "BYTES", "FILE"],
        [[output.clock(info.st_mtime), info.st_size, path] for path, info in files],
    )
    events = next((path for path, _ in files if path.name.startswith("condor_activity_")), None)
    if events is not None and lines > 0:
        print(f"\n{events}:")
        newest = events.read_text(errors="replace").splitlines()[-lines:]
        output.raw("\n".join(newest) + "\n")
