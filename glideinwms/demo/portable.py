"""Find HTCondor for the grid: the host's own if it is new enough, else a relocatable one.

The relocatable prefix is built from Debian packages, once (in about 10 s), and kept in a cache. It
needs no root and leaves the host unchanged.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glideinwms.demo import debs
from glideinwms.demo.prefix import build_prefix
from glideinwms.lib.errors import DemoError

OLDEST = (23, 0)
SUITE = "trixie"
LAYOUT = "1"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Condor:
    """An HTCondor: its prefix, the worker's tarball for the stage area, its version ("23.9.6")."""

    prefix: Path
    worker_tarball: Path
    version: str


def default_cache() -> Path:
    """Return `$GWMS_CACHE`, by default /var/tmp/gwms-<uid>."""
    return Path(os.environ.get("GWMS_CACHE") or f"/var/tmp/gwms-{os.getuid()}")


def parse_version(text: str) -> tuple[int, int, int]:
    """Return the version in the output of `condor_version`."""
    found = re.search(r"CondorVersion: (\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise DemoError("cannot tell HTCondor's version", where="condor_version", hint=text[:200])
    return int(found[1]), int(found[2]), int(found[3])


def installed_version(prefix: Path) -> tuple[int, int, int]:
    """Return the version that `condor_version` of a prefix reports."""
    env = {**os.environ, "CONDOR_CONFIG": "/dev/null"}
    try:
        done = subprocess.run(
            [str(prefix / "bin/condor_version")],
            env=env,
            text=True,
            capture_output=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"condor_version cannot be run: {error}", where=str(prefix)) from error
    return parse_version(done.stdout)


def host_prefix() -> Path | None:
    """Return the prefix of the host's HTCondor, None if there is none.

    Raise DemoError if it is too old.
    """
    master = shutil.which("condor_master")
    if master is None:
        return None
    prefix = Path(master).resolve().parent.parent
    version = installed_version(prefix)
    if version[:2] < OLDEST:
        raise DemoError(
            f"the host's HTCondor {'.'.join(map(str, version))} is too old",
            where=master,
            hint=f"{OLDEST[0]}.0 or newer is needed; take it off PATH to have a portable one built",
        )
    return prefix


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive flock on `path`. Other processes wait."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _quiet(message: str) -> None:
    return None


def ensure_condor(cache: Path | None = None, say: Say = _quiet) -> Condor:
    """Return the HTCondor to use, and build it on the first call.

    Builders wait for each other, and an incomplete one is never visible.
    """
    cache = cache or default_cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = locked(cache / "condor.lock")
        with lock:
            return _ensure(cache, say)
    except OSError as error:
        raise DemoError(
            f"{error.strerror}: {error.filename}",
            where=str(cache),
            hint="set GWMS_CACHE to a directory of yours",
        ) from error


def _ensure(cache: Path, say: Say) -> Condor:
    own = host_prefix()
    prefix, worker = own or cache / "condor", cache / "condor-worker.tgz"
    if own is None and not _fresh(prefix, "full"):
        _build(cache, prefix, "full", say)
    version = installed_version(prefix)
    text = ".".join(map(str, version))
    stamp = cache / "condor-worker.version"
    if not worker.exists() or not stamp.exists() or stamp.read_text() != f"{text} {LAYOUT}":
        _pack_worker(cache, worker, say)
        stamp.write_text(f"{text} {LAYOUT}")
    return Condor(prefix, worker, text)


def _fresh(prefix: Path, profile: str) -> bool:
    stamp = prefix / "etc/portable.version"
    return stamp.exists() and stamp.read_text().split()[-2:] == [profile, LAYOUT]


def _build(cache: Path, prefix: Path, profile: str, say: Say) -> None:
    work = cache / "build"
    say("downloading HTCondor's packages")
    packages = debs.download(work, SUITE, ["condor"])
    say(f"building HTCondor ({profile})")
    fresh = prefix.with_name(prefix.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    build_prefix(packages, work / "tree", fresh, profile, f"{SUITE} {profile} {LAYOUT}")
    old = prefix.with_name(prefix.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if prefix.exists():
        prefix.rename(old)
    fresh.rename(prefix)
    relocate(prefix)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(work / "tree", ignore_errors=True)


def relocate(prefix: Path) -> None:
    """Write the prefix's path into its programs, after it was unpacked or moved."""
    done = subprocess.run([str(prefix / "relocate")], text=True, capture_output=True)
    if done.returncode:
        raise DemoError(f"relocate: {done.stderr.strip()}", where=str(prefix))


def _pack_worker(cache: Path, worker: Path, say: Say) -> None:
    tree = cache / "condor-worker"
    _build(cache, tree, "worker", say)
    say("packing the worker's tarball")
    partial = worker.with_suffix(".part")
    with tarfile.open(partial, "w:gz", compresslevel=6) as tar:
        tar.add(tree, arcname="condor-worker", filter=_anonymous)
    partial.chmod(0o644)
    partial.rename(worker)
    shutil.rmtree(tree)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
