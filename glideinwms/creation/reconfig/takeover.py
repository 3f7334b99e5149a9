"""Directories that GlideinWMS 3.10 works in, too: what is kept of its own, put back, and taken up again.

Machines of clouds fetch `glidein_startup.sh` from the stage area by this name when they boot, maybe long after they
were queued. Ours therefore has the one of 3.10 in its tar, and hands over to it for pilots that 3.10 queued.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from glideinwms.lib.files import make_directory, write_atomic

STARTUP = "glidein_startup.sh"
# in the work area: the last one of 3.10 that was found in the stage area
KEPT = "glidein_startup.deployed.sh"
# an option that only ours has
OURS = b"[-sign256]="
# what going back to 3.10 puts aside; the pointer goes first
ASIDE = ("policy.json", "state", "generations")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def deployed_startup(stage_dir: Path, work_dir: Path) -> bytes | None:
    """The startup script of 3.10: the one in the stage area, else the one that was kept when ours
    took its place.
    """
    there = _read(stage_dir / STARTUP)
    if there is not None and OURS not in there:
        return there
    return _read(work_dir / KEPT)


def keep_startup(stage_dir: Path, work_dir: Path) -> None:
    """Copy the startup script of 3.10 to the work area, before ours takes its place."""
    found = deployed_startup(stage_dir, work_dir)
    if found is not None and found != _read(work_dir / KEPT):
        write_atomic(work_dir / KEPT, found, 0o644, fsync=True)


def put_startup_back(stage_dir: Path, work_dir: Path) -> None:
    """Put the startup script of 3.10 into the stage area again, if one was kept."""
    found = _read(work_dir / KEPT)
    if found is not None:
        make_directory(stage_dir, 0o755)
        write_atomic(stage_dir / STARTUP, found, 0o644, fsync=True)


def take_up_again(work_dir: Path) -> list[str]:
    """State and manifests that the last return to 3.10 put aside are in force again, where there
    are none. Returns the names that they had.
    """
    if any((work_dir / name).exists() for name in ASIDE):
        return []
    suffixes = [
        p.name.removeprefix("gwms-state") for p in work_dir.glob("gwms-state*") if p.is_dir()
    ]
    suffixes = [s for s in suffixes if s == "" or re.fullmatch(r"\.[0-9]{1,9}", s)]
    if not suffixes:
        return []
    newest = max(suffixes, key=lambda s: int(s.removeprefix(".") or 1))
    taken = []
    for name in ("generations", "state"):
        aside = work_dir / f"gwms-{name}{newest}"
        if aside.is_dir():
            aside.rename(work_dir / name)
            taken.append(aside.name)
    # its manifest has it, too; what is in force is what is configured now
    (work_dir / f"gwms-policy.json{newest}").unlink(missing_ok=True)
    # commands that nobody waits for any more
    shutil.rmtree(work_dir / "state" / "requests", ignore_errors=True)
    return taken
