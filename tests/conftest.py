"""Fixtures for tests on real HTCondor: `condor` (its programs) and `make_grid` (running pools of a test's own)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from glideinwms.demo.grid import ALL, Grid
from glideinwms.demo.portable import Condor, default_cache, ensure_condor

Keep = Callable[[Path], None]
FAILED = pytest.StashKey[bool]()
LOGS = pytest.StashKey[list[Callable[[Path], None]]]()


class MakeGrid(Protocol):
    """`make_grid(("wms",))`: a grid of these pools, up; ends with the test."""

    def __call__(
        self,
        names: Sequence[str] = ALL,
        daemons: Mapping[str, Sequence[str]] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        up: bool = True,
        **more: Any,
    ) -> Grid: ...


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Commands that become the owner of a configuration set it for the whole process."""
    old = os.umask(0o022)
    os.umask(old)
    yield
    os.umask(old)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """On the first failure of a test, keep its grids' logs and name the place in the report."""
    report = yield
    if report.failed and not item.stash.get(FAILED, False):
        item.stash[FAILED] = True
        keepers = item.stash.get(LOGS, [])
        if keepers:
            into = default_cache() / "failed" / re.sub(r"[^\w.-]+", "_", item.nodeid)[-120:]
            shutil.rmtree(into, ignore_errors=True)
            for keep in keepers:
                keep(into)
            report.sections.append(("logs of the grid", str(into)))
    return report


@pytest.fixture
def keep_logs(request: pytest.FixtureRequest) -> Callable[[Keep], None]:
    """`keep_logs(f)`: when the test fails, `f(directory)` is called before anything is torn down."""
    keepers = request.node.stash.setdefault(LOGS, [])
    return lambda keep: keepers.append(keep)


@pytest.fixture(scope="session")
def condor() -> Condor:
    """HTCondor's programs and the worker's tarball; built on first use, which takes some 15 s."""
    return ensure_condor()


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A fresh directory that the grid's account can reach, with a short name (sockets live below
    it).
    """
    above = default_cache() / "run"
    above.mkdir(parents=True, exist_ok=True, mode=0o755)
    path = Path(tempfile.mkdtemp(prefix="t", dir=above))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_grid(
    condor: Condor, run_dir: Path, keep_logs: Callable[[Keep], None]
) -> Iterator[MakeGrid]:
    """Starts grids, each in its own directory and on its own ports; all are ended whatever happens."""
    grids: list[Grid] = []

    def make(
        names: Sequence[str] = ALL,
        daemons: Mapping[str, Sequence[str]] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        up: bool = True,
        **more: Any,
    ) -> Grid:
        base = run_dir / f"g{len(grids)}"
        grid = Grid(base, condor.prefix, names, daemons or {}, options or {}, **more)
        grids.append(grid)
        keep_logs(grid.collect_logs)
        grid.create()
        if up:
            grid.up()
        return grid

    yield make
    for grid in grids:
        grid.down()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Callable[[Grid, str], Path]:
    """`client(grid, "factory@wms.demo")`: processes that this one starts speak to the grid with
    that identity.
    """

    def become(grid: Grid, identity: str) -> Path:
        config = grid.client_config(identity)
        for name in [n for n in os.environ if n.startswith("_CONDOR_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("CONDOR_CONFIG", str(config))
        return config

    return become
