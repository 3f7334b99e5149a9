"""`gwms frontend ...`: run the daemon, show what it requests, manage downtimes, remove pilots.

Exit codes beside the common ones: `status` 1 if the daemon hangs, cannot write its files, failed
its last cycle or did not load a policy, 3 if it does not run; `downtime check` 1 if it is in
downtime; `remove` 1 if refused, 3 if the daemon does not answer.
"""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.daemon_command import send
from glideinwms.cli.options import ExistingFrontend, Group
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FRONTEND
from glideinwms.lib.daemon.status import Status

if TYPE_CHECKING:
    from glideinwms.lib.downtimes.downtime_file import Downtime

DEFAULT = FRONTEND.work_dir
TIME = "now, +2h, or 2026-01-31T08:00 (local time unless it has a zone)."


def run(
    work_dir: ExistingFrontend = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="Run one cycle and stop.")] = False,
) -> None:
    """Run the Frontend daemon until SIGTERM."""
    from glideinwms.frontend.daemon import run_daemon
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    sys.exit(run_daemon(work_dir, once=once))


def status(work_dir: ExistingFrontend = DEFAULT, group: Group = "", as_json: Json = False) -> None:
    """Show daemon status: jobs, requests and reasons of each group."""
    from glideinwms.cli import daemon_health
    from glideinwms.lib.daemon import liveness
    from glideinwms.lib.errors import StateError

    state = work_dir / "state"
    now = time.time()
    health = liveness.look(state, FRONTEND.name, now)
    liveness.require_start(health, state)
    groups = health.shown.summary.get("groups", {}) if health.shown else {}
    if group and health.shown and group not in groups:
        raise StateError(
            f"there is no group {group} in the last cycle",
            hint=f"the groups are {', '.join(groups)}",
        )
    shown = {name: fields for name, fields in groups.items() if group in ("", name)}
    if as_json:
        output.print_json(daemon_health.as_json(health) | ({"groups": shown} if group else {}))
        sys.exit(daemon_health.exit_code(health))
    for line in daemon_health.lines(health, FRONTEND.name, now):
        output.say(line)
    if health.shown is not None:
        _print_status(health.shown, shown, now)
    sys.exit(daemon_health.exit_code(health))


def _print_status(shown: Status, groups: dict[str, Any], now: float) -> None:
    ha = shown.summary.get("ha", {})
    if ha.get("seen"):
        state = "working" if ha["working"] else "hibernating"
        output.say(f"standby, {state}: {ha['seen']}")
    if shown.summary.get("downtime"):
        output.say("in downtime: no pilots are requested")
    for reading in shown.readings:
        if reading.error:
            age = "never" if reading.age is None else f"{output.ago(reading.age)} ago"
            output.say(f"{reading.source}: last read {age}: {reading.error}")
    for failure in shown.summary.get("failed", ()):
        output.say(f"not sent: {failure}")
    for name, group in groups.items():
        _print_group(name, group, now)


def _print_group(name: str, group: dict[str, Any], now: float) -> None:
    jobs, slots, request = group["jobs"], group["slots"], group["request"]
    print()
    output.say(
        f"group {name}: {jobs['idle']} idle jobs, {jobs['unmatched']} of them match no entry; "
        f"{jobs['running']} running; {slots['total']} slots, {slots['idle']} idle; "
        f"requests {request['idle']} idle pilots, at most {request['max']}"
    )
    for label, key in (("frozen", "frozen"), ("retained", "held"), ("problem", "problems")):
        for text in group[key]:
            output.say(f"  {label}: {text}")
    for credential in group.get("credentials", ()):
        output.say(
            f"  credential {credential['name']} "
            f"({credential['type']}, {credential['trust_domain']}): "
            f"{_credential(credential, now)}"
        )
    for schedd, why in group["schedds"].items():
        output.say(f"  idle jobs of {schedd} do not count: {why}")
    if group["silent"]:
        output.say("  silent: inputs have been unknown for too long, so requests may expire")
    for unmatched in group["unmatched"]:
        _print_unmatched(unmatched)
    for failing in group.get("failing", ()):
        output.say(
            f"  {failing['text']}  ({failing['origin']}) fails for {failing['classes']} classes "
            f"of jobs and matches none of them: {failing['error']}"
        )
    headers = ["ENTRY", "JOBS", "SHARE", "SLOTS", "IDLE", "ASKED", "MAX", "REMOVE", "WHY"]
    output.table(headers, [_entry_row(entry) for entry in group["entries"]])
    for entry in group["down"]:
        output.say(f"{entry}: down, only its pilots are seen")


def _print_unmatched(unmatched: dict[str, Any]) -> None:
    values = ", ".join(f"{name}={value!r}" for name, value in unmatched["values"].items())
    output.say(f"  {unmatched['idle']} jobs of {unmatched['schedd']} match no entry: {values}")
    for rejection in unmatched["rejected_by"]:
        output.say(
            f"    {rejection['entries']} entries rejected by "
            f"{rejection['conjunct']}  ({rejection['origin']})"
        )


