"""`gwms audit`: the trail of every submit, removal, release, stored credential, downtime and approval."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.output import Json

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
ACTS = (
    "submit, remove, remove_forced, release, credential, downtime, approve, reconfig, rollback ..."
)
Places = Annotated[
    list[Path] | None,
    typer.Option(
        "--work-dir",
        exists=True,
        file_okay=False,
        help="Of a Factory or Frontend, also several; both by default.",
    ),
]
USUAL = {
    "GWMS_FACTORY_DIR": "/var/lib/gwms-factory/work-dir",
    "GWMS_FRONTEND_DIR": "/var/lib/gwms-frontend/vofrontend",
}


def audit(
    work_dir: Places = None,
    act: Annotated[str, typer.Option("--act", help=ACTS)] = "",
    entry: Annotated[str, typer.Option("--entry", help="Only of this entry.")] = "",
    request: Annotated[
        str, typer.Option("--request", help="Only of requests whose name has this.")
    ] = "",
    who: Annotated[str, typer.Option("--who", help="Only what this operator did.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Only with this reason code.")] = "",
    since: Annotated[str, typer.Option("--since", help="Not older than e.g. 30m, 12h, 7d.")] = "",
    as_json: Json = False,
) -> None:
    """Who did what, when and why. One JSON object a line with --json."""
    import json

    from glideinwms.lib.daemon.audit import read

    exact = {k: v for k, v in (("act", act), ("entry", entry), ("who", who)) if v}
    oldest = time.time() - seconds(since) if since else 0.0
    places = work_dir or [
        p for p in (Path(os.environ.get(k) or v) for k, v in USUAL.items()) if p.is_dir()
    ]
    if not places:
        output.fail("there is no daemon's work directory here; give --work-dir")
    for place in places:
        if not (place / "state/audit.jsonl").exists():
            print(
                f"nothing has been done from {place} yet: it has no state/audit.jsonl",
                file=sys.stderr,
            )
    found = [r for place in places for r in read(place / "state/audit.jsonl", **exact)]
    for record in sorted(found, key=lambda r: float(r.get("time", 0))):
        if float(record.get("time", 0)) < oldest or request not in str(record.get("request", "")):
            continue
        if reason and reason not in record.get("reasons", []):
            continue
        output.say(json.dumps(record) if as_json else line(record))


def seconds(text: str) -> float:
    """`90`, `30m`, `12h`, `7d`."""
    match = re.fullmatch(r"(\d+)([smhd]?)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not like 30m, 12h or 7d")
    return int(match[1]) * UNITS[match[2] or "s"]


def _hold(one: dict[str, Any]) -> str:
    """Why some of the pilots were held."""
    return (
        f"{one.get('n')} x code {one.get('code')}/{one.get('subcode')} {str(one.get('reason'))!r}"
    )


def line(record: dict[str, Any]) -> str:
    """`time act field=value ...`; long lists by their length."""
    rest = {k: v for k, v in record.items() if k not in ("time", "act") and v not in ("", None, [])}
    words = []
    for key, value in rest.items():
        if key == "held":
            value = " and ".join(_hold(one) for one in value)
        elif isinstance(value, list):
            value = (
                ",".join(map(str, value))
                if len(value) <= 4
                else f"{value[0]}..{value[-1]} ({len(value)})"
            )
        words.append(f"{key}={value}")
    return f"{output.clock(float(record.get('time', 0)))} {record.get('act', '?'):<13} {' '.join(words)}"
