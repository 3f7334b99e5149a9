"""Submission over many cycles: limits however requests interleave, downtimes, sleeping Frontends, entry sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideinwms.factory.collect import credential_store
from glideinwms.factory.policy import Limits, SubEntry
from glideinwms.lib.credentials.tokens import Signer
from glideinwms.lib.daemon import heartbeat
from glideinwms.lib.downtimes.downtime_file import iso
from glideinwms.lib.errors import StateError
from tests.scenario.factory.factory_harness import FactoryHarness, entry
from tests.support.small_disk import fill, small_disk
from tests.unit.factory.builders import IDENTITY, global_ad

STEP = st.tuples(
    st.integers(0, 40), st.integers(0, 60), st.integers(0, 30), st.integers(0, 8), st.integers(0, 6)
)


def test_keeps_the_requested_number_idle(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=5)
    s.cycle()
    assert s.schedd.count("JobStatus == 1") == 5
    s.cycle()
    assert s.schedd.count() == 5
    s.run("true", 3)
    s.cycle()
    assert (s.schedd.count("JobStatus == 1"), s.schedd.count("JobStatus == 2")) == (5, 3)


def test_maximum_counts_running_ones(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=5, top=7)
    s.cycle()
    s.run("true")
    s.cycle(3)
    assert s.schedd.count() == 7


@given(st.lists(STEP, min_size=2, max_size=5), st.booleans())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_limit_is_exceeded_however_requests_interleave(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int, int, int, int]],
    restart: bool,
) -> None:
    """Two Frontend groups and two classes at one entry; pilots start and end at random in between."""
    limits, per_class = Limits(30, 12, 50), Limits(20, 8, 50)
    e = entry(limits=limits, class_default=per_class, class_limits={"fe:special": Limits(6, 3, 50)})
    s = FactoryHarness(tmp_path_factory.mktemp("s"), e)
    for idle, top, other, start, end in steps:
        s.ask(idle, top)
        s.ask(other, client="fe.two")
        s.ask(idle, client="fe.three", security_class="special")
        if restart:
            s.start()
        s.cycle()
        count = s.schedd.count
        assert count("JobStatus == 1") <= 12 and count() <= 30
        assert count('GlideinFrontendName == "fe:frontend"') <= 20
        assert count('GlideinFrontendName == "fe:frontend" && JobStatus == 1') <= 8
        assert count('GlideinFrontendName == "fe:special"') <= 6
        assert count('GlideinFrontendName == "fe:special" && JobStatus == 1') <= 3
        assert count('GlideinClient == "fe.main" && GlideinFrontendName == "fe:frontend"') <= max(
            top, s.schedd.count('GlideinClient == "fe.main" && JobStatus == 2') + 12
        )
        s.run("JobStatus == 1", start)
        s.schedd.forget("JobStatus == 2", end)


@pytest.mark.parametrize(
    ("line", "stopped", "in_ad"),
    [
        ("{past} None factory All All # all", {"A", "B"}, True),
        ("{past} None All All All # all entries", {"A", "B"}, True),
        ("{past} None A All All # one", {"A"}, True),
        ("{past} None A fe frontend # one class", {"A"}, False),
        ("{past} None factory fe All # one Frontend", {"A", "B"}, False),
        ("{future} None A All All # later", set(), False),
        ("{older} {past} A All All # over", set(), False),
        ("{past} None A other All # another Frontend", set(), False),
    ],
)
def test_downtimes(line: str, stopped: set[str], in_ad: bool, tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path, entry("A"), entry("B"))
    now = s.world.clock()
    s.down(line.format(past=iso(now - 100), future=iso(now + 1000), older=iso(now - 200)))
    for name in ("A", "B"):
        s.ask(idle=2, entry=name)
    s.cycle()
    assert {n for n in "AB" if s.schedd.count(f'GlideinEntryName == "{n}"') == 0} == stopped
    s.world.clock.advance(1)
    ads = {a["EntryName"]: a for a in s.wms.ads("glidefactory")}
    assert {n for n in "AB" if ads[n]["GLIDEIN_In_Downtime"]} == (stopped if in_ad else set())
    if stopped:
        [client] = s.wms.ads("glidefactoryclient", 'ReqEntryName == "A"')
        assert "Downtime" in client["GlideinMonitorStatus_Reason"]
        assert client["GLIDEIN_In_Downtime"] is True


def test_a_scheduled_downtime_begins_and_ends_by_itself(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    now = s.world.clock()
    s.down(f"{iso(now + 90)} {iso(now + 200)} A All All")
    s.ask(idle=2)
    s.cycle(2)
    assert s.schedd.count() == 2
    s.run("true")
    s.cycle()
    assert s.schedd.count() == 2
    s.cycle(2)
    assert s.schedd.count() == 4


def test_an_unreadable_downtimes_file_keeps_the_last_lines(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.down(f"{iso(s.world.clock() - 5)} None A All All # x")
    s.ask(idle=2)
    s.cycle()
    (s.base / "work/glideinWMS.downtimes").write_bytes(b"\xff\xfe\x00")
    s.cycle()
    assert s.schedd.count() == 0
    assert any("cannot be read" in r["text"] for r in s.status()["refusals"])


def test_a_vanished_request_changes_nothing(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=5, remove_excess="ALL")
    s.cycle()
    s.run("true", 2)
    s.forget()
    s.cycle(3)
    assert (s.schedd.count("JobStatus == 1"), s.schedd.count("JobStatus == 2")) == (3, 2)


def test_an_unreachable_collector_freezes_everything(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=5, remove_excess="ALL")
    s.cycle()
    s.ask(idle=0, top=0, remove_excess="ALL")
    s.wms.down = True
    s.cycle(3)
    assert s.schedd.count() == 5
    assert s.row().frozen == "requests are not known"
    assert any("the collector does not answer" in r["error"] for r in s.readings())
    s.wms.down = False
    s.wms._tables.clear()
    s.cycle()
    assert s.schedd.count() == 0
    assert {a["MyType"] for a in s.wms.ads()} >= {
        "glidefactory",
        "glidefactoryglobal",
        "glidefactoryclient",
    }


def test_one_hung_schedd_does_not_stop_the_other(tmp_path: Path) -> None:
    s = FactoryHarness(
        tmp_path,
        entry("A"),
        entry("B", schedd_name="other@factory"),
        schedds=("schedd@factory", "other@factory"),
    )
    s.ask(idle=2, entry="A")
    s.ask(idle=2, entry="B")
    s.schedd.hung = True
    s.cycle()
    assert s.schedds["other@factory"].count() == 2
    assert "queue of schedd@factory is not known" in s.row("A").frozen
    s.schedd.hung = False
    s.cycle()
    assert s.schedd.count() == 2


def test_a_submit_of_unknown_outcome_is_neither_doubled_nor_forgotten(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=15)
    s.schedd.hung_after = True
    s.cycle()
    assert s.schedd.count() == 10, "the first cluster was made, the second not tried"
    assert len(s.status()["unknown_submits"]) == 1
    s.schedd.hung_after = False
    s.cycle()
    assert s.schedd.count() == 15
    assert s.status()["unknown_submits"] == []


def test_an_operators_word_waits_for_a_submit_of_unknown_outcome(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=3)
    s.schedd.hung_after = True
    s.cycle()
    s.schedd.hung_after = False
    answer = s.say("submit", entry="A", client="fe.main", n="2")
    assert not answer.ok and "not known yet" in answer.text
    assert s.schedd.count() == 3
    assert s.say("submit", entry="A", client="fe.main", n="2").ok


def test_a_submit_that_never_arrived_is_tried_again(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=3)
    s.schedd.hung_after = True
    s.cycle()
    s.schedd.forget("true")
    s.schedd.hung_after = False
    s.cycle()
    assert s.schedd.count() == 0 and "not known yet" in s.row().frozen
    s.cycle()
    assert s.schedd.count() == 3


def test_a_refusal_of_the_schedd_is_told(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.schedd.max_jobs_per_owner = 4
    s.ask(idle=15)
    s.cycle()
    assert s.status()["refused"] == {"SubmitFailed": 1}
    assert "MAX_JOBS_PER_OWNER" in s.status()["refusals"][0]["text"]


def test_pilots_of_an_entry_set_are_dealt(tmp_path: Path) -> None:
    subs = tuple(
        SubEntry(n, f"{n} {n}:9619", "condor", f"job.{n}.condor") for n in ("ce1", "ce2", "ce3")
    )
    s = FactoryHarness(tmp_path, entry(sub_entries=subs, selection_algorithm="Default"))
    s.ask(idle=9)
    s.cycle()
    for n in ("ce1", "ce2", "ce3"):
        assert s.schedd.count(f'GridResource == "condor {n} {n}:9619"') == 3


def test_a_missing_executable_is_told_and_nothing_is_submitted(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    (s.base / "work/glidein_startup.0.sh").unlink()
    s.ask(idle=2)
    s.cycle()
    assert s.schedd.count() == 0
    assert s.status()["refused"] == {"ExecutableMissing": 1}


def test_one_broken_request_does_not_disturb_the_others(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=2)
    s.ask(idle=2, client="fe.bad")
    s.asked["A fe.bad"]["ReqIdleGlideins"] = "many"
    s.cycle()
    assert s.schedd.count() == 2
    assert s.status()["refused"] == {"BadNumber": 1}


@pytest.mark.parametrize("client", ["../fe.main", "fe main", "fe\nMyType"])
def test_a_client_without_a_name_gets_no_ad(client: str, tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=2)
    s.ask(idle=2, client=client)
    s.cycle()
    s.world.clock.advance(1)
    assert [ad["ReqClientName"] for ad in s.wms.ads("glidefactoryclient")] == ["fe.main"]
    assert s.status()["refused"] == {"UnsafeName": 1}


def test_a_credential_that_cannot_be_stored_is_not_the_frontends_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        raise StateError("cannot be written: No space left on device", where=str(path))

    monkeypatch.setattr(credential_store, "write_atomic", full)
    s = FactoryHarness(tmp_path)
    values = {"SecurityName": "fe", "CREDIDXX": b"token", "SecurityClassCREDIDXX": "frontend"}
    s.wms.put(global_ad(values, s.seal, IDENTITY, s.world.clock()), "UPDATE_MASTER_AD", IDENTITY)
    s.cycle()
    [told] = s.status()["refusals"]
    assert told["reason"] == "CredentialMissing" and "No space left" in told["text"]
    assert "credential_fe.main_CREDIDXX" in told["text"]


def test_a_lifetime_that_is_no_number_removes_no_pilot_and_stops_nobody(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=2)
    s.ask(idle=2, client="fe.odd", idle_lifetime="²")
    s.cycle()
    assert s.schedd.count() == 4
    assert s.schedd.count('GlideinClient == "fe.odd" && PeriodicRemove =?= UNDEFINED') == 2


def test_a_token_that_has_ended_is_told_and_nothing_is_submitted(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    signer = Signer(b"k" * 32, "key", "issuer")
    for lasts, pilots in ((-5, 0), (600, 2)):
        token = signer.sign("vo", 1000, s.world.clock() - 1000 + lasts)
        s.ask(idle=2, token=token)
        s.cycle()
        assert s.schedd.count() == pilots
        if not pilots:
            assert s.status()["refused"] == {"CredentialUnusable": 1}
            s.world.clock.advance(1)
            [client] = s.wms.ads("glidefactoryclient")
            assert "ended 5 s ago; a new one must come" in client["GlideinMonitorStatus_ReasonText"]


def test_a_full_disk_stops_what_could_not_be_recorded(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        s = FactoryHarness(disk)
        s.ask(idle=0)
        s.cycle()
        s.ask(idle=2)
        filler = fill(disk)
        s.cycle()
        s.world.clock.advance(1)
        [client] = s.wms.ads("glidefactoryclient")
        assert (s.schedd.count(), client["GlideinMonitorStatus_Reason"]) == (0, "Frozen")
        beat = heartbeat.read(s.daemon.state)
        assert beat is not None and any(
            "nothing is submitted, released or removed" in p for p in beat.problems
        )
        filler.unlink()
        s.cycle()
        assert s.schedd.count() == 2 and s.runner.problems == []
    assert "is full" in client["GlideinMonitorStatus_ReasonText"]


def test_overload_share_is_drawn_for_each_submission(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path, entry(params={"GLIDEIN_OVERLOAD_ENABLED": "50%"}))
    seen = set()
    for n in range(1, 21):
        s.ask(idle=n)
        s.cycle()
    for job in s.schedd.jobs.values():
        seen.add((bool(job["GlideinOverloadEnabled"]), "OVERLOAD_ENABLED True" in job["Args"]))
    assert seen == {(True, True), (False, False)}


def test_a_policy_that_does_not_load_leaves_the_old_one(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    (s.base / "work/policy.json").write_text('{"schema": 99}')
    s.runner.reload()
    s.ask(idle=2)
    s.cycle()
    assert s.schedd.count() == 2
    assert "schema 99" in s.runner.policy_error


def test_a_queue_lost_during_a_restart_is_noticed_without_a_submission(tmp_path: Path) -> None:
    s = FactoryHarness(tmp_path)
    s.ask(idle=3)
    s.cycle(2)
    assert s.status()["lost_queues"] == []
    s.schedd.jobs.clear()
    s.schedd.cluster = 0
    s.forget()
    s.start()
    s.cycle(2)
    [lost] = s.status()["lost_queues"]
    assert lost["schedd"] == "schedd@factory"
    assert "all 3 pilots left the queue" in lost["sign"]
