"""Run a Factory on a real grid, with a Frontend's ads made by the test."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from glideinwms.factory.policy import (
    SCHEMA,
    EntryPolicy,
    FactoryPolicy,
    FrontendTrust,
    Limits,
    StageTriple,
)
from glideinwms.lib.wire import GlideClient, GlideClientGlobal, Seal
from tests.grid.grid_daemon import GridDaemon
from tests.grid.waiting import wait_for

CLIENT = "fe.main"
PROJECTION = [
    "ClusterId",
    "ProcId",
    "JobStatus",
    "GridJobStatus",
    "GlideinSubmitId",
    "GlideinEntryName",
    "GlideinClient",
    "GlideinCredentialIdentifier",
    "HoldReason",
    "GridJobId",
    "Args",
    "Cmd",
    "SciTokensFile",
    "MONITOR_INFO",
]


@dataclass
class GridFactory(GridDaemon[FactoryPolicy]):
    """One Factory with entries A, B ... at the grid's CEs. `base` is a directory that the grid's
    account can reach.
    """

    side, identity = "factory", "factory@wms.demo"

    def __post_init__(self) -> None:
        for name in ("work/state", "log", "client-logs", "proxies"):
            (self.base / name).mkdir(parents=True)
        script = self.base / "work/glidein_startup.0123456789ab.sh"
        script.write_text("#!/bin/sh\nexec sleep 600\n")
        script.chmod(0o755)
        self.key.save(self.base / "work/rsa.key")
        self.policy = FactoryPolicy(
            SCHEMA,
            "g1",
            "4.0.0a1",
            "factory",
            "inst",
            str(self.base / "work"),
            str(self.base / "stage"),
            str(self.base / "log"),
            str(self.base / "client-logs"),
            str(self.base / "proxies"),
            "",
            script.name,
            StageTriple("http://127.0.0.1:1/factory", "description.a.cfg", "s" * 40),
            (FrontendTrust("fe", "frontend@wms.demo", {"frontend": "feuser"}),),
            (self.entry("A"),),
            loop_delay=1.0,
            advertise_delay=1,
            request_max_age=900.0,
        )
        self.write()

    def entry(self, name: str, ce: str = "ce_a", **changes: Any) -> EntryPolicy:
        """An entry at a CE, SciTokens only."""
        made = EntryPolicy(
            name,
            True,
            self.grid["wms"].schedd,
            self.grid[ce].gatekeeper if ce in self.grid.pools else ce,
            "condor",
            "scitoken",
            "demo",
            StageTriple("http://127.0.0.1:1/factory/entry", "description.b.cfg", "t" * 40),
            Limits(100, 100, 100),
            Limits(100, 100, 100),
            {},
            {"GLIDEIN_Site": name, "GLIDEIN_CPUS": "2"},
            {"GLIDEIN_Collector": "Fake", "CONDOR_VERSION": "default"},
            submit_sleep=0.0,
            submit_cluster_size=10,
        )
        return replace(made, **changes)

    def gwms(self, *words: str) -> str:
        """Run a command of ours as the Factory's operator; its output."""
        argv = [sys.executable, "-m", "glideinwms.cli", *words, "--work-dir", self.policy.work_dir]
        return self.grid.run("factory@wms.demo", *argv, timeout=120)

    def ask(
        self,
        idle: int,
        top: int = 1000,
        entry: str = "A",
        client: str = CLIENT,
        level: str = "NO",
        token: str | None = "",
        identity: str = "frontend@wms.demo",
        wait: bool = True,
        lifetime: str = "0",
        **params: str,
    ) -> None:
        """Send a request with its credentials, as a Frontend does."""
        seal = Seal.make(self.key.public, identity)
        name = f"{entry}@inst@factory"
        if token == "":
            token = self.grid.scitoken("ce_a").read_text()
        secrets = {
            "SecurityName": "fe",
            "SecurityClass": "frontend",
            "ScitokenId": "ABCDEFGH",
            "frontend_scitoken": token,
        }
        credentials = GlideClientGlobal(
            name=f"inst@factory@{client}",
            frontend_name="fe",
            group_name="main",
            client_name=client,
            key_id=seal.key_id,
            key_code=seal.key_code,
            enc_identity=seal.enc_identity,
            enc_params=seal.params(
                {"SecurityName": "fe", "ABCDEFGH": "x", "SecurityClassABCDEFGH": "frontend"}
            ),
        )
        request = GlideClient(
            name=f"HHHHHHHH_{name}@{client}",
            client_name=client,
            frontend_name="fe",
            group_name="main",
            req_name=name,
            req_glidein=name,
            web_url="http://127.0.0.1:1/fe",
            web_sign_type="sha1",
            web_descript="description.c.cfg",
            web_sign="u" * 40,
            web_group_url="http://127.0.0.1:1/fe/group_main",
            web_group_descript="description.d.cfg",
            web_group_sign="v" * 40,
            key_id=seal.key_id,
            key_code=seal.key_code,
            enc_identity=seal.enc_identity,
            idle=idle,
            max_glideins=top,
            remove_excess=level,
            idle_lifetime=lifetime,
            params={"GLIDEIN_Collector": "127.0.0.1:2", **params},
            enc_params=seal.params({k: v for k, v in secrets.items() if v}),
            monitor={"Idle": 7, "Running": 2},
        )
        before = (
            {a["Name"]: a.get("UpdateSequenceNumber") for a in self.ads("glideclient")}
            if wait
            else {}
        )
        ads = [
            {**credentials.to_ad(), "UpdateSequenceNumber": time.monotonic_ns()},
            {**request.to_ad(), "UpdateSequenceNumber": time.monotonic_ns()},
        ]
        self.call(
            "frontend@wms.demo",
            "glideinwms.lib.condor.htc:advertise",
            collector=self.wms,
            ads=ads,
            command="UPDATE_MASTER_AD",
        )
        if wait:
            wait_for(
                "the request",
                lambda: self._sequence(request.name) not in (None, before.get(request.name)),
            )

    def _sequence(self, name: str) -> Any:
        return next(
            (a["UpdateSequenceNumber"] for a in self.ads("glideclient") if a["Name"] == name), None
        )

    @property
    def wms(self) -> str:
        """The WMS pool's collector."""
        return self.grid["wms"].collector

    def ads(self, kind: str) -> list[dict[str, Any]]:
        """Ads of a kind in the WMS pool, as the Frontend sees them."""
        found: list[dict[str, Any]] = self.call(
            "frontend@wms.demo",
            "glideinwms.lib.condor.htc:query_ads",
            collector=self.wms,
            constraint=f'GlideinMyType =?= "{kind}"',
        )
        return found

    def queue(self, constraint: str = "true") -> list[dict[str, Any]]:
        """Pilots in the Factory's schedd."""
        ad = self.call(
            "factory@wms.demo",
            "glideinwms.lib.condor.htc:locate_schedds",
            collector=self.wms,
            names=None,
        )[0]
        found: list[dict[str, Any]] = self.call(
            "factory@wms.demo",
            "glideinwms.lib.condor.htc:query_jobs",
            schedd=[ad["Name"], ad["MyAddress"]],
            constraint=constraint,
            projection=PROJECTION,
        )
        return found

    def audit(self, act: str) -> list[Mapping[str, Any]]:
        """Lines of the audit trail of one act."""
        path = self.state / "audit.jsonl"
        lines = (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )
        return [line for line in lines if line["act"] == act]
