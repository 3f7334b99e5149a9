"""A Factory daemon on real pools: it submits, its pilots run at the CE, it tells what it did, it takes back."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

from glideinwms.demo import process
from tests.grid.factory.grid_factory import CLIENT, GridFactory
from tests.grid.waiting import wait_for
from tests.support import secret_scan


def allowed(path: Path) -> bool:
    """Where secrets of a Factory may be."""
    return path.name == "rsa.key" or "proxies" in path.parts


def test_from_request_to_running_pilots(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig()
    daemon = rig.start()
    wait_for("the Factory's ads", lambda: rig.ads("glidefactory") and rig.ads("glidefactoryglobal"))
    rig.ask(idle=3, top=6)
    wait_for("pilots running at the CE", lambda: len(rig.queue("JobStatus == 2")) >= 3, 90)
    # however many of them run by now: no more than the request's maximum
    wait_for("more pilots to keep 3 idle", lambda: len(rig.queue()) == 6)
    jobs = rig.queue()
    wait_for("all in the trail", lambda: sum(line["n"] for line in rig.audit("submit")) >= 6)
    lines = rig.audit("submit")
    assert sum(line["n"] for line in lines) == 6
    assert {j["GlideinSubmitId"] for j in jobs} == {line["submit_id"] for line in lines}
    client = wait_for(
        "numbers of the client",
        lambda: [a for a in rig.ads("glidefactoryclient") if a["GlideinMonitorStatusRunning"] >= 3],
    )[0]
    assert client["ReqClientName"] == CLIENT
    assert client["GlideinMonitorRequestedIdle"] == 3
    assert client["GlideinMonitorClientMonitorJobsIdle"] == 7
    assert client["GlideinMonitorStatusRunningCores"] == 2 * client["GlideinMonitorStatusRunning"]
    entry = rig.ads("glidefactory")[0]
    assert entry["GLIDEIN_In_Downtime"] is False
    assert entry["GlideinConfigPerEntryMaxGlideins"] == 100
    pilots = json.loads(rig.gwms("entry", "q", "A", "--json"))
    assert len(pilots) == 6 and {p["GlideinClient"] for p in pilots} == {CLIENT}
    assert "1 pilots of A removed" in rig.gwms("entry", "rm", "A", "--state", "running", "--n", "1")
    assert "same plan" in rig.gwms("factory", "replay")
    token = rig.grid.scitoken("ce_a").read_text()
    assert secret_scan.in_files(rig.base, {"token": token}, allowed) == []
    assert secret_scan.in_processes(process.belonging(rig.grid.base), {"token": token}) == []
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(300) == 0
    wait_for(
        "ads withdrawn",
        lambda: (
            not any(
                rig.ads(k) for k in ("glidefactory", "glidefactoryglobal", "glidefactoryclient")
            )
        ),
    )


def test_excess_is_removed_at_the_configured_rate(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig(("wms",))
    rig.write(entries=(rig.entry("A", "ce@nowhere.demo 127.0.0.1:1", remove_max_per_cycle=4),))
    rig.ask(idle=10)
    assert rig.once()["submitted"] == 10
    rig.ask(idle=0, level="WAIT")
    assert rig.once()["removed"] == 4
    wait_for("4 pilots gone", lambda: len(rig.queue("JobStatus == 1")) == 6)
    [line] = rig.audit("remove")
    assert (line["n"], line["reasons"]) == (4, ["ExcessWaiting"])
    assert rig.once()["removed"] == 4


def test_a_refused_request_says_why_in_the_ads(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig(("wms",))
    rig.ask(idle=3, token=None)
    seen = rig.once()
    assert seen["submitted"] == 0
    assert seen["refused"] == {"CredentialMissing": 1}
    [ad] = wait_for("the client's ad", lambda: rig.ads("glidefactoryclient"))
    assert ad["GlideinMonitorStatus_Reason"] == "CredentialMissing"
    assert "scitoken" in ad["GlideinMonitorStatus_ReasonText"]


def test_a_downtime_stops_submission_and_shows(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig(("wms",))
    (rig.base / "work/glideinWMS.downtimes").write_text(
        "2020-01-01T00:00:00+00:00 None A All All # power cut\n"
    )
    rig.write()
    rig.ask(idle=3)
    assert rig.once()["submitted"] == 0
    [ad] = wait_for("the entry's ad", lambda: rig.ads("glidefactory"))
    assert (ad["GLIDEIN_In_Downtime"], ad["GLIDEIN_Downtime_Comment"]) == (True, "power cut")
    (rig.base / "work/glideinWMS.downtimes").unlink()
    assert rig.once()["submitted"] == 3


def test_many_clusters_of_the_configured_size(make_rig: Callable[..., GridFactory]) -> None:
    rig = make_rig(("wms",))
    rig.write(entries=(rig.entry("A", submit_cluster_size=7, submit_max_per_cycle=30),))
    rig.ask(idle=50)
    began = time.monotonic()
    seen = rig.once()
    assert seen["submitted"] == 30, time.monotonic() - began
    clusters: dict[int, int] = {}
    for job in rig.queue():
        clusters[job["ClusterId"]] = clusters.get(job["ClusterId"], 0) + 1
    assert sorted(clusters.values()) == [2, 7, 7, 7, 7]
    assert seen["entries"]["A"]["reasons"] == {"MaxSubmitRate": 1}


def test_finished_pilots_tell_of_their_life(make_rig: Callable[..., GridFactory]) -> None:
    """advertise_pilot_accounting: they stay in the queue with MONITOR_INFO, and count for nothing."""
    rig = make_rig()
    script = rig.base / "work/glidein_startup.0123456789ab.sh"
    script.write_text(
        "#!/bin/sh\necho '=== Condor starting now (1) ==='\necho '=== Condor ended now (9) after 8 ==='\n"
        "echo '=== Stats of main ==='\necho 'Total jobs 3 utilization 600'\necho '=== End Stats of main ==='\n"
        "echo 'Total number of activations/claims: 2'\n"
        "echo '=== Glidein ending now (11) with code 0 after 10 ==='\n"
    )
    rig.write(pilot_accounting=True)
    rig.start()
    rig.ask(idle=1, top=1)
    [job] = wait_for("a described pilot", lambda: rig.queue("MONITOR_INFO =!= UNDEFINED")[:1], 120)
    assert json.loads(job["MONITOR_INFO"]) == {
        "glidein_duration": 10,
        "condor_duration": 8,
        "activation_claims": 2,
        "numjobs": 3,
        "condor_started": 1,
    }
    assert job["JobStatus"] == 4
    wait_for("a successor", lambda: rig.queue("JobStatus != 4"))


def test_pilots_that_wait_too_long_leave_by_themselves(
    make_rig: Callable[..., GridFactory],
) -> None:
    """The request's idle lifetime is the schedd's own business (periodic_remove): no Factory is
    needed for it.
    """
    rig = make_rig(("wms",))
    rig.write(entries=(rig.entry("A", "ce@nowhere.demo 127.0.0.1:1"),))
    rig.ask(idle=2, lifetime="3")
    assert rig.once()["submitted"] == 2
    wait_for("nobody left", lambda: not rig.queue(), 90)


def test_an_entry_whose_pilots_fail_gets_less_and_says_so(
    make_rig: Callable[..., GridFactory],
) -> None:
    rig = make_rig()
    script = rig.base / "work/glidein_startup.0123456789ab.sh"
    script.write_text(
        "#!/bin/sh\necho '=== Glidein ending now (2) with code 1 after 1 ==='\nexit 1\n"
    )
    rig.write()
    rig.start()
    rig.ask(idle=8, top=8)
    [ad] = wait_for(
        "the reason",
        lambda: [
            a
            for a in rig.ads("glidefactoryclient")
            if a.get("GlideinMonitorStatus_Reason") == "EntryFailing"
        ],
        150,
    )
    assert "pilots failed" in ad["GlideinMonitorStatus_ReasonText"]
    # of the last cycle, which may have had nothing to submit
    wait_for("the reason explained", lambda: "EntryFailing" in rig.gwms("factory", "explain", "A"))
    numbers = wait_for(
        "statistics",
        lambda: [
            a
            for a in rig.ads("glidefactory")
            if a.get("GlideinMonitorCompletedJobsPerEntryNone", 0) >= 5
        ],
        120,
    )
    assert numbers[0]["GlideinMonitorCompletedJobsPerFactoryNone"] >= 5
