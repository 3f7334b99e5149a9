"""Processes of a grid end with who started them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from glideinwms.demo import process

STARTER = """
import signal, sys, time
from pathlib import Path
from glideinwms.demo import process
signal.signal(signal.SIGQUIT, signal.SIG_IGN)
base = Path(sys.argv[1])
child = process.spawn(["sleep", "60"], process.clean_env(base), process.account(), base / "log")
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_supervised_process_ends_with_its_starter_where_quit_is_ignored(tmp_path: Path) -> None:
    """As in the background of a script."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert process.alive(pid)
    starter.kill()
    starter.wait()
    try:
        assert process.wait_gone([pid], 30) == []
    finally:
        process.kill(pid, signal.SIGKILL)
