"""`rig`: a Factory on a real WMS pool and one CE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.grid.factory.rig import Rig


@pytest.fixture
def make_rig(
    make_grid: Callable[..., object], run_dir: Path, keep_logs: Callable[[Callable[[Path], None]], None]
) -> Iterator[Callable[..., Rig]]:
    """`make_rig(("wms", "ce_a"))`; every daemon it started ends with the test."""
    made: list[Rig] = []

    def make(names: tuple[str, ...] = ("wms", "ce_a"), **more: object) -> Rig:
        rig = Rig(make_grid(names, **more), run_dir / f"factory{len(made)}")  # type: ignore[arg-type]
        made.append(rig)
        keep_logs(rig.collect_logs)
        return rig

    yield make
    for rig in made:
        rig.stop()
