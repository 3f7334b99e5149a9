"""A reader process: takes one call at a time over a private pipe, answers with plain data, dies
with its parent.

Started as `python -m glideinwms.lib.condor.worker_process FD PARENT [--ready]`. The pipe carries
pickles of our own parent only (decision 5). Signals that end the daemon leave it alone: the last
cycle and the withdrawal need it; its parent kills it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from glideinwms.lib.errors import CondorError, GwmsError, place_of

PR_SET_PDEATHSIG = 1
READY = "--ready"


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends; leave at once if it already has."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def resolve(function: str) -> Any:
    """The function that `package.module:name` names. CondorError unless glideinwms defines it."""
    module, _, name = function.partition(":")
    if not module.startswith("glideinwms."):
        raise CondorError(f"{function} is not a function of glideinwms")
    resolved = getattr(importlib.import_module(module), name)
    if getattr(resolved, "__module__", "") != module or not callable(resolved):
        raise CondorError(f"{function} is not a function of glideinwms")
    return resolved


def answer(function: str, args: dict[str, Any]) -> tuple[Any, GwmsError | None]:
    """(value, None), or (None, error): nothing a call does may end the reader."""
    try:
        return resolve(function)(**args), None
    except GwmsError as error:
        return None, error
    except Exception as error:  # noqa: BLE001 - the boundary of one call
        return None, CondorError(f"{function}: {place_of(error)}")


def get_ready(pipe: Connection) -> None:
    """Load what the first call would have to wait for, and tell the parent."""
    # where HTCondor cannot be loaded, the calls that need it say so
    with contextlib.suppress(Exception):
        importlib.import_module("htcondor2")
    pipe.send(READY)


def serve(pipe: Connection) -> None:
    """Answer calls until the parent closes the pipe."""
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        reply = answer(function, args)
        try:
            pipe.send(reply)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            pipe.send(
                (None, CondorError(f"{function}: its value is not plain data: {place_of(error)}"))
            )


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = Connection(int(sys.argv[1]))
    if READY in sys.argv:
        get_ready(parent)
    serve(parent)
