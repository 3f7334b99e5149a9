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

from glideinwms.cli.main import main
from glideinwms.lib.daemon import status
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
        capture_output=True,
        text=True,
        user=user,
        cwd=ROOT,
        timeout=120,
    )


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
    assert modes == {
        "stage": "0o755",
        "stage/entry_Alpha": "0o755",
        **private,
        "work/policy.json": "0o640",
    }
    others = [
        p
        for p in folder.rglob("*")
        if p.is_dir() and "stage" not in p.parts and p.stat().st_mode & 0o007
    ]
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


def gwms(*words: str) -> int:
    """The exit code of a command in a process of its own, which may become somebody else."""
    child = os.fork()
    if child == 0:
        try:
            main(words)
            os._exit(0)
        except SystemExit as end:
            os._exit(int(end.code or 0))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stop(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from glideinwms.cli.legacy.daemons import stop_factory; stop_factory(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


@pytest.fixture
def taken(folder: Path) -> Path:
    """A work directory of nobody's, with a policy in force, whose owner has planted links to a
    place of root's.
    """
    (folder / "of-root").mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    path = place(folder, "factory.minimal.xml")
    for file in (folder, *folder.iterdir()):
        if file.name != "of-root":
            os.chown(file, nobody.pw_uid, nobody.pw_gid)
    assert reconfig(path).returncode == 0
    return folder / "work"


COMMANDS = (
    ("downtime", "add", "--comment", "x"),
    ("entry", "rm", "Alpha"),
    ("downtime", "end"),
    ("downtime", "vacuum"),
    ("factory", "approve", "x"),
    ("entry", "submit", "Alpha", "--client", "c"),
    ("factory", "run", "--once"),
    ("pilot", "report"),
)
LINKS = (
    "glideinWMS.downtimes",
    "state",
    "state/requests",
    "state/audit.jsonl",
    "state/daemon.lock",
)


@pytest.mark.parametrize("link", LINKS)
def test_a_planted_link_leads_root_nowhere(taken: Path, link: str) -> None:
    """Whatever a link in the work directory names, a command of root makes and changes nothing
    there.
    """
    target, planted = taken.parent / "of-root", taken / link
    (target / "requests").mkdir()
    if planted.is_dir():
        shutil.rmtree(planted)
    planted.unlink(missing_ok=True)
    planted.symlink_to(target if link in ("state", "state/requests") else target / "nologin")
    nobody = pwd.getpwnam("nobody")
    os.lchown(planted, nobody.pw_uid, nobody.pw_gid)
    for command in COMMANDS if link == "state" else COMMANDS[:2]:
        gwms(*command, "--work-dir", str(taken))
        assert list(target.rglob("*")) == [target / "requests"], command
        assert {p.lstat().st_uid for p in taken.rglob("*")} == {nobody.pw_uid}, command


def test_a_downtimes_file_elsewhere_is_not_made_by_root(taken: Path) -> None:
    policy = taken / "policy.json"
    text = policy.read_text()
    elsewhere = taken.parent / "of-root" / "nologin"
    policy.write_text(text.replace('"glideinWMS.downtimes"', f'"{elsewhere}"'))
    assert str(elsewhere) in policy.read_text()
    assert gwms("downtime", "add", "--work-dir", str(taken)) == 1
    assert not elsewhere.exists()


@pytest.mark.parametrize("named", ["of root", "its own group", "every process", "none"])
def test_a_planted_process_is_not_ended(taken: Path, named: str) -> None:
    """`stopFactory -f` of root where the lock or the status of the owner names another's process."""
    import fcntl

    victim = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    try:
        lock = taken / "state/daemon.lock"
        number = {"of root": victim.pid, "its own group": 0, "every process": -1, "none": 10**30}[
            named
        ]
        lock.write_text(f"factory, pid {number}")
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            done = stop("-f", str(taken))
        assert victim.poll() is None
        if named == "of root":
            assert done.returncode == 1 and "belongs to another user" in done.stderr
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("number", [0, 1, -1, 2**22 + 1, 10**30])
def test_a_status_that_names_no_daemon(tmp_path: Path, number: int) -> None:
    now = status.Status(status.SCHEMA, "factory", number, "g", 1, 0.0, 0.0, 0.0, 0.0, 60.0)
    status.write(tmp_path / "status.json", now)
    assert (
        not status.running(tmp_path / "status.json") and status.pid(tmp_path / "status.json") == 0
    )


def test_root_reconfigures_as_the_owner_of_the_work_directory(folder: Path) -> None:
    """The configuration may be root's; what is in the daemon's directory stays the daemon's."""
    nobody = pwd.getpwnam("nobody")
    path = place(folder, "factory.minimal.xml")
    folder.chmod(0o755)
    for name in ("work", "work/state", "stage", "log", "client", "proxies"):
        (folder / name).mkdir()
        os.chown(folder / name, nobody.pw_uid, nobody.pw_gid)
    for file in folder.iterdir():
        file.chmod(0o755 if file.is_dir() else 0o644)
    done = reconfig(path)
    assert done.returncode == 0, done.stderr
    made = [p for name in ("work", "stage", "log") for p in (folder / name).rglob("*")]
    assert made and {p.lstat().st_uid for p in made} == {nobody.pw_uid}


def test_the_trail_says_who_was_root(taken: Path) -> None:
    assert gwms("downtime", "add", "--comment", "why", "--work-dir", str(taken)) == 0
    trail = taken / "state/audit.jsonl"
    assert '"who": "root"' in trail.read_text()
    assert trail.stat().st_uid == pwd.getpwnam("nobody").pw_uid
