"""A pilot that is started by `gwms pilot run` on a real user pool."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

import glideinwms
from glideinwms.demo import process
from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid]


def test_a_pilot_by_hand_runs_a_job_and_hears_signals(rig: PilotHarness) -> None:
    rig.stage()
    home = rig.grid.base / "by-hand"
    home.mkdir()
    (home / "token").write_text(rig.token())
    rig.grid.who.own(home)
    root = str(Path(glideinwms.__file__).parents[1])
    env = process.clean_env(
        rig.grid.base, {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": root}
    )
    words = [
        "Alpha",
        "--work-dir",
        f"{rig.stage_dir}/factory/work",
        "--frontend",
        f"{rig.stage_dir}/frontend/work",
    ]
    argv = [
        sys.executable,
        "-m",
        "glideinwms.cli",
        "pilot",
        "run",
        *words,
        "--token",
        f"{home}/token",
    ]
    rig.pilots.append(process.spawn(argv, env, rig.grid.who, home / "log", cwd=home))
    until("its slot", lambda: rig.slots('GLIDEIN_CredentialIdentifier == "by-hand"', "Name"))
    job = rig.submit(1)
    until("the job's end", lambda: rig.job_status(job) == "4")
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    log = (home / "log").read_text(errors="replace")
    assert "-name v1 -entry Alpha" in log.split("\n")[1] and "=== Glidein ending " in log
    assert sorted(p.name for p in home.iterdir()) == ["log", "token"]
