"""The black-hole guard in a running Factory: pilots that die at an entry make it get fewer, with a visible reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

from glideinwms.lib.reasons import Reason
from tests.scenario.factory.factory_harness import FactoryHarness, entry
from tests.support import golden

GOOD, BAD = golden.text("pilot-output/job.4711.0.out"), golden.text("pilot-output/job.4711.1.out")


def end(
    scene: FactoryHarness,
    first: int,
    n: int,
    output: str,
    username: str = "feuser",
    client: str = "fe.main",
) -> None:
    """Pilots that ended now and left an output."""
    folder = scene.base / f"client/user_{username}/glidein_inst/entry_A"
    folder.mkdir(parents=True, exist_ok=True)
    now = scene.world.clock()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    path = folder / f"condor_activity_20270115_{client}.log"
    with path.open("a") as out:
        for i in range(first, first + n):
            (folder / f"job.{i}.0.out").write_text(output)
            out.write(f"005 ({i}.000.000) {stamp} Job terminated.\n...\n")
    os.utime(path, (now, now))


def test_a_black_hole_is_throttled_seen_and_forgiven(tmp_path: Path) -> None:
    scene = FactoryHarness(tmp_path, entry(submit_max_per_cycle=50))
    scene.ask(20)
    scene.cycle()
    assert scene.row().requests[0].submitted == 20
    end(scene, 900_000, 10, BAD)
    scene.ask(40)
    scene.cycle()
    row = scene.row().requests[0]
    [clip] = [c for c in row.clips if c.reason is Reason.ENTRY_THROTTLED]
    assert clip.detail == scene.row().failing == scene.status()["entries"]["A"]["failing"]
    assert row.submitted == 1
    assert "10 of the last 10 pilots failed" in clip.detail and "client/fail.sh" in clip.detail
    [ad] = [a for a in scene.wms.ads(constraint='GlideinMyType =?= "glidefactoryclient"')]
    assert ad["GlideinMonitorStatus_Reason"] == Reason.ENTRY_THROTTLED
    end(scene, 910_000, 15, GOOD)
    scene.cycle()
    row = scene.row().requests[0]
    assert row.submitted == 19 and Reason.ENTRY_THROTTLED not in {c.reason for c in row.clips}


def test_a_restart_remembers(tmp_path: Path) -> None:
    scene = FactoryHarness(tmp_path, entry(submit_max_per_cycle=50))
    end(scene, 900_000, 10, BAD)
    scene.ask(40)
    scene.cycle()
    assert scene.row().requests[0].submitted == 1
    scene.start()
    scene.cycle()
    assert scene.row().requests[0].submitted == 1
    [h] = scene.daemon.snapshot.health if scene.daemon.snapshot else ()
    assert (h.entry, h.finished, h.failed, h.cap) == ("A", 10, 10, 1)


def test_failures_under_a_claimed_client_name_count_for_who_had_them(tmp_path: Path) -> None:
    """Pilots of another Frontend (user name otheruser) fail under the ClientName fe.main: fe gets
    what it asks for, the other is throttled, and however many it has, they do not push out what is
    known of fe.
    """
    scene = FactoryHarness(tmp_path, entry(submit_max_per_cycle=50))
    end(scene, 900_000, 10, GOOD)
    end(scene, 910_000, 500, BAD, "otheruser")
    scene.ask(40)
    scene.cycle(2)
    assert scene.schedd.count() == 40
    health = scene.daemon.snapshot.health if scene.daemon.snapshot else ()
    assert [(h.frontend, h.cap) for h in health] == [("", None), ("other", 1)]


def test_a_failing_group_does_not_stop_the_other_groups_of_its_frontend(tmp_path: Path) -> None:
    scene = FactoryHarness(tmp_path, entry(submit_max_per_cycle=50))
    end(scene, 900_000, 10, GOOD)
    end(scene, 910_000, 10, BAD, client="fe.bad")
    scene.ask(40)
    scene.ask(40, client="fe.bad")
    scene.cycle()
    requests = {request.client: request for request in scene.row().requests}
    assert requests["fe.main"].submitted == 40
    assert requests["fe.bad"].submitted == 1
    assert requests["fe.bad"].clips[-1].reason is Reason.CLIENT_THROTTLED
