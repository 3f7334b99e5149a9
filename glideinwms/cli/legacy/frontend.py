"""Commands of Frontend operators under their GlideinWMS 3.10 names: manageFrontendDowntimes,
remove_requested_glideins.

They take the options of GlideinWMS 3.10. `gwms frontend downtime` and `gwms frontend remove` do the
work.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from glideinwms.cli.legacy.common import delay
from glideinwms.cli.main import main as gwms

DIR = os.environ.get("GWMS_FRONTEND_DIR", "/var/lib/gwms-frontend/vofrontend")


def manage_frontend_downtimes(argv: Sequence[str] | None = None) -> None:
    """manageFrontendDowntimes -cmd add|down|up|check [-start T] [-end T] [-delay DELAY]."""
    parser = argparse.ArgumentParser(
        prog="manageFrontendDowntimes",
        description="Manage downtimes of a Frontend (see gwms frontend downtime).",
    )
    parser.add_argument("-dir", dest="dir", default=DIR, help="the Frontend's work directory")
    parser.add_argument("-cmd", required=True, choices=("add", "down", "up", "check"))
    parser.add_argument("-start", default="now")
    parser.add_argument("-end", default="none")
    parser.add_argument("-delay", default="", help="delay before down or up takes effect")
    options = parser.parse_args(argv)
    start = f"+{delay(options.delay)}s" if options.delay else options.start
    if options.cmd == "check":
        words = ["check"]
    elif options.cmd == "up":
        words = ["up", "--end", start if options.delay else options.end]
    else:
        words = ["down", "--start", start, "--end", options.end]
    gwms(["frontend", "downtime", *words, "--work-dir", options.dir])


def remove_requested_glideins(argv: Sequence[str] | None = None) -> None:
    """remove_requested_glideins -t wait|idle|all [-c]: ask the Factories to remove pilots, with the
    next cycle.
    """
    parser = argparse.ArgumentParser(
        prog="remove_requested_glideins",
        description="Ask for the removal of pilots (see gwms frontend remove).",
    )
    parser.add_argument(
        "-d", "--dir", dest="dir", default=DIR, help="the Frontend's work directory"
    )
    parser.add_argument("-t", "--type", required=True, choices=("wait", "idle", "all"))
    parser.add_argument(
        "-c", "--excess", action="store_true", help="only pilots in excess of the demand"
    )
    parser.add_argument("-g", "--group", default="all", help="one group")
    options = parser.parse_args(argv)
    excess = ["--excess"] if options.excess else []
    gwms(
        [
            "frontend",
            "remove",
            options.type,
            "--group",
            options.group,
            *excess,
            "--work-dir",
            options.dir,
        ]
    )
