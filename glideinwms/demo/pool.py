"""One pool of the grid: a condor_master and its daemons as ordinary processes on one loopback port."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.demo import process
from glideinwms.demo.pki import write_private
from glideinwms.demo.poolconfig import PoolSpec, pool_text
from glideinwms.demo.process import Account
from glideinwms.lib.errors import DemoError

LOOPBACK = "127.0.0.1"
UP_DEADLINE, DOWN_PATIENCE = 180.0, 3.0
# below Linux's ephemeral range, so that no outgoing connection takes the port first
PORTS = range(20000, 32000)
ADVERTISED = {
    "COLLECTOR": {"Collector"},
    "NEGOTIATOR": {"Negotiator"},
    "SCHEDD": {"Scheduler"},
    "STARTD": {"Machine", "Slot", "StartDaemon"},
}


def free_port(rng: random.Random | None = None) -> int:
    """A port on which nobody listens now."""
    rng = rng or random.SystemRandom()
    for _ in range(200):
        port = rng.choice(PORTS)
        if port_free(port):
            return port
    raise DemoError(
        "no free TCP port found", where="127.0.0.1:20000-32000", hint="end what listens there"
    )


def port_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be listened on."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass
class CondorPool:
    """A pool in `base/<name>`. `up()` returns when every daemon has advertised itself."""

    spec: PoolSpec
    base: Path
    prefix: Path
    who: Account
    port: int
    ca: Path
    supervised: bool = True
    address: str = LOOPBACK
    # words before a command that run it on this pool's host, where that is a network namespace
    enter: tuple[str, ...] = ()
    master: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def home(self) -> Path:
        """Directory of everything of this pool."""
        return self.base / self.spec.name

    @property
    def log_dir(self) -> Path:
        """Where the daemons log."""
        return self.home / "log"

    @property
    def config(self) -> Path:
        """The pool's condor_config."""
        return self.home / "etc/condor_config"

    @property
    def trust_domain(self) -> str:
        """TRUST_DOMAIN: issuer of the pool's tokens."""
        return self.spec.host

    @property
    def collector(self) -> str:
        """Collector address, host:port."""
        return f"{self.address}:{self.port}"

    @property
    def schedd(self) -> str:
        """Name of the schedd."""
        return f"{self.spec.name}@{self.spec.host}"

    @property
    def gatekeeper(self) -> str:
        """What an entry's gatekeeper says of this CE; the pool by a name, since its certificate is
        checked.
        """
        return f"{self.schedd} {self.spec.host if self.enter else 'localhost'}:{self.port}"

    @property
    def signing_key(self) -> Path:
        """The pool's signing key file (kid POOL)."""
        return self.home / "passwords.d/POOL"

    @property
    def pid_file(self) -> Path:
        """Holds the master's pid while the pool is up."""
        return self.home / "master.pid"

    def create(self, pilot_hosts: Iterable[str]) -> None:
        """Write configuration, keys and directories; what is there (spool, key) stays."""
        for name in ("etc", "log", "spool", "execute", "lock", "run"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        for name in ("passwords.d", "tokens.d"):
            (self.home / name).mkdir(mode=0o700, exist_ok=True)
        if not self.signing_key.exists():
            write_private(self.signing_key, secrets.token_bytes(64))
        hosts = ", ".join(f"*@{h}" for h in pilot_hosts)
        text = pool_text(self.spec, self.prefix, self.base, self.collector, self.ca, hosts)
        self.config.write_text(text)
        mapfile = self.home / "etc/mapfile"
        if not mapfile.exists():
            mapfile.write_text("")
        self.who.own(self.home)

    def env(self) -> dict[str, str]:
        """Environment for a tool that speaks with the pool's own key (run it as the pool's
        account).
        """
        path = f"{self.prefix}/bin:{self.prefix}/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}"
        return process.clean_env(
            self.base, {"CONDOR_CONFIG": str(self.config), "PATH": path, "HOME": str(self.home)}
        )

    def tool(self, *argv: str, timeout: float = 30) -> str:
        """Run an HTCondor tool as the pool's administrator; its output. Raises DemoError with
        stderr.
        """
        words, drop = process.command(argv, self.who, self.enter)
        done = subprocess.run(  # type: ignore[call-overload]
            words,
            env=self.env(),
            cwd=self.home,
            text=True,
            capture_output=True,
            timeout=timeout,
            **drop,
        )
        if done.returncode:
            raise DemoError(
                f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()}",
                where=self.spec.name,
            )
        return str(done.stdout)

    def start(self) -> None:
        """Start the master; do not wait."""
        if not self.enter and not port_free(self.port):
            raise DemoError(
                f"port {self.port} is in use",
                where=f"pool {self.spec.name}",
                hint="end what listens there, or let a free port be chosen",
            )
        argv = [str(self.prefix / "sbin/condor_master"), "-f"]
        log = self.log_dir / "master.out"
        self.master = process.spawn(
            argv,
            self.env(),
            self.who,
            log,
            supervised=self.supervised,
            cwd=self.home,
            enter=self.enter,
        )
        self.pid_file.write_text(str(self.master.pid))

    def missing(self) -> set[str]:
        """Daemons that have not advertised themselves yet."""
        try:
            types = set(self.tool("condor_status", "-any", "-af", "MyType", timeout=10).split())
        except (DemoError, subprocess.TimeoutExpired):
            return set(self.spec.daemons)
        return {d for d in self.spec.daemons if not ADVERTISED[d] & types}

    def wait_up(self, deadline: float) -> None:
        """Wait until every daemon has advertised itself; `deadline` on the monotonic clock."""
        while left := self.missing():
            if self.master is not None and self.master.poll() is not None:
                raise DemoError(
                    f"condor_master ended with {self.master.returncode}",
                    where=self.spec.name,
                    hint=self.excerpt(),
                )
            if time.monotonic() > deadline:
                raise DemoError(
                    f"not up in time: {', '.join(sorted(left))}",
                    where=self.spec.name,
                    hint=self.excerpt(),
                )
            time.sleep(0.05)

    def up(self) -> None:
        """Start and wait."""
        self.start()
        self.wait_up(time.monotonic() + UP_DEADLINE)

    def excerpt(self) -> str:
        """The last lines of the master's log and output."""
        text = ""
        for name in ("master.out", "MasterLog"):
            path = self.log_dir / name
            if path.exists():
                text += "\n".join(path.read_text(errors="replace").splitlines()[-6:]) + "\n"
        return f"see {self.log_dir}:\n{text}".rstrip()

    def pid(self, daemon: str = "MASTER") -> int:
        """Pid of a daemon ("SCHEDD"), raises DemoError when it is not running."""
        try:
            master = int(self.pid_file.read_text())
        except (OSError, ValueError):
            raise DemoError("not running", where=f"pool {self.spec.name}") from None
        if daemon == "MASTER":
            return master
        for child in process.children(master):
            if process.program(child) == f"condor_{daemon.lower()}":
                return child
        raise DemoError(f"{daemon} is not running", where=f"pool {self.spec.name}")

    def signal(self, daemon: str, sig: int) -> None:
        """Send a signal to one daemon ("SCHEDD", "COLLECTOR", "MASTER" ...); the master restarts
        what dies.
        """
        process.kill(self.pid(daemon), sig)

    def down(self) -> None:
        """Fast shutdown; what does not go in time is killed. The spool stays."""
        stop_masters([self.pid_file])
        if self.master is not None:
            self.master.wait()
            self.master = None

    def restart(self) -> None:
        """Down and up again with the same queue."""
        self.down()
        self.up()

    def collect_logs(self, into: Path) -> None:
        """Copy the logs to `into/<pool>`."""
        shutil.copytree(
            self.log_dir, into / self.spec.name, dirs_exist_ok=True, ignore_dangling_symlinks=True
        )


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    found = process.children(pid)
    return found + [d for c in found for d in descendants(c)]


def stop_masters(pid_files: Iterable[Path]) -> None:
    """End the pools of these pid files together: SIGQUIT to the masters, SIGKILL to what is left of
    them.
    """
    files = [f for f in pid_files if f.exists()]
    trees: dict[int, list[int]] = {}
    for file in files:
        text = file.read_text().strip()
        if text.isdigit() and process.program(int(text)) == "condor_master":
            trees[int(text)] = descendants(int(text))
    for master, below in trees.items():
        for pid in below:
            process.kill(pid, signal.SIGCONT)
        process.kill(master, signal.SIGQUIT)
    for pid in process.wait_gone(list(trees), DOWN_PATIENCE):
        process.kill(pid, signal.SIGKILL)
    below = [p for tree in trees.values() for p in tree]
    for pid in process.wait_gone(below, 0.5):
        process.kill(pid, signal.SIGKILL)
    for file in files:
        file.unlink(missing_ok=True)
