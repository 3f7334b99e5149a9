"""`there`: a test runs once in memory and once on a real WMS pool. `special` makes one with options of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor, default_cache
from tests.contract.lib.condor_targets import CondorTarget, InMemoryCondor, RealCondor

Special = Callable[..., CondorTarget]


@pytest.fixture(scope="module")
def wms(condor: Condor) -> Iterator[Grid]:
    """One WMS pool for the tests of a module; they leave each other's jobs and ads alone."""
    above = default_cache() / "run"
    above.mkdir(parents=True, exist_ok=True, mode=0o755)
    base = Path(tempfile.mkdtemp(prefix="lib", dir=above))
    base.chmod(0o755)
    with Grid(base / "g", condor.prefix, ("wms",)) as grid:
        yield grid
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(params=[pytest.param("memory"), pytest.param("condor", marks=pytest.mark.condor)])
def target(request: pytest.FixtureRequest) -> Iterator[CondorTarget]:
    """A collector and a schedd as they come."""
    if request.param == "memory":
        yield InMemoryCondor({}, {})
        return
    grid: Grid = request.getfixturevalue("wms")
    request.getfixturevalue("keep_logs")(grid.collect_logs)
    real = RealCondor(grid)
    yield real
    real.close()


@pytest.fixture(params=[pytest.param("memory"), pytest.param("condor", marks=pytest.mark.condor)])
def special(request: pytest.FixtureRequest) -> Iterator[Special]:
    """`special(fake_collector, fake_schedd, options)`: one of its own, for tests that change or
    break it.
    """
    made: list[RealCondor] = []

    def make(
        collector: Mapping[str, Any] | None = None,
        schedd: Mapping[str, Any] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> CondorTarget:
        if request.param == "memory":
            return InMemoryCondor(collector or {}, schedd or {})
        make_grid = request.getfixturevalue("make_grid")
        made.append(RealCondor(make_grid(("wms",), options={"wms": options or {}})))
        return made[-1]

    yield make
    for real in made:
        real.close()
