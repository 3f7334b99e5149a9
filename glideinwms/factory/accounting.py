"""MONITOR_INFO of finished pilots, for accounting outside (advertise_pilot_accounting; protocol 4.10, 7.1).

With it on, finished pilots stay in the queue for 12 h. `annotate` runs in the writing reader process: it reads the end
of each one's output and puts what it says into the job ad, once.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from glideinwms.lib import htc
from glideinwms.lib.htc import ScheddAddress, quoted

ATTRIBUTE = "MONITOR_INFO"
TAIL = 262_144
MOST = 200
NUMBERS = {
    "glidein_duration": re.compile(r"^=== Glidein ending .* after (\d+) ===$", re.MULTILINE),
    "condor_duration": re.compile(r"^=== Condor ended .* after (\d+) ===$", re.MULTILINE),
    "activation_claims": re.compile(r"^Total number of activations/claims: (\d+)$", re.MULTILINE),
    "numjobs": re.compile(r"^(?:\(Normalized\) )?Total jobs (\d+) ", re.MULTILINE),
}
STARTED = re.compile(r"^=== Condor starting .* ===$", re.MULTILINE)


def monitor_info(output: str) -> dict[str, int]:
    """What a pilot's output says of its life; seconds, counts, condor_started 0 or 1. What it does not say is 0."""
    found = {name: pattern.findall(output) for name, pattern in NUMBERS.items()}
    # the monitor slot repeats the statistics; the last ones are those of the pilot's own slots
    return {
        **{n: int(v[-1]) if v else 0 for n, v in found.items()},
        "condor_started": int(bool(STARTED.search(output))),
    }


def tail(path: Path) -> str:
    """The end of a file; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def annotate(schedd: ScheddAddress, factory: str, glidein: str) -> list[str]:
    """Describe finished pilots that are not yet described, at most MOST at a time; their ids."""
    constraint = (
        f"GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)} && JobStatus == 4"
        f" && {ATTRIBUTE} =?= UNDEFINED"
    )
    done = []
    for ad in htc.query_jobs(schedd, constraint, ["ClusterId", "ProcId", "Iwd", "Out"], MOST):
        job = f"{ad['ClusterId']}.{ad['ProcId']}"
        output = tail(Path(str(ad.get("Iwd", "/")), str(ad.get("Out", ""))))
        htc.edit(schedd, job, ATTRIBUTE, quoted(json.dumps(monitor_info(output))))
        done.append(job)
    return done
