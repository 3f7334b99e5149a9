"""Who may change an installation: root becomes the owner of the XML first; another user is refused (decision 36)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.configs import place

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that `nobody` owns and can reach."""
    path = Path(tempfile.mkdtemp(prefix="gwms-owner-", dir="/var/tmp"))
    yield path
    shutil.rmtree(path)


def reconfig(path: Path, *, user: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "glideinwms.cli", "factory", "reconfig", str(path)],
        capture_output=True, text=True, user=user, cwd=ROOT, timeout=120,
    )  # fmt: skip


def test_root_works_as_the_owner_of_the_file(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    path = place(folder, "factory.minimal.xml")
    for file in (folder, *folder.iterdir()):
        os.chown(file, nobody.pw_uid, nobody.pw_gid)
    done = reconfig(path)
    assert done.returncode == 0, done.stderr
    made = [p for p in folder.rglob("*")]
    assert len(made) > 40 and {p.stat().st_uid for p in made} == {nobody.pw_uid}
    stage = [p for p in (folder / "stage").rglob("*") if p.is_file()]
    assert {oct(p.stat().st_mode & 0o777) for p in stage} == {"0o644"}
    modes = {
        n: oct((folder / n).stat().st_mode & 0o777)
        for n in ("stage", "stage/entry_Alpha", "work", "work/state", "work/policy.json")
    }
    private = dict.fromkeys(("work", "work/state"), "0o750")
    assert modes == {"stage": "0o755", "stage/entry_Alpha": "0o755", **private, "work/policy.json": "0o640"}
    others = [p for p in folder.rglob("*") if p.is_dir() and "stage" not in p.parts and p.stat().st_mode & 0o007]
    assert {p.name for p in others} <= {"client", "proxies"}
    proxies = [p for p in (folder / "proxies").rglob("*") if p.is_dir()]
    assert proxies and {oct(p.stat().st_mode & 0o777) for p in proxies} == {"0o700"}


def test_another_user_is_refused(folder: Path) -> None:
    path = place(folder, "factory.minimal.xml")
    folder.chmod(0o755)
    done = reconfig(path, user=pwd.getpwnam("nobody").pw_uid)
    assert done.returncode == 1
    assert f"{path}: belongs to root; run this as root" in done.stderr
    assert not (folder / "work").exists()
