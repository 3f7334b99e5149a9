"""HTCondor in memory, for tests: collectors, schedds, and a pool of readers that asks them (docs/kernel.md).

    world = World()
    wms = world.collector("wms.demo:9618")
    schedd = world.schedd("schedd@wms.demo", wms)
    pool = world.pool("factory@wms.demo")              # runs every `Call` in this process, against the world
    with world.installed("factory@wms.demo"):          # or: lib.htc itself speaks to the world
        htc.advertise("wms.demo:9618", [ad], "UPDATE_AD_GENERIC")

The rules are those that tests/contract/lib found on real daemons; the same tests run on both.
"""

from glideinwms.lib.fakes.ads import matches
from glideinwms.lib.fakes.clock import Clock, Hung
from glideinwms.lib.fakes.collector import Collector
from glideinwms.lib.fakes.schedd import Schedd
from glideinwms.lib.fakes.world import LocalPool, World

__all__ = ["Clock", "Collector", "Hung", "LocalPool", "Schedd", "World", "matches"]
