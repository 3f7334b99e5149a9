"""What acts before and after jobs, and how they speak to their schedd: on a real startd."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid]


def file(rig: PilotHarness, name: str, text: str, rest: str) -> str:
    """A `<file>` element for a file of ours."""
    path = rig.grid.base / name
    path.write_text(text)
    path.chmod(0o755)
    return f'<file absfname="{path}" {rest}/>'


def test_scripts_before_and_after_a_job(rig: PilotHarness) -> None:
    seen = rig.grid.base / "seen"
    seen.mkdir()
    rig.grid.who.own(seen)
    before = (
        f'#!/bin/sh\necho "$2 $(grep -c "^GLIDEIN_UUID " "$1") $(pwd)" >> {seen}/before\nexit 3\n'
    )
    after = (
        '#!/bin/bash\n. "$(grep "^ADD_CONFIG_LINE_SOURCE " "$1" | cut -d " " -f 2-)"\n'
        f'{{ echo "$2 $(gconfig_get GLIDEIN_Entry_Name "$1") $(cat "$_CONDOR_SCRATCH_DIR/trace.out")"\n'
        'condor_chirp set_job_attr_delayed ChirpAfter 1; echo "chirp $?"\n'
        'echo "code $_CONDOR_MAINJOB_EXIT_CODE"; grep "^Owner" "$_CONDOR_JOB_AD"; env | grep ^CONDOR_; }'
        f' > {seen}/after\necho "after the job"; mv {seen}/after {seen}/after.$2\n'
    )
    rig.stage(
        factory_files=file(rig, "before.sh", before, 'executable="True" time="prejob"')
        + file(
            rig,
            "exports",
            "export VO_BEFORE=$(($VO_BEFORE + 1))\n",
            'type="source" time="setup,prejob"',
        ),
        client_files=file(rig, "after.sh", after, 'executable="True" time="postjob"'),
        group_files=file(
            rig, "noted.sh", f"pwd > {seen}/noted.$2; exit 1\n", 'type="source" time="postjob"'
        ),
    )
    home = rig.start()
    job = rig.submit(1)
    until("the job's end", lambda: rig.job_status(job) == "4")
    assert (seen / "before").read_text().split()[:2] == ["main", "1"]
    assert "VO_BEFORE=2" in (rig.grid.base / "alice/env.out").read_text().splitlines()
    lines = (seen / "after.client").read_text().splitlines()
    assert lines[:4] == ["client Alpha ran", "chirp 0", "code 0", 'Owner = "alice"']
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


# both ways: HTCondor's own, and what stands for it in containers
CHIRP = r"""#!/bin/bash
mkdir plain
cp "$(command -v condor_chirp)" plain/
exec > said 2> errors
for way in condor_chirp plain/condor_chirp; do
    $way set_job_attr "Set_${way%%/*}" 'strcat("a b", "\\")'; echo "set $?"
    $way get_job_attr Owner; echo "get $?"
    $way get_job_attr NoneSuch; echo "get $?"
    $way set_job_attr_delayed "Chirp_${way%%/*}" '"later"'; echo "delayed $?"
    $way get_job_attr_delayed Owner; echo "get $?"
    $way ulog "said by ${way%%/*}"; echo "ulog $?"
    head -c 70000 /dev/urandom > big
    $way put -perm 0640 big "$1/a big one"; echo "put $?"
    $way fetch "$1/a big one" back; cmp big back; echo "fetch $?"
    stat -c %a "$1/a big one"
    $way remove "$1/a big one"; echo "remove $?"
    $way fetch "$1/a big one" none || echo refused
done
"""


def test_jobs_speak_to_their_schedd(rig: PilotHarness) -> None:
    rig.stage()
    rig.start()
    folder = rig.grid.base / "alice"
    folder.mkdir()
    (folder / "chirp.sh").write_text(CHIRP)
    (folder / "chirp.sub").write_text(
        f"executable = {folder}/chirp.sh\narguments = {folder}\nlog = {folder}/log\ninitialdir = {folder}\n"
        "should_transfer_files = YES\ntransfer_output_files = said,errors\n+WantIOProxy = True\n"
        "request_memory = 100\nrequest_disk = 1MB\nqueue\n"
    )
    rig.grid.who.own(folder)
    job = rig.grid.run(
        "alice@user.demo", "condor_submit", "-terse", str(folder / "chirp.sub")
    ).split()[0]
    until("the job's end", lambda: rig.job_status(job) == "4")
    said = (folder / "said").read_text().splitlines()
    half = len(said) // 2
    assert said[:half] == said[half:], (folder / "errors").read_text()
    assert half == 14 and said[:3] == ["set 0", '"alice"', "get 0"] and "fetch 0" in said
    log = (folder / "log").read_text()
    for way in ("condor_chirp", "plain"):
        assert f'Setting job attribute Set_{way} to strcat("a b", "\\\\")' in log
        assert f"said by {way}" in log
    delayed = rig.grid.run(
        "alice@user.demo", "condor_history", job, "-af:r", "Chirp_condor_chirp", "Chirp_plain"
    )
    assert delayed.split() == ['"later"', '"later"']
