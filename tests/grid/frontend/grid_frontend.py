"""Run a Frontend on a real grid, with a Factory's ads made by the test."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from glideinwms.frontend.policy import (
    SCHEMA,
    CredentialPolicy,
    Expression,
    FrontendPolicy,
    GroupPolicy,
    MatchAttribute,
    StageTriple,
    WmsPool,
)
from glideinwms.lib.wire import (
    GlideClient,
    GlideClientGlobal,
    GlideFactory,
    GlideFactoryGlobal,
    open_envelope,
)
from tests.grid.grid_daemon import GridDaemon
from tests.grid.waiting import wait_for

FACTORY, FRONTEND = "factory@wms.demo", "frontend@wms.demo"
SUBMIT = """
universe = vanilla
executable = /bin/sleep
arguments = 1000
request_cpus = 1
request_memory = 100
request_disk = 1
transfer_executable = false
log = /dev/null
{more}
queue {n}
"""


@dataclass
class GridFrontend(GridDaemon[FrontendPolicy]):
    """A Frontend in `base` on a running grid with a user and at least one WMS pool."""

    side, identity = "frontend", FRONTEND

    def __post_init__(self) -> None:
        for name in ("work/state", "log", "tokens.d", "passwords.d"):
            (self.base / name).mkdir(parents=True)
        signing = self.base / "passwords.d/FRONTEND"
        signing.write_bytes(os.urandom(32))
        signing.chmod(0o600)
        shutil.copy(signing, self.grid["user"].home / "passwords.d/FRONTEND")
        self.grid.who.own(self.grid["user"].home / "passwords.d")
        self.scitoken = self.base / "pilot.scitoken"
        shutil.copy(self.grid.scitoken("any"), self.scitoken)
        url = "http://127.0.0.1:1/fe"
        self.policy = FrontendPolicy(
            SCHEMA,
            "g1",
            "4.0.0a1",
            "fe",
            str(self.base / "work"),
            str(self.base / "stage"),
            str(self.base / "log"),
            f"{url}/monitor",
            self.grid["user"].collector,
            self.grid["user"].collector,
            "",
            str(self.base / "passwords.d"),
            str(self.base / "tokens.d"),
            StageTriple(url, "description.a.cfg", "s" * 40, "S" * 64),
            (self.group("main"),),
            loop_delay=1.0,
        )
        self.write()

    def group(self, name: str, **changes: Any) -> GroupPolicy:
        """A group for vanilla jobs that want it (`+Wants = "<name>"`), anywhere but Nowhere."""
        url = f"http://127.0.0.1:1/fe/group_{name}"
        made = GroupPolicy(
            name,
            True,
            "fe",
            StageTriple(url, "description.b.cfg", "t" * 40, "T" * 64),
            (
                Expression(
                    f'job["Wants"] == "{name}" and glidein["attrs"]["GLIDEIN_Site"] != "Nowhere"',
                    "test:1",
                ),
            ),
            "(JobUniverse==5)",
            "True",
            "True",
            (MatchAttribute("Wants"), MatchAttribute("RequestCpus", "int")),
            (MatchAttribute("GLIDEIN_Site"),),
            (self.grid["user"].schedd,),
            tuple(
                WmsPool(p.collector, f"factory@{n}.demo", f"frontend@{n}.demo")
                for n, p in self.grid.pools.items()
                if n.startswith("wms")
            ),
            (
                CredentialPolicy(
                    str(self.scitoken), "scitoken", "demo", "frontend", absfname=str(self.scitoken)
                ),
            ),
            {"GLIDEIN_Max_Idle": 300},
            {},
        )
        return replace(made, **changes)

    def submit(self, n: int, wants: str = "main", more: str = "", schedd: str = "") -> str:
        """Queue jobs of alice; the cluster."""
        path = self.grid.base / f"job{time.monotonic_ns()}.sub"
        path.write_text(SUBMIT.format(n=n, more=f'+Wants = "{wants}"\n{more}'))
        self.grid.who.own(path)
        name = ["-name", schedd] if schedd else []
        out = self.grid.run("alice@user.demo", "condor_submit", *name, "-terse", str(path))
        return out.split(".")[0]

    def serve(self, *entries: str, pool: str = "wms", keyed: bool = True, **attrs: Any) -> None:
        """Advertise a Factory with these entries, and wait until the collector has it."""
        ads: list[Mapping[str, Any]] = []
        for name in entries:
            ads.append(
                GlideFactory(
                    name=f"{name}@inst@factory",
                    factory_name="factory",
                    glidein_name="inst",
                    entry_name=name,
                    params={"CONDOR_VERSION": "default", "GLIDEIN_Collector": "Fake"},
                    attrs={
                        "GLIDEIN_Site": name,
                        "GLIDEIN_CPUS": "1",
                        "GLIDEIN_TrustDomain": "demo",
                        "GLIDEIN_SupportedAuthenticationMethod": "scitoken",
                        **attrs,
                    },
                ).to_ad()
            )
        if keyed:
            ads.append(
                GlideFactoryGlobal(
                    name="inst@factory",
                    factory_name="factory",
                    glidein_name="inst",
                    key_id=self.key.public.key_id,
                    key_pem=self.key.public.pem,
                ).to_ad()
            )
        collector = self.grid[pool].collector
        self.call(
            FACTORY,
            "glideinwms.lib.condor.htc:advertise",
            collector=collector,
            ads=ads,
            command="UPDATE_AD_GENERIC",
        )
        wanted = {str(ad["Name"]) for ad in ads}
        wait_for(
            "the Factory's ads",
            lambda: (
                wanted
                <= {a["Name"] for a in self.wms_ads("glidefactory", pool)}
                | {a["Name"] for a in self.wms_ads("glidefactoryglobal", pool)}
            ),
        )

    def pilots(self, entry: str, busy: int, pool: str = "wms", group: str = "main") -> None:
        """Slots of pilots that run jobs tell the user pool so, once."""
        ads = [
            {
                "MyType": "Machine",
                "Name": f"slot1@glidein_{entry}_{group}_{n}@node",
                "State": "Claimed",
                "Activity": "Busy",
                "MyAddress": f"<10.0.0.1:{n + 1}>",
                "Cpus": 1,
                "Memory": 4000,
                "TotalSlots": 1,
                "SlotType": "Static",
                "GLIDEIN_Entry_Name": entry,
                "GLIDEIN_Name": "inst",
                "GLIDEIN_Factory": "factory",
                "GLIDECLIENT_Name": f"fe.{group}",
                "GLIDECLIENT_ReqNode": self.grid[pool].collector,
            }
            for n in range(busy)
        ]
        self.call(
            FRONTEND,
            "glideinwms.lib.condor.htc:advertise",
            collector=self.grid["user"].collector,
            ads=ads,
            command="UPDATE_STARTD_AD",
        )

    def requests(self, *pools: str) -> dict[str, tuple[int, int, str]]:
        """(idle, maximum, removal) by "<entry> <group>", as the Factories of these WMS pools see it
        now.
        """
        ads = [ad for pool in pools for ad in self.wms_ads("glideclient", pool)]
        return {
            f"{ad['ReqName'].split('@')[0]} {ad['GroupName']}": (
                ad["ReqIdleGlideins"],
                ad["ReqMaxGlideins"],
                ad["ReqRemoveExcess"],
            )
            for ad in ads
        }

    def after(self, cycles: int, seconds: float = 240.0) -> dict[str, Any]:
        """The summary when so many whole cycles have begun and ended from now on."""
        last = self.status().cycle
        wait_for(f"{cycles} cycles", lambda: self.status().cycle > last + cycles, seconds)
        return self.status().summary

    def wms_ads(self, kind: str, pool: str = "wms") -> list[dict[str, Any]]:
        """Ads of a kind in a WMS pool, as the Factory sees them."""
        return self._ads(FACTORY, self.grid[pool].collector, kind)

    def user_ads(self, kind: str) -> list[dict[str, Any]]:
        """Ads of a kind in the user pool, as the Frontend sees them."""
        return self._ads(FRONTEND, self.grid["user"].collector, kind)

    def _ads(self, identity: str, collector: str, kind: str) -> list[dict[str, Any]]:
        constraint = f'GlideinMyType =?= "{kind}"'
        found: list[dict[str, Any]] = self.call(
            identity,
            "glideinwms.lib.condor.htc:query_ads",
            collector=collector,
            constraint=constraint,
        )
        return found

    def opened(self, ad: Mapping[str, Any]) -> dict[str, bytes]:
        """The sealed values of a request, opened with the Factory's key."""
        kind = GlideClientGlobal if ad["GlideinMyType"] == "glideclientglobal" else GlideClient
        return open_envelope(
            kind.from_ad(ad), {self.key.public.key_id: self.key}, str(ad["AuthenticatedIdentity"])
        )
