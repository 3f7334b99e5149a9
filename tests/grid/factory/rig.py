"""A Factory on a real grid: its directories, its daemon as the grid's account, and a Frontend's ads made by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glideinwms.demo import process
from glideinwms.demo.grid import Grid
from glideinwms.factory.policy import SCHEMA, EntryPolicy, FactoryPolicy, FrontendTrust, Limits, StageTriple
from glideinwms.lib import status
from glideinwms.lib.ads import GlideClient, GlideClientGlobal, Seal
from glideinwms.lib.crypto import FactoryKey
from glideinwms.lib.jsondata import to_json

CLIENT = "fe.main"
CODE = """
import json, sys
from glideinwms.lib.worker import resolve
from glideinwms.lib.htc import ScheddAddress
request = json.load(sys.stdin)
args = request["args"]
if "schedd" in args:
    args["schedd"] = ScheddAddress(*args["schedd"])
print(json.dumps(resolve(request["function"])(**args), default=str))
"""
PROJECTION = [
    "ClusterId", "ProcId", "JobStatus", "GridJobStatus", "GlideinSubmitId", "GlideinEntryName", "GlideinClient",
    "GlideinCredentialIdentifier", "HoldReason", "GridJobId", "Args", "Cmd", "SciTokensFile", "MONITOR_INFO",
]  # fmt: skip


def wait_for(what: str, test: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of `test`; after `seconds` an error with the last one."""
    end = time.monotonic() + seconds
    while not (seen := test()):
        assert time.monotonic() < end, f"{what}: last seen {seen!r}"
        time.sleep(0.1)
    return seen


