"""`gwms demo`: a whole grid on this machine, from nothing to finished jobs.

Exit codes beside the common ones: `run` 1 if a job did not finish; `status` 1 if a part is not up.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

INTERRUPTED = 130


def run(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the grid running and show how to look around.")
    ] = False,
    seconds: Annotated[
        int, typer.Option("--seconds", min=1, help="Length of each job in seconds.")
    ] = 3,
) -> None:
    """Build a grid, run jobs through Frontend, Factory and pilots, and show where they ran."""
    from rich.console import Console

    from glideinwms.demo.run import Demo

    console = Console()
    try:
        code = Demo(console, keep=keep, seconds=seconds).run()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.print("-- interrupted; everything is down")
        code = INTERRUPTED
    sys.exit(code)


def status() -> None:
    """Show which parts of the demo are up. Exit code 1: not all of them."""
    from glideinwms.demo.run import status as demo_status

    lines, complete = demo_status()
    print("\n".join(lines))
    sys.exit(0 if complete else 1)


def down() -> None:
    """Stop a demo that was left running."""
    from glideinwms.demo.run import down as stop_demo

    print(stop_demo())
