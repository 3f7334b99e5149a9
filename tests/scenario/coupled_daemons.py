"""Run a Frontend and a Factory together on HTCondor in memory and one virtual clock."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from glideinwms.factory.daemon import FactoryDaemon
from glideinwms.factory.policy import FactoryPolicy, Limits
from glideinwms.frontend.daemon import FrontendDaemon
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.daemon.loop import CycleRecord
from glideinwms.lib.files import write_atomic
from glideinwms.lib.jsondata import to_json
from glideinwms.testing import FakeCollector, FakeSchedd, World
from glideinwms.testing.clock import FakeClock
from tests.unit.factory import builders
from tests.unit.frontend import build_frontend

WMS, USER = "wms.demo:9618", "user.demo:9618"
FACTORY, FRONTEND = "factory@wms.demo", "frontend@wms.demo"
SCITOKEN = jwt.encode(
    {"sub": "demo-pilots", "exp": 4_000_000_000}, b"an-issuers-own-secret-of-some-length", "HS256"
)
PASSWORD = b"the pool's own signing key, which nobody may see"


def _write(work: Path, policy: FactoryPolicy | FrontendPolicy) -> None:
    work.mkdir(parents=True, exist_ok=True)
    write_atomic(work / "policy.json", json.dumps(to_json(policy)))


@dataclass
class CoupledDaemons:
    """Both daemons with directories below `base`; one entry A, one group main, jobs that want it."""

    base: Path
    limits: Limits = builders.ROOMY
    policy_files: tuple[str, ...] = ()
    generator: str = ""
    world: World = field(default_factory=lambda: World(FakeClock(float(int(time.time())))))
    wms: FakeCollector = field(init=False)
    user: FakeCollector = field(init=False)
    queue: FakeSchedd = field(init=False)
    jobs: FakeSchedd = field(init=False)
    factory: CycleRecord[Any, Any, Any, Any] = field(init=False)
    frontend: CycleRecord[Any, Any, Any, Any] = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        world.params["TRUST_DOMAIN"] = "user.demo"
        self.wms, self.user = world.collector(WMS), world.collector(USER)
        self.queue = world.schedd("schedd@factory", self.wms)
        self.jobs = world.schedd("jobs@user.demo", self.user)
        _write(self.base / "factory", self.factory_policy())
        _write(self.base / "frontend", self.frontend_policy())
        self._files()
        now = world.clock()
        self.factory_pool = world.pool({WMS: FACTORY, "": FACTORY, "schedd@factory": FACTORY})
        self.frontend_pool = world.pool(
            {WMS: FRONTEND, USER: "frontend@user.demo", "jobs@user.demo": "frontend@user.demo"}
        )
        factory = FactoryDaemon(self.base / "factory", self.factory_pool, now)
        factory.applier.sleep = lambda seconds: None
        frontend = FrontendDaemon(self.base / "frontend", self.frontend_pool, world.clock)
        self.factory = CycleRecord(
            factory, self.base / "factory", clock=world.clock, seed=lambda: 1
        )
        self.frontend = CycleRecord(
            frontend, self.base / "frontend", clock=world.clock, seed=lambda: 1
        )

    def factory_policy(self) -> FactoryPolicy:
        """One entry that takes SciTokens."""
        attrs = {
            "GLIDEIN_Site": "SiteA",
            "GLIDEIN_TrustDomain": "demo",
            "GLIDEIN_SupportedAuthenticationMethod": "scitoken",
            "GLIDEIN_Gatekeeper": "ce.demo ce.demo:9619",
        }
        base = self.base / "factory"
        return builders.policy(
            base,
            builders.entry("A", attrs=attrs, trust_domain="demo", limits=self.limits),
            work_dir=str(base),
            collector=WMS,
            frontends=(builders.FrontendTrust("fe", FRONTEND, {"frontend": "feuser"}),),
        )

    def frontend_policy(self) -> FrontendPolicy:
        """One group that asks for it."""
        base = self.base / "frontend"
        token = str(base / "ce.scitoken")
        pools = (build_frontend.WmsPool(WMS, FACTORY, FRONTEND),)
        credential = build_frontend.CredentialPolicy(
            token, "scitoken", "demo", "frontend", absfname=token
        )
        if self.generator:
            credential = build_frontend.CredentialPolicy(
                "mine", "scitoken", "demo", "frontend", generator="mine"
            )
        group = build_frontend.group(
            schedds=("jobs@user.demo",),
            wms_pools=pools,
            credentials=(credential,),
            policy_files=self.policy_files,
        )
        return build_frontend.policy(
            group,
            work_dir=str(base),
            passwords_dir=str(base / "passwords.d"),
            tokens_dir=str(base / "tokens.d"),
            user_collector=USER,
            pilot_collectors=USER,
            generators_dir=str(base / "plugin.d"),
        )

    def _files(self) -> None:
        work, fe = self.base / "factory", self.base / "frontend"
        (work / "glidein_startup.0.sh").write_text("#!/bin/sh\n")
        (fe / "passwords.d").mkdir(mode=0o700)
        write_atomic(fe / "passwords.d" / "FRONTEND", PASSWORD, 0o600)
        if self.generator:
            (fe / "plugin.d").mkdir()
            write_atomic(fe / "plugin.d/mine.py", self.generator)
        write_atomic(fe / "ce.scitoken", SCITOKEN + "\n", 0o600)

    def turn(self, turns: int = 1) -> None:
        """The Factory says what it has, the Frontend asks, the Factory serves; a minute passes each
        time.
        """
        for _ in range(turns):
            for one in (self.factory, self.frontend):
                one.once()
                self.world.clock.advance(30)
