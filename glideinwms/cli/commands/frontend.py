"""`gwms frontend ...`: run the daemon, look at what it asks for, speak to it.

Exit codes beside the common ones: `status` 1 if the daemon hangs, cannot write its files, failed its last cycle or did
not take a policy, 3 if it does not run; `downtime check` 1 if it is down; `remove` 1 if refused, 3 if nobody answers.
"""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.output import Json
from glideinwms.lib.daemon.status import Status

DEFAULT = Path("/var/lib/gwms-frontend/vofrontend")
WorkDir = Annotated[
    Path,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        envvar="GWMS_FRONTEND_DIR",
        help="The Frontend's work directory.",
    ),
]
Group = Annotated[str, typer.Option("--group", help="Only this group.")]


def run(
    work_dir: WorkDir = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="One cycle, then stop.")] = False,
) -> None:
    """Run the Frontend daemon until SIGTERM."""
    from glideinwms.frontend.daemon import run_daemon
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    sys.exit(run_daemon(work_dir, once=once))


def status(work_dir: WorkDir = DEFAULT, group: Group = "", as_json: Json = False) -> None:
    """What the daemon says of itself: per group the jobs, the requests, and why they are what they
    are.
    """
    from glideinwms.cli import daemon_health
    from glideinwms.lib.daemon import liveness
    from glideinwms.lib.errors import StateError

    state, now = work_dir / "state", time.time()
    found = liveness.look(state, "frontend", now)
    liveness.require_start(found, state)
    groups = found.shown.summary.get("groups", {}) if found.shown else {}
    if group and found.shown and group not in groups:
        raise StateError(
            f"there is no group {group} in the last cycle", hint=f"groups are {', '.join(groups)}"
        )
    shown = {n: g for n, g in groups.items() if group in ("", n)}
    if as_json:
        output.print_json(daemon_health.as_json(found) | ({"groups": shown} if group else {}))
        sys.exit(daemon_health.exit_code(found))
    for line in daemon_health.lines(found, "frontend", now):
        output.say(line)
    if found.shown is not None:
        _status(found.shown, shown)
    sys.exit(daemon_health.exit_code(found))


def _status(found: Status, groups: dict[str, Any]) -> None:
    ha = found.summary.get("ha", {})
    if ha.get("seen"):
        output.say(f"slave, {'working' if ha['working'] else 'hibernating'}: {ha['seen']}")
    if found.summary.get("downtime"):
        output.say("in downtime: nothing is asked for")
    for reading in found.readings:
        if reading.error:
            age = "never" if reading.age is None else f"{output.ago(reading.age)} ago"
            output.say(f"{reading.source}: last read {age}: {reading.error}")
    for text in found.summary.get("failed", ()):
        output.say(f"not sent: {text}")
    for name, shown in groups.items():
        _group(name, shown)


def _group(name: str, g: dict[str, Any]) -> None:
    jobs, slots, asked = g["jobs"], g["slots"], g["request"]
    print()
    output.say(
        f"group {name}: {jobs['idle']} idle jobs, {jobs['unmatched']} of them match no entry; "
        f"{jobs['running']} running; {slots['total']} slots, {slots['idle']} idle; "
        f"asks for {asked['idle']} idle pilots, at most {asked['max']}"
    )
    for label in ("frozen", "held", "problems"):
        for text in g[label]:
            output.say(f"  {label}: {text}")
    for one in g.get("credentials", ()):
        output.say(
            f"  credential {one['name']} ({one['type']}, {one['trust_domain']}): {_credential(one)}"
        )
    for schedd, why in g["schedds"].items():
        output.say(f"  idle jobs of {schedd} do not count: {why}")
    if g["silent"]:
        output.say("  silent: too little is known for too long, requests are left to expire")
    for one in g["unmatched"]:
        values = ", ".join(f"{k}={v!r}" for k, v in one["values"].items())
        output.say(f"  {one['idle']} jobs of {one['schedd']} match nothing: {values}")
        for by in one["rejected_by"]:
            output.say(
                f"    {by['entries']} entries rejected by {by['conjunct']}  ({by['origin']})"
            )
    for failing in g.get("failing", ()):
        output.say(
            f"  {failing['text']}  ({failing['origin']}) fails for {failing['classes']} classes "
            f"of jobs, which match nothing by it: {failing['error']}"
        )
    rows = [
        [
            e["entry"],
            e["jobs"],
            e["share"],
            e["slots"].get("total", 0),
            e["slots"].get("idle", 0),
            e["idle"] if e["requested"] else "-",
            e["max"] if e["requested"] else "-",
            e["removal"],
            _why(e),
        ]
        for e in g["entries"]
    ]
    output.table(["ENTRY", "JOBS", "SHARE", "SLOTS", "IDLE", "ASKED", "MAX", "REMOVE", "WHY"], rows)
    for entry in g["down"]:
        output.say(f"{entry}: down, only its pilots are seen")


