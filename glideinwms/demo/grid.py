"""Run a grid on one machine: a user pool, a WMS pool and two CEs on loopback, without root.

    with Grid(base, condor.prefix) as grid:            # all four pools, about 3 s
        config = grid.client_config("alice@user.demo")

Everything uses tokens. As root everything runs as `nobody` (decision 55), which must then be able
to reach `base`.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from glideinwms.demo import netns, process
from glideinwms.demo.netns import Network
from glideinwms.demo.pki import Authority, Issuer, write_private
from glideinwms.demo.pool import LOOPBACK, UP_DEADLINE, CondorPool, free_port, stop_masters
from glideinwms.demo.poolconfig import CE, CLIENT, SPECS, places
from glideinwms.demo.process import Account, account
from glideinwms.lib.credentials.tokens import Signer
from glideinwms.lib.errors import DemoError

ISSUER = "https://issuer.demo/vo"
PILOT_SUBJECT = "demo-pilots"
DAY = 86400
ALL = ("user", "wms", "ce_a", "ce_b")
# which host a pool is on, where hosts are network namespaces; pilots run where their CE is
HOSTS = {"user": "user", "wms": "wms", "wms2": "wms2", "ce_a": "site", "ce_b": "site"}


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a client at the pools, and its home pool."""

    home: str
    at: tuple[tuple[str, str], ...]


IDENTITIES = {
    "factory@wms.demo": Identity(
        "wms", (("wms", "factory@wms.demo"), ("wms2", "factory@wms2.demo"))
    ),
    "factory@wms2.demo": Identity("wms2", (("wms2", "factory@wms2.demo"),)),
    "frontend@wms.demo": Identity(
        "user",
        (
            ("wms", "frontend@wms.demo"),
            ("wms2", "frontend@wms2.demo"),
            ("user", "frontend@user.demo"),
        ),
    ),
    "alice@user.demo": Identity("user", (("user", "alice@user.demo"),)),
    "bob@user.demo": Identity("user", (("user", "bob@user.demo"),)),
}


def pilot_hosts() -> tuple[str, ...]:
    """Host names that a Frontend here may put into its pilots' identities."""
    return tuple(dict.fromkeys((socket.gethostname(), socket.getfqdn())))


