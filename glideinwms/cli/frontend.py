"""`gwms frontend ...`: run the daemon, look at what it asks for, speak to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

DEFAULT = Path("/var/lib/gwms-frontend/vofrontend")
WorkDir = Annotated[Path, typer.Option("--work-dir", exists=True, file_okay=False, help="Where policy.json is.")]


def run(
    work_dir: WorkDir = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="One cycle, then stop.")] = False,
) -> None:
    """Run the Frontend daemon until SIGTERM."""
    from glideinwms.frontend.daemon import run_daemon

    sys.exit(run_daemon(work_dir, once=once))
