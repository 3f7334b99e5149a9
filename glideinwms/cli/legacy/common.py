"""Commands of Factory operators under their GlideinWMS 3.10 names: manageFactoryDowntimes, entry_q,
entry_rm, manual_glidein_submit.

They take the options of GlideinWMS 3.10, with one dash. `gwms downtime` and `gwms entry` do the
work.
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
    """Return a parser with the option -dir."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("-dir", dest="dir", default=DIR, help="the Factory's work directory")
    return parser


def manage_factory_downtimes(argv: Sequence[str] | None = None) -> None:
    """manageFactoryDowntimes -cmd add|down|up|check|vacuum [-entry E] [-frontend F] [-security C]
    [-start T] [-end T] [-delay [HHh][MMm][SSs]] [-comment TEXT].
    """
    parser = old_parser(
        "manageFactoryDowntimes", "Manage downtimes of a Factory (see gwms downtime)."
    )
    parser.add_argument("-cmd", required=True, choices=("add", "down", "up", "check", "vacuum"))
    for name, default in (
        ("entry", ""),
        ("frontend", "All"),
        ("security", "All"),
        ("start", "now"),
        ("end", "none"),
    ):
        parser.add_argument(f"-{name}", default=default)
    parser.add_argument("-delay", default="", help="delay before down or up takes effect")
    parser.add_argument("-comment", default="")
    options = parser.parse_args(argv)
    start = f"+{delay(options.delay)}s" if options.delay else options.start
    if options.cmd == "vacuum":
        words = ["vacuum"]
    else:
        # "entries" and "all" are what GlideinWMS 3.10 accepts for all entries
        entry = "All" if options.entry in ("entries", "all") else options.entry or "factory"
        words = ["--entry", entry, "--frontend", options.frontend, "--security", options.security]
        if options.cmd in ("add", "down"):
            words = [
                "add",
                *words,
                "--start",
                start,
                "--end",
                options.end,
                "--comment",
                options.comment,
            ]
        elif options.cmd == "up":
            end = "now" if options.end == "none" else options.end
            words = ["end", *words, "--end", start if options.delay else end]
        else:
            words = ["check", *words]
    gwms(["downtime", *words, "--work-dir", options.dir])


def delay(text: str) -> int:
    """Parse `[HHh][MMm][SSs]` or bare seconds, and return seconds."""
    import re

    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if match is None or not text:
        sys.exit(f"manageFactoryDowntimes: -delay {text!r} is not [HHh][MMm][SSs]")
    hours, minutes, seconds = (int(g or 0) for g in match.groups())
    return 3600 * hours + 60 * minutes + seconds


@one_line_errors()
def entry_q(argv: Sequence[str] | None = None) -> None:
    """entry_q [-l] [-printschedd] [ENTRY]: list the entry's pilots in the queue."""
    parser = old_parser("entry_q", "List the pilots of an entry in the queue (see gwms entry q).")
    parser.add_argument("entry", nargs="?", default="")
    parser.add_argument("-l", dest="list", action="store_true", help="list entries")
    parser.add_argument("-printschedd", action="store_true", help="print the entry's schedd only")
    options = parser.parse_args(argv)
    if options.list:
        gwms(["entry", "list", "--work-dir", options.dir])
    elif not options.entry:
        parser.error("an entry must be named; -l lists them")
    elif options.printschedd:
        from pathlib import Path

        from glideinwms.factory.daemon import load_policy
        from glideinwms.factory.inspect.listing import entry_of

        print(entry_of(load_policy(Path(options.dir)), options.entry).schedd_name)
    else:
        gwms(["entry", "q", options.entry, "--work-dir", options.dir])


def entry_rm(argv: Sequence[str] | None = None) -> None:
    """entry_rm ENTRY: remove all pilots of an entry, whatever their state."""
    parser = old_parser("entry_rm", "Remove every pilot of an entry (see gwms entry rm).")
    parser.add_argument("entry")
    options = parser.parse_args(argv)
    states = [w for s in ("wait", "queued", "running", "held") for w in ("--state", s)]
    gwms(["entry", "rm", options.entry, *states, "--work-dir", options.dir])


def manual_glidein_submit(argv: Sequence[str] | None = None) -> None:
    """manual_glidein_submit --entry-name ENTRY --fe-name FRONTEND --group-name GROUP: submit one
    pilot for its request.
    """
    parser = old_parser(
        "manual_glidein_submit",
        "Submit one pilot for a Frontend's request (see gwms entry submit).",
    )
    parser.add_argument("--entry-name", required=True)
    parser.add_argument("--fe-name", required=True, help="FRONTEND, or FRONTEND.GROUP")
    parser.add_argument("--group-name", default="", help="main by default")
    parser.add_argument("--wms-collector", default="", help="ignored: the Factory knows its own")
    parser.add_argument("--debug", action="store_true", help="ignored")
    options = parser.parse_args(argv)
    client = (
        options.fe_name
        if "." in options.fe_name and not options.group_name
        else f"{options.fe_name}.{options.group_name or 'main'}"
    )
    gwms(["entry", "submit", options.entry_name, "--client", client, "--work-dir", options.dir])
