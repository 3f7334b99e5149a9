"""Start and stop processes of the grid, under its account, and leave none behind.

Every process has `GWMS_GRID=<run directory>` in its environment, or runs below that directory. The
sweep finds processes by these marks.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glideinwms.demo import interrupt

MARK = "GWMS_GRID"
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that everything of the grid runs as."""

    uid: int
    gid: int
    name: str

    @property
    def drop(self) -> dict[str, int | list[int]]:
        """Arguments of `subprocess` that switch to this account. Empty if we already run as it."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, *paths: Path) -> None:
        """Give files or whole trees to this account. Only root needs that."""
        if os.geteuid() != 0:
            return
        for path in paths:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
            if path.is_dir() and not path.is_symlink():
                self.own(*path.iterdir())


def account() -> Account:
    """Return our own account, or `nobody` for root.

    HTCondor cannot run as root in a single directory tree.
    """
    entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def command(
    argv: Sequence[str], who: Account, enter: Sequence[str] = ()
) -> tuple[list[str], dict[str, int | list[int]]]:
    """Return (argv, arguments of `subprocess`) that run a command as an account.

    `enter` are words that run it elsewhere.
    """
    return ([*enter, *argv], {}) if enter else (list(argv), who.drop)


def clean_env(base: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without an outer HTCondor's overrides, marked as this grid's."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith("_CONDOR_") and k != "CONDOR_CONFIG"
    }
    return {**kept, MARK: str(base), "LC_ALL": "C", **(extra or {})}


def _begin(parent: int, sig: int) -> None:
    interrupt.release()
    if sig:
        # a script starts what it puts in the background with SIGQUIT ignored, and that is inherited
        signal.signal(sig, signal.SIG_DFL)
        _libc.prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    who: Account,
    log: Path,
    *,
    supervised: bool = True,
    cwd: Path | None = None,
    enter: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in its own session and append its output to `log`.

    With `supervised` it receives SIGQUIT when we die; `enter` (see `command`) passes that on.
    """
    me = os.getpid()
    words, drop = command(argv, who, enter)
    with log.open("ab") as out, interrupt.held():
        who.own(log)
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            words,
            env=dict(env),
            cwd=cwd or log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            # after the change of user, which would clear the death signal
            preexec_fn=lambda: _begin(me, signal.SIGQUIT if supervised else 0),
            **drop,
        )


def alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def program(pid: int) -> str:
    """Base name of a process's argv[0], "" when it has gone."""
    try:
        return Path(
            Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
        ).name
    except OSError:
        return ""


def belonging(base: Path) -> Iterator[int]:
    """Return pids of the grid in `base`: marked in their environment, or running below it.

    Never our own pid.
    """
    mark = f"{MARK}={base}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            marked = mark in (entry / "environ").read_bytes().split(b"\0")
            inside = (entry / "cwd").readlink().is_relative_to(base)
        except OSError:
            continue
        if (marked or inside) and alive(int(entry.name)):
            yield int(entry.name)


def kill(pid: int, sig: int) -> None:
    """Signal a process that may have gone."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return


def sweep(base: Path, patience: float = 5.0) -> int:
    """Kill what is left of the grid in `base`, also processes born meanwhile.

    Return how many there were.
    """
    seen: set[int] = set()
    end = time.monotonic() + patience
    while (left := set(belonging(base))) and time.monotonic() < end:
        seen |= left
        for pid in left:
            kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return len(seen)


def wait_gone(pids: Sequence[int], patience: float) -> list[int]:
    """Wait for all to end, and return those still running after `patience` seconds."""
    end = time.monotonic() + patience
    left = [p for p in pids if alive(p)]
    while left and time.monotonic() < end:
        time.sleep(0.02)
        left = [p for p in left if alive(p)]
    return left
