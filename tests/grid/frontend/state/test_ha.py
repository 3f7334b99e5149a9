"""A master and its slave on real pools: takeover in time, hand-back, and nothing while nobody answers (decision 26)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.frontend.policy import HaPolicy
from tests.grid.frontend.grid_frontend import GridFrontend
from tests.grid.waiting import wait_for

pytestmark = [pytest.mark.condor, pytest.mark.grid]
CHECK, LOOP = 2, 1.0


def test_takeover_and_hand_back(
    make_grid: Callable[..., Grid],
    run_dir: Path,
    keep_logs: Callable[[Callable[[Path], None]], None],
) -> None:
    grid = make_grid(("user", "wms"), options={"wms": {"CLASSAD_LIFETIME": "900"}})
    master, slave = GridFrontend(grid, run_dir / "master"), GridFrontend(grid, run_dir / "slave")
    keep_logs(master.collect_logs)
    keep_logs(slave.collect_logs)
    slave.write(frontend_name="fe2", high_availability=HaPolicy("fe", CHECK))
    try:
        _run(master, slave)
    finally:
        master.stop()
        slave.stop()


def _run(master: GridFrontend, slave: GridFrontend) -> None:
    def modes() -> set[str]:
        return {str(a["FrontendHAMode"]) for a in master.wms_ads("glideclient")}

    def ha() -> Any:
        return slave.seen().get("ha", {})

    master.serve("A")
    master.submit(5)
    running = master.start()
    wait_for("the master's request", lambda: modes() == {"master"})
    slave.start()
    wait_for("the slave's look", lambda: ha() == {"working": False, "seen": "master alive"})
    slave.after(3)
    assert modes() == {"master"} and ha()["seen"] == "master alive"

    running.send_signal(signal.SIGKILL)
    running.wait()
    master.daemons.clear()
    died = time.monotonic()
    wait_for("the takeover", lambda: ha() == {"working": True, "seen": "master absent"})
    wait_for("the slave's request", lambda: "slave" in modes())
    took = time.monotonic() - died
    assert took + 1 >= 3 * LOOP and took < CHECK + 3 * LOOP + 400, (
        "the master's last ads lie there for 900 s"
    )

    master.start()
    wait_for("the hand-back", lambda: ha() == {"working": False, "seen": "master alive"})
    wait_for("the slave's ads gone", lambda: modes() == {"master"})
    for kind in ("glideclientglobal", "glideclient"):
        assert {a["FrontendHAMode"] for a in master.wms_ads(kind)} == {"master"}

    master.grid["wms"].signal("COLLECTOR", signal.SIGSTOP)
    wait_for(
        "nobody answers", lambda: ha() == {"working": False, "seen": "no WMS pool answered"}, 120
    )
    slave.after(2)
    assert not ha()["working"]
    master.grid["wms"].signal("COLLECTOR", signal.SIGCONT)
    wait_for(
        "the master seen again", lambda: ha() == {"working": False, "seen": "master alive"}, 120
    )
