"""The pilot on a real user pool: a job runs on it, its slot says what the Frontend needs, nothing is left."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress

import pytest

from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid]
IDENTITY = (
    "GLIDEIN_Factory",
    "GLIDEIN_Name",
    "GLIDEIN_Entry_Name",
    "GLIDECLIENT_Name",
    "GLIDECLIENT_Group",
    "GLIDEIN_CredentialIdentifier",
    "GLIDEIN_Schedd",
    "GLIDEIN_ClusterId",
    "GLIDEIN_ProcId",
    "GLIDEIN_Site",
    "IS_GLIDEIN",
    "IS_MONITOR_VM",
    "Cpus",
    "PartitionableSlot",
)
VALUES = [
    '"test_factory"',
    '"v1"',
    '"Alpha"',
    '"test_frontend.main"',
    '"main"',
    '"cred1"',
    '"wms@wms.demo"',
    "7",
    "3",
    '"SiteA"',
    "true",
    "false",
    "2",
    "true",
]


def test_a_job_runs_and_the_pilot_leaves_nothing(rig: PilotHarness) -> None:
    rig.stage()
    home = rig.start()
    slots = until("the pilot's slot", lambda: rig.slots('GLIDEIN_Entry_Name=?="Alpha"', *IDENTITY))
    assert slots == [VALUES]
    more = rig.slots(
        "true", "GLIDEIN_ToRetire", "GLIDEIN_ToDie", "MyCurrentTime", "GLIDECLIENT_ReqNode", "Name"
    )[0]
    assert int(more[2]) < int(more[0]) < int(more[1])
    assert more[3] == '"wms.demo"' and more[4].startswith('"slot1@glidein_')
    ads = rig.grid.run("alice@user.demo", "condor_status", "-any", "-long")
    # where the token lies is no secret and one attribute of GlideinWMS 3.10 gives it; what is in it
    # is a secret
    naming = {line.split(" = ")[0] for line in ads.splitlines() if ".idtoken" in line}
    assert naming == {"GLIDEIN_CONDOR_TOKEN"}
    token = (home / "credential_a.idtoken").read_text().strip()
    assert len(token) > 40
    assert token not in ads
    assert token.split(".")[-1] not in ads
    job = rig.submit(1)
    until("the job's end", lambda: rig.job_status(job) == "4")
    env = dict(
        line.split("=", 1)
        for line in (rig.grid.base / "alice/env.out").read_text().splitlines()
        if "=" in line
    )
    assert (
        env["GLIDEIN_Entry_Name"] == "Alpha"
        and env["GLIDEIN_ClusterId"] == "7"
        and env["GLIDEIN_Site"] == "SiteA"
    )
    assert not [v for v in env.values() if "idtoken" in v]
    assert rig.wait_end() == 0
    out = (home / "log").read_text(errors="replace")
    for marker in (
        "=== Last script starting ",
        "=== Condor starting ",
        "=== Condor ended ",
        "=== Stats of main ===",
        "(Normalized) Total goodZ jobs 1 (100%)",
        "Total number of activations/claims: 1",
        "=== Glidein ending ",
        " with code 0 after ",
        "=== End XML description of glidein activity ===",
        '<metric name="goodZJobsNr"',
        "MasterLog\n======== gzip | uuencode =============\nbegin-base64 644 -\n",
    ):
        assert marker in out, marker
    assert rig.left(home) == []


def test_terminated_while_a_job_runs_it_gives_the_job_back(rig: PilotHarness) -> None:
    rig.stage()
    home = rig.start()
    job = rig.submit(300)
    until("the job running", lambda: rig.job_status(job) == "2" and rig.busy())
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(home) == []
    until("the job idle again", lambda: rig.job_status(job) == "1", 15)


def test_the_main_shell_killed_its_reaper_cleans_up(rig: PilotHarness) -> None:
    rig.stage()
    home = rig.start()
    job = rig.submit(300)
    until("the job running", lambda: rig.job_status(job) == "2" and rig.busy())
    os.kill(rig.pilots[-1].pid, signal.SIGKILL)
    rig.wait_end()
    until("nothing left", lambda: not rig.left(home), 20)
    until("the job idle again", lambda: rig.job_status(job) == "1", 30)


@pytest.mark.slow
def test_killed_with_everything_the_next_pilot_cleans_up_and_runs_the_job(
    rig: PilotHarness,
) -> None:
    rig.stage()
    home = rig.start()
    job = rig.submit(300, "job_lease_duration = 20\n")
    until("the job running", lambda: rig.job_status(job) == "2" and rig.busy())
    (first,) = home.glob("glide_*")
    os.kill(rig.pilots[-1].pid, signal.SIGKILL)
    while found := rig.processes(home):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    rig.wait_end()
    assert first.is_dir()
    assert rig.start(where=home) == home
    until("the first directory removed", lambda: not first.exists())
    (second,) = until("the second directory", lambda: list(home.glob("glide_*")))
    until("the job on the second pilot", lambda: list(second.glob("execute/dir_*/trace.out")), 120)
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(home) == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.3, 1.0])
def test_terminated_while_htcondor_starts(rig: PilotHarness, after: float) -> None:
    rig.stage()
    home = rig.start()
    until(
        "HTCondor's start",
        lambda: "=== Condor starting " in (home / "log").read_text(errors="replace"),
    )
    time.sleep(after)
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(home) == []


@pytest.mark.slow
def test_terminated_while_it_retires_it_gives_the_job_back(rig: PilotHarness) -> None:
    retire = int(time.time()) + 20
    config = rig.grid.base / "retire.conf"
    config.write_text(f"GLIDEIN_ToRetire = {retire}\n")
    rig.stage(entry_files=f'<file absfname="{config}" type="config:condor"/>')
    home = rig.start(lifetime=400000)
    job = rig.submit(300)
    until("the job running", lambda: rig.job_status(job) == "2" and rig.busy())
    until(
        "the slot retiring",
        lambda: time.time() > retire and rig.slots("PartitionableSlot && Start =?= False", "Name"),
    )
    assert rig.busy()
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 0
    assert rig.left(home) == []
    until("the job idle again", lambda: rig.job_status(job) == "1", 15)


def test_retired_the_pilot_ends_with_its_startd(rig: PilotHarness) -> None:
    # the master says its next word to collectors long after
    config = rig.grid.base / "retire.conf"
    config.write_text(f"GLIDEIN_ToRetire = {int(time.time()) + 10}\nMASTER_UPDATE_INTERVAL = 300\n")
    rig.stage(entry_files=f'<file absfname="{config}" type="config:condor"/>')
    home = rig.start(lifetime=400000)
    assert rig.wait_end() == 0
    log = (home / "log").read_text(errors="replace")
    assert re.search(r'<metric name="AutoShutdown" [^>]*>True<', log)
    assert rig.left(home) == []