def _credential(one: dict[str, Any]) -> str:
    """How long it lasts, who makes it, and why it cannot be used."""
    words = ["cannot be used"] if one["unusable"] else []
    if one["made_by"] not in ("", "creation_script"):
        words.append(f"made by generator {one['made_by']}, held for {one['made']} of its entries")
    elif one["ends"] is not None:
        words.append(_lasts(one["ends"] - time.time()))
    elif not one["unusable"]:
        words.append("does not say how long it lasts")
    if one["tried"] is not None:
        words.append(f"creation_script ran {output.ago(time.time() - one['tried'])} ago")
    return ", ".join(words) + (
        f": {one['failed'] or one['unusable']}" if one["failed"] or one["unusable"] else ""
    )


def _lasts(seconds: float) -> str:
    """`lasts for 3.0 h`, or that it is over."""
    return (
        f"lasts for {output.ago(seconds)}" if seconds > 0 else f"ended {output.ago(-seconds)} ago"
    )


def _why(entry: dict[str, Any]) -> str:
    clips = [f"{c['reason']} {c['before']:g}->{c['after']:g}" for c in entry["clips"]]
    refusals = [f"{r['reason']} ({r['text']})" for r in entry["refusals"]]
    told = [f"Factory: {v}" for k, v in entry["factory"].items() if k.startswith("Status_Reason")]
    return ", ".join([*clips, *refusals, *told])


class Act(StrEnum):
    """What `gwms frontend downtime` does."""

    DOWN = "down"
    UP = "up"
    CHECK = "check"
    LIST = "list"


def downtime(
    act: Annotated[
        Act,
        typer.Argument(help="Begin one, end those that are on, tell whether one is on, or all."),
    ],
    work_dir: WorkDir = DEFAULT,
    start: Annotated[
        str, typer.Option("--start", help="now, +2h, or 2026-01-31T08:00 (local time).")
    ] = "now",
    end: Annotated[str, typer.Option("--end", help="As --start; none: open.")] = "none",
    comment: Annotated[str, typer.Option("--comment", help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Downtimes of the whole Frontend: while one is on, every request is 0."""
    from glideinwms.frontend.daemon import load_policy
    from glideinwms.frontend.state import downtimes
    from glideinwms.lib.downtimes import downtime_file
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    path, now = downtimes.path_of(work_dir, load_policy(work_dir)), time.time()
    if act is Act.DOWN:
        found = [
            downtimes.begin(
                work_dir,
                path,
                downtime_file.when(start, now),
                downtime_file.until(end, now),
                comment,
            )
        ]
    elif act is Act.UP:
        found = downtimes.finish(work_dir, path, downtime_file.until(end, now) or now)
        if not found:
            output.fail("no downtime is on")
    else:
        lines, wrong = downtime_file.load(path)
        for error in wrong:
            print(f"gwms: {error}", file=sys.stderr)
        found = [
            d
            for d in lines
            if (d.active(now) if act is Act.CHECK else d.end is None or d.end >= now)
        ]
    if as_json:
        output.print_json(found)
    else:
        rows = [
            [output.clock(d.start), "open" if d.end is None else output.clock(d.end), d.comment]
            for d in found
        ]
        output.table(["START", "END", "COMMENT"], rows)
    sys.exit(1 if act is Act.CHECK and found else 0)


class Level(StrEnum):
    """Which pilots a removal word means."""

    WAIT = "wait"
    IDLE = "idle"
    ALL = "all"


def remove(
    level: Annotated[
        Level,
        typer.Argument(help="wait: not started; idle: also without a job; all: also running."),
    ],
    work_dir: WorkDir = DEFAULT,
    group: Annotated[str, typer.Option("--group", help="One group.")] = "all",
    excess: Annotated[
        bool, typer.Option("--excess", help="Only what is more than needed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the Factories to remove pilots, with the next cycle (running ones wait for a word of the
    Factory's).
    """
    from glideinwms.cli.commands.factory import say

    args = {"level": level.value, "group": group, "excess": str(excess).lower()}
    say(work_dir, "remove", args, as_json, "frontend")
