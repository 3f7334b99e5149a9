"""User jobs in a real Apptainer on a real pool: started by HTCondor, and by the job wrapper."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from glideinwms.demo.portable import default_cache
from glideinwms.lib.errors import DemoError
from tests.support import sshd
from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.apptainer]


def start(
    rig: PilotHarness,
    runtime: Path,
    image: Path,
    files: str = "",
    env: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    **attrs: str,
) -> Path:
    """A pilot whose VO requires containers; `image` is the default one."""
    attrs = {
        "GLIDEIN_SINGULARITY_BINARY_OVERRIDE": str(runtime),
        "SINGULARITY_IMAGES_DICT": f"default:{image}",
        "GLIDEIN_SINGULARITY_REQUIRE": "REQUIRED_GWMS",
        "SINGULARITY_IMAGE_RESTRICTIONS": "any",
        # it waits for the next job
        "GLIDEIN_Max_Tail": "120",
        **attrs,
    }
    rig.stage(
        attrs,
        client_attrs={"GLIDEIN_Singularity_Use": "REQUIRED"},
        entry_files=files,
        params=params or {},
        client_files='<file absfname="/dev/null" relfname="nothing.sh" wrapper="True"/>',
    )
    return rig.start(env)


def submit(rig: PilotHarness, script: str, extra: str = "") -> str:
    """A job of alice's that brings a file and takes `out` home; its id."""
    folder = rig.grid.base / "alice"
    folder.mkdir(exist_ok=True)
    (folder / "data.txt").write_text("of alice\n")
    (folder / "job.sh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "job.sh").chmod(0o755)
    (folder / "job.sub").write_text(
        f"executable = {folder}/job.sh\nlog = {folder}/log\noutput = {folder}/stdout\nerror = {folder}/stderr\n"
        f"initialdir = {folder}\ntransfer_input_files = data.txt\ntransfer_output_files = out\n"
        "should_transfer_files = YES\nwhen_to_transfer_output = ON_EXIT\nrequest_memory = 100\nrequest_disk = 1MB\n"
        f"{extra}\nqueue\n"
    )
    rig.grid.who.own(folder)
    return rig.grid.run(
        "alice@user.demo", "condor_submit", "-terse", str(folder / "job.sub")
    ).split()[0]


SAYS = "{ cat /etc/image; pwd; cat data.txt; env | grep -i -e token= -e ^HOME; } > out"


@pytest.mark.parametrize("launch", ["native", "wrapper"])
def test_jobs_run_in_their_image(
    rig: PilotHarness, runtime: Path, images: tuple[Path, Path], launch: str
) -> None:
    start(rig, runtime, images[0], GLIDEIN_Container_Launch=launch)
    until("the slot", lambda: rig.slots("HAS_SINGULARITY", "Name"))
    ran = {}
    for name, extra in (("default", ""), ("own", f'+SingularityImage = "{images[1]}"')):
        job = submit(rig, SAYS, extra)
        until(f"the end of the {name} job", lambda job=job: rig.job_status(job) == "4")  # type: ignore[misc]
        ran[name] = (rig.grid.base / "alice/out").read_text().splitlines()
    assert ran["default"] == ["one", "/srv", "of alice", "HOME=/srv"]
    assert ran["own"] == ["two", "/srv", "of alice", "HOME=/srv"]
    modes = rig.slots("HAS_SINGULARITY", "SINGULARITY_MODE", "SINGULARITY_PATH")
    assert modes[0] == ['"unprivileged"', f'"{runtime}"']


@pytest.mark.slow
@pytest.mark.parametrize("launch", ["native", "wrapper"])
def test_a_clean_environment_and_binds(
    rig: PilotHarness, runtime: Path, images: tuple[Path, Path], launch: str
) -> None:
    data = rig.grid.base / "data"
    data.mkdir()
    (data / "file").write_text("bound\n")
    start(
        rig,
        runtime,
        images[0],
        GLIDEIN_Container_Launch=launch,
        GLIDEIN_CONTAINER_ENV="clear",
        GLIDEIN_SINGULARITY_BINDPATH=f"{data}:/data:ro",
        GLIDEIN_SINGULARITY_OPTS="--no-umask",
    )
    script = "{ cat /data/file; echo $MINE; env | cut -d= -f1; } > out; touch /data/new; echo $? >> out; echo $1 >> out"
    job = submit(rig, script, 'environment = "MINE=a,b"\narguments = $$(none:/x)/y')
    until("the end of the job", lambda: rig.job_status(job) == "4")
    lines = (rig.grid.base / "alice/out").read_text().splitlines()
    assert lines[:2] == ["bound", "a,b"]
    assert lines[-2] != "0" and lines[-1] == "/x/y"
    assert {"MINE", "_CONDOR_SCRATCH_DIR", "GWMS_SINGULARITY_REEXEC"} <= set(lines)
    assert not {"GLIDEIN_Site", "GLIDECLIENT_Name", "BATCH_SYSTEM"} & set(lines)


@pytest.mark.slow
@pytest.mark.parametrize("launch", ["native", "wrapper"])
def test_ssh_to_a_job_is_inside_its_container(
    rig: PilotHarness, runtime: Path, images: tuple[Path, Path], launch: str
) -> None:
    if why := sshd.why_not():
        pytest.skip(why)
    config = rig.grid.base / "sshd.conf"
    config.write_text(f"SSH_TO_JOB_SSHD = {sshd.build(default_cache())}\n")
    files = f'<file absfname="{config}" type="config:condor"/>'
    start(rig, runtime, images[0], files, GLIDEIN_Container_Launch=launch)
    job = submit(rig, "MINE='a  b'; export MINE; echo mine > mine; sleep 300")
    until("the job's file", lambda: list(rig.grid.base.glob("pilot0/glide_*/execute/dir_*/mine")))

    def session(words: str, stdin: str = "/dev/null") -> list[str]:
        line = f"condor_ssh_to_job -auto-retry {job} {words} < {stdin} && echo good"
        return rig.grid.run("alice@user.demo", "sh", "-c", line, timeout=60).splitlines()

    until("a session", lambda: session("true") == ["good"])
    assert session("'cat /etc/image mine; pwd'") == ["one", "mine", "/srv", "good"]
    assert {"HOME=/srv", "GLIDEIN_Site=SiteA"} <= set(session("env"))
    with pytest.raises(DemoError, match="ended with 7"):
        session("'exit 7'")
    keys = rig.grid.base / "keys"
    keys.write_text("cat /etc/image\nexit\n")
    assert session("", str(keys))[-2:] == ["one", "good"]
    if sshd.terminals():
        keys.write_text("cat /etc/image; test -t 0 && echo term''inal\nexit 3\n")
        line = f"script -qec 'condor_ssh_to_job {job}' /dev/null < {keys}; echo code $?"
        said = rig.grid.run("alice@user.demo", "sh", "-c", line, timeout=60).split()
        assert {"one", "terminal"} <= set(said) and said[-2:] == ["code", "3"], said
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(rig.grid.base / "pilot0") == []
