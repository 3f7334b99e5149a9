"""Run the demo: start everything, submit jobs, wait until pilots have retired, stop it all."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from glideinwms.demo import display, jobs, process
from glideinwms.demo import grid as grids
from glideinwms.demo.full_stack import Chain
from glideinwms.demo.grid import Grid
from glideinwms.demo.interrupt import interruptible, uninterrupted
from glideinwms.demo.jobs import CLASSES
from glideinwms.demo.portable import default_cache, ensure_condor
from glideinwms.demo.progress import Look, Watch
from glideinwms.lib.errors import DemoError
from glideinwms.lib.files import write_atomic

JOBS_DEADLINE, RETIRE_DEADLINE, INTERVAL = 300.0, 120.0, 0.5
JOB_SECONDS = 3
LOOKERS = ("alice@user.demo", "factory@wms.demo")
NOT_UP = "no demo is up; gwms demo --keep starts one and leaves it"


@dataclass(frozen=True, slots=True)
class KeptDemo:
    """A demo that was left running."""

    base: Path
    prefix: Path


def how_to_look(kept: KeptDemo) -> list[str]:
    """Return commands to look around in a running demo, and the one that stops it."""
    user, wms = (kept.base / "clients" / identity / "condor_config" for identity in LOOKERS)
    factory, frontend = (kept.base / side / "work" for side in ("factory", "frontend"))
    return [
        f"  export PATH={kept.prefix}/bin:{Path(sys.executable).parent}:$PATH",
        f"  CONDOR_CONFIG={user} condor_q            # the user's jobs",
        f"  CONDOR_CONFIG={user} condor_status       # the pool that pilots join",
        f"  CONDOR_CONFIG={wms} condor_q -all        # pilots in the WMS schedd",
        f"  gwms why --factory-work-dir {factory} --frontend-work-dir {frontend}",
        f"  gwms factory status --work-dir {factory}",
        f"  gwms frontend status --work-dir {frontend}",
        f"  less {kept.base}/etc/factory.xml {kept.base}/etc/frontend.xml",
        "and end it with",
        "  gwms demo down",
    ]


@dataclass
class Demo:
    """One run of the demo. With `keep`, everything is left running."""

    console: Console
    keep: bool = False
    seconds: int = JOB_SECONDS
    watch: Watch = field(init=False)

    def run(self) -> int:
        """Run it and return the exit code: 0 only if every job that can run has run."""
        with interruptible():
            refuse_second()
            condor = ensure_condor(say=self.say)
            self.say(f"HTCondor {condor.version} in {condor.prefix}")
            grid = Grid(new_base() / "g", condor.prefix, supervised=not self.keep)
            chain = Chain(grid, condor, say=self.say)
            kept = False
            try:
                remember(grid.base, grid.prefix)
                chain.up()
                failed = self.main_job(chain)
                kept = self.keep
            finally:
                if not kept:
                    with uninterrupted():
                        end(chain)
        if kept:
            self.explain_keep(grid)
        return 1 if failed else 0

    def say(self, text: str) -> None:
        """One line of what is going on."""
        self.console.print(f"-- {text}", markup=False, highlight=False)

    def main_job(self, chain: Chain) -> bool:
        """Jobs in, and wait; whether something is wrong."""
        began = time.time()
        kinds = jobs.submit(chain.grid, self.seconds)
        self.say(f"{len(kinds)} jobs submitted as {jobs.USER}")
        self.watch = Watch(chain, kinds, began)
        with display.Screen(self.console, CLASSES, began) as screen:
            look = self._wait(screen, began + JOBS_DEADLINE, retired=False)
            unmatched = display.unmatched_lines(look)
            if self.watch.done(look) and not self.keep:
                look = self._wait(screen, time.time() + RETIRE_DEADLINE, retired=True)
        return self._close(chain, look, began, unmatched)

    def _wait(self, screen: display.Screen, deadline: float, *, retired: bool) -> Look:
        while True:
            look = self.watch.look(time.time())
            screen.show(look)
            over = self.watch.done(look) and (
                not retired or not (look.pilots or look.asked or look.slots)
            )
            if over or time.time() > deadline:
                return look
            time.sleep(INTERVAL)

    def _close(self, chain: Chain, look: Look, began: float, unmatched: list[str]) -> bool:
        ran = self.watch.runnable(look.jobs)
        rows = [(j, jobs.output_of(chain.grid, j.id)) for j in look.jobs]
        self.console.print(display.where_table(rows))
        self.console.print(display.phases_table(self.watch.phases, began))
        for text in unmatched:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        done = sum(j.state == "done" for j in ran)
        wanted = sum(c.count for c in CLASSES if c.entries)
        self.say(f"{done} of {wanted} jobs that can run have run")
        if not self.keep and look.pilots:
            self.say(f"{look.pilots} pilots have not retired in {RETIRE_DEADLINE:.0f} s")
        if done < wanted:
            logs = default_cache() / "demo" / "failed"
            shutil.rmtree(logs, ignore_errors=True)
            chain.collect_logs(logs)
            self.say(f"all logs are in {logs}")
        return done < wanted or (not self.keep and look.pilots > 0)

    def explain_keep(self, grid: Grid) -> None:
        """How to look around in what was left up."""
        for identity in LOOKERS:
            grid.client_config(identity)
        for text in (
            "everything stays up; look around with",
            *how_to_look(KeptDemo(grid.base, grid.prefix)),
        ):
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def new_base() -> Path:
    """Create a directory that the grid's account can reach.

    Its name is short because sockets are created below it.
    """
    above = default_cache() / "demo"
    above.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="d", dir=above))
    base.chmod(0o755)
    return base


def memory() -> Path:
    """Return the file that remembers the running demo."""
    return default_cache() / "demo" / "up.json"


def remember(base: Path, prefix: Path) -> None:
    """Record the grid's directory, so that `gwms demo down` finds it in any case."""
    write_atomic(
        memory(), json.dumps({"base": str(base), "prefix": str(prefix), "pid": os.getpid()})
    )


