"""When scripts of pilots with containers act, and where: a real Apptainer on a real pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.demo.portable import default_cache
from tests.support import apptainer
from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.apptainer]


@pytest.fixture(scope="session")
def runtime() -> Path:
    """An Apptainer that the grid's account can run."""
    if why := apptainer.why_not():
        pytest.skip(why)
    return apptainer.build(default_cache())


def file(rig: PilotHarness, name: str, text: str, rest: str) -> str:
    """A `<file>` element for a script of ours."""
    path = rig.grid.base / name
    path.write_text("#!/bin/sh\nwhere=$(cat /etc/image 2> /dev/null || echo node)\n" + text)
    path.chmod(0o755)
    return f'<file absfname="{path}" {rest}/>'


PERIODIC = """echo "VO_Image = \\"$where\\""
[ "${GLIDEIN_PERIODIC_SCRIPT:-true}/$2" = true/client ] && grep -q '^GLIDEIN_UUID ' "$1"
"""


@pytest.mark.parametrize("launch", ["native", "wrapper"])
def test_where_scripts_act(rig: PilotHarness, runtime: Path, launch: str) -> None:
    image = apptainer.busybox_image(runtime, rig.grid.base / "image", "one")
    seen = rig.grid.base / "seen"
    seen.mkdir()
    rig.grid.who.own(seen)
    attrs = {
        "GLIDEIN_SINGULARITY_BINARY_OVERRIDE": str(runtime),
        "SINGULARITY_IMAGES_DICT": f"default:{image}",
        "GLIDEIN_SINGULARITY_REQUIRE": "REQUIRED_GWMS",
        "SINGULARITY_IMAGE_RESTRICTIONS": "any",
        "GLIDEIN_Container_Launch": launch,
    }
    known = 'grep "^GLIDEIN_Entry_Name " "$1"; [ -r "$(sed -n "s/^ADD_CONFIG_LINE_SOURCE //p" "$1")" ] && echo f'
    rig.stage(
        attrs,
        client_attrs={"GLIDEIN_Singularity_Use": "REQUIRED"},
        client_files='<file absfname="/dev/null" relfname="nothing.sh" wrapper="True"/>'
        + file(
            rig,
            "again.sh",
            PERIODIC,
            'type="run:singularity" executable="True" period="2" prefix="MY_"',
        )
        + file(
            rig,
            "before.sh",
            f'{{ echo "$where $2"; {known}; }} > before\n',
            'executable="True" time="prejob"',
        )
        + file(
            rig,
            "inside.sh",
            'echo "$where $2" > inside\n',
            'type="run:singularity" executable="True" time="prejob"',
        )
        + file(
            rig, "after.sh", f'echo "$where" > {seen}/after\n', 'executable="True" time="postjob"'
        )
        + file(
            rig,
            "end.sh",
            'echo "the end: $where cleanup $2"\n',
            'type="run:singularity" executable="True" time="cleanup"',
        ),
    )
    home = rig.start()
    until("the periodic script's word", lambda: rig.slots('MY_VO_Image == "one" && MY_OK', "Name"))
    job = rig.submit(0, "transfer_output_files = before,inside\n")
    until("the job's end", lambda: rig.job_status(job) == "4")
    assert (rig.grid.base / "alice/before").read_text().split("\n")[:3] == [
        "one client",
        "GLIDEIN_Entry_Name Alpha",
        "f",
    ]
    assert (rig.grid.base / "alice/inside").read_text() == "one client\n"
    assert (seen / "after").read_text() == "node\n"
    assert rig.wait_end() == 0
    assert "the end: one cleanup client" in (home / "log").read_text(errors="replace")
    assert rig.left(home) == []
