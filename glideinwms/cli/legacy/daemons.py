"""Check and stop a daemon under the GlideinWMS 3.10 names: checkFactory, stopFactory,
checkFrontend, stopFrontend.

A daemon that systemd started should be stopped with `systemctl stop`.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from glideinwms.cli import output
from glideinwms.cli.legacy import common, frontend
from glideinwms.cli.main import main as gwms
from glideinwms.cli.main import one_line_errors
from glideinwms.lib.daemon import status
from glideinwms.lib.run_as_owner import work_as_owner

# the systemd unit waits equally long
STOP_TIMEOUT_SECONDS = 300.0
DIRS = {"factory": common.DIR, "frontend": frontend.DIR}


def check_factory(argv: Sequence[str] | None = None) -> None:
    """checkFactory [DIR]: exit code 0 if the Factory runs and is well, 1 if its last cycle failed,
    3 if it is down.
    """
    _check("checkFactory", "factory", argv)


def check_frontend(argv: Sequence[str] | None = None) -> None:
    """checkFrontend [DIR]: as checkFactory, for a Frontend."""
    _check("checkFrontend", "frontend", argv)


def stop_factory(argv: Sequence[str] | None = None) -> None:
    """stopFactory [-f] [DIR]: let the Factory end its cycle and withdraw its ads; with -f, kill it
    if it does not.
    """
    _stop("stopFactory", "factory", argv)


def stop_frontend(argv: Sequence[str] | None = None) -> None:
    """stopFrontend [-f] [DIR]: as stopFactory, for a Frontend."""
    _stop("stopFrontend", "frontend", argv)


def _parser(prog: str, side: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("dir", nargs="?", default=DIRS[side], help="the work directory")
    return parser


def _check(prog: str, side: str, argv: Sequence[str] | None) -> None:
    options = _parser(
        prog, side, f"Check whether the {side} runs (see gwms {side} status)."
    ).parse_args(argv)
    gwms([side, "status", "--work-dir", options.dir])


@one_line_errors()
def _stop(prog: str, side: str, argv: Sequence[str] | None) -> None:
    parser = _parser(prog, side, "Stop the daemon. Use systemctl stop if systemd started it.")
    parser.add_argument(
        "-f",
        "-force",
        dest="force",
        action="store_true",
        help=f"kill it after {STOP_TIMEOUT_SECONDS:.0f} s",
    )
    options = parser.parse_args(argv)
    path = Path(options.dir) / "state/status.json"
    if not Path(options.dir).is_dir():
        output.fail(f"{options.dir}: is not a directory")
    # root signals only what the owner of the directory may signal: a lock file can name any process
    work_as_owner(Path(options.dir))
    for number in (signal.SIGTERM, signal.SIGKILL) if options.force else (signal.SIGTERM,):
        if not (pid := status.pid(path)):
            print(f"the {side} of {options.dir} does not run")
            return
        try:
            os.kill(pid, number)
        except PermissionError:
            output.fail(
                f"process {pid}, which {path.with_name(status.LOCK)} names, belongs to another user"
            )
        if _ended(path, STOP_TIMEOUT_SECONDS):
            print(f"the {side} of {options.dir} has ended (pid {pid})")
            return
    output.fail(
        f"the {side} of {options.dir} still runs after {STOP_TIMEOUT_SECONDS:.0f} s"
        + ("" if options.force else "; -f kills it")
    )


def _ended(path: Path, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while status.running(path) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not status.running(path)