@dataclass
class Grid:
    """Pools in `base`.

    `names` selects from user, wms, wms2, ce_a and ce_b; `daemons` gives a pool fewer daemons;
    `ports` are fixed ports instead of free ones; with `netns`, which needs root, each host is a
    network namespace.
    """

    base: Path
    prefix: Path
    names: Sequence[str] = ALL
    daemons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    supervised: bool = True
    netns: bool = False
    who: Account = field(default_factory=account)
    pools: dict[str, CondorPool] = field(default_factory=dict, init=False)
    issuer: Issuer = field(default_factory=lambda: Issuer.make(ISSUER), init=False, repr=False)
    network: Network | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        for name in self.names:
            spec = SPECS[name]
            spec = replace(
                spec,
                daemons=tuple(self.daemons.get(name, spec.daemons)),
                options=dict(self.options.get(name, {})),
            )
            port = self.ports.get(name) or free_port()
            self.pools[name] = CondorPool(
                spec=spec,
                base=self.base,
                prefix=self.prefix,
                who=self.who,
                port=port,
                ca=self.ca,
                supervised=self.supervised,
            )

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed the CEs' certificates."""
        return self.base / "ca.pem"

    def address(self, pool: str = "") -> str:
        """Return the address of a pool's host, without a pool that of this process's host."""
        if self.network is None:
            return LOOPBACK
        return self.network.address(HOSTS[pool]) if pool else self.network.hub

    def enter(self, pool: str, supervised: bool = False) -> tuple[str, ...]:
        """Return the words that run a command on a pool's host. On loopback there are none."""
        return self.network.enter(HOSTS[pool], self.who, supervised) if self.network else ()

    def _make_network(self) -> None:
        hosts = tuple(dict.fromkeys(HOSTS[n] for n in self.names))
        self.network = Network(hosts, {p.spec.host: HOSTS[n] for n, p in self.pools.items()})
        self.network.note(self.base)
        self.network.create()
        for name, pool in self.pools.items():
            pool.address, pool.enter = self.address(name), self.enter(name, self.supervised)

    def __getitem__(self, name: str) -> CondorPool:
        return self.pools[name]

    def create(self) -> None:
        """Write everything to disk and start nothing."""
        self.base.mkdir(parents=True, exist_ok=True)
        self.who.own(self.base)
        if self.netns and self.network is None:
            self._make_network()
        now = datetime.datetime.now(datetime.UTC)
        authority = Authority.make(now)
        self.ca.write_bytes(authority.pem)
        hosts = pilot_hosts()
        for pool in self.pools.values():
            (pool.home / "etc").mkdir(parents=True, exist_ok=True)
            if pool.spec.role == CE:
                self._make_ce(pool, authority, now)
            pool.create(hosts)

    def _make_ce(self, pool: CondorPool, authority: Authority, now: datetime.datetime) -> None:
        certificate, key = authority.host(pool.spec.host, ("localhost", "127.0.0.1"), now)
        (pool.home / "etc/host.pem").write_bytes(certificate)
        write_private(pool.home / "etc/host.key", key)
        subject = f"{ISSUER},{PILOT_SUBJECT}".replace("/", "\\/").replace(".", "\\.")
        (pool.home / "etc/mapfile").write_text(f"SCITOKENS /^{subject}$/ pilots@{pool.spec.host}\n")
        self.issuer.fill_cache(pool.home / "run/scitokens", int(now.timestamp()))

    def up(self, names: Iterable[str] | None = None) -> None:
        """Start the pools together and wait until every daemon has advertised itself."""
        chosen = [self.pools[n] for n in (names or self.pools)]
        deadline = time.monotonic() + UP_DEADLINE
        for pool in chosen:
            pool.start()
        for pool in chosen:
            pool.wait_up(deadline)

    def down(self) -> None:
        """End everything of this grid, whatever state it is in."""
        down(self.base)
        for pool in self.pools.values():
            if pool.master is not None:
                pool.master.wait()
                pool.master = None

    def __enter__(self) -> Grid:
        with contextlib.ExitStack() as undo:
            undo.callback(self.down)
            self.create()
            self.up()
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def idtoken(
        self, pool: str, identity: str, authz: Sequence[str] = (), lifetime: int = DAY
    ) -> str:
        """Return a token of a pool.

        `authz` is like ("READ", "ADVERTISE_STARTD"), empty for no limit. The lifetime is in
        seconds.
        """
        signer = Signer.load(self[pool].signing_key, self[pool].trust_domain)
        return signer.sign(identity, lifetime, time.time(), [f"condor:/{a}" for a in authz])

    def scitoken(self, audience: str, lifetime: int = 6 * 3600) -> Path:
        """Write a SciToken file of the pilots' submitter.

        `audience` is the name of a CE (ce_a), or any other text.
        """
        name = self[audience].spec.host if audience in self.pools else audience
        folder = self.base / "scitokens"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.{lifetime}.scitoken"
        write_private(
            path, self.issuer.token(PILOT_SUBJECT, name, lifetime, int(time.time())) + "\n"
        )
        self.who.own(folder)
        return path

    def client_config(self, identity: str, for_account: bool = False) -> Path:
        """Write the CONDOR_CONFIG of an identity for this process, or with `for_account` for
        processes of the grid's account.
        """
        known = IDENTITIES.get(identity)
        if known is None:
            raise DemoError(
                f"no identity {identity}", where="grid", hint=f"one of {', '.join(IDENTITIES)}"
            )
        home = self.base / "clients" / (identity + (".grid" if for_account else ""))
        for name in ("log", "tokens.d", "passwords.d"):
            (home / name).mkdir(parents=True, exist_ok=True)
        (home / "tokens.d").chmod(0o700)
        for pool, name in known.at:
            if pool in self.pools:
                write_private(home / "tokens.d" / pool, self.idtoken(pool, name))
        own = self.pools.get(known.home) or next(iter(self.pools.values()))
        text = places(self.prefix, home) + CLIENT.format(
            collector=own.collector,
            schedd=own.schedd,
            trust=own.trust_domain,
            address=self.address(own.spec.name if for_account else ""),
        )
        (home / "condor_config").write_text(text)
        if for_account:
            self.who.own(home)
        return home / "condor_config"

    def client_env(self, identity: str, for_account: bool = False) -> dict[str, str]:
        """Return the environment of a tool or daemon with an identity."""
        return self.env_with(self.client_config(identity, for_account))

    def env_with(self, config: Path) -> dict[str, str]:
        """Return the environment of a tool or daemon with a condor_config."""
        path = f"{self.prefix}/bin:{self.prefix}/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}"
        return process.clean_env(
            self.base, {"CONDOR_CONFIG": str(config), "PATH": path, "HOME": str(config.parent)}
        )

    def run(self, identity: str, *argv: str, timeout: float = 30) -> str:
        """Run a tool with an identity and return its output. Raise DemoError with stderr."""
        config = self.client_config(identity, for_account=True)
        return self.run_with(config, *argv, timeout=timeout, on=self.home_of(identity))

    def home_of(self, identity: str) -> str:
        """Return the pool whose host is the home of an identity."""
        return home if (home := IDENTITIES[identity].home) in self.pools else next(iter(self.pools))

    def run_with(self, config: Path, *argv: str, timeout: float = 30, on: str = "") -> str:
        """Run a tool with a condor_config, as the grid's account, on a pool's host.

        Return its output. Raise DemoError with stderr.
        """
        words, drop = process.command(argv, self.who, self.enter(on) if on else ())
        done = subprocess.run(  # type: ignore[call-overload]
            words,
            env=self.env_with(config),
            cwd=config.parent,
            text=True,
            capture_output=True,
            timeout=timeout,
            **drop,
        )
        if done.returncode:
            words = (done.stderr or done.stdout).strip()
            raise DemoError(f"{argv[0]} ended with {done.returncode}: {words}", where=str(config))
        return str(done.stdout)

    def web(self, mounts: Mapping[str, Path]) -> str:
        """Start the stage web server for {"/factory": DIR} and return its base URL.

        It is a process of the grid and ends with `down`.
        """
        port = self.ports.get("web") or free_port()
        log = self.base / "web.log"
        argv = [sys.executable, "-m", "glideinwms.demo.web", "--port", str(port)]
        argv += ["--address", self.address()]
        argv += [f"--map={url}={path}" for url, path in mounts.items()]
        server = process.spawn(
            argv,
            process.clean_env(self.base),
            self.who,
            log,
            supervised=self.supervised,
            cwd=self.base,
        )
        (self.base / "web.pid").write_text(str(server.pid))
        end = time.monotonic() + 10
        while time.monotonic() < end and server.poll() is None:
            with socket.socket() as s:
                if s.connect_ex((self.address(), port)) == 0:
                    return f"http://{self.address()}:{port}"
            time.sleep(0.05)
        raise DemoError(
            "the stage web server did not start",
            where=f"{self.address()}:{port}",
            hint=log.read_text()[-500:],
        )

    def collect_logs(self, into: Path) -> None:
        """Copy every log to a directory."""
        into.mkdir(parents=True, exist_ok=True)
        for pool in self.pools.values():
            if pool.log_dir.exists():
                pool.collect_logs(into)
        for log in self.base.glob("*.log"):
            shutil.copy(log, into)


def down(base: Path) -> int:
    """End the grid in `base`, whoever started it; returns how many processes had to be killed one
    by one.
    """
    stop_masters(sorted(base.glob("*/master.pid")))
    killed = process.sweep(base)
    netns.remove_noted(base)
    return killed
