"""`make_chain`: the whole chain, for tests that need both daemons, pilots and jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from glideinwms.demo.chain import Chain
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor


class MakeChain(Protocol):
    """`make_chain()`: everything is up, both daemons have ended a cycle; `pools` are those to start at once;
    `netns`: every host in a network namespace of its own."""

    def __call__(
        self,
        pools: Sequence[str] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        netns: bool = False,
    ) -> Chain: ...


@pytest.fixture
def make_chain(
    condor: Condor, run_dir: Path, keep_logs: Callable[[Callable[[Path], None]], None]
) -> Iterator[MakeChain]:
    """Starts chains, each in its own directory; all are ended whatever happens."""
    chains: list[Chain] = []

    def make(
        pools: Sequence[str] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
        netns: bool = False,
    ) -> Chain:
        chain = Chain(Grid(run_dir / f"c{len(chains)}", condor.prefix, options=options or {}, netns=netns), condor)
        chains.append(chain)
        keep_logs(chain.collect_logs)
        chain.up(pools)
        return chain

    yield make
    for chain in chains:
        chain.down()
