"""HTCondor in memory, for tests: collectors, schedds, and workers that ask them.

docs/explanation/kernel.md describes it.

    world = World()
    wms = world.collector("wms.demo:9618")
    schedd = world.schedd("schedd@wms.demo", wms)
    pool = world.pool("factory@wms.demo")              # runs every `Call` in this process, against the world
    with world.installed("factory@wms.demo"):          # or: lib.htc itself speaks to the world
        htc.advertise("wms.demo:9618", [ad], "UPDATE_AD_GENERIC")

The rules are those that tests/contract/lib found on real daemons; the same tests run on both.
"""

from glideinwms.testing.ads import matches
from glideinwms.testing.clock import FakeClock, HungCall
from glideinwms.testing.collector import FakeCollector
from glideinwms.testing.schedd import FakeSchedd
from glideinwms.testing.world import LocalWorkers, World

__all__ = [
    "FakeClock",
    "FakeCollector",
    "FakeSchedd",
    "HungCall",
    "LocalWorkers",
    "World",
    "matches",
]
