"""Pilots that could not serve are failures with their cause, on a real user pool; idle ones are none."""

from __future__ import annotations

import re

import pytest

from glideinwms.factory.pilot_history.pilot import cause_of
from glideinwms.factory.pilot_history.pilot_log import facts
from tests.support.pilot_harness import PilotHarness

pytestmark = [pytest.mark.condor, pytest.mark.grid]


def test_a_pilot_whose_token_the_pool_refuses_is_a_failure(
    rig: PilotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = rig.token()
    head, _, signature = token.rpartition(".")
    forged = f"{head}.{signature[::-1]}"
    monkeypatch.setattr(PilotHarness, "token", lambda self, lifetime=86400: forged)
    rig.stage({"GLIDEIN_Max_Idle": "10"})
    home = rig.start({"GLIDEIN_HOLD_DOWN": "0"})
    assert rig.wait_end() == 1
    log = (home / "log").read_text(errors="replace")
    found = facts(log)
    assert (found.code, found.script, found.failure) == (1, "main/condor_startup.sh", "VO_Proxy"), (
        log[-3000:]
    )
    assert re.match(r"HTCondor: the pool never had this startd: .+ \(VO_Proxy\)$", cause_of(found))
    assert rig.left(home) == []


def test_a_pilot_that_reaches_no_collector_is_a_failure(rig: PilotHarness) -> None:
    rig.stage({"GLIDEIN_Max_Idle": "10"})
    at = rig.words.index("-param_GLIDEIN_Collector") + 1
    nobody = re.sub(r"\d+$", "1", rig.words[at])
    home = rig.start(
        {"GLIDEIN_HOLD_DOWN": "0"}, words=[*rig.words[:at], nobody, *rig.words[at + 1 :]]
    )
    assert rig.wait_end() == 1
    log = (home / "log").read_text(errors="replace")
    assert cause_of(facts(log)).startswith("HTCondor: the pool never had this startd: "), log[
        -3000:
    ]
    assert facts(log).failure == "Network"
    assert rig.left(home) == []


@pytest.mark.parametrize(
    ("start", "failure"),
    [
        pytest.param("Memory > 10 * 1024 * 1024", "VO_Config", id="never"),
        pytest.param('TARGET.Owner == "bob"', "", id="for-somebody"),
    ],
)
def test_a_pilot_whose_start_is_true_for_no_job_is_a_failure(
    rig: PilotHarness, start: str, failure: str
) -> None:
    config = rig.grid.base / "often.conf"
    config.write_text("UPDATE_INTERVAL = 3\n")
    rig.stage(
        {"GLIDEIN_Max_Idle": "30"},
        params={"GLIDECLIENT_Start": start},
        entry_files=f'<file absfname="{config}" type="config:condor"/>',
    )
    home = rig.start({"GLIDEIN_HOLD_DOWN": "0"})
    assert rig.wait_end() == int(bool(failure))
    log = (home / "log").read_text(errors="replace")
    found = facts(log)
    assert (found.failure or "") == failure, log[-3000:]
    cause = f"HTCondor: START was false for every job: GLIDECLIENT_Start = {start} (VO_Config)"
    assert cause_of(found) == (cause if failure else "")
    assert rig.left(home) == []


def test_a_pilot_of_the_pool_that_only_had_no_jobs_is_no_failure(rig: PilotHarness) -> None:
    rig.stage({"GLIDEIN_Max_Idle": "10"})
    home = rig.start({"GLIDEIN_HOLD_DOWN": "0"})
    assert rig.wait_end() == 0
    found = facts((home / "log").read_text(errors="replace"))
    assert found.condor is not None and found.condor < 60 and found.idle_end
    assert cause_of(found) == ""
