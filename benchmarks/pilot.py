"""What a pilot costs on its node (decision 44): our Factory's stage, a Frontend's stage with 20 VO files, one 17 MB
tarball of five offered, a stub condor_master, HTTP/1.1 with keep-alive.

Rows: `forks` (counted by strace), `wall_s` (untraced) with `latency_s` before each reply, `requests`,
`shell_rss_mb` (PSS of the pilot's shells while HTCondor runs). `--full` takes the median of five.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glideinwms.demo.web import server
from tests.support.pilot_stage import Setup, tarball

VO_FILES, TARBALLS, SIZE = 20, 5, 17_000_000
LATENCIES = (0.0, 0.2)
SCRIPT = """#!/bin/bash
glidein_config=$1
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)
gconfig_add VO_Key_{n} "value {n}"
"$error_gen" -ok script{n}.sh
"""


def run(full: bool) -> Iterator[dict[str, Any]]:
    """The rows."""
    top = Path(tempfile.mkdtemp(prefix="benchpilot"))
    top.chmod(0o755)
    try:
        with web(top) as (url, slow, requests):
            words = stage(top, url)
            yield {"name": "forks", "value": forks(top, words), "unit": "forks"}
            for latency in LATENCIES:
                slow[0] = latency
                requests.clear()
                times = [wall(top, words) for _ in range(5 if full else 1)]
                yield {
                    "name": "wall_s",
                    "value": statistics.median(times),
                    "unit": "s",
                    "latency_s": latency,
                }
            yield {"name": "requests", "value": len(requests) // len(times), "unit": "GETs"}
            slow[0] = 0.0
            yield {"name": "shell_rss_mb", "value": shells(top, words), "unit": "MB"}
    finally:
        shutil.rmtree(top, ignore_errors=True)


@contextmanager
def web(top: Path) -> Iterator[tuple[str, list[float], list[str]]]:
    """A server of `top`: its URL, the latency in a list of one, and the paths that were asked for."""
    slow, requests = [0.0], list[str]()
    httpd = server({"/": top})
    base = httpd.RequestHandlerClass

    class Slow(base):  # type: ignore[misc, valid-type]
        def do_GET(self) -> None:
            requests.append(self.path)
            time.sleep(slow[0])
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd.RequestHandlerClass = Slow
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}", slow, requests
    finally:
        httpd.shutdown()


def stage(top: Path, url: str) -> list[str]:
    """The stage areas below `top`; the pilot's command line."""
    balls = [top / f"condor{n}.tgz" for n in range(TARBALLS)]
    for ball in balls:
        tarball(ball, SIZE)
    files = []
    for n in range(VO_FILES):
        path = top / f"vo{n}.sh"
        path.write_text(SCRIPT.replace("{n}", str(n)) if n < 8 else f"file {n}\n" * 200)
        kind = ' executable="True"' if n < 8 else ""
        files.append(f'<file absfname="{path}"{kind}/>')
    setup = Setup(
        top, url, balls, client_files="".join(files[:12]), group_files="".join(files[12:])
    )
    return setup.words()


def command(top: Path, words: list[str]) -> tuple[list[str], dict[str, str], Path]:
    """Command, environment and fresh directory of one pilot."""
    home = Path(tempfile.mkdtemp(prefix="pilot", dir=top))
    claims = (
        base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + 86400}).encode())
        .decode()
        .rstrip("=")
    )
    (home / "credential_a.idtoken").write_text(f"x.{claims}.x\n")
    (home / "tmp").mkdir()
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "GLIDEIN_TMP": str(home / "tmp"),
        "GLIDEIN_HOLD_DOWN": "0",
    }
    return (
        ["/bin/bash", str(top / "glidein_startup.sh"), *words],
        {**env, "STUB_MASTER_TIME": "0"},
        home,
    )


def forks(top: Path, words: list[str]) -> int:
    """Calls of clone, fork and vfork of one pilot and all that it starts."""
    argv, env, home = command(top, words)
    counts = home / "strace"
    trace = ["strace", "-f", "-c", "-o", str(counts), "-e", "trace=clone,clone3,fork,vfork"]
    _check(subprocess.run([*trace, *argv], env=env, cwd=home, capture_output=True, text=True))
    # % time, seconds, usecs/call, calls, [errors,] name
    rows = (line.split() for line in counts.read_text().splitlines())
    return sum(int(r[3]) for r in rows if r and r[-1] in ("clone", "clone3", "fork", "vfork"))


def wall(top: Path, words: list[str]) -> float:
    """Seconds of a whole pilot."""
    argv, env, home = command(top, words)
    began = time.monotonic()
    _check(subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True))
    return time.monotonic() - began


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise RuntimeError(f"the pilot ended with {done.returncode}: {done.stdout[-2000:]}")


def shells(top: Path, words: list[str]) -> float:
    """MB (PSS) of the shells of one pilot while its condor_master runs; the master and its sleep do
    not count.
    """
    argv, env, home = command(top, words)
    env["STUB_MASTER_TIME"] = "30"
    with (home / "out").open("wb") as out:
        pilot = subprocess.Popen(argv, env=env, cwd=home, stdout=out, stderr=out)
        try:
            end = time.monotonic() + 30
            while (
                b"=== Condor starting" not in (home / "out").read_bytes() and time.monotonic() < end
            ):
                time.sleep(0.05)
            time.sleep(1)
            return sum(_pss(pid) for pid in _shells(str(home)))
        finally:
            pilot.send_signal(signal.SIGTERM)
            pilot.wait()


def _shells(home: str) -> Iterator[int]:
    mark = f"HOME={home}".encode()
    for entry in Path("/proc").iterdir():
        try:
            ours = entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0")
            if ours and os.path.basename(os.readlink(entry / "exe")) == "bash":
                yield int(entry.name)
        except OSError:
            continue


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024  # type: ignore[index]
