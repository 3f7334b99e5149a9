"""`rig`: a user pool and a stage web server for pilots; `runtime` and `images` for their containers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor, default_cache
from tests.support import apptainer
from tests.support.pilot_harness import PilotHarness

Keep = Callable[[Path], None]


@pytest.fixture
def rig(
    make_grid: Callable[..., Grid], condor: Condor, keep_logs: Callable[[Keep], None]
) -> Iterator[PilotHarness]:
    """A user pool and a stage web server; every pilot is ended with the test."""
    grid = make_grid(("user",))
    (grid.base / "stage").mkdir()
    made = PilotHarness(grid, condor, grid.web({"/": grid.base / "stage"}))

    def keep(into: Path) -> None:
        into.mkdir(parents=True, exist_ok=True)
        for log in grid.base.glob("pilot*/log"):
            (into / f"{log.parent.name}.log").write_bytes(log.read_bytes())

    keep_logs(keep)
    yield made
    for pilot in made.pilots:
        if pilot.poll() is None:
            os.killpg(pilot.pid, signal.SIGKILL)
            pilot.wait()


@pytest.fixture(scope="session")
def runtime() -> Path:
    """An Apptainer that the grid's account can run."""
    if why := apptainer.why_not():
        pytest.skip(why)
    return apptainer.build(default_cache())


@pytest.fixture
def images(rig: PilotHarness, runtime: Path) -> tuple[Path, Path]:
    """Two directory images; their /etc/image says `one` and `two`, their /bin/sh is busybox's and
    dash.
    """
    made = [
        apptainer.busybox_image(runtime, rig.grid.base / f"image-{n}", n) for n in ("one", "two")
    ]
    return made[0], apptainer.with_dash(made[1])
