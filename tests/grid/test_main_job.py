"""The main job on real HTCondor: idle jobs become requests, pilots, finished jobs; pilots retire; nothing is left."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from rich.console import Console

from glideinwms.cli.commands import why
from glideinwms.cli.sides import SIDES
from glideinwms.demo import jobs, process, run
from glideinwms.demo.full_stack import Chain
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import Condor
from tests.support import chain_secret_scan

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.xdist_group("main_job")]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's note of what is up, apart from that of a demo on this machine."""
    note = tmp_path / "up.json"
    monkeypatch.setattr(run, "memory", lambda: note)
    return note


@pytest.fixture
def stands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What `gwms why` says stands in the way when the main job has ended and both daemons run, one
    list per run.
    """
    main_job, found = run.Demo.main_job, list[list[str]]()

    def and_ask(demo: run.Demo, chain: Chain) -> bool:
        done = main_job(demo, chain)
        found.append(last := list[str]())
        end = time.monotonic() + 300
        while len(last) != 1 and time.monotonic() < end:
            rows, _ = why.collect(
                [(side, chain.work(side.name)) for side in SIDES.values()], time.time()
            )
            last[:] = [f.line() for f in rows if f.is_problem]
            time.sleep(0.2)
        return done

    monkeypatch.setattr(run.Demo, "main_job", and_ask)
    return found


@pytest.fixture
def leaks(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Secrets out of their place when the main job has ended, one list per run."""
    main_job, found = run.Demo.main_job, list[list[str]]()

    def and_look(demo: run.Demo, chain: Chain) -> bool:
        done = main_job(demo, chain)
        found.append(chain_secret_scan.look(chain))
        return done

    monkeypatch.setattr(run.Demo, "main_job", and_look)
    return found


def test_demo_runs_every_job_that_can_run(
    condor: Condor, alone: Path, leaks: list[list[str]], stands: list[list[str]]
) -> None:
    out = io.StringIO()
    code = run.Demo(Console(file=out, width=160)).run()
    text = out.getvalue()
    assert code == 0, text
    wanted = sum(c.count for c in jobs.CLASSES if c.entries)
    assert f"{wanted} of {wanted} jobs that can run have run" in text
    rows = re.findall(r"│ (\d+\.\d+) │ (.*?) *│ (\w+) *│ (\S+) *│ (\S+) *│ (\S+) *│", text)
    assert len(rows) == sum(c.count for c in jobs.CLASSES)
    fits = {c.name: c.entries for c in jobs.CLASSES}
    for _, kind, state, site, entry, pilot in rows:
        if fits[kind]:
            assert state == "done" and entry in fits[kind] and re.fullmatch(r"\d+\.\d+", pilot)
            assert site == {"Alpha": "SiteA", "Beta": "SiteB"}[entry]
        else:
            assert state == "idle" and entry == "-"
    assert "match no entry" in text and "GLIDEIN_MaxMemMBs" in text and "frontend.xml:" in text
    assert "not seen" not in text
    assert not alone.exists() and run.known() is None
    assert len(leaks) == 1 and not leaks[0], "\n".join(leaks[0])
    [said] = stands
    assert (
        len(said) == 1 and "idle jobs match no entry" in said[0] and "GLIDEIN_MaxMemMBs" in said[0]
    ), said


def test_interrupted_demo_leaves_nothing(
    condor: Condor, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while jobs run: no process, no directory."""
    seen: list[Path] = []

    def interrupt(demo: run.Demo, chain: Chain) -> bool:
        seen.append(chain.grid.base)
        assert list(process.belonging(chain.grid.base))
        raise KeyboardInterrupt

    monkeypatch.setattr(run.Demo, "main_job", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.Demo(Console(file=io.StringIO())).run()
    assert not list(process.belonging(seen[0])) and not seen[0].exists() and not alone.exists()


def test_kept_demo_is_refused_twice_and_ended_by_down(
    condor: Condor, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.Demo, "main_job", lambda demo, chain: False)
    out = io.StringIO()
    assert run.Demo(Console(file=out), keep=True).run() == 0
    base = Path(json.loads(alone.read_text())["base"])
    try:
        assert "gwms demo down" in out.getvalue()
        lines, whole = run.status()
        assert whole, lines
        names = ("ce_a", "ce_b", "user", "wms", "web", "factory", "frontend")
        assert [line.split()[:2] for line in lines[1:8]] == [[name, "up,"] for name in names]
        os.kill(int((base / "web.pid").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while run.status()[1]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert any(line.split() == ["web", "down"] for line in run.status()[0])
        with pytest.raises(run.DemoError, match="a demo is up already"):
            run.Demo(Console(file=io.StringIO())).run()
        config = Grid(base, condor.prefix).base / "clients/alice@user.demo/condor_config"
        done = subprocess.run(
            [str(condor.prefix / "bin/condor_q")],
            env={"CONDOR_CONFIG": str(config)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    finally:
        said = run.down()
    assert "is down" in said and not base.exists()
    deadline = time.monotonic() + 120
    assert run.status() == ([run.NOT_UP], False)
    while list(process.belonging(base)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(process.belonging(base))
