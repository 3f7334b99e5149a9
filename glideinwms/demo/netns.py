"""Create network namespaces for the grid's hosts, which tests can disconnect (root only).

Each host has an address on one bridge. The address of the bridge, `hub`, belongs to the namespace
of this process, where tests, tools and the stage web server run. Names contain the pid of their
creator, so that leftovers of a killed one are found.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.demo import process
from glideinwms.demo.process import Account
from glideinwms.lib.errors import DemoError

ETC = Path("/etc/netns")
NOTE = "netns.json"
# RFC 2544: set apart for tests between networks
SUBNETS = [f"198.{second}.{third}" for second in (18, 19) for third in range(256)]


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise DemoError(
            f"ip {' '.join(words)}: {done.stderr.strip()}",
            where="network namespaces",
            hint="run as root",
        )
    return done.stdout


def why_not() -> str:
    """Return why namespaces cannot be created here, "" if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip") or not shutil.which("setpriv"):
        return "network namespaces need ip (iproute2) and setpriv (util-linux)"
    probe = Network(("probe",))
    try:
        probe.create()
    except (DemoError, OSError) as e:
        return f"network namespaces cannot be made: {e}"
    finally:
        probe.remove()
    return ""


@dataclass
class Network:
    """Hosts by name, each in its own namespace.

    `names` are further names, with their hosts, for the hosts file of every host.
    """

    hosts: Sequence[str]
    names: dict[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(3))
    subnet: str = ""

    @property
    def hub(self) -> str:
        """The address of the bridge."""
        return f"{self.subnet}.1"

    @property
    def bridge(self) -> str:
        """The name of the bridge."""
        return f"gwb{self.token}"

    def address(self, host: str) -> str:
        """Return the address of a host."""
        return f"{self.subnet}.{self.hosts.index(host) + 2}"

    def namespace(self, host: str) -> str:
        """Return the name of a host's namespace."""
        return f"gwms-{os.getpid()}-{self.token}-{host}"

    def port(self, host: str) -> str:
        """Return the bridge's end of a host's link."""
        return f"gwp{self.token}{self.hosts.index(host)}"

    def create(self) -> None:
        """Create the bridge, namespaces and links. Raise DemoError naming what failed."""
        clear_left_over()
        used = _ip("-o", "-4", "addr")
        self.subnet = random.SystemRandom().choice([s for s in SUBNETS if f" {s}." not in used])
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("addr", "add", f"{self.hub}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        for number, host in enumerate(self.hosts):
            self._etc(host)
            name, inner = self.namespace(host), f"gwi{self.token}{number}"
            _ip("netns", "add", name)
            _ip(*f"link add {self.port(host)} type veth peer name {inner}".split())
            _ip("link", "set", self.port(host), "master", self.bridge, "up")
            _ip("link", "set", inner, "netns", name)
            _ip(*f"-n {name} addr add {self.address(host)}/24 dev {inner}".split())
            _ip("-n", name, "link", "set", inner, "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def _etc(self, host: str) -> None:
        folder = ETC / self.namespace(host)
        folder.mkdir(parents=True)
        lines = [f"{self.address(h)} {n}" for n, h in self.names.items()]
        (folder / "hosts").write_text(
            "\n".join([Path("/etc/hosts").read_text().rstrip(), *lines, ""])
        )
        # no name server is reachable: asking none fails at once
        (folder / "resolv.conf").write_text("")

    def enter(self, host: str, who: Account, supervised: bool = False) -> tuple[str, ...]:
        """Return the words that run a command on a host, as an account.

        With `supervised` it receives SIGQUIT when its parent dies.
        """
        drop = ["setpriv", f"--reuid={who.uid}", f"--regid={who.gid}", "--clear-groups"]
        if supervised:
            drop.append("--pdeathsig=QUIT")
        return ("ip", "netns", "exec", self.namespace(host), *drop, "--")

    def cut(self, *hosts: str) -> None:
        """Drop all packets between these hosts, without closing their connections.

        They still reach the other hosts.
        """
        for host in hosts:
            _ip(*f"link set {self.port(host)} type bridge_slave isolated on".split())

    def restore(self) -> None:
        """Let every host reach every other host again."""
        for host in self.hosts:
            _ip(*f"link set {self.port(host)} type bridge_slave isolated off".split())

    def note(self, base: Path) -> None:
        """Record the namespaces in a grid's directory, so that a later cleanup removes them."""
        names = [self.namespace(h) for h in self.hosts]
        (base / NOTE).write_text(json.dumps({"bridge": self.bridge, "namespaces": names}))

    def remove(self) -> None:
        """Remove everything that exists."""
        _remove(self.bridge, [self.namespace(h) for h in self.hosts])


def _remove(bridge: str, namespaces: Sequence[str]) -> None:
    for name in namespaces:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        shutil.rmtree(ETC / name, ignore_errors=True)
    subprocess.run(["ip", "link", "del", bridge], capture_output=True)


def remove_noted(base: Path) -> None:
    """Remove what `note` recorded, if anything."""
    try:
        note = json.loads((base / NOTE).read_text())
    except (OSError, ValueError):
        return
    _remove(str(note["bridge"]), [str(n) for n in note["namespaces"]])


def clear_left_over() -> None:
    """Remove namespaces and bridges whose creator has died."""
    for path in ETC.glob("gwms-*-*-*"):
        _, pid, token, _ = path.name.split("-", 3)
        if pid.isdigit() and not process.alive(int(pid)):
            _remove(f"gwb{token}", [path.name])
