"""Commands under the names that Factory operators know: manageFactoryDowntimes, entry_q, entry_rm,
manual_glidein_submit.

The options are the deployed ones, with one dash; the work is done by `gwms downtime` and `gwms entry`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from glideinwms.cli.main import main as gwms
from glideinwms.cli.main import one_line_errors

DIR = os.environ.get("GWMS_FACTORY_DIR", "/var/lib/gwms-factory/work-dir")


def old_parser(prog: str, about: str) -> argparse.ArgumentParser:
    """A parser that knows -dir."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("-dir", dest="dir", default=DIR, help="the Factory's work directory")
    return parser


def manage_factory_downtimes(argv: Sequence[str] | None = None) -> None:
    """manageFactoryDowntimes -cmd add|down|up|check|vacuum [-entry E] [-frontend F] [-security C]
    [-start T] [-end T]
    [-delay [HHh][MMm][SSs]] [-comment TEXT].
    """
    parser = old_parser("manageFactoryDowntimes", "Downtimes of a Factory (see gwms downtime).")
    parser.add_argument("-cmd", required=True, choices=("add", "down", "up", "check", "vacuum"))
    for name, default in (
        ("entry", ""),
        ("frontend", "All"),
        ("security", "All"),
        ("start", "now"),
        ("end", "none"),
    ):
        parser.add_argument(f"-{name}", default=default)
    parser.add_argument(
        "-delay", default="", help="how long from now until down or up takes effect"
    )
    parser.add_argument("-comment", default="")
    a = parser.parse_args(argv)
    start = f"+{delay(a.delay)}s" if a.delay else a.start
    if a.cmd == "vacuum":
        words = ["vacuum"]
    else:
        # the deployed words for all of them
        entry = "All" if a.entry in ("entries", "all") else a.entry or "factory"
        words = ["--entry", entry, "--frontend", a.frontend, "--security", a.security]
        if a.cmd in ("add", "down"):
            words = ["add", *words, "--start", start, "--end", a.end, "--comment", a.comment]
        elif a.cmd == "up":
            words = [
                "end",
                *words,
                "--end",
                start if a.delay else "now" if a.end == "none" else a.end,
            ]
        else:
            words = ["check", *words]
    gwms(["downtime", *words, "--work-dir", a.dir])


def delay(text: str) -> int:
    """`[HHh][MMm][SSs]` or bare seconds, as seconds."""
    import re

    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if match is None or not text:
        sys.exit(f"manageFactoryDowntimes: -delay {text!r} is not [HHh][MMm][SSs]")
    hours, minutes, seconds = (int(g or 0) for g in match.groups())
    return 3600 * hours + 60 * minutes + seconds


@one_line_errors()
def entry_q(argv: Sequence[str] | None = None) -> None:
    """entry_q ENTRY: the entry's pilots in the queue; -l lists entries, -printschedd the entry's
    schedd.
    """
    parser = old_parser("entry_q", "Pilots of an entry in the queue (see gwms entry q).")
    parser.add_argument("entry", nargs="?", default="")
    parser.add_argument("-l", dest="list", action="store_true", help="list entries")
    parser.add_argument("-printschedd", action="store_true", help="print the entry's schedd only")
    a = parser.parse_args(argv)
    if a.list:
        gwms(["entry", "list", "--work-dir", a.dir])
    elif not a.entry:
        parser.error("which entry? -l lists them")
    elif a.printschedd:
        from pathlib import Path

        from glideinwms.factory.daemon import load_policy
        from glideinwms.factory.inspect.listing import entry_of

        print(entry_of(load_policy(Path(a.dir)), a.entry).schedd_name)
    else:
        gwms(["entry", "q", a.entry, "--work-dir", a.dir])


def entry_rm(argv: Sequence[str] | None = None) -> None:
    """entry_rm ENTRY: remove all pilots of an entry, whatever their state."""
    parser = old_parser("entry_rm", "Remove every pilot of an entry (see gwms entry rm).")
    parser.add_argument("entry")
    a = parser.parse_args(argv)
    states = [w for s in ("wait", "queued", "running", "held") for w in ("--state", s)]
    gwms(["entry", "rm", a.entry, *states, "--work-dir", a.dir])


def manual_glidein_submit(argv: Sequence[str] | None = None) -> None:
    """manual_glidein_submit --entry-name ENTRY --fe-name FRONTEND --group-name GROUP: one pilot for
    its request.
    """
    parser = old_parser(
        "manual_glidein_submit",
        "Submit one pilot for a Frontend's request (see gwms entry submit).",
    )
    parser.add_argument("--entry-name", required=True)
    parser.add_argument("--fe-name", required=True, help="FRONTEND, or FRONTEND.GROUP")
    parser.add_argument("--group-name", default="", help="main by default")
    parser.add_argument("--wms-collector", default="", help="not needed: the Factory knows its own")
    parser.add_argument("--debug", action="store_true", help="accepted, without effect")
    a = parser.parse_args(argv)
    client = (
        a.fe_name
        if "." in a.fe_name and not a.group_name
        else f"{a.fe_name}.{a.group_name or 'main'}"
    )
    gwms(["entry", "submit", a.entry_name, "--client", client, "--work-dir", a.dir])
