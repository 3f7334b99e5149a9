"""A node whose execute disk is full: the pilot says which file had no place where, as a failure of the node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glideinwms.factory.pilot_history.pilot import cause_of
from glideinwms.factory.pilot_history.pilot_log import facts
from tests.support.pilot_harness import PilotHarness

pytestmark = [pytest.mark.condor, pytest.mark.grid]
SmallDisk = Callable[[Path, str], None]


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """`small_disk(directory, "4m")`: a file system of that size on the directory; needs root."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    if not shutil.which("mount"):
        pytest.skip("there is no mount")
    made: list[Path] = []

    def mount(where: Path, size: str) -> None:
        where.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "gwms-test", str(where)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
        made.append(where)

    yield mount
    for where in made:
        subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        pytest.param(
            "64k",
            r"cannot unpack \S*glidein_startup.sh into {home}/glide_\w+: .*disk is full",
            id="pilot",
        ),
        pytest.param(
            "4m",
            r"cannot write {home}/glide_\w+/\.quarantine/main/condor_bin_\S+.tgz: is the disk full\?",
            id="fetch",
        ),
        pytest.param(
            "40m",
            r"cannot unpack condor_bin_\S+.tgz into {home}/glide_\w+/main/\w+: .*full\?",
            id="unpack",
        ),
    ],
)
def test_a_full_disk_is_named(
    rig: PilotHarness, small_disk: SmallDisk, size: str, words: str
) -> None:
    rig.stage()
    home = rig.grid.base / "pilot0"
    small_disk(home, size)
    assert rig.start({"GLIDEIN_HOLD_DOWN": "0"}) == home
    assert rig.wait_end() == 1
    out = (home / "log").read_text(errors="replace")
    pattern = words.format(home=re.escape(str(home))) + r" ?.*\d+ kB are free there"
    assert re.search(pattern, out), out
    found = facts(out)
    assert found.code == 1 and found.failure.upper() == "WN_RESOURCE" and found.script
    assert cause_of(found).startswith("validation failed in ")
