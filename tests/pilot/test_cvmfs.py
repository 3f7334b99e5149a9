"""CVMFS in the pilot's own namespaces, with a real HTCondor in them; a FUSE file system stands for CVMFS."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path

import pytest

from glideinwms.demo.portable import default_cache
from tests.pilot.test_containers import submit
from tests.support import fuse
from tests.support.pilotrig import Rig, until

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.slow]
MOCK = Path(__file__).parent / "mock" / "cvmfsexec"


def device(path: Path) -> Path:
    """/dev/fuse as it is on worker nodes: for everybody."""
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(10, 229))
    path.chmod(0o666)
    return path


def test_jobs_see_cvmfs_and_the_pilot_leaves_nothing(rig: Rig) -> None:
    if why := fuse.why_not():
        pytest.skip(why)
    dist = rig.grid.base / "dist"
    shutil.copytree(MOCK, dist)
    rig.grid.who.own(dist)
    program = fuse.bindfs(default_cache())
    rig.stage(
        {"CVMFSEXEC_DIR": str(dist), "CVMFS_SRC": "osg", "GLIDEIN_CVMFS_MODE": "3", "GLIDEIN_Max_Tail": "120"},
        params={"GLIDEIN_USE_CVMFSEXEC": "1"},
    )
    env = {"BINDFS": str(program), "BINDFS_LIBRARIES": str(program.parents[2] / fuse.LIBRARIES), "EVIDENCE": str(dist)}
    if os.geteuid() == 0:
        env["CVMFS_FUSE_DEVICE"] = str(device(rig.grid.base / "fuse"))
    home = rig.start(env)
    job = submit(rig, "cat /cvmfs/cms.cern.ch/name > out")
    until("the end of the job", lambda: rig.job_status(job) == "4")
    assert (rig.grid.base / "alice/out").read_text() == "cms.cern.ch\n"
    job = rig.submit(300)
    until("the job running", lambda: rig.job_status(job) == "2" and rig.busy())
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(home) == []
    until("the job idle again", lambda: rig.job_status(job) == "1", 15)
    second = rig.start(env)
    until("the job running again", lambda: rig.job_status(job) == "2" and rig.busy())
    os.kill(rig.pilots[-1].pid, signal.SIGKILL)
    rig.wait_end()
    until("nothing left", lambda: not rig.left(second), 30)
    until("the job idle again", lambda: rig.job_status(job) == "1", 30)
