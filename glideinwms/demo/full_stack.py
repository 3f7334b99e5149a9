"""Run the whole stack on one machine: grid, web server, configuration and both daemons.

The demo, tests and benchmarks use it:

    with Chain(Grid(base, condor.prefix), condor) as chain:
        ...                                            # everything is up; both daemons run
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from glideinwms.demo import process, render_config
from glideinwms.demo.grid import Grid
from glideinwms.demo.pki import write_private
from glideinwms.demo.portable import Condor
from glideinwms.lib.daemon.status import Status
from glideinwms.lib.daemon.status import read as read_status
from glideinwms.lib.errors import DemoError, StateError

Say = Callable[[str], None]
FRONTEND_KEY = "FRONTEND"
IDENTITY = {
    "factory": "factory@wms.demo",
    "factory2": "factory@wms2.demo",
    "frontend": "frontend@wms.demo",
}
SIDES = ("factory", "frontend")
CES = ("ce_a", "ce_b")
STOP_PATIENCE, RECONFIG_TIMEOUT, FIRST_CYCLE = 20.0, 300.0, 180.0


def _quiet(message: str) -> None:
    return None


def role(side: str) -> str:
    """Return factory or frontend."""
    return side.rstrip("0123456789")


def check_account(grid: Grid) -> None:
    """Check, as root, that the unprivileged account can run this Python and program."""
    if os.geteuid() != 0:
        return
    argv = [sys.executable, "-c", "import glideinwms.cli"]
    done = subprocess.run(  # type: ignore[call-overload]
        argv, cwd="/", text=True, capture_output=True, **grid.who.drop
    )
    if done.returncode:
        raise DemoError(
            f"the account {grid.who.name} cannot run this program: {done.stderr.strip()[-200:]}",
            where=sys.executable,
            hint="install it where everybody can read it, or use scripts/demo, which does that",
        )


@dataclass
class Chain:
    """A grid with a Factory and a Frontend on it.

    `sides` are the daemons (a second Factory is factory2); `say` is called with each step.
    """

    grid: Grid
    condor: Condor
    say: Say = _quiet
    sides: Sequence[str] = SIDES
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)
    url: str = field(default="", init=False)

    @property
    def etc(self) -> Path:
        """The directory of the configuration files."""
        return self.grid.base / "etc"

    def home(self, side: str) -> Path:
        """Return the directory of one daemon."""
        return self.grid.base / side

    def work(self, side: str) -> Path:
        """Return the work area of one daemon."""
        return self.home(side) / "work"

    def prepare(self) -> None:
        """Create directories, write keys, credentials and configuration, start the web server."""
        check_account(self.grid)
        self.grid.create()
        key = secrets.token_bytes(64)
        for passwords in (
            self.grid["user"].signing_key.parent,
            self.home("frontend") / "passwords.d",
        ):
            passwords.mkdir(parents=True, mode=0o700, exist_ok=True)
            write_private(passwords / FRONTEND_KEY, key)
        folder = self.home("frontend") / "credentials"
        folder.mkdir(mode=0o700, exist_ok=True)
        for ce in CES:
            if ce in self.grid.pools:
                write_private(
                    folder / f"{self.grid[ce].spec.host}.scitoken",
                    self.grid.scitoken(ce).read_text(),
                )
        self._directories()
        self.url = self.grid.web({f"/{s}/stage": self.home(s) / "stage" for s in self.areas})
        self.configure()
        self.grid.who.own(self.etc, *(self.home(s) for s in self.areas), self.grid["user"].home)

    @property
    def areas(self) -> tuple[str, ...]:
        """The daemons that have directories, whether they were started or not."""
        return tuple(dict.fromkeys((*SIDES, *self.sides)))

    def configure(self) -> None:
        """Write the configuration files."""
        render_config.write(self.etc, self.values())

    def _directories(self) -> None:
        for name in ("work", "stage", "log", "client", "client-proxies", "monitor"):
            for side in self.areas:
                mode = 0o700 if name == "client-proxies" else 0o755
                (self.home(side) / name).mkdir(parents=True, mode=mode, exist_ok=True)

    def values(self) -> dict[str, str]:
        """Return the values of the placeholders in etc/demo."""
        user, wms = self.grid["user"], self.grid["wms"]
        gate = {f"{ce.upper()}": self.grid[ce].gatekeeper for ce in CES if ce in self.grid.pools}
        return {
            "BASE": str(self.grid.base),
            "WEB": self.url,
            "PILOT_ADDRESS": self.grid.address(next((c for c in CES if c in self.grid.pools), "")),
            "WMS_COLLECTOR": wms.collector,
            "WMS_SCHEDD": wms.schedd,
            "USER_COLLECTOR": user.collector,
            "USER_SCHEDD": user.schedd,
            "WORKER_TARBALL": str(self.condor.worker_tarball),
            **gate,
        }

    def gwms(self, side: str, *words: str, timeout: float = RECONFIG_TIMEOUT) -> str:
        """Run `gwms <words>` with the account and identity of a daemon, and return its output."""
        argv = (sys.executable, "-m", "glideinwms.cli", *words)
        return self.grid.run(IDENTITY[side], *argv, timeout=timeout)

    def reconfig(self, side: str) -> str:
        """Build the work and stage areas from the XML file, and return the output."""
        return self.gwms(side, role(side), "reconfig", str(self.etc / f"{side}.xml"))

    def start(self, side: str) -> None:
        """Start a daemon without waiting."""
        env = self.grid.client_env(IDENTITY[side], for_account=True)
        argv = [
            sys.executable,
            "-m",
            "glideinwms.cli",
            role(side),
            "run",
            "--work-dir",
            str(self.work(side)),
        ]
        log = self.grid.base / f"{side}.log"
        self.daemons[side] = process.spawn(
            argv,
            env,
            self.grid.who,
            log,
            supervised=self.grid.supervised,
            cwd=self.home(side),
            enter=self.grid.enter(self.grid.home_of(IDENTITY[side]), self.grid.supervised),
        )
        (self.grid.base / f"{side}.pid").write_text(str(self.daemons[side].pid))

    def status(self, side: str) -> Status | None:
        """Return the status of a daemon, None before its first cycle."""
        try:
            return read_status(self.work(side) / "state/status.json")
        except (StateError, ValueError):
            return None

    def check(self) -> None:
        """Raise DemoError if a daemon has ended."""
        for side, daemon in self.daemons.items():
            if daemon.poll() is not None:
                log = (self.grid.base / f"{side}.log").read_text(errors="replace")
                raise DemoError(
                    f"the {side} ended with {daemon.returncode}",
                    where=f"{self.grid.base}/{side}.log",
                    hint=log[-800:],
                )

    def wait_cycle(self, side: str, timeout: float = FIRST_CYCLE) -> Status:
        """Wait until a daemon has ended its first cycle."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.check()
            found = self.status(side)
            if found is not None and found.pid == self.daemons[side].pid:
                return found
            time.sleep(0.05)
        raise DemoError(
            f"the {side} has not ended a cycle in {timeout:g} s", where=str(self.work(side))
        )

    def stop(self, side: str) -> None:
        """Send SIGTERM and wait while the daemon withdraws its ads.

        `down` kills one that does not end.
        """
        daemon = self.daemons.pop(side, None)
        if daemon is None:
            return
        process.kill(daemon.pid, signal.SIGTERM)
        try:
            daemon.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def up(self, pools: Sequence[str] | None = None) -> None:
        """Start everything, in order, or only `pools` first.

        Return when both daemons have ended a cycle.
        """
        self.prepare()
        self.say("starting the pools")
        self.grid.up(pools)
        for side in self.sides:
            self.say(f"reconfig of the {side}")
            self.reconfig(side)
        for side in self.sides:
            self.say(f"starting the {side}")
            self.start(side)
        for side in self.sides:
            self.wait_cycle(side)

    def down(self) -> None:
        """Stop everything at once."""
        self.grid.down()
        for daemon in self.daemons.values():
            daemon.wait()
        self.daemons.clear()

    def collect_logs(self, into: Path) -> None:
        """Copy logs, status and output of pilots to a directory."""
        self.grid.collect_logs(into)
        for side in self.areas:
            for pattern in ("log/**/*", "client/**/*", "work/state/*.json*", "work/policy.json"):
                for path in self.home(side).glob(pattern):
                    if path.is_file():
                        target = into / side / path.relative_to(self.home(side))
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(path.read_bytes())

    def __enter__(self) -> Chain:
        with contextlib.ExitStack() as undo:
            undo.callback(self.down)
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