@dataclass
class Rig:
    """One Factory with entries A, B ... at the grid's CEs. `base` is a directory that the grid's account can reach."""

    grid: Grid
    base: Path
    key: FactoryKey = field(default_factory=FactoryKey.generate)
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    policy: FactoryPolicy = field(init=False)

    def __post_init__(self) -> None:
        for name in ("work/state", "log", "client-logs", "proxies"):
            (self.base / name).mkdir(parents=True)
        script = self.base / "work/glidein_startup.0123456789ab.sh"
        script.write_text("#!/bin/sh\nexec sleep 600\n")
        script.chmod(0o755)
        self.key.save(self.base / "work/rsa.key")
        self.policy = FactoryPolicy(
            SCHEMA, "g1", "4.0.0a1", "factory", "inst", str(self.base / "work"), str(self.base / "stage"),
            str(self.base / "log"), str(self.base / "client-logs"), str(self.base / "proxies"), "",
            script.name, StageTriple("http://127.0.0.1:1/factory", "description.a.cfg", "s" * 40),
            (FrontendTrust("fe", "frontend@wms.demo", {"frontend": "feuser"}),), (self.entry("A"),),
            loop_delay=1.0, advertise_delay=1, request_max_age=900.0,
        )  # fmt: skip
        self.write()

    def entry(self, name: str, ce: str = "ce_a", **changes: Any) -> EntryPolicy:
        """An entry at a CE, SciTokens only."""
        made = EntryPolicy(
            name, True, self.grid["wms"].schedd, self.grid[ce].gatekeeper if ce in self.grid.pools else ce, "condor",
            "scitoken", "demo", StageTriple("http://127.0.0.1:1/factory/entry", "description.b.cfg", "t" * 40),
            Limits(100, 100, 100), Limits(100, 100, 100), {}, {"GLIDEIN_Site": name, "GLIDEIN_CPUS": "2"},
            {"GLIDEIN_Collector": "Fake", "CONDOR_VERSION": "default"}, submit_sleep=0.0, submit_cluster_size=10,
        )  # fmt: skip
        return replace(made, **changes)

    def write(self, **changes: Any) -> None:
        """Change the policy and put it where the daemon loads it."""
        self.policy = replace(self.policy, **changes)
        path = self.base / "work/policy.json"
        path.write_text(json.dumps(to_json(self.policy)))
        self.grid.who.own(self.base)

    @property
    def state(self) -> Path:
        """The daemon's state directory."""
        return self.base / "work/state"

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the daemon as the grid's account."""
        env = self.grid.client_env("factory@wms.demo", for_account=True)
        argv = [sys.executable, "-m", "glideinwms.cli", "factory", "run", "--work-dir", self.policy.work_dir, *options]
        daemon = process.spawn(argv, env, self.grid.who, self.base / "daemon.out", cwd=self.base)
        self.daemons.append(daemon)
        return daemon

    def once(self) -> dict[str, Any]:
        """One cycle; the summary it left."""
        code = self.start("--once").wait(120)
        assert code == 0, (self.base / "daemon.out").read_text()[-3000:]
        return self.status().summary

    def status(self) -> status.Status:
        """What the daemon says of itself."""
        return status.read(self.state / "status.json")

    def seen(self) -> dict[str, Any]:
        """The last summary, {} before the first cycle."""
        return self.status().summary if (self.state / "status.json").exists() else {}

    def stop(self) -> None:
        """End daemons that still run."""
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
        for daemon in self.daemons:
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(30)
            if daemon.poll() is None:
                daemon.kill()

    def collect_logs(self, into: Path) -> None:
        """Copy what tells of a failure."""
        target = into / self.base.name
        target.mkdir(parents=True, exist_ok=True)
        for path in (self.base / "daemon.out", *self.state.glob("*.json*"), *(self.base / "log").glob("*")):
            if path.is_file():
                shutil.copy(path, target)

    def call(self, identity: str, function: str, **args: Any) -> Any:
        """Run a function of ours against HTCondor as an identity, in a process of its own."""
        env = {**os.environ, **self.grid.client_env(identity)}
        text = json.dumps({"function": function, "args": args})
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=env, input=text, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def gwms(self, *words: str) -> str:
        """Run a command of ours as the Factory's operator; its output."""
        argv = [sys.executable, "-m", "glideinwms.cli", *words, "--work-dir", self.policy.work_dir]
        return self.grid.run("factory@wms.demo", *argv, timeout=120)

    def ask(
        self, idle: int, top: int = 1000, entry: str = "A", client: str = CLIENT, level: str = "NO",
        token: str | None = "", identity: str = "frontend@wms.demo", wait: bool = True, lifetime: str = "0",
        **params: str,
    ) -> None:  # fmt: skip
        """Send a request with its credentials, as a Frontend does."""
        seal = Seal.make(self.key.public, identity)
        name = f"{entry}@inst@factory"
        if token == "":
            token = self.grid.scitoken("ce_a").read_text()
        secrets = {
            "SecurityName": "fe", "SecurityClass": "frontend", "ScitokenId": "ABCDEFGH", "frontend_scitoken": token
        }  # fmt: skip
        credentials = GlideClientGlobal(
            name=f"inst@factory@{client}", frontend_name="fe", group_name="main", client_name=client,
            key_id=seal.key_id, key_code=seal.key_code, enc_identity=seal.enc_identity,
            enc_params=seal.params({"SecurityName": "fe", "ABCDEFGH": "x", "SecurityClassABCDEFGH": "frontend"}),
        )  # fmt: skip
        request = GlideClient(
            name=f"HHHHHHHH_{name}@{client}", client_name=client, frontend_name="fe", group_name="main",
            req_name=name, req_glidein=name, web_url="http://127.0.0.1:1/fe", web_sign_type="sha1",
            web_descript="description.c.cfg", web_sign="u" * 40, web_group_url="http://127.0.0.1:1/fe/group_main",
            web_group_descript="description.d.cfg", web_group_sign="v" * 40, key_id=seal.key_id,
            key_code=seal.key_code, enc_identity=seal.enc_identity, idle=idle, max_glideins=top, remove_excess=level,
            idle_lifetime=lifetime,
            params={"GLIDEIN_Collector": "127.0.0.1:2", **params},
            enc_params=seal.params({k: v for k, v in secrets.items() if v}),
            monitor={"Idle": 7, "Running": 2},
        )  # fmt: skip
        before = {a["Name"]: a.get("UpdateSequenceNumber") for a in self.ads("glideclient")} if wait else {}
        ads = [
            {**credentials.to_ad(), "UpdateSequenceNumber": time.monotonic_ns()},
            {**request.to_ad(), "UpdateSequenceNumber": time.monotonic_ns()},
        ]
        self.call("frontend@wms.demo", "glideinwms.lib.htc:advertise", collector=self.wms, ads=ads,
                  command="UPDATE_MASTER_AD")  # fmt: skip
        if wait:
            wait_for("the request", lambda: self._sequence(request.name) not in (None, before.get(request.name)))

    def _sequence(self, name: str) -> Any:
        return next((a["UpdateSequenceNumber"] for a in self.ads("glideclient") if a["Name"] == name), None)

    @property
    def wms(self) -> str:
        """The WMS pool's collector."""
        return self.grid["wms"].collector

    def ads(self, kind: str) -> list[dict[str, Any]]:
        """Ads of a kind in the WMS pool, as the Frontend sees them."""
        found: list[dict[str, Any]] = self.call(
            "frontend@wms.demo", "glideinwms.lib.htc:query_ads", collector=self.wms,
            constraint=f'GlideinMyType =?= "{kind}"',
        )  # fmt: skip
        return found

    def queue(self, constraint: str = "true") -> list[dict[str, Any]]:
        """Pilots in the Factory's schedd."""
        ad = self.call("factory@wms.demo", "glideinwms.lib.htc:locate_schedds", collector=self.wms, names=None)[0]
        found: list[dict[str, Any]] = self.call(
            "factory@wms.demo", "glideinwms.lib.htc:query_jobs", schedd=[ad["Name"], ad["MyAddress"]],
            constraint=constraint, projection=PROJECTION,
        )  # fmt: skip
        return found

    def audit(self, act: str) -> list[Mapping[str, Any]]:
        """Lines of the audit trail of one act."""
        path = self.state / "audit.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if line["act"] == act]
