"""Run a reconfig that kills itself at a step: `python -m tests.support.killed_reconfig STEP XML SIDE`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from glideinwms.creation.reconfig.run import reconfig
from glideinwms.lib.stage import publish

CALLS = (
    (os, "open"),
    (os, "write"),
    (os, "link"),
    (os, "close"),
    (os, "rename"),
    (os, "mkdir"),
    (os, "fsync"),
    (publish, "sync_filesystem"),
)


def die_at(step: int, path: Path, side: str) -> None:
    """Reconfig in this process, which kills itself, as SIGKILL does, at the step-th write, link,
    rename or sync.
    """
    left = [step]

    def counted(real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    for module, name in CALLS:
        setattr(module, name, counted(getattr(module, name)))
    reconfig(path, side)


if __name__ == "__main__":
    die_at(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
