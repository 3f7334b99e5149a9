"""Run one of our daemons on a real grid: its policy on disk, its process, its status."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from glideinwms.demo import process
from glideinwms.demo.grid import Grid
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.daemon import status
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.wire.crypto import FactoryKey

CODE = """
import json, sys
from glideinwms.lib.condor.worker_process import resolve
from glideinwms.lib.condor.htc import ScheddAddress
request = json.load(sys.stdin)
args = request["args"]
if "schedd" in args:
    args["schedd"] = ScheddAddress(*args["schedd"])
print(json.dumps(resolve(request["function"])(**args), default=str))
"""
P = TypeVar("P", FactoryPolicy, FrontendPolicy)


@dataclass
class GridDaemon(Generic[P]):
    """One daemon in `base`, a directory that the grid's account can reach. `key` is the Factory's;
    `side` is the command's word, `identity` what the daemon is to HTCondor.
    """

    side: ClassVar[str]
    identity: ClassVar[str]
    grid: Grid
    base: Path
    key: FactoryKey = field(default_factory=FactoryKey.generate)
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    policy: P = field(init=False)

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
        env = self.grid.client_env(self.identity, for_account=True)
        argv = [
            sys.executable,
            "-m",
            "glideinwms.cli",
            self.side,
            "run",
            "--work-dir",
            self.policy.work_dir,
            *options,
        ]
        daemon = process.spawn(argv, env, self.grid.who, self.base / "daemon.out", cwd=self.base)
        self.daemons.append(daemon)
        return daemon

    def once(self) -> dict[str, Any]:
        """One cycle; the summary it left."""
        code = self.start("--once").wait(300)
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
                daemon.wait(60)
            if daemon.poll() is None:
                daemon.kill()
        self.daemons.clear()

    def collect_logs(self, into: Path) -> None:
        """Copy what tells of a failure."""
        target = into / self.base.name
        target.mkdir(parents=True, exist_ok=True)
        for path in (
            self.base / "daemon.out",
            *self.state.glob("*.json*"),
            *(self.base / "log").glob("*"),
        ):
            if path.is_file():
                shutil.copy(path, target)

    def call(self, identity: str, function: str, **args: Any) -> Any:
        """Run a function of ours against HTCondor as an identity, in a process of its own."""
        env = {**os.environ, **self.grid.client_env(identity)}
        text = json.dumps({"function": function, "args": args})
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env=env,
            input=text,
            text=True,
            capture_output=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
