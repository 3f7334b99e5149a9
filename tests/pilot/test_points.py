"""What acts before and after jobs: on a real startd."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.pilotrig import Rig, until

pytestmark = [pytest.mark.condor, pytest.mark.grid]


def file(rig: Rig, name: str, text: str, rest: str) -> str:
    """A `<file>` element for a file of ours."""
    path = rig.grid.base / name
    path.write_text(text)
    path.chmod(0o755)
    return f'<file absfname="{path}" {rest}/>'


def test_scripts_before_and_after_a_job(rig: Rig) -> None:
    seen = rig.grid.base / "seen"
    seen.mkdir()
    rig.grid.who.own(seen)
    before = f'#!/bin/sh\necho "$2 $(grep -c "^GLIDEIN_UUID " "$1") $(pwd)" >> {seen}/before\nexit 3\n'
    after = (
        '#!/bin/bash\n. "$(grep "^ADD_CONFIG_LINE_SOURCE " "$1" | cut -d " " -f 2-)"\n'
        f'{{ echo "$2 $(gconfig_get GLIDEIN_Entry_Name "$1") $(cat "$_CONDOR_SCRATCH_DIR/trace.out")"\n'
        'echo "code $_CONDOR_MAINJOB_EXIT_CODE"; grep "^Owner" "$_CONDOR_JOB_AD"; env | grep ^CONDOR_; }'
        f' > {seen}/after\necho "after the job"; mv {seen}/after {seen}/after.$2\n'
    )
    rig.stage(
        factory_files=file(rig, "before.sh", before, 'executable="True" time="prejob"')
        + file(rig, "exports", "export VO_BEFORE=$(($VO_BEFORE + 1))\n", 'type="source" time="setup,prejob"'),
        client_files=file(rig, "after.sh", after, 'executable="True" time="postjob"'),
        group_files=file(rig, "noted.sh", f"pwd > {seen}/noted.$2; exit 1\n", 'type="source" time="postjob"'),
    )
    home = rig.start()
    job = rig.submit(1)
    until("the job's end", lambda: rig.job_status(job) == "4")
    assert (seen / "before").read_text().split()[:2] == ["main", "1"]
    assert "VO_BEFORE=2" in (rig.grid.base / "alice/env.out").read_text().splitlines()
    lines = (seen / "after.client").read_text().splitlines()
    assert lines[:3] == ["client Alpha ran", "code 0", 'Owner = "alice"']
    assert not [line for line in lines if "INHERIT" in line]
    assert "/execute/dir_" in (seen / "noted.client_group").read_text()
    assert [p.read_text() for p in home.glob("glide_*/log/PostjobLog")] == ["after the job\n"]
    killed = rig.submit(300)
    until("the job running", lambda: rig.job_status(killed) == "2" and rig.busy())
    (seen / "after.client").unlink()
    rig.grid.run("alice@user.demo", "condor_rm", killed)
    until("the script after the removed job", (seen / "after.client").exists)
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(home) == []
