"""The demo interrupted: at any point it leaves no process, no directory, no note, and says so with its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glideinwms.demo import process
from glideinwms.demo.portable import Condor, default_cache

pytestmark = [pytest.mark.condor, pytest.mark.grid]


@pytest.fixture
def cache(condor: Condor, run_dir: Path) -> Path:
    """A cache of the test's own with the HTCondor that is built already."""
    for path in default_cache().glob("condor*"):
        (run_dir / path.name).symlink_to(path)
    return run_dir


def left_in(cache: Path) -> list[int]:
    """Processes of any grid below a cache, whoever is their parent."""
    mark = f"{process.MARK}={cache}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes()
        except OSError:
            continue
        if any(v.startswith(mark) for v in environ.split(b"\0")) and process.alive(int(entry.name)):
            found.append(int(entry.name))
    return found


class Demo:
    """`gwms demo` as a process of its own; its lines as they come."""

    def __init__(self, cache: Path, *words: str) -> None:
        env = {**os.environ, "GWMS_CACHE": str(cache), "COLUMNS": "200"}
        argv = [sys.executable, "-m", "glideinwms.cli", "demo", "run", *words]
        self.process = subprocess.Popen(
            argv,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_line(self, words: str, deadline: float = 120) -> None:
        """Wait until it has printed a line with these words."""
        end = time.monotonic() + deadline
        while not any(words in line for line in self.lines):
            assert self.process.poll() is None and time.monotonic() < end, "".join(self.lines)
            time.sleep(0.02)

    def end(self, deadline: float = 60) -> int:
        """Its exit code."""
        code = self.process.wait(deadline)
        self.reader.join(10)
        return code


@pytest.fixture
def demos(cache: Path) -> Iterator[list[Demo]]:
    """Demos of a test; none outlives it."""
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)
            demo.process.wait()
    for pid in left_in(cache):
        process.kill(pid, signal.SIGKILL)


def assert_nothing_left(cache: Path) -> None:
    """No process, no directory, no note."""
    assert left_in(cache) == []
    assert [p.name for p in (cache / "demo").iterdir()] == []


MOMENTS = [
    pytest.param("starting the pools", signal.SIGINT, id="pools"),
    pytest.param("reconfig of the frontend", signal.SIGTERM, id="reconfig"),
    pytest.param("starting the frontend", signal.SIGINT, id="daemons"),
    pytest.param("jobs submitted", signal.SIGHUP, id="jobs"),
    pytest.param("1 running", signal.SIGINT, id="running", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("line", "number"), MOMENTS)
def test_interrupted_it_leaves_nothing(
    cache: Path, demos: list[Demo], line: str, number: int
) -> None:
    demo = Demo(cache)
    demos.append(demo)
    demo.wait_line(line)
    # a terminal sends it to the whole group
    os.killpg(demo.process.pid, number)
    time.sleep(0.3)
    if demo.process.poll() is None:
        os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.end() == 130, "".join(demo.lines)
    assert "interrupted; everything is down" in "".join(demo.lines)
    assert "Traceback" not in "".join(demo.lines)
    assert_nothing_left(cache)


@pytest.mark.slow
def test_killed_its_daemons_end_and_the_next_demo_clears_its_files(
    cache: Path, demos: list[Demo]
) -> None:
    first = Demo(cache)
    demos.append(first)
    first.wait_line("jobs submitted")
    first.process.kill()
    first.end()
    end = time.monotonic() + 300
    while left_in(cache):
        assert time.monotonic() < end, [process.program(p) for p in left_in(cache)]
        time.sleep(0.1)
    second = Demo(cache)
    demos.append(second)
    second.wait_line("starting the pools")
    assert len([p for p in (cache / "demo").iterdir() if p.is_dir()]) == 1
    os.killpg(second.process.pid, signal.SIGINT)
    assert second.end() == 130
    assert_nothing_left(cache)
