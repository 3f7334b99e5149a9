"""`gwms factory ...`: run the daemon, look at what it does, speak to it.

Exit codes beside the common ones: `status` 1 if the daemon hangs, cannot write its files, failed its last cycle or did
not take a policy, 3 if it does not run; `approve` 1 if refused, 3 if nobody answers.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.output import Json
from glideinwms.lib.daemon.status import Status

DEFAULT = Path("/var/lib/gwms-factory/work-dir")
FIRST_CYCLE = 300.0
WorkDir = Annotated[
    Path,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        envvar="GWMS_FACTORY_DIR",
        help="The Factory's work directory.",
    ),
]
Cycle = Annotated[
    int | None, typer.Option("--cycle", help="A recorded cycle; the newest by default.")
]
Client = Annotated[str, typer.Option("--client", help="Only requests of this ClientName.")]


def run(
    work_dir: WorkDir = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="One cycle, then stop.")] = False,
) -> None:
    """Run the Factory daemon until SIGTERM."""
    from glideinwms.factory.daemon import run_daemon
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    sys.exit(run_daemon(work_dir, once=once))


def status(work_dir: WorkDir = DEFAULT, as_json: Json = False) -> None:
    """What the daemon says of itself: entries, pilots, requests, reasons."""
    from glideinwms.cli import daemon_health
    from glideinwms.lib.daemon import liveness

    state, now = work_dir / "state", time.time()
    found = liveness.look(state, "factory", now)
    liveness.require_start(found, state)
    if as_json:
        output.print_json(daemon_health.as_json(found))
        sys.exit(daemon_health.exit_code(found))
    for line in daemon_health.lines(found, "factory", now):
        output.say(line)
    if found.shown is not None:
        _status(found.shown)
    sys.exit(daemon_health.exit_code(found))


def _status(found: Status) -> None:
    s = found.summary
    for reading in found.readings:
        if reading.error:
            output.say(f"{reading.source}: {reading.error}")
    if not s:
        return
    output.say(
        f"requests {s['requests']}, submitted {s['submitted']}, removed {s['removed']}, released {s['released']}"
    )
    for code, n in s["refused"].items():
        output.say(f"refused {n} x {code}")
    for parked in s["parked"]:
        asked = (
            ""
            if parked["asked"]
            else f", asked for {output.ago(found.cycle_began - parked['since'])} ago"
        )
        output.say(
            f"parked {parked['id']}: {parked['n']} running pilots of {parked['request']}{asked}"
        )
    headers = [
        "ENTRY",
        "WAIT",
        "IDLE",
        "RUNNING",
        "HELD",
        "REQS",
        "ASKED",
        "SUBMITTED",
        "REMOVED",
        "WHY",
    ]
    keys = ("wait", "idle", "running", "held", "requests", "asked", "submitted", "removed")
    rows = [[name, *(e[k] for k in keys), _why(e)] for name, e in s["entries"].items()]
    output.table(headers, rows)


def _why(entry: dict[str, Any]) -> str:
    if "frozen" in entry:
        return f"frozen: {entry['frozen']}"
    words = [f"{k}: {entry[k]}" for k in ("downtime", "failing") if k in entry]
    words += [f"{h['n']} held lately: {h['reason']}" for h in entry.get("held_lately", ())]
    return ", ".join(
        [*words, *(f"{k} x{n}" if n > 1 else k for k, n in entry.get("reasons", {}).items())]
    )


def plan(work_dir: WorkDir = DEFAULT, cycle: Cycle = None, as_json: Json = False) -> None:
    """What a cycle decided for each request."""
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
        for row in entry.requests:
            gone = sum(min(r.cap, r.n + len(r.ids)) for r in row.removals)
            why = str(row.refusal) if row.refusal else "; ".join(map(str, row.clips))
            rows.append(
                [
                    entry.entry,
                    row.client,
                    row.credential,
                    row.idle,
                    row.effective_idle,
                    row.own.idle,
                    row.own.running,
                    row.submitted,
                    gone,
                    why,
                ]
            )
    output.table(
        [
            "ENTRY",
            "CLIENT",
            "CREDENTIAL",
            "ASKED",
            "EFFECTIVE",
            "IDLE",
            "RUNNING",
            "SUBMIT",
            "REMOVE",
            "WHY",
        ],
        rows,
    )


def explain(
    entries: Annotated[list[str] | None, typer.Argument(help="Entries; all by default.")] = None,
    work_dir: WorkDir = DEFAULT,
    client: Client = "",
    cycle: Cycle = None,
    as_json: Json = False,
) -> None:
    """Why requests get what they get, step by step."""
    from glideinwms.factory.inspect import explain as words
    from glideinwms.factory.inspect import replay
    from glideinwms.lib.errors import StateError

    record = replay.read(work_dir / "state", cycle)
    known = {e.entry for e in record.plan.entries}
    if strange := sorted(set(entries or []) - known):
        raise StateError(
            f"no such entry: {', '.join(strange)}", where="explain", hint="see gwms entry list"
        )
    requests = {r.name: r for r in record.snapshot.requests.value or ()}
    if as_json:
        rows = [
            replace(e, requests=tuple(r for r in e.requests if client in ("", r.client)))
            for e in record.plan.entries
            if not entries or e.entry in entries
        ]
        output.print_json(
            {"cycle": record.cycle, "entries": rows, "refusals": record.plan.refusals}
        )
        return
    for line in words.explain(record.plan, requests, entries or [], client):
        output.say(line)


def approve(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a parked removal, see status.")],
    work_dir: WorkDir = DEFAULT,
    as_json: Json = False,
) -> None:
    """Let a parked removal of running pilots go on (for 24 h)."""
    say(work_dir, "approve", {"id": name}, as_json)


def say(
    work_dir: Path, verb: str, args: dict[str, str], as_json: bool, daemon: str = "factory"
) -> None:
    """Leave a word for the daemon and wait two cycles for its answer; ends the program unless it
    was done.
    """
    from glideinwms.lib.daemon import operator_commands
    from glideinwms.lib.daemon import status as files
    from glideinwms.lib.errors import StateError
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    path = work_dir / "state/status.json"
    if not files.running(path):
        output.fail(f"no daemon runs in {work_dir}", output.NOT_RUNNING)
    # it says nothing of itself until its first cycle ends
    delay = files.read(path, daemon).loop_delay if path.exists() else FIRST_CYCLE
    folder = work_dir / "state/requests"
    word = operator_commands.put(folder, verb, args)
    try:
        answer = operator_commands.wait_answer(folder, word, 2 * delay + 60)
    except (StateError, KeyboardInterrupt) as error:
        # a daemon that is started tomorrow must not do what was wanted today
        back = "; the word is taken back" if operator_commands.withdraw(folder, word) else ""
        if isinstance(error, StateError):
            output.fail(f"{error}{back}", output.NOT_RUNNING)
        raise
    if as_json:
        output.print_json(answer)
    else:
        print(output.visible(answer.text), file=sys.stdout if answer.ok else sys.stderr)
    sys.exit(0 if answer.ok else 1)