def known() -> KeptDemo | None:
    """The demo that was started and not ended."""
    try:
        note = json.loads(memory().read_text())
        return KeptDemo(Path(note["base"]), Path(note["prefix"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def refuse_second() -> None:
    """DemoError if a demo is up; what a killed one left is cleared."""
    left = known()
    if left is None:
        return
    if any(process.belonging(left.base)):
        raise DemoError(
            "a demo is up already", where=str(left.base), hint="end it with gwms demo down"
        )
    clear(left.base)


def clear(base: Path) -> None:
    """Remove a grid's files and the note of it."""
    shutil.rmtree(base.parent, ignore_errors=True)
    memory().unlink(missing_ok=True)


def end(chain: Chain) -> None:
    """Stop both daemons in order, then everything else; remove all files."""
    for side in ("frontend", "factory"):
        chain.stop(side)
    chain.down()
    clear(chain.grid.base)


def status() -> tuple[list[str], bool]:
    """Return what is up and how to look around, and whether a whole demo is up."""
    kept = known()
    if kept is None:
        return [NOT_UP], False
    found = set(process.belonging(kept.base))
    files = {p.parent.name: p for p in sorted(kept.base.glob("*/master.pid"))}
    files |= {name: kept.base / f"{name}.pid" for name in ("web", "factory", "frontend")}
    up = {name: _pid_in(path, found) for name, path in files.items()}
    lines = [f"the demo in {kept.base}"]
    lines += [f"  {name:<9} {f'up, pid {pid}' if pid else 'down'}" for name, pid in up.items()]
    lines.append(f"  {len(found)} processes, pilots and jobs among them")
    return [*lines, "look around with", *how_to_look(kept)], all(up.values()) and set(
        grids.ALL
    ) <= set(up)


def _pid_in(path: Path, pids: set[int]) -> int:
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() and int(text) in pids else 0


def down() -> str:
    """Stop the running demo and return what was done."""
    left = known()
    if left is None:
        return "no demo is up"
    killed = grids.down(left.base)
    clear(left.base)
    return f"the demo in {left.base} is down ({killed} processes ended)"
