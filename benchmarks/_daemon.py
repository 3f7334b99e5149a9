"""A Factory daemon whose cycles run on demand and are measured with all its children.

argv: the work directory. Each line on stdin is one cycle; stdout: "ready", then a JSON object per cycle.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from glideinwms.factory.apply.applier import FactoryApplier, FactoryReport
from glideinwms.factory.daemon import FactoryDaemon
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.daemon import log, status
from glideinwms.lib.daemon.loop import CycleRecord

TICK = os.sysconf("SC_CLK_TCK")


def tree() -> list[int]:
    """This process and those below it."""
    above = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            above[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in above.items() if parent == pid]
    return found


def cpu(pids: list[int]) -> float:
    """User and system seconds of them all."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def pss_mb(pids: list[int]) -> float:
    """Proportional memory of them all."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return (
        sum(
            int(line.split()[1])
            for t in texts
            for line in t.splitlines()
            if line.startswith("Pss:")
        )
        / 1024
    )


def files(pids: list[int]) -> int:
    """Open descriptors of them all."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


class Timed(FactoryApplier):
    """An applier that knows how long its last run took."""

    seconds = 0.0

    def run(self, *args: Any) -> FactoryReport:
        """As an applier."""
        began = time.monotonic()
        try:
            return super().run(*args)
        finally:
            self.seconds = time.monotonic() - began


def main() -> None:
    """See the module."""
    log.setup("bench", level="ERROR")
    work = Path(sys.argv[1])
    with ProcessWorkers() as pool:
        daemon = FactoryDaemon(work, pool, time.time())
        applier = daemon.applier = Timed(pool, daemon.queue_reader.schedds, daemon.audit)
        runner = CycleRecord(daemon, work, clock=time.time, seed=lambda: 1)
        print("ready", flush=True)
        for _ in sys.stdin:
            before, wall = cpu(tree()), time.monotonic()
            worked = runner.once()
            wall, pids = time.monotonic() - wall, tree()
            told = status.read(work / "state/status.json")
            row = {
                "ok": worked and not told.error,
                "error": told.error,
                "cpu_s": cpu(pids) - before,
                "wall_s": wall,
                "pss_mb": pss_mb(pids),
                "processes": len(pids),
                "files": files(pids),
                "apply_s": applier.seconds,
                "submitted": told.summary.get("submitted"),
                "requests": told.summary.get("requests"),
                "refused": told.summary.get("refused"),
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
