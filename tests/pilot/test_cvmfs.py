"""CVMFS in the pilot's own namespaces, with a real HTCondor in them; a FUSE file system stands for CVMFS."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path

import pytest

from glideinwms.demo.portable import default_cache
from tests.pilot.test_containers import start, submit
from tests.support import fuse
from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.slow]
MOCK = Path(__file__).parent / "mock" / "cvmfsexec"


def device(path: Path) -> Path:
    """/dev/fuse as it is on worker nodes: for everybody."""
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(10, 229))
    path.chmod(0o666)
    return path


@pytest.fixture
def env(rig: PilotHarness) -> dict[str, str]:
    """The environment of a pilot whose node has a distribution of cvmfsexec, in `dist`."""
    if why := fuse.why_not():
        pytest.skip(why)
    dist = rig.grid.base / "dist"
    shutil.copytree(MOCK, dist)
    rig.grid.who.own(dist)
    program = fuse.bindfs(default_cache())
    made = {
        "BINDFS": str(program),
        "BINDFS_LIBRARIES": str(program.parents[2] / fuse.LIBRARIES),
        "EVIDENCE": str(dist),
    }
    if os.geteuid() == 0:
        made["CVMFS_FUSE_DEVICE"] = str(device(rig.grid.base / "fuse"))
    return made


def attrs(rig: PilotHarness) -> dict[str, str]:
    """What an entry says that wants mode 3."""
    dist = rig.grid.base / "dist"
    return {
        "CVMFSEXEC_DIR": str(dist),
        "CVMFS_SRC": "osg",
        "GLIDEIN_CVMFS_MODE": "3",
        "GLIDEIN_Max_Tail": "120",
    }


def test_jobs_see_cvmfs_and_the_pilot_leaves_nothing(
    rig: PilotHarness, env: dict[str, str]
) -> None:
    rig.stage(attrs(rig), params={"GLIDEIN_USE_CVMFSEXEC": "1"})
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


@pytest.mark.apptainer
@pytest.mark.parametrize("launch", ["native", "wrapper"])
def test_containers_see_cvmfs(
    rig: PilotHarness, env: dict[str, str], runtime: Path, images: tuple[Path, Path], launch: str
) -> None:
    more = {"GLIDEIN_Container_Launch": launch, **attrs(rig)}
    start(rig, runtime, images[0], env=env, params={"GLIDEIN_USE_CVMFSEXEC": "1"}, **more)
    job = submit(
        rig, "cat /etc/image /cvmfs/cms.cern.ch/name > out", '+CVMFSReposList = "cms.cern.ch"'
    )
    until("the end of the job", lambda: rig.job_status(job) == "4")
    assert (rig.grid.base / "alice/out").read_text() == "one\ncms.cern.ch\n"
