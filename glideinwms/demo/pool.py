"""Run one pool of the grid: a condor_master and its daemons on one loopback port."""

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
    """Return a port on which nothing listens now."""
    rng = rng or random.SystemRandom()
    for _ in range(200):
        port = rng.choice(PORTS)
        if port_free(port):
            return port
    raise DemoError(
        "no free TCP port found", where="127.0.0.1:20000-32000", hint="end what listens there"
    )


def port_free(port: int) -> bool:
    """Return whether a socket can listen on 127.0.0.1:port."""
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
        """The directory of this pool."""
        return self.base / self.spec.name

    @property
    def log_dir(self) -> Path:
        """The directory of the daemons' logs."""
        return self.home / "log"

    @property
    def config(self) -> Path:
        """The condor_config of the pool."""
        return self.home / "etc/condor_config"

    @property
    def trust_domain(self) -> str:
        """TRUST_DOMAIN: the issuer of the pool's tokens."""
        return self.spec.host

    @property
    def collector(self) -> str:
        """The address of the collector, host:port."""
        return f"{self.address}:{self.port}"

    @property
    def schedd(self) -> str:
        """The name of the schedd."""
        return f"{self.spec.name}@{self.spec.host}"

    @property
    def gatekeeper(self) -> str:
        """The gatekeeper attribute of an entry at this CE.

        It names the pool, since clients check the name in its certificate.
        """
        return f"{self.schedd} {self.spec.host if self.enter else 'localhost'}:{self.port}"

    @property
    def signing_key(self) -> Path:
        """The pool's signing key file (kid POOL)."""
        return self.home / "passwords.d/POOL"

    @property
    def pid_file(self) -> Path:
        """The file that has the master's pid while the pool is up."""
        return self.home / "master.pid"

    def create(self, pilot_hosts: Iterable[str]) -> None:
        """Write configuration, keys and directories. An existing spool and key are kept."""
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
        """Return the environment of a tool that uses the pool's own key, as the pool's account."""
        path = f"{self.prefix}/bin:{self.prefix}/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}"
        return process.clean_env(
            self.base, {"CONDOR_CONFIG": str(self.config), "PATH": path, "HOME": str(self.home)}
        )

    def tool(self, *argv: str, timeout: float = 30) -> str:
        """Run an HTCondor tool as the pool's administrator and return its output.

        Raise DemoError with stderr.
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
        """Start the master without waiting."""
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
        """Return the daemons that have not advertised themselves yet."""
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
        """Start the pool and wait until it is up."""
        self.start()
        self.wait_up(time.monotonic() + UP_DEADLINE)

    def excerpt(self) -> str:
        """Return the last lines of the master's log and output."""
        text = ""
        for name in ("master.out", "MasterLog"):
            path = self.log_dir / name
            if path.exists():
                text += "\n".join(path.read_text(errors="replace").splitlines()[-6:]) + "\n"
        return f"see {self.log_dir}:\n{text}".rstrip()

    def pid(self, daemon: str = "MASTER") -> int:
        """Return the pid of a daemon ("SCHEDD"). Raise DemoError if it does not run."""
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
        """Send a signal to a daemon ("SCHEDD", "COLLECTOR", "MASTER" ...).

        The master restarts a daemon that dies.
        """
        process.kill(self.pid(daemon), sig)

    def down(self) -> None:
        """Shut down fast. Processes that do not end in time are killed. The spool is kept."""
        stop_masters([self.pid_file])
        if self.master is not None:
            self.master.wait()
            self.master = None

    def restart(self) -> None:
        """Stop the pool and start it with the same queue."""
        self.down()
        self.up()

    def collect_logs(self, into: Path) -> None:
        """Copy the logs to `into/<pool>`."""
        shutil.copytree(
            self.log_dir, into / self.spec.name, dirs_exist_ok=True, ignore_dangling_symlinks=True
        )


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`."""
    found = process.children(pid)
    return found + [d for c in found for d in descendants(c)]


def stop_masters(pid_files: Iterable[Path]) -> None:
    """Stop the pools of these pid files together.

    Send SIGQUIT to the masters, and SIGKILL to what is left of them.
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
