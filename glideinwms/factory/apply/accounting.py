"""Write MONITOR_INFO into the ads of finished pilots, for accounting by others.

With `advertise_pilot_accounting`, finished pilots stay in the queue for 12 h. `annotate` runs in the
writing worker process: it reads the end of each pilot's output (protocol 4.10, 7.1).
"""

from __future__ import annotations

import json
from pathlib import Path

from glideinwms.factory.pilot_history.pilot_log import facts, tail
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import ScheddAddress, quoted
from glideinwms.lib.errors import CondorError, StateError

ATTRIBUTE = "MONITOR_INFO"
MOST = 200


def monitor_info(output: str) -> dict[str, int]:
    """What a pilot's output says of its life; seconds, counts, condor_started 0 or 1. What it does
    not say is 0.
    """
    found = facts(output)
    return {
        "activation_claims": found.claims or 0,
        "glidein_duration": found.lifetime or 0,
        "condor_duration": found.condor or 0,
        "condor_started": int(found.condor_started),
        "numjobs": found.jobs,
    }


def output_of(path: Path) -> str:
    """The end of a pilot's output; "" if it cannot be read."""
    try:
        return tail(path) or ""
    except StateError:
        return ""


def annotate(schedd: ScheddAddress, factory: str, glidein: str) -> list[str]:
    """Describe finished pilots that are not yet described, at most MOST at a time; their ids."""
    constraint = (
        f"GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)} && JobStatus == 4"
        f" && {ATTRIBUTE} =?= UNDEFINED"
    )
    done: list[str] = []
    wrong: list[CondorError] = []
    for ad in htc.query_jobs(schedd, constraint, ["ClusterId", "ProcId", "Iwd", "Out"], MOST):
        job = f"{ad['ClusterId']}.{ad['ProcId']}"
        output = output_of(Path(str(ad.get("Iwd", "/")), str(ad.get("Out", ""))))
        try:
            htc.edit(schedd, job, ATTRIBUTE, quoted(json.dumps(monitor_info(output))))
        except CondorError as error:
            # one that the schedd refuses does not stop those behind it
            wrong.append(error)
        else:
            done.append(job)
    if wrong and not done:
        raise wrong[0]
    return done
