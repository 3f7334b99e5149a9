"""Run a pilot on a real user pool: built stage, HTTP server, unprivileged account."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from glideinwms.demo import process
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor
from tests.support.pilot_stage import Setup

DEADLINE = 300.0
FAST = """NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
SEC_USE_FAMILY_SESSION = False
UPDATE_INTERVAL = 2
POLLING_INTERVAL = 1
MASTER_UPDATE_INTERVAL = 5
STARTER_UPDATE_INTERVAL = 5
DETECTED_MEMORY = 4000
"""
ATTRS = {
    "GLIDEIN_Site": "SiteA",
    "GLIDEIN_CPUS": "2",
    "GLIDEIN_MaxMemMBs": "1000",
    "GLIDEIN_Max_Idle": "120",
    "GLIDEIN_Max_Tail": "3",
    "GLIDEIN_Graceful_Shutdown": "5",
}


T = TypeVar("T")


def until(what: str, probe: Callable[[], T | None], deadline: float = DEADLINE) -> T:
    """Wait until `probe` gives something true; says what was waited for. No deadline is shorter
    than DEADLINE, which a slow machine needs.
    """
    end = time.monotonic() + max(deadline, DEADLINE)
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not in {deadline:g} s: {what}")


@dataclass
class PilotHarness:
    """`stage` makes the stage area, `start` a pilot in its own directory, as the grid's account."""

    grid: Grid
    condor: Condor
    url: str
    words: list[str] = field(default_factory=list)
    pilots: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def stage_dir(self) -> Path:
        return self.grid.base / "stage"

    def stage(self, attrs: Mapping[str, str] | None = None, **more: Any) -> None:
        conf = self.stage_dir / "fast.conf"
        conf.parent.mkdir(exist_ok=True)
        conf.write_text(FAST)
        files = f'<file absfname="{conf}" type="config:condor"/>' + more.pop("factory_files", "")
        setup = Setup(
            self.stage_dir,
            self.url,
            [self.condor.worker_tarball],
            {**ATTRS, **(attrs or {})},
            factory_files=files,
            collector=self.grid["user"].collector,
            **more,
        )
        self.words = setup.words()
        self.grid.who.own(self.stage_dir)

    def token(self, lifetime: int = 86400) -> str:
        identity = f"SiteA@{socket.getfqdn()}"
        return self.grid.idtoken(
            "user", identity, ("READ", "ADVERTISE_STARTD", "ADVERTISE_MASTER"), lifetime
        )

    def start(
        self,
        env: Mapping[str, str] | None = None,
        lifetime: int = 86400,
        words: list[str] | None = None,
        where: Path | None = None,
    ) -> Path:
        """A pilot; its directory, with `log` (stdout and stderr). `where`: that of an earlier one."""
        home = where or self.grid.base / f"pilot{len(self.pilots)}"
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        (home / "credential_a.idtoken").write_text(self.token(lifetime))
        (home / "credential_a.idtoken").chmod(0o600)
        self.grid.who.own(home)
        clean = process.clean_env(
            self.grid.base,
            {
                "PATH": "/usr/bin:/bin",
                "HOME": str(home),
                "GLIDEIN_TMP": str(home / "tmp"),
                **(env or {}),
            },
        )
        argv = ["/bin/bash", str(self.stage_dir / "glidein_startup.sh"), *(words or self.words)]
        self.pilots.append(process.spawn(argv, clean, self.grid.who, home / "log", cwd=home))
        return home

    def slots(self, constraint: str = "true", *attributes: str) -> list[list[str]]:
        """Values of startd ads in the user pool."""
        out = self.grid.run(
            "alice@user.demo", "condor_status", "-constraint", constraint, "-af:r", *attributes
        )
        return [line.split(" ") for line in out.splitlines()]

    def submit(self, seconds: int, extra: str = "") -> str:
        """A job of alice's; its id."""
        folder = self.grid.base / "alice"
        folder.mkdir(exist_ok=True)
        (folder / "job.sh").write_text(
            '#!/bin/sh\nenv > env.out\necho ran >> trace.out\nsleep "$1"\n'
        )
        (folder / "job.sh").chmod(0o755)
        (folder / "job.sub").write_text(
            f"executable = {folder}/job.sh\narguments = {seconds}\nlog = {folder}/log\ninitialdir = {folder}\n"
            "should_transfer_files = YES\nwhen_to_transfer_output = ON_EXIT\nrequest_memory = 100\nrequest_disk = 1MB\n"
            f"transfer_output_files = env.out,trace.out\n{extra}queue\n"
        )
        self.grid.who.own(folder)
        out = self.grid.run("alice@user.demo", "condor_submit", "-terse", str(folder / "job.sub"))
        return out.split()[0]

    def job_status(self, job: str) -> str:
        """JobStatus as condor_q gives it; 4 once it has left the queue."""
        out = self.grid.run("alice@user.demo", "condor_q", job, "-af", "JobStatus")
        return out.strip() or "4"

    def busy(self) -> bool:
        """Whether a job runs on some slot."""
        return bool(self.slots('State=?="Claimed" && Activity=?="Busy"', "Name"))

    def wait_end(self, deadline: float = DEADLINE) -> int:
        """Exit code of the last pilot."""
        return self.pilots[-1].wait(deadline)

    def processes(self, home: Path) -> dict[int, str]:
        """What runs with a pilot's UUID in its environment: command lines by process."""
        log = (home / "log").read_text(errors="replace")
        uuid = re.search(r"glidein_uuid *= '([^']+)'", log)
        assert uuid, log[-2000:]
        mark = f"GLIDEIN_UUID={uuid[1]}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0") and process.alive(
                    int(entry.name)
                ):
                    found[int(entry.name)] = (
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    )
            except OSError:
                continue
        return found

    def left(self, home: Path) -> list[str]:
        """What a pilot left behind: directories and processes."""
        directories = (*home.glob("glide_*"), *(home / "tmp").glob("glide_*"))
        return [*map(str, directories), *self.processes(home).values()]
