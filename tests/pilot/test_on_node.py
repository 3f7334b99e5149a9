"""Slots, resources, lifetime and failures of pilots, on a real user pool."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from glideinwms.factory.pilot_history.pilot import cause_of
from glideinwms.factory.pilot_history.pilot_log import facts
from tests.support.pilot_harness import PilotHarness, until

pytestmark = [pytest.mark.condor, pytest.mark.grid]


def script(rig: PilotHarness, name: str, text: str, rest: str = "") -> str:
    """A `<file>` element for a script of ours."""
    path = rig.grid.base / name
    path.write_text(text)
    path.chmod(0o755)
    return f'<file absfname="{path}" executable="True" {rest}/>'


def config(rig: PilotHarness, text: str) -> str:
    """A `<file>` element for a piece of HTCondor configuration, read after the generated one."""
    path = rig.grid.base / "more.conf"
    path.write_text(text)
    return f'<file absfname="{path}" type="config:condor"/>'


def test_asked_for_gpus_a_node_without_them_offers_none(rig: PilotHarness) -> None:
    rig.stage({"GLIDEIN_Resource_Slots": "GPUs,type=main"})
    rig.start()
    slots = until("the slot", lambda: rig.slots("true", "Name", "Cpus", "TotalGPUs"))
    assert [s[1:] for s in slots] in ([["2", "0"]], [["2", "undefined"]])
    job, plain = rig.submit(1, "request_gpus = 1\n"), rig.submit(1)
    until("the plain job's end", lambda: rig.job_status(plain) == "4")
    assert rig.job_status(job) == "1"


def test_fixed_slots_and_one_with_a_resource_that_only_its_jobs_get(rig: PilotHarness) -> None:
    more = {"GLIDEIN_Resource_Slots": "io,1,200,static", "GLIDEIN_MaxMemMBs": "1000"}
    rig.stage(more, layout="fixed")
    home = rig.start()
    probe = ("SlotTypeID", "Cpus", "TotalSlotio", "PartitionableSlot", "IS_SLOT_io")
    until("three slots", lambda: len(rig.slots("true", "Name")) == 3)
    slots = sorted(rig.slots("true", *probe))
    assert [s[:3] for s in slots] == [["1", "1", "0"], ["1", "1", "0"], ["3", "1", "1"]]
    assert rig.slots("SlotTypeID == 3", "Memory") == [["200"]]
    job = rig.submit(20, "request_io = 1\n")
    until(
        "the job on the resource's slot",
        lambda: rig.slots('SlotTypeID == 3 && State == "Claimed"', "Name"),
    )
    # idle slots beside it do not end the pilot
    others = [rig.submit(1)]
    until("the plain jobs' end", lambda: all(rig.job_status(o) == "4" for o in others))
    assert not rig.slots('SlotTypeID == 3 && State == "Claimed" && Activity == "Idle"', "Name")
    until("the job's end", lambda: rig.job_status(job) == "4")
    assert rig.wait_end() == 0
    assert rig.left(home) == []


def test_a_token_that_is_replaced_gives_the_time_back(rig: PilotHarness) -> None:
    rig.stage(entry_files=config(rig, "STARTD_CRON_GLIDEIN_PS_1_PERIOD = 3s\n"))
    home = rig.start(lifetime=1500)
    end = int(until("the slot", lambda: rig.slots("true", "GLIDEIN_ToDie"))[0][0])
    assert end < time.time() + 1201
    token = home / "credential_a.idtoken"
    fresh = token.with_suffix(".new")
    fresh.write_text(rig.token(4000))
    rig.grid.who.own(fresh)
    fresh.rename(token)

    def later() -> bool:
        rows = rig.slots("true", "GLIDEIN_ToDie", "GLIDEIN_ToRetire", "GLIDEIN_Expire")
        return bool(rows) and all(end + 2000 < int(n) < time.time() + 3701 for n in rows[0])

    until("the later end", later)


def failed(rig: PilotHarness, *attributes: str) -> list[list[str]]:
    return rig.slots("GLIDEIN_Failed", *attributes)


def masters(rig: PilotHarness) -> str:
    return rig.grid.run(
        "alice@user.demo",
        "condor_status",
        "-master",
        "-constraint",
        "GLIDEIN_Failed",
        "-af",
        "Name",
    )


FAILING = (
    "#!/bin/bash\nglidein_config=$1\n. \"$(grep '^ADD_CONFIG_LINE_SOURCE ' \"$1\" | cut -d ' ' -f 2-)\"\n"
    + ('"$(gconfig_get ERROR_GEN_PATH)" -error my.sh WN_Resource \'no "disk" here\'\nexit 1\n')
)


@pytest.mark.parametrize("level", ["ALIVEONLY", "ALWAYS"])
def test_a_failure_is_told_under_one_name_while_the_node_is_held(
    rig: PilotHarness, level: str
) -> None:
    rig.stage(
        {"GLIDEIN_Factory_Collector": rig.grid["user"].collector},
        entry_files=script(rig, "my.sh", FAILING),
        params={"GLIDEIN_Report_Failed": level},
    )
    home = rig.start({"GLIDEIN_HOLD_DOWN": "300"})
    wanted = (
        "State",
        "Start",
        "GLIDEIN_Entry_Name",
        "GLIDEIN_EXIT_CODE",
        "GLIDEIN_ADVERTISE_TYPE",
        "Name",
    )
    row = until("the failure's ad", lambda: failed(rig, *wanted))[0]
    assert row[:5] == ['"Drained"', "false", '"Alpha"', "1", '"Retiring"']
    until("the Factory's ad", lambda: masters(rig).strip() == row[5].strip('"'))
    assert "RANDOM_INTEGER" not in rig.grid.run("alice@user.demo", "condor_status", "-long")
    assert int(failed(rig, "GLIDEIN_ToDie")[0][0]) > time.time()
    os.kill(rig.pilots[-1].pid, signal.SIGTERM)
    assert rig.wait_end() == 1
    until("no Factory ad", lambda: not masters(rig).strip(), 20)
    if level == "ALWAYS":
        assert failed(rig, "GLIDEIN_ADVERTISE_TYPE", "Name") == [['"Killing"', row[5]]]
    else:
        assert failed(rig, "Name") == []
    assert rig.left(home) == []


def test_without_anybody_to_tell_nothing_is_told(rig: PilotHarness) -> None:
    rig.stage(entry_files=script(rig, "my.sh", FAILING))
    home = rig.start({"GLIDEIN_HOLD_DOWN": "4"})
    assert rig.wait_end() == 1
    assert failed(rig, "Name") == [] and not (Path(home) / "advertise_config").exists()
    # what its Factory learns of it from stdout
    found = facts((home / "log").read_text(errors="replace"))
    assert (found.code, found.script, found.failure, found.condor_started) == (
        1,
        "entry/my.sh",
        "WN_Resource",
        False,
    )
    assert cause_of(found) == "validation failed in entry/my.sh (WN_Resource)"
    assert found.lifetime is not None and found.lifetime >= 4


def test_a_node_on_which_jobs_end_at_once_takes_no_more(rig: PilotHarness) -> None:
    rig.stage(
        {"GLIDEIN_Max_Tail": "60"},
        params={"GLIDEIN_BLACKHOLE_RATE": "0.2", "GLIDEIN_BLACKHOLE_NUMJOBS": "2"},
    )
    rig.start()
    first = [rig.submit(0) for _ in range(2)]
    until("the first jobs' end", lambda: all(rig.job_status(j) == "4" for j in first))
    until(
        "the slot says so",
        lambda: rig.slots("GLIDEIN_BLACKHOLE =?= True && PartitionableSlot", "Name"),
    )
    until("no claim is left", lambda: not rig.slots("DynamicSlot =?= True", "Name"))
    late = rig.submit(0)
    assert not rig.slots("PartitionableSlot && Start", "Name")
    assert rig.job_status(late) == "1"


def test_check_mode_ends_when_the_pool_has_the_startd(rig: PilotHarness) -> None:
    rig.stage()
    at = rig.words.index("-v") + 1
    home = rig.start(words=[*rig.words[:at], "check", *rig.words[at + 1 :]])
    assert rig.wait_end() == 0
    # the slot is gone as soon as the pilot has found it in the pool: its configuration says what it
    # was
    lines = (home / "log").read_text(errors="replace").splitlines()
    assert "=== Check mode: the startd is up ===" in lines and "NUM_CPUS = 1" in lines
    assert [n for n in lines if n.startswith("START = ")][-1].endswith("&& False")
    assert rig.left(home) == []


def test_a_slot_for_jobs_that_look_at_the_node(rig: PilotHarness) -> None:
    rig.stage({"GLIDEIN_Monitoring_Enabled": "True"})
    home = rig.start()
    until("both slots", lambda: len(rig.slots("true", "Name")) == 2)
    (main,) = rig.slots("HAS_MONITOR_VM && IS_MONITOR_VM =!= True", "Monitoring_Name", "Cpus")
    assert main[1] == "2"
    until(
        "the monitor's slot",
        lambda: rig.slots("IS_MONITOR_VM && Cpus == 1 && PartitionableSlot =!= True", "Name"),
    )
    looks = rig.submit(1, "+JOB_Is_Monitor = True\nrequirements = TARGET.IS_MONITOR_VM =?= True\n")
    until("the end of the job that looks", lambda: rig.job_status(looks) == "4")
    # it is not one of the pilot's jobs, and does not keep it
    plain = rig.submit(1, "requirements = TARGET.IS_MONITOR_VM =!= True\n")
    until("the end of the plain job", lambda: rig.job_status(plain) == "4")
    assert rig.wait_end() == 0
    log = (home / "log").read_text(errors="replace")
    assert "(Real) Total jobs 1 " in log
    for name in ("MasterLog", "StartdLog", "StarterLog"):
        assert (
            f"{name}.monitor\n======== gzip | uuencode =============\nbegin-base64 644 -\n" in log
        )
    assert rig.left(home) == []
