"""One function of ours asked twice of HTCondor, in a process of its own; the second time is measured.

stdin: {"function", "args"}; then one line for "go". stdout: "ready", then {"cpu_s", "wall_s", "rss_mb", "size"}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from glideinwms.frontend.collect.answers import JobQuery
from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.condor.worker_process import resolve
from glideinwms.lib.jsondata import from_json


def peak_mb() -> float:
    """Peak RSS of this program (getrusage would count what was forked off before)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """See the module."""
    request = json.loads(sys.stdin.readline())
    args = request["args"]
    if "schedd" in args:
        args["schedd"] = ScheddAddress(*args["schedd"])
    if "queries" in args:
        args["queries"] = [from_json(JobQuery, query) for query in args["queries"]]
    function = resolve(request["function"])
    function(**args)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, wall = time.process_time(), time.monotonic()
    function(**args)
    result = {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.monotonic() - wall,
        "rss_mb": peak_mb(),
    }
    print(json.dumps(result, default=str), flush=True)


if __name__ == "__main__":
    main()
