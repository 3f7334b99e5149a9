"""`gwms audit`: the trail of submissions, removals, releases, credentials, downtimes, approvals."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.output import Json
from glideinwms.cli.sides import SIDES

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_VALUES_SHOWN = 4
ACTS = (
    "submit, remove, remove_forced, release, credential, downtime, approve, reconfig, rollback ..."
)
WorkDirs = Annotated[
    list[Path] | None,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        help="Work directory of a Factory or Frontend. Repeatable. By default both.",
    ),
]


def audit(
    work_dir: WorkDirs = None,
    act: Annotated[str, typer.Option("--act", help=f"Only this action: {ACTS}")] = "",
    entry: Annotated[str, typer.Option("--entry", help="Only actions on this entry.")] = "",
    request: Annotated[
        str, typer.Option("--request", help="Only requests whose name contains this.")
    ] = "",
    who: Annotated[str, typer.Option("--who", help="Only actions of this operator.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Only with this reason code.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only the last period, for example 30m, 12h or 7d.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show who did what, when and why. With --json, print one JSON object per line."""
    from glideinwms.lib.daemon.audit import read

    named = {"act": act, "entry": entry, "who": who}
    exact = {name: value for name, value in named.items() if value}
    oldest = time.time() - seconds(since) if since else 0.0
    trails = [folder / "state/audit.jsonl" for folder in work_dir or _existing_work_dirs()]
    for trail in trails:
        if not trail.exists():
            output.warn(f"{trail}: there is no audit trail yet")
    records = [record for trail in trails for record in read(trail, **exact)]
    for record in sorted(records, key=_time):
        if _time(record) < oldest or request not in str(record.get("request", "")):
            continue
        if reason and reason not in record.get("reasons", []):
            continue
        output.say(json.dumps(record) if as_json else describe(record))


def _existing_work_dirs() -> list[Path]:
    usual = [side.given_work_dir(None) or side.work_dir for side in SIDES.values()]
    existing = [folder for folder in usual if folder.is_dir()]
    if not existing:
        output.fail("no Factory or Frontend work directory found; give --work-dir")
    return existing


def _time(record: dict[str, Any]) -> float:
    return float(record.get("time", 0))


def seconds(text: str) -> float:
    """Parse a period: `90`, `30m`, `12h`, `7d`."""
    match = re.fullmatch(r"(\d+)([smhd]?)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a period such as 30m, 12h or 7d")
    return int(match[1]) * UNIT_SECONDS[match[2] or "s"]


def describe(record: dict[str, Any]) -> str:
    """Format a record as `time act field=value ...`. Long lists are shortened."""
    fields = [
        f"{name}={_value(name, value)}"
        for name, value in record.items()
        if name not in ("time", "act") and value not in ("", None, [])
    ]
    return f"{output.clock(_time(record))} {record.get('act', '?'):<13} {' '.join(fields)}"


def _value(name: str, value: Any) -> str:
    if name == "held":
        return " and ".join(_hold(hold) for hold in value)
    if not isinstance(value, list):
        return str(value)
    if len(value) <= MAX_VALUES_SHOWN:
        return ",".join(map(str, value))
    return f"{value[0]}..{value[-1]} ({len(value)})"


def _hold(hold: dict[str, Any]) -> str:
    """Describe why some of the pilots were held."""
    code = f"{hold.get('code')}/{hold.get('subcode')}"
    return f"{hold.get('n')} x code {code} {str(hold.get('reason'))!r}"
