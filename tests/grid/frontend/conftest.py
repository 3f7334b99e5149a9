"""`make_frontend`: a Frontend on a real user pool and WMS pool, with Factories' ads made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.grid.frontend.frontend_rig import FrontendRig


@pytest.fixture
def make_frontend(
    make_grid: Callable[..., object], run_dir: Path, keep_logs: Callable[[Callable[[Path], None]], None]
) -> Iterator[Callable[..., FrontendRig]]:
    """`make_frontend()`; every daemon it started ends with the test."""
    made: list[FrontendRig] = []

    def make(names: tuple[str, ...] = ("user", "wms"), **more: object) -> FrontendRig:
        rig = FrontendRig(make_grid(names, **more), run_dir / f"frontend{len(made)}")  # type: ignore[arg-type]
        made.append(rig)
        keep_logs(rig.collect_logs)
        return rig

    yield make
    for rig in made:
        rig.stop()
