"""Commands that start a pilot by hand, under their GlideinWMS 3.10 names: local_start and
manual_glidein_startup.

`gwms pilot run` does the work.
"""

from __future__ import annotations

from collections.abc import Sequence

from glideinwms.cli.legacy.common import old_parser
from glideinwms.cli.main import main as gwms


def local_start(argv: Sequence[str] | None = None) -> None:
    """local_start ENTRY [CLIENT]: run a pilot of the entry here, for its newest request."""
    parser = old_parser("local_start", "Start a pilot without its CE (see gwms pilot run).")
    parser.add_argument("entry")
    parser.add_argument("client", nargs="?", default="", help="FRONTEND.GROUP")
    options = parser.parse_args(argv)
    client = ["--client", options.client] if options.client else []
    gwms(["pilot", "run", options.entry, *client, "--work-dir", options.dir])


def manual_glidein_startup(argv: Sequence[str] | None = None) -> None:
    """manual_glidein_startup --entry-name E --fe-name F --group-name G: print a start script."""
    parser = old_parser(
        "manual_glidein_startup",
        "Print a script that starts a pilot on any machine (see gwms pilot run --print).",
    )
    parser.add_argument("--entry-name", required=True)
    parser.add_argument("--fe-name", required=True, help="FRONTEND, or FRONTEND.GROUP")
    parser.add_argument("--group-name", default="")
    parser.add_argument(
        "--wms-collector", default="", help="ignored: the Factory has recorded the request"
    )
    options = parser.parse_args(argv)
    client = options.fe_name
    if options.group_name:
        client = f"{options.fe_name}.{options.group_name}"
    gwms(
        [
            "pilot",
            "run",
            options.entry_name,
            "--client",
            client,
            "--print",
            "--work-dir",
            options.dir,
        ]
    )
