"""Install bindfs, a FUSE file system without a server: `python -m tests.support.fuse` prints where."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from glideinwms.demo import debs
from glideinwms.demo.portable import default_cache
from glideinwms.lib.errors import DemoError
from tests.support.slurm import suite

LIBRARIES = "lib/x86_64-linux-gnu"
NOT_HERE = 3


def bindfs(cache: Path) -> Path:
    """The program below `cache`, downloaded once, its libraries beside it. Raises DemoError."""
    out = cache / "bindfs"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "bindfs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "done").exists():
            out.mkdir(exist_ok=True)
            for deb in debs.download(cache / "build-bindfs", suite(), ("bindfs",)):
                if debs.name_of(deb).startswith(("bindfs", "libfuse")):
                    debs.unpack(deb, out)
            (out / "done").write_text("")
    return out / "usr/bin/bindfs"


def why_not() -> str | None:
    """Why nothing can be mounted here, or None."""
    probe = subprocess.run(["unshare", "-rm", "test", "-w", "/dev/fuse"], capture_output=True)
    return "no /dev/fuse, or no user namespaces" if probe.returncode else None


def main() -> int:
    """Print the program and its library directory; or, with exit code 3, why there is none."""
    if why := why_not():
        print(why)
        return NOT_HERE
    try:
        program = bindfs(default_cache())
    except DemoError as error:
        print(error)
        return NOT_HERE
    print(program, program.parents[2] / LIBRARIES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
