"""`gwms factory ...`: run the daemon, show what it does, approve removals.

Exit codes beside the common ones: `status` 1 if the daemon hangs, cannot write its files, failed
its last cycle or did not load a policy, 3 if it does not run; `approve` 1 if refused, 3 if the
daemon does not answer.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.daemon_command import send
from glideinwms.cli.options import Cycle, ExistingFactory
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY
from glideinwms.lib.daemon.status import Status

DEFAULT = FACTORY.work_dir
Client = Annotated[str, typer.Option("--client", help="Show only requests of this ClientName.")]
Entries = Annotated[
    list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Entries. By default all.")
]
COUNTS = {
    "WAIT": "wait",
    "IDLE": "idle",
    "RUNNING": "running",
    "HELD": "held",
    "REQS": "requests",
    "ASKED": "asked",
    "SUBMITTED": "submitted",
    "REMOVED": "removed",
}


def run(
    work_dir: ExistingFactory = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="Run one cycle and stop.")] = False,
) -> None:
    """Run the Factory daemon until SIGTERM."""
    from glideinwms.factory.daemon import run_daemon
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    sys.exit(run_daemon(work_dir, once=once))


def status(work_dir: ExistingFactory = DEFAULT, as_json: Json = False) -> None:
    """Show daemon status: entries, pilots, requests and reasons."""
    from glideinwms.cli import daemon_health
    from glideinwms.lib.daemon import liveness

    state = work_dir / "state"
    now = time.time()
    health = liveness.look(state, FACTORY.name, now)
    liveness.require_start(health, state)
    if as_json:
        output.print_json(daemon_health.as_json(health))
        sys.exit(daemon_health.exit_code(health))
    for line in daemon_health.lines(health, FACTORY.name, now):
        output.say(line)
    if health.shown is not None:
        _print_status(health.shown)
    sys.exit(daemon_health.exit_code(health))


def _print_status(shown: Status) -> None:
    for reading in shown.readings:
        if reading.error:
            output.say(f"{reading.source}: {reading.error}")
    summary = shown.summary
    if not summary:
        return
    output.say(
        f"requests {summary['requests']}, submitted {summary['submitted']}, "
        f"removed {summary['removed']}, released {summary['released']}"
    )
    for code, count in summary["refused"].items():
        output.say(f"refused {count} x {code}")
    for parked in summary["parked"]:
        age = output.ago(shown.cycle_began - parked["since"])
        earlier = "" if parked["asked"] else f", requested {age} ago"
        output.say(
            f"parked {parked['id']}: {parked['n']} running pilots of {parked['request']}{earlier}"
        )
    rows = [
        [name, *(entry[key] for key in COUNTS.values()), _why(entry)]
        for name, entry in summary["entries"].items()
    ]
    output.table(["ENTRY", *COUNTS, "WHY"], rows)


def _why(entry: dict[str, Any]) -> str:
    if "frozen" in entry:
        return f"frozen: {entry['frozen']}"
    reasons = [f"{key}: {entry[key]}" for key in ("downtime", "failing") if key in entry]
    reasons += [
        f"{hold['n']} recently held: {hold['reason']}" for hold in entry.get("held_lately", ())
    ]
    reasons += [
        f"{code} x{count}" if count > 1 else code
        for code, count in entry.get("reasons", {}).items()
    ]
    return ", ".join(reasons)


def plan(work_dir: Path, cycle: int | None, as_json: bool) -> None:
    """Show what a cycle decided for each request."""
    from glideinwms.factory.inspect import replay

    record = replay.read(work_dir / "state", cycle)
    if as_json:
        output.print_json(
            {"cycle": record.cycle, "generation": record.generation, "plan": record.plan}
        )
        return
    print(f"cycle {record.cycle} of {output.clock(record.began)}, policy {record.generation}")
    rows = []
    for entry in record.plan.entries:
        for request in entry.requests:
            removed = sum(
                min(removal.cap, removal.n + len(removal.ids)) for removal in request.removals
            )
            reasons = [request.refusal] if request.refusal else request.clips
            rows.append(
                [
                    entry.entry,
                    request.client,
                    request.credential,
                    request.idle,
                    request.effective_idle,
                    request.own.idle,
                    request.own.running,
                    request.submitted,
                    removed,
                    "; ".join(map(str, reasons)),
                ]
            )
    headers = ["ENTRY", "CLIENT", "CREDENTIAL", "ASKED", "EFFECTIVE", "IDLE", "RUNNING"]
    output.table([*headers, "SUBMIT", "REMOVE", "WHY"], rows)


def explain(
    entries: Entries = None,
    work_dir: ExistingFactory = DEFAULT,
    client: Client = "",
    cycle: Cycle = None,
    as_json: Json = False,
) -> None:
    """Explain what requests get, step by step."""
    from glideinwms.factory.inspect import explain as explanation
    from glideinwms.factory.inspect import replay
    from glideinwms.lib.errors import StateError

    record = replay.read(work_dir / "state", cycle)
    known = {planned.entry for planned in record.plan.entries}
    if unknown := sorted(set(entries or []) - known):
        raise StateError(
            f"no such entry: {', '.join(unknown)}", where="explain", hint="see gwms entry list"
        )
    if as_json:
        chosen = [
            replace(
                planned,
                requests=tuple(r for r in planned.requests if client in ("", r.client)),
            )
            for planned in record.plan.entries
            if not entries or planned.entry in entries
        ]
        output.print_json(
            {"cycle": record.cycle, "entries": chosen, "refusals": record.plan.refusals}
        )
        return
    requests = {request.name: request for request in record.snapshot.requests.value or ()}
    for line in explanation.explain(record.plan, requests, entries or [], client):
        output.say(line)


def approve(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a parked removal, as status shows it.")
    ],
    work_dir: ExistingFactory = DEFAULT,
    as_json: Json = False,
) -> None:
    """Approve a parked removal of running pilots, for 24 hours."""
    send(work_dir, "approve", {"id": name}, daemon=FACTORY.name, as_json=as_json)
