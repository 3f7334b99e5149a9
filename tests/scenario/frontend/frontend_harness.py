"""Run a Frontend daemon on HTCondor in memory and a virtual clock.

The test plays the jobs, pilots, Factories and operators.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt

from glideinwms.frontend.daemon import FrontendDaemon
from glideinwms.frontend.policy import (
    CredentialPolicy,
    FrontendPolicy,
    GroupPolicy,
    MatchAttribute,
    WmsPool,
)
from glideinwms.lib.daemon import operator_commands, status
from glideinwms.lib.daemon.loop import CycleRecord
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.wire import GlideFactory, GlideFactoryGlobal
from glideinwms.testing import FakeCollector, World
from tests.unit.frontend.build_frontend import FACTORY, KEY, ME, group, policy

USER, WMS, WMS2 = "user.demo:9618", "wms.demo:9618", "wms2.demo:9618"
SCHEDDS = ("schedd1", "schedd2")


def at(entry: str) -> str:
    """An entry's request name."""
    return f"{entry}@inst@factory"


class FrontendHarness:
    """`cycle()` runs one; before it the Factories and pilots that are there tell so; after it the
    clock moves on.
    """

    def __init__(self, base: Path, *groups: GroupPolicy, **changes: Any) -> None:
        self.base, self.world = base, World()
        self.user = self.world.collector(USER)
        self.pools: dict[str, FakeCollector] = {
            WMS: self.world.collector(WMS),
            WMS2: self.world.collector(WMS2),
        }
        self.schedds = {n: self.world.schedd(n, self.user) for n in SCHEDDS}
        self.entries: dict[str, dict[str, Any]] = {WMS: {"A": {}, "B": {}}, WMS2: {"C": {}}}
        self.slots: list[dict[str, Any]] = []
        self.extra: list[dict[str, Any]] = []
        for name in ("work/state", "keys"):
            (base / name).mkdir(parents=True)
        (base / "keys/FRONTEND").write_bytes(b"hello")
        (base / "token").write_text(
            jwt.encode({"exp": self.world.clock() + 1e7}, "k" * 32, algorithm="HS256")
        )
        self.policy = policy(
            *(groups or (self.group(),)),
            user_collector=USER,
            work_dir=str(base / "work"),
            passwords_dir=str(base / "keys"),
            tokens_dir=str(base / "tokens"),
            **changes,
        )
        self.write()
        self.start()

    def group(self, name: str = "main", **changes: Any) -> GroupPolicy:
        """A group of both schedds and both WMS pools whose jobs go everywhere."""
        path = str(self.base / "token")
        credential = CredentialPolicy(path, "scitoken", "demo", "frontend", absfname=path)
        pools = tuple(WmsPool(n, FACTORY, ME) for n in (WMS, WMS2))
        return group(
            name,
            **{
                "schedds": SCHEDDS,
                "wms_pools": pools,
                "credentials": (credential,),
                "job_attrs": (MatchAttribute("Wants"),),
                **changes,
            },
        )

    def write(self, **changes: Any) -> None:
        """Change the policy on disk."""
        self.policy: FrontendPolicy = replace(self.policy, **changes)
        (self.base / "work/policy.json").write_text(json.dumps(to_json(self.policy)))

    def start(self) -> None:
        """A daemon that has just started: a second call is a restart after kill -9."""
        self.pool = self.world.pool(ME)
        self.daemon = FrontendDaemon(self.base / "work", self.pool, self.world.clock)
        self.runner = CycleRecord(
            self.daemon, self.base / "work", clock=self.world.clock, seed=lambda: 1
        )

    def cycle(self, n: int = 1) -> dict[str, Any]:
        """Run cycles; the last summary."""
        for _ in range(n):
            self.world.clock.advance(1)
            self.tell()
            assert self.runner.once(), self.status().error
            self.world.clock.advance(59)
        return self.status().summary

    def tell(self) -> None:
        """Factories and pilots advertise, where the collector hears them."""
        for node, entries in self.entries.items():
            collector = self.pools[node]
            if collector.down or collector.hung:
                continue
            for ad in factory_ads(entries):
                collector.put(ad, identity=FACTORY)
        if not (self.user.down or self.user.hung):
            for slot in [*self.slots, *self.extra]:
                self.user.put(slot, "UPDATE_STARTD_AD")

    def pilots(
        self, entry: str, busy: int = 0, idle: int = 0, node: str = WMS, client: str = "fe.main"
    ) -> None:
        """Static slots of pilots that run a job, or wait for one."""
        for number in range(busy + idle):
            state = ("Claimed", "Busy") if number < busy else ("Unclaimed", "Idle")
            name = f"slot1@glidein_{entry}_{number}@node"
            self.slots.append(
                {
                    "MyType": "Machine",
                    "Name": name,
                    "MyAddress": f"<10.0.0.1:{len(self.slots)}>",
                    "State": state[0],
                    "Activity": state[1],
                    "Cpus": 1,
                    "Memory": 4000,
                    "TotalSlots": 1,
                    "SlotType": "Static",
                    "GLIDEIN_Entry_Name": entry,
                    "GLIDEIN_Name": "inst",
                    "GLIDEIN_Factory": "factory",
                    "GLIDECLIENT_Name": client,
                    "GLIDECLIENT_ReqNode": node,
                    "GLIDEIN_CredentialIdentifier": "X",
                }
            )

    def jobs(self, n: int, schedd: str = "schedd1", wants: str = "x", **more: Any) -> None:
        """Idle vanilla jobs that have waited for two hours."""
        since = int(self.world.clock()) - 7200
        self.schedds[schedd].add(
            n, JobStatus=1, Wants=wants, **{"EnteredCurrentStatus": since, **more}
        )

    def requests(self, *nodes: str) -> dict[str, tuple[int, int, str]]:
        """(idle, maximum, removal) by entry, as the Factories see it now."""
        self.world.clock.advance(0.5)
        ads = [ad for n in (nodes or self.pools) for ad in self.pools[n].ads("glideclient")]
        return {
            a["ReqName"].split("@")[0]: (
                a["ReqIdleGlideins"],
                a["ReqMaxGlideins"],
                a["ReqRemoveExcess"],
            )
            for a in ads
        }

    def status(self) -> status.Status:
        """What the daemon says of itself."""
        return status.read(self.base / "work/state/status.json")

    def main(self) -> dict[str, Any]:
        """The status of the group main."""
        shown: dict[str, Any] = self.status().summary["groups"]["main"]
        return shown

    def say(self, verb: str, **args: str) -> str:
        """An operator's word, taken by the next cycle."""
        return operator_commands.put(self.base / "work/state/requests", verb, args)


def factory_ads(entries: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One Factory's ads: its key, and its entries."""
    ads: list[dict[str, Any]] = (
        [
            GlideFactoryGlobal(
                name="inst@factory",
                factory_name="factory",
                glidein_name="inst",
                key_id=KEY.public.key_id,
                key_pem=KEY.public.pem,
            ).to_ad()
        ]
        if entries
        else []
    )
    for name, more in entries.items():
        attrs = {
            "GLIDEIN_Site": name,
            "GLIDEIN_CPUS": "1",
            "GLIDEIN_TrustDomain": "demo",
            "GLIDEIN_SupportedAuthenticationMethod": "scitoken",
        }
        ad = GlideFactory(
            name=at(name),
            factory_name="factory",
            glidein_name="inst",
            entry_name=name,
            params={"CONDOR_VERSION": "default"},
            attrs=attrs,
        ).to_ad()
        ads.append({**ad, **more})
    return ads
