"""`make_chain`: the whole chain, `make_rig`: a Factory, `make_frontend`: a Frontend; all end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from glideinwms.demo.full_stack import Chain
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor
from tests.grid.factory.grid_factory import GridFactory
from tests.grid.frontend.grid_frontend import GridFrontend

Keep = Callable[[Callable[[Path], None]], None]
R = TypeVar("R", GridFactory, GridFrontend)


class MakeChain(Protocol):
    """`make_chain()`: everything is up, both daemons have ended a cycle; `pools` are those to start
    at once; `netns`: every host in a network namespace of its own.
    """

    def __call__(
        self,
        pools: Sequence[str] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        netns: bool = False,
    ) -> Chain: ...


@pytest.fixture
def make_chain(condor: Condor, run_dir: Path, keep_logs: Keep) -> Iterator[MakeChain]:
    """Starts chains, each in its own directory; all are ended whatever happens."""
    chains: list[Chain] = []

    def make(
        pools: Sequence[str] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        netns: bool = False,
    ) -> Chain:
        chain = Chain(
            Grid(run_dir / f"c{len(chains)}", condor.prefix, options=options or {}, netns=netns),
            condor,
        )
        chains.append(chain)
        keep_logs(chain.collect_logs)
        chain.up(pools)
        return chain

    yield make
    for chain in chains:
        chain.down()


def _rigs(
    kind: type[R],
    names: tuple[str, ...],
    make_grid: Callable[..., Grid],
    run_dir: Path,
    keep_logs: Keep,
) -> Iterator[Callable[..., R]]:
    made: list[R] = []

    def make(names: tuple[str, ...] = names, **more: Any) -> R:
        rig = kind(make_grid(names, **more), run_dir / f"{kind.side}{len(made)}")
        made.append(rig)
        keep_logs(rig.collect_logs)
        return rig

    yield make
    for rig in made:
        rig.stop()


@pytest.fixture
def make_rig(
    make_grid: Callable[..., Grid], run_dir: Path, keep_logs: Keep
) -> Iterator[Callable[..., GridFactory]]:
    """`make_rig(("wms", "ce_a"))`: a Factory, and a Frontend's ads made by hand."""
    yield from _rigs(GridFactory, ("wms", "ce_a"), make_grid, run_dir, keep_logs)


@pytest.fixture
def make_frontend(
    make_grid: Callable[..., Grid], run_dir: Path, keep_logs: Keep
) -> Iterator[Callable[..., GridFrontend]]:
    """`make_frontend()`: a Frontend, and Factories' ads made by hand."""
    yield from _rigs(GridFrontend, ("user", "wms"), make_grid, run_dir, keep_logs)
