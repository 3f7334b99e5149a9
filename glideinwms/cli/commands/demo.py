"""`gwms demo`: the whole grid on this machine, from nothing to finished jobs."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

INTERRUPTED = 130


def run(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything up, and say how to look around.")
    ] = False,
    seconds: Annotated[int, typer.Option("--seconds", min=1, help="How long each job takes.")] = 3,
) -> None:
    """Build the grid, run jobs through Frontend, Factory and pilots, show where they ran. Exit code
    0: all did.
    """
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
    """What of the demo is up, and how to look around. Exit code 0: all of it is up; 1: not."""
    from glideinwms.demo.run import status as look

    lines, whole = look()
    print("\n".join(lines))
    sys.exit(0 if whole else 1)


def down() -> None:
    """End a demo that was left up."""
    from glideinwms.demo.run import down as end

    print(end())
