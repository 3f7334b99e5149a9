"""Commands under the names that Frontend operators know: manageFrontendDowntimes, remove_requested_glideins.

The options are the deployed ones; the work is done by `gwms frontend downtime` and `gwms frontend remove`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from glideinwms.cli.legacy.common import delay
from glideinwms.cli.main import main as gwms

DIR = os.environ.get("GWMS_FRONTEND_DIR", "/var/lib/gwms-frontend/vofrontend")


def manage_frontend_downtimes(argv: Sequence[str] | None = None) -> None:
    """manageFrontendDowntimes -cmd add|down|up|check [-start T] [-end T] [-delay [HHh][MMm][SSs]]."""
    parser = argparse.ArgumentParser(
        prog="manageFrontendDowntimes",
        description="Downtimes of a Frontend (see gwms frontend downtime).",
    )
    parser.add_argument("-dir", dest="dir", default=DIR, help="the Frontend's work directory")
    parser.add_argument("-cmd", required=True, choices=("add", "down", "up", "check"))
    parser.add_argument("-start", default="now")
    parser.add_argument("-end", default="none")
    parser.add_argument(
        "-delay", default="", help="how long from now until down or up takes effect"
    )
    a = parser.parse_args(argv)
    start = f"+{delay(a.delay)}s" if a.delay else a.start
    if a.cmd == "check":
        words = ["check"]
    elif a.cmd == "up":
        words = ["up", "--end", start if a.delay else a.end]
    else:
        words = ["down", "--start", start, "--end", a.end]
    gwms(["frontend", "downtime", *words, "--work-dir", a.dir])


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
    parser.add_argument("-c", "--excess", action="store_true", help="only what is more than needed")
    parser.add_argument("-g", "--group", default="all", help="one group")
    a = parser.parse_args(argv)
    excess = ["--excess"] if a.excess else []
    gwms(["frontend", "remove", a.type, "--group", a.group, *excess, "--work-dir", a.dir])
