"""`gwms factory run`, `gwms frontend run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

WorkDir = Annotated[Path, typer.Option("--work-dir", exists=True, file_okay=False, help="Where policy.json is.")]
Once = Annotated[bool, typer.Option("--once", help="One cycle, then stop.")]


def factory(work_dir: WorkDir = Path("/var/lib/gwms-factory/work-dir"), once: Once = False) -> None:
    """Run the Factory daemon until SIGTERM."""
    from glideinwms.factory.daemon import run_daemon

    sys.exit(run_daemon(work_dir, once=once))


def frontend(work_dir: WorkDir = Path("/var/lib/gwms-frontend/vofrontend"), once: Once = False) -> None:
    """Run the Frontend daemon until SIGTERM."""
    from glideinwms.frontend.daemon import run_daemon

    sys.exit(run_daemon(work_dir, once=once))