def _entry_row(entry: dict[str, Any]) -> list[object]:
    requested = entry["requested"]
    return [
        entry["entry"],
        entry["jobs"],
        entry["share"],
        entry["slots"].get("total", 0),
        entry["slots"].get("idle", 0),
        entry["idle"] if requested else "-",
        entry["max"] if requested else "-",
        entry["removal"],
        _why(entry),
    ]


def _credential(credential: dict[str, Any], now: float) -> str:
    """Describe how long it is valid, who makes it, and why it cannot be used."""
    parts = ["cannot be used"] if credential["unusable"] else []
    if credential["made_by"] not in ("", "creation_script"):
        parts.append(
            f"made by generator {credential['made_by']}, "
            f"cached for {credential['made']} of its entries"
        )
    elif credential["ends"] is not None:
        parts.append(_validity(credential["ends"] - now))
    elif not credential["unusable"]:
        parts.append("has no expiry time")
    if credential["tried"] is not None:
        parts.append(f"creation_script ran {output.ago(now - credential['tried'])} ago")
    failure = credential["failed"] or credential["unusable"]
    return ", ".join(parts) + (f": {failure}" if failure else "")


def _validity(seconds: float) -> str:
    if seconds > 0:
        return f"valid for {output.ago(seconds)}"
    return f"expired {output.ago(-seconds)} ago"


def _why(entry: dict[str, Any]) -> str:
    adjustments = [
        f"{step['reason']} {step['before']:g}->{step['after']:g}" for step in entry["clips"]
    ]
    refusals = [f"{refusal['reason']} ({refusal['text']})" for refusal in entry["refusals"]]
    answers = [
        f"Factory: {value}"
        for name, value in entry["factory"].items()
        if name.startswith("Status_Reason")
    ]
    return ", ".join([*adjustments, *refusals, *answers])


class DowntimeAction(StrEnum):
    """What `gwms frontend downtime` does."""

    DOWN = "down"
    UP = "up"
    CHECK = "check"
    LIST = "list"


def downtime(
    action: Annotated[
        DowntimeAction,
        typer.Argument(help="Begin a downtime, end it, check for a current one, or list all."),
    ],
    work_dir: ExistingFrontend = DEFAULT,
    start: Annotated[str, typer.Option("--start", help=f"Start: {TIME}")] = "now",
    end: Annotated[
        str, typer.Option("--end", help="End, as --start; none: no end is set.")
    ] = "none",
    comment: Annotated[str, typer.Option("--comment", help="Reason, for the list.")] = "",
    as_json: Json = False,
) -> None:
    """Manage downtimes of the whole Frontend. During a downtime every request is 0."""
    from glideinwms.frontend.daemon import load_policy
    from glideinwms.frontend.state import downtimes
    from glideinwms.lib.downtimes import downtime_file
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    path = downtimes.path_of(work_dir, load_policy(work_dir))
    now = time.time()
    listed: list[Downtime]
    if action is DowntimeAction.DOWN:
        begins, ends = downtime_file.when(start, now), downtime_file.until(end, now)
        listed = [downtimes.begin(work_dir, path, begins, ends, comment)]
    elif action is DowntimeAction.UP:
        listed = downtimes.finish(work_dir, path, downtime_file.until(end, now) or now)
        if not listed:
            output.fail("there is no current downtime")
    else:
        listed, errors = downtime_file.load(path)
        for error in errors:
            output.warn(str(error))
        if action is DowntimeAction.CHECK:
            listed = [line for line in listed if line.active(now)]
        else:
            listed = [line for line in listed if line.end is None or line.end >= now]
    if as_json:
        output.print_json(listed)
    else:
        rows = [[output.clock(line.start), _end(line), line.comment] for line in listed]
        output.table(["START", "END", "COMMENT"], rows)
    sys.exit(1 if action is DowntimeAction.CHECK and listed else 0)


def _end(line: Downtime) -> str:
    return "open" if line.end is None else output.clock(line.end)


class Level(StrEnum):
    """Which pilots a removal means."""

    WAIT = "wait"
    IDLE = "idle"
    ALL = "all"


def remove(
    level: Annotated[
        Level,
        typer.Argument(
            help="wait: pilots that have not started; idle: also those without a job; "
            "all: also those that run jobs."
        ),
    ],
    work_dir: ExistingFrontend = DEFAULT,
    group: Annotated[
        str, typer.Option("--group", help="Remove pilots of this group only.")
    ] = "all",
    excess: Annotated[
        bool, typer.Option("--excess", help="Remove only pilots in excess of the demand.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the Factories to remove pilots, in the next cycle.

    Running pilots wait for the approval of the Factory's operator.
    """
    args = {"level": level.value, "group": group, "excess": str(excess).lower()}
    send(work_dir, "remove", args, daemon=FRONTEND.name, as_json=as_json)
