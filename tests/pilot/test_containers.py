"""User jobs in a real Apptainer on a real pool: started by HTCondor, and by the job wrapper."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.demo.portable import default_cache
from tests.support import apptainer
from tests.support.pilotrig import Rig, until

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.apptainer]


@pytest.fixture(scope="session")
def runtime() -> Path:
    """An Apptainer that the grid's account can run."""
    if why := apptainer.why_not():
        pytest.skip(why)
    return apptainer.build(default_cache())


@pytest.fixture
def images(rig: Rig, runtime: Path) -> tuple[Path, Path]:
    """Two directory images; their /etc/image says `one` and `two`."""
    made = [apptainer.busybox_image(runtime, rig.grid.base / f"image-{n}", n) for n in ("one", "two")]
    return made[0], made[1]


def start(rig: Rig, runtime: Path, image: Path, **attrs: str) -> Path:
    """A pilot whose VO requires containers; `image` is the default one."""
    attrs = {
        "GLIDEIN_SINGULARITY_BINARY_OVERRIDE": str(runtime), "SINGULARITY_IMAGES_DICT": f"default:{image}",
        "GLIDEIN_SINGULARITY_REQUIRE": "REQUIRED_GWMS", "SINGULARITY_IMAGE_RESTRICTIONS": "any", **attrs,
    }  # fmt: skip
    rig.stage(
        attrs, client_attrs={"GLIDEIN_Singularity_Use": "REQUIRED"},
        client_files='<file absfname="/dev/null" relfname="nothing.sh" wrapper="True"/>',
    )  # fmt: skip
    return rig.start()


def submit(rig: Rig, script: str, extra: str = "") -> str:
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
    return rig.grid.run("alice@user.demo", "condor_submit", "-terse", str(folder / "job.sub")).split()[0]


SAYS = "{ cat /etc/image; pwd; cat data.txt; env | grep -i -e token= -e ^HOME; } > out"


@pytest.mark.parametrize("launch", ["native", "wrapper"])
def test_jobs_run_in_their_image(rig: Rig, runtime: Path, images: tuple[Path, Path], launch: str) -> None:
    start(rig, runtime, images[0], GLIDEIN_Container_Launch=launch)
    until("the slot", lambda: rig.slots("HAS_SINGULARITY", "Name"))
    ran = {}
    for name, extra in (("default", ""), ("own", f'+SingularityImage = "{images[1]}"')):
        job = submit(rig, SAYS, extra)
        until(f"the end of the {name} job", lambda job=job: rig.job_status(job) == "4")  # type: ignore[misc]
        ran[name] = (rig.grid.base / "alice/out").read_text().splitlines()
    assert ran["default"][:3] == ["one", "/srv", "of alice"]
    assert ran["own"][:3] == ["two", "/srv", "of alice"]
    modes = rig.slots("HAS_SINGULARITY", "SINGULARITY_MODE", "SINGULARITY_PATH")
    assert modes[0] == ['"unprivileged"', f'"{runtime}"']
