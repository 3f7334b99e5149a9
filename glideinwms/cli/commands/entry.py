"""`gwms entry ...`: entries of a Factory, their pilots and logs.

Exit codes beside the common ones: `rm`, `submit` 1 if refused, 3 if the daemon is not running.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.factory import DEFAULT, WorkDir, say
from glideinwms.cli.output import Json

Name = Annotated[str, typer.Argument(metavar="ENTRY")]


def list_(work_dir: WorkDir = DEFAULT, as_json: Json = False) -> None:
    """All entries: where they submit, how many pilots they have, whether they are in downtime."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.lib.daemon import status as files
    from glideinwms.lib.downtimes import downtime_file

    policy = load_policy(work_dir)
    path = work_dir / "state/status.json"
    seen: dict[str, Any] = files.read(path).summary.get("entries", {}) if path.exists() else {}
    lines, _ = downtime_file.load(work_dir / policy.downtimes_file)
    now = time.time()
    rows = []
    for e in sorted(policy.entries, key=lambda e: e.name):
        down = downtime_file.factory_down(lines, now) or downtime_file.entry_down(
            lines, now, e.name
        )
        state = "disabled" if not e.enabled else "down" if down else "up"
        s = seen.get(e.name, {})
        counts = [s.get(k) for k in ("idle", "running", "held")]
        rows.append(
            [e.name, state, *counts, e.gridtype, e.auth_method, e.schedd_name, e.gatekeeper]
        )
    headers = [
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
    if as_json:
        output.print_json([dict(zip((h.lower() for h in headers), r, strict=True)) for r in rows])
    else:
        output.table(headers, rows)


def show(
    entry: Name,
    work_dir: WorkDir = DEFAULT,
    submit: Annotated[
        bool, typer.Option("--submit", help="The submit description of its pilots.")
    ] = False,
    as_json: Json = False,
) -> None:
    """An entry's resolved configuration, or how its pilots are submitted."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of
    from glideinwms.lib.jsondata import to_json

    policy = load_policy(work_dir)
    found = entry_of(policy, entry)
    if not submit:
        data = to_json(found)
        if as_json:
            output.print_json(data)
        else:
            _tree(data, "")
        return
    shown = _descriptions(work_dir, policy, found)
    if as_json:
        output.print_json(shown)
        return
    for name, lines in shown.items():
        print(f"# {name}")
        print("".join(f"{k} = {v}\n" for k, v in lines.items()) + "queue")


def _tree(data: dict[str, Any], indent: str) -> None:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            print(f"{indent}{key}:")
            _tree(value, indent + "  ")
        elif value not in ({}, [], ""):
            print(f"{indent}{key}: {value}")


def _descriptions(work_dir: Path, policy: Any, entry: Any) -> dict[str, dict[str, str]]:
    from glideinwms.factory.inspect import replay
    from glideinwms.factory.inspect.listing import example, requests_of
    from glideinwms.factory.submit.description import SubmitSpec, describe, sub_entries
    from glideinwms.lib.errors import StateError

    try:
        seen = replay.read(work_dir / "state").snapshot.requests.value or ()
    except StateError:
        seen = ()
    day = time.strftime("%Y%m%d")
    rows = requests_of(seen, entry.name) or [example(policy, entry)]
    return {
        f"{row.name} {sub.submit_file}": describe(
            SubmitSpec(policy, entry, sub, row, "SUBMIT-ID", day)
        )
        for row in rows
        for sub in sub_entries(entry)
    }


def q(entry: Name, work_dir: WorkDir = DEFAULT, as_json: Json = False) -> None:
    """The entry's pilots in the queue now."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect import listing
    from glideinwms.lib.condor.workers import ProcessWorkers

    policy = load_policy(work_dir)
    with ProcessWorkers() as pool:
        ads = listing.pilots(policy, listing.entry_of(policy, entry), pool)
    if as_json:
        output.print_json(ads)
        return
    rows = [listing.pilot_row(ad) for ad in ads]
    headers = ["ID", "ST", "GRID", "CLIENT", "CLASS", "CREDENTIAL", "AGE", "WHY HELD"]
    output.table(headers, [[*r[:6], output.ago(r[6]), r[7]] for r in rows])
    states = [r[1] for r in rows]
    print(
        f"{len(rows)} pilots: {states.count('I')} idle, {states.count('R')} running, {states.count('H')} held"
    )


def rm(
    entry: Name,
    work_dir: WorkDir = DEFAULT,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="wait, queued, running or held; wait by default."),
    ] = None,
    n: Annotated[
        int,
        typer.Option("--n", min=0, help="At most so many, longest in their state first; 0: all."),
    ] = 0,
    client: Annotated[str, typer.Option("--client", help="Only of this ClientName.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Out of the queue at once, whatever the site says.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove pilots of an entry, running ones too if asked: an operator's word needs no approval."""
    args = {
        "entry": entry,
        "states": ",".join(state or ["wait"]),
        "n": str(n) if n > 0 else "",
        "client": client,
        "force": "yes" if force else "",
    }
    say(work_dir, "remove", args, as_json)


def submit(
    entry: Name,
    client: Annotated[str, typer.Option("--client", help="The ClientName whose request is used.")],
    work_dir: WorkDir = DEFAULT,
    n: Annotated[int, typer.Option("--n", min=1, max=100, help="So many.")] = 1,
    as_json: Json = False,
) -> None:
    """Submit a pilot for a Frontend's request now, whatever limits and downtimes say: to see how it
    fares.
    """
    say(work_dir, "submit", {"entry": entry, "client": client, "n": str(n)}, as_json)


def stats(
    entry: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY]...", help="All by default.")
    ] = None,
    work_dir: WorkDir = DEFAULT,
    hours: Annotated[
        float, typer.Option("--hours", help="Cycles of so lately, as far as they are kept.")
    ] = 2.0,
    sort: Annotated[
        str, typer.Option("--sort", help="By this column, the largest first; by name by default.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Averages over the recorded cycles: what was asked of each entry, what waited, ran, was held."""
    from glideinwms.factory.inspect import queue_stats, replay

    if entry:
        from glideinwms.factory.daemon import load_policy
        from glideinwms.factory.inspect.listing import entry_of

        policy = load_policy(work_dir)
        entry = [entry_of(policy, name).name for name in entry]
    kept = replay.plans(work_dir / "state", time.time() - 3600 * hours)
    rows = [r for r in queue_stats.table(kept) if not entry or r.entry in entry]
    rows = output.sorted_by(rows, sort, queue_stats.COLUMNS)
    if as_json:
        output.print_json(rows)
        return
    output.table(
        [c.upper() for c in queue_stats.COLUMNS],
        [
            [
                r.entry,
                r.cycles,
                *(round(getattr(r, c), 1) for c in queue_stats.COLUMNS[2:-1]),
                r.submitted,
            ]
            for r in rows
        ],
    )


def log(
    entry: Name,
    work_dir: WorkDir = DEFAULT,
    lines: Annotated[
        int, typer.Option("--lines", help="Of the newest event log; 0: only list files.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """The entry's log files, newest first, and the end of the newest event log."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect import listing

    policy = load_policy(work_dir)
    files = listing.log_files(policy, listing.entry_of(policy, entry))
    if as_json:
        stats = [(p, p.stat()) for p in files]
        output.print_json(
            [{"file": str(p), "bytes": s.st_size, "changed": s.st_mtime} for p, s in stats]
        )
        return
    output.table(
        ["CHANGED", "BYTES", "FILE"],
        [[output.clock(p.stat().st_mtime), p.stat().st_size, p] for p in files],
    )
    events = next((p for p in files if p.name.startswith("condor_activity_")), None)
    if events is not None and lines > 0:
        print(f"\n{events}:")
        output.raw("\n".join(events.read_text(errors="replace").splitlines()[-lines:]) + "\n")
