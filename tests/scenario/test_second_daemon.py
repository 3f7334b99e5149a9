"""A second daemon in the same directory is refused before it changes anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glideinwms.factory.daemon import FactoryDaemon
from glideinwms.lib.daemon import loop, status
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import locked
from tests.scenario.coupled_daemons import CoupledDaemons


def test_it_does_not_renew_the_running_ones_key(tmp_path: Path) -> None:
    pair = CoupledDaemons(tmp_path)
    pair.turn(2)
    work = tmp_path / "factory"
    key = work / "rsa.key"
    before = key.read_bytes()
    # a key is renewed when it is old and no Factory has written its status for a while
    for path in (key, work / "state" / "status.json"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    with (
        locked(work / "state" / status.LOCK, "factory"),
        pytest.raises(StateError, match="is held by factory"),
    ):
        loop.run(FactoryDaemon(work, pair.factory_pool, pair.world.clock()), work, once=True)
    assert key.read_bytes() == before and not (work / "rsa.key.bak").exists()
    assert (
        loop.run(FactoryDaemon(work, pair.factory_pool, pair.world.clock()), work, once=True) == 0
    )
    assert key.read_bytes() != before and (work / "rsa.key.bak").read_bytes() == before, (
        "alone it does"
    )
