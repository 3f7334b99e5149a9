"""A one-node Slurm on loopback from Debian's own packages, as an unprivileged account; nothing is installed.

Slurm comes unpacked from the host's Debian suite (its libc is the host's), with a munge of its own.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.demo import debs, process
from glideinwms.demo.pool import free_port
from glideinwms.demo.portable import default_cache
from glideinwms.demo.process import Account
from glideinwms.lib.errors import DemoError

ASKED = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
UNPACKED = frozenset(
    [
        *ASKED,
        "libmunge2",
        "libhwloc15",
        "libjson-c5",
        "liblua5.1-0",
        "liblz4-1",
        "libnuma1",
        "libyaml-0-2",
        "libreadline8",
        "libudev1",
        "libdbus-1-3",
        "libgcrypt20",
        "libgpg-error0",
        "libzstd1",
        "libbz2-1.0",
    ]
)
LIBS = "usr/lib/x86_64-linux-gnu"
CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={home}/munge/munge.sock
CredType=cred/munge
PluginDir={tree}/usr/lib/x86_64-linux-gnu/slurm-wlm
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdLogFile={home}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MinJobAge=60
KillWait=5
InactiveLimit=0
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=2000
SlurmdParameters=config_overrides
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
TOOLS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct")


def suite() -> str:
    """This host's Debian suite; DemoError where there is none."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise DemoError("this is no Debian", where="/etc/os-release")


def unpacked(cache: Path | None = None) -> Path:
    """Slurm's programs below a directory; downloaded once. DemoError if that cannot be."""
    tree = (cache or default_cache()) / "slurm"
    if (tree / "usr/sbin/slurmctld-wlm").exists() or (tree / "usr/sbin/slurmctld").exists():
        return tree
    work = tree.with_name("build-slurm")
    found = debs.download(work, suite(), ASKED)
    fresh = tree.with_name("slurm.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for deb in found:
        if debs.name_of(deb) in UNPACKED:
            debs.unpack(deb, fresh)
    fresh.rename(tree)
    return tree


@dataclass
class Slurm:
    """A cluster in `home`, a directory of the account `who`; tools for others are in `home/bin`."""

    home: Path
    tree: Path
    who: Account
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def bin(self) -> Path:
        """sbatch, squeue ... that speak to this cluster."""
        return self.home / "bin"

    def _env(self) -> dict[str, str]:
        libraries = f"{self.tree / LIBS}:{self.tree / LIBS / 'slurm-wlm'}:{self.tree / 'lib/x86_64-linux-gnu'}"
        return {
            **process.clean_env(self.home),
            "SLURM_CONF": str(self.home / "slurm.conf"),
            "LD_LIBRARY_PATH": libraries,
        }

    def create(self) -> None:
        """Write everything on disk."""
        for name in ("bin", "state", "spool", "log", "munge"):
            (self.home / name).mkdir(parents=True)
        (self.home / "munge").chmod(0o700)
        key = self.home / "munge/munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        ports = (free_port(), free_port())
        host = socket.gethostname().partition(".")[0]
        text = CONF.format(
            home=self.home, tree=self.tree, user=self.who.name, ports=ports, host=host
        )
        (self.home / "slurm.conf").write_text(text)
        env = self._env()
        for tool in TOOLS:
            path = self.bin / tool
            path.write_text(
                f"#!/bin/sh\nSLURM_CONF={env['SLURM_CONF']} LD_LIBRARY_PATH={env['LD_LIBRARY_PATH']} "
                f'exec {self.tree}/usr/bin/{tool} "$@"\n'
            )
            path.chmod(0o755)
        self.who.own(self.home)

    def program(self, name: str) -> str:
        """Path of a daemon: Debian has both names."""
        paths = [self.tree / "usr/sbin" / n for n in (f"{name}-wlm", name)]
        return str(next(p for p in paths if p.exists()))

    def up(self) -> None:
        """Start munge and Slurm; DemoError with their words unless the node is idle in time."""
        self.create()
        m = self.home / "munge"
        self._start(
            [
                self.program("munged"),
                "-F",
                "--force",
                f"--key-file={m}/munge.key",
                f"--socket={m}/munge.sock",
                f"--pid-file={m}/munged.pid",
                f"--log-file={self.home}/log/munged.log",
                f"--seed-file={m}/seed",
            ]
        )
        self._start([self.program("slurmctld"), "-D", "-c"])
        self._start([self.program("slurmd"), "-D", "-d", self.program("slurmstepd")])
        end = time.monotonic() + 300
        while time.monotonic() < end:
            done = subprocess.run([self.bin / "sinfo", "-h"], capture_output=True, text=True)
            if "idle" in done.stdout:
                return
            time.sleep(0.1)
        words = "".join(
            p.read_text(errors="replace")[-500:] for p in (self.home / "log").glob("*.log")
        )
        raise DemoError(
            f"Slurm did not come up: {done.stdout}{done.stderr}", where=str(self.home), hint=words
        )

    def _start(self, argv: list[str]) -> None:
        log = self.home / "log/out.log"
        self.daemons.append(process.spawn(argv, self._env(), self.who, log, cwd=self.home))

    def down(self) -> None:
        """End it, with its jobs' steps."""
        subprocess.run([self.bin / "scancel", "-p", "test"], capture_output=True, timeout=10)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
        process.sweep(self.home)
