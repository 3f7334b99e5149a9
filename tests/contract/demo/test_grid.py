"""The grid's pools on real HTCondor: they come up and go, and let in whom they should."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from glideinwms.demo import process
from glideinwms.demo.grid import Grid, down
from glideinwms.demo.pki import write_private
from glideinwms.demo.pool import CondorPool
from glideinwms.demo.portable import Condor
from glideinwms.lib.errors import DemoError
from tests.conftest import MakeGrid

pytestmark = pytest.mark.condor
COLLECTOR_ONLY = {"wms": ("COLLECTOR",)}


def until(true: Callable[[], object], what: str, deadline: float = 45) -> None:
    """Wait for a state."""
    end = time.monotonic() + deadline
    while not true():
        assert time.monotonic() < end, f"not in {deadline} s: {what}"
        time.sleep(0.05)


def daemon_pid(pool: CondorPool, daemon: str) -> int | None:
    """Its pid, None while it is not running."""
    try:
        return pool.pid(daemon)
    except DemoError:
        return None


def ping(grid: Grid, identity: str, pool: str, level: str) -> str:
    """What the pool's collector says to an identity, or the refusal's text."""
    try:
        return grid.run(
            identity, "condor_ping", "-addr", f"<{grid[pool].collector}>", "-table", level
        )
    except DemoError as error:
        return str(error)


def test_all_pools_come_up_and_nothing_is_left_after(make_grid: MakeGrid) -> None:
    grid = make_grid()
    pids = list(process.belonging(grid.base))
    assert len(pids) >= 16
    if os.geteuid() == 0:
        assert {Path(f"/proc/{p}").stat().st_uid for p in pids} == {grid.who.uid}
    ports = [p.port for p in grid.pools.values()]
    grid.down()
    assert list(process.belonging(grid.base)) == []
    for port in ports:
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", port)) != 0


def test_nothing_listens_beyond_loopback(make_grid: MakeGrid) -> None:
    grid = make_grid(("wms",))
    inodes = {
        os.readlink(f)
        for pid in process.belonging(grid.base)
        for f in Path(f"/proc/{pid}/fd").iterdir()
        if f.is_symlink()
    }
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [r[1] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in inodes]
    assert listening and all(a.startswith("0100007F:") for a in listening)


def test_identities_are_what_their_tokens_say(make_grid: MakeGrid) -> None:
    grid = make_grid(("wms",), COLLECTOR_ONLY)
    out = ping(grid, "factory@wms.demo", "wms", "DAEMON")
    assert "factory@wms.demo" in out and "IDTOKENS" in out and "ALLOW" in out


def test_signing_key_is_private(make_grid: MakeGrid) -> None:
    grid = make_grid(("user",), {"user": ("COLLECTOR",)}, up=False)
    assert stat.S_IMODE(grid["user"].signing_key.stat().st_mode) == 0o600


def test_pilot_token_may_advertise_and_nothing_more(make_grid: MakeGrid) -> None:
    grid = make_grid(("user",), {"user": ("COLLECTOR",)})
    config = grid.client_config("alice@user.demo", for_account=True)
    authz = ("READ", "ADVERTISE_STARTD", "ADVERTISE_MASTER")
    (config.parent / "tokens.d/user").write_text(
        grid.idtoken("user", "pilot@user.demo", authz, lifetime=600)
    )
    address = f"<{grid['user'].collector}>"
    for level in authz:
        grid.run_with(config, "condor_ping", "-addr", address, level)
    for level in ("DAEMON", "NEGOTIATOR", "WRITE"):
        with pytest.raises(DemoError, match="condor_ping ended"):
            grid.run_with(config, "condor_ping", "-addr", address, level)


def ce_submit(grid: Grid, ce: str, token: Path | None) -> str:
    """Submit a job straight to a CE, with a SciToken or with the IDTOKENS in the Factory's own
    directory.
    """
    config = grid.client_config("factory@wms.demo", for_account=True)
    more = f"SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS, SCITOKENS, SSL\nAUTH_SSL_CLIENT_CAFILE = {grid.ca}\n"
    if token is not None:
        own = config.parent / "token.sci"
        shutil.copy(token, own)
        grid.who.own(own)
        more += f"SCITOKENS_FILE = {own}\n"
    config.write_text(config.read_text() + more)
    job = config.parent / "job.sub"
    job.write_text("executable=/bin/true\ntransfer_executable=False\nqueue\n")
    pool = f"localhost:{grid[ce].port}"
    return grid.run_with(
        config, "condor_submit", "-pool", pool, "-remote", grid[ce].schedd, str(job), timeout=60
    )


def test_a_ce_takes_its_own_scitoken_only(make_grid: MakeGrid) -> None:
    grid = make_grid(("wms", "ce_a"), {"wms": ("COLLECTOR",), "ce_a": ("COLLECTOR", "SCHEDD")})
    assert "submitted to cluster" in ce_submit(grid, "ce_a", grid.scitoken("ce_a"))
    assert grid["ce_a"].tool("condor_q", "-all", "-af", "Owner", "User").split() == [
        "pilots",
        "pilots@ce-a.demo",
    ]
    for wrong in (grid.scitoken("ce-b.demo"), grid.scitoken("ce_a", lifetime=-60), None):
        with pytest.raises(DemoError, match="condor_submit ended"):
            ce_submit(grid, "ce_a", wrong)
    assert len(grid["ce_a"].tool("condor_q", "-all", "-af", "ClusterId").split()) == 1


def test_an_idtoken_of_the_ce_may_not_submit(make_grid: MakeGrid) -> None:
    grid = make_grid(("wms", "ce_a"), {"wms": ("COLLECTOR",), "ce_a": ("COLLECTOR", "SCHEDD")})
    folder = grid.client_config("factory@wms.demo", for_account=True).parent / "tokens.d"
    write_private(folder / "ce", grid.idtoken("ce_a", "someone@ce-a.demo"))
    with pytest.raises(DemoError, match="condor_submit ended"):
        ce_submit(grid, "ce_a", None)
    assert grid["ce_a"].tool("condor_q", "-all", "-af", "ClusterId").split() == []


@pytest.mark.parametrize(
    ("identity", "allowed"), [("factory@wms.demo", True), ("frontend@wms.demo", False)]
)
def test_only_the_factory_may_submit_to_the_wms_schedd(
    make_grid: MakeGrid, identity: str, allowed: bool
) -> None:
    grid = make_grid(("wms",))
    job = grid.base / "job.sub"
    job.write_text("executable=/bin/true\ntransfer_executable=False\nqueue\n")
    where = ("-pool", grid["wms"].collector, "-remote", grid["wms"].schedd)
    if allowed:
        grid.run(identity, "condor_submit", *where, str(job), timeout=60)
    else:
        with pytest.raises(DemoError, match=r'"DENIED" from server for user frontend@wms\.demo'):
            grid.run(identity, "condor_submit", *where, str(job), timeout=60)
    assert len(grid["wms"].tool("condor_q", "-all", "-af", "ClusterId").split()) == allowed


def test_a_secret_loses_the_mode_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    (tmp_path / "token").chmod(0o644)
    write_private(tmp_path / "token", "new")
    assert (tmp_path / "token").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_restart_keeps_the_queue(make_grid: MakeGrid) -> None:
    grid = make_grid(("user",), {"user": ("COLLECTOR", "SCHEDD")})
    job = grid.base / "job.sub"
    job.write_text("executable=/bin/true\ntransfer_executable=False\nhold=True\nqueue 3\n")
    grid.run("alice@user.demo", "condor_submit", str(job))
    grid["user"].restart()
    assert grid["user"].tool("condor_q", "-all", "-af", "Owner").split() == ["alice"] * 3


def test_a_daemon_that_dies_comes_back_and_one_that_hangs_answers_after(
    make_grid: MakeGrid,
) -> None:
    grid = make_grid(("user",), {"user": ("COLLECTOR", "SCHEDD")})
    user = grid["user"]
    old = user.pid("SCHEDD")
    user.signal("SCHEDD", signal.SIGKILL)
    until(
        lambda: daemon_pid(user, "SCHEDD") not in (None, old), "the master has started a new schedd"
    )
    user.wait_up(time.monotonic() + 45)
    user.signal("SCHEDD", signal.SIGSTOP)
    stat = Path(f"/proc/{user.pid('SCHEDD')}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the schedd stands still")
    user.signal("SCHEDD", signal.SIGCONT)
    until(lambda: user.tool("condor_q", "-all", "-totals"), "the schedd answers")


def test_a_hanging_daemon_does_not_outlive_down(make_grid: MakeGrid) -> None:
    grid = make_grid(("user",), {"user": ("COLLECTOR", "SCHEDD")})
    grid["user"].signal("SCHEDD", signal.SIGSTOP)
    grid.down()
    assert list(process.belonging(grid.base)) == []


def test_port_in_use_is_named(make_grid: MakeGrid) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        with pytest.raises(DemoError, match=f"port {port} is in use") as caught:
            make_grid(("wms",), COLLECTOR_ONLY, ports={"wms": port})
    assert caught.value.where == "pool wms" and caught.value.hint


def test_a_pool_that_cannot_start_says_why(make_grid: MakeGrid) -> None:
    grid = make_grid(("wms",), COLLECTOR_ONLY, up=False)
    grid["wms"].config.write_text(grid["wms"].config.read_text() + "LOG = /nonexistent/log\n")
    with pytest.raises(DemoError, match="condor_master ended") as caught:
        grid.up()
    assert "/nonexistent/log" in str(caught.value)


def test_down_by_another_process_ends_all(make_grid: MakeGrid) -> None:
    grid = make_grid(("user",), {"user": ("COLLECTOR",)}, supervised=False)
    down(grid.base)
    assert list(process.belonging(grid.base)) == []


def test_a_supervised_grid_dies_with_its_owner(condor: Condor, run_dir: Path) -> None:
    base = run_dir / "owned"
    code = (
        "import sys,time;from pathlib import Path;from glideinwms.demo.grid import Grid\n"
        "g=Grid(Path(sys.argv[1]),Path(sys.argv[2]),('wms',),{'wms':('COLLECTOR',)});g.create();g.up()\n"
        "print('up',flush=True);time.sleep(600)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(base), str(condor.prefix)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None and owner.stdout.readline().strip() == "up"
    owner.kill()
    owner.wait()
    owner.stdout.close()
    try:
        until(lambda: not list(process.belonging(base)), "all daemons gone with their owner", 20)
    finally:
        down(base)


def test_the_web_server_serves_the_stage_and_logs(make_grid: MakeGrid) -> None:
    grid = make_grid((), up=False)
    stage = grid.base / "stage"
    stage.mkdir()
    (stage / "a.cfg").write_text("hello\n")
    (grid.base / "secret").write_text("no")
    url = grid.web({"/factory": stage})
    assert urllib.request.urlopen(f"{url}/factory/a.cfg", timeout=120).read() == b"hello\n"
    for path in ("/factory/../secret", "/secret", "/factory/%2e%2e/secret", "/factory/none"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url + path, timeout=120)
    until(
        lambda: "GET /factory/a.cfg" in (grid.base / "web.log").read_text(), "the request is logged"
    )
