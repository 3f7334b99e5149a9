"""From a submit description to the job ad a schedd would keep: the part of it that our queries ask
about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import classad2
import htcondor2

from glideinwms.testing import ads as fake_ads

UNIVERSES = {
    "vanilla": 5,
    "scheduler": 7,
    "grid": 9,
    "local": 12,
    "docker": 5,
    "container": 5,
    "parallel": 11,
}
TEXTS = {
    "executable": "Cmd",
    "arguments": "Args",
    "grid_resource": "GridResource",
    "log": "UserLog",
    "output": "Out",
    "error": "Err",
    "initialdir": "Iwd",
    "x509userproxy": "x509userproxy",
    "scitokens_file": "ScitokensFile",
    "transfer_input_files": "TransferInput",
    "transfer_output_files": "TransferOutput",
    "environment": "Environment",
}
NUMBERS = {
    "request_cpus": "RequestCpus",
    "request_memory": "RequestMemory",
    "request_disk": "RequestDisk",
}
MACRO = re.compile(r"\$\((\w+)\)")


def refusal(procs: int, code: int) -> str:
    """The bindings' words for a limit that is reached at so many procs."""
    return f"Failed to create new proc ID, errmsg=Expected next ProcId to be {procs - 1}, but Schedd says {code}"


def basics(schedd: str, job_id: tuple[int, int], now: int, user: str) -> dict[str, Any]:
    """What every idle job has."""
    cluster, proc = job_id
    return {
        "MyType": "Job",
        "ClusterId": cluster,
        "ProcId": proc,
        "JobStatus": 1,
        "JobUniverse": 5,
        "QDate": now,
        "EnteredCurrentStatus": now,
        "User": user,
        "Owner": user.partition("@")[0],
        "NumSystemHolds": 0,
        "RequestCpus": 1,
        "RequestMemory": 128,
        "JobPrio": 0,
        "GlobalJobId": f"{schedd}#{cluster}.{proc}#{now}",
    }


def job(
    description: Mapping[str, str],
    item: Mapping[str, str],
    job_id: tuple[int, int],
    schedd: str,
    now: float,
    user: str,
) -> Any:
    """One job ad; HTCondorException in the bindings' words if the description is no job."""
    values = {k.lower(): v for k, v in (*description.items(), *item.items())}
    cluster, proc = job_id
    values |= {
        "cluster": str(cluster),
        "clusterid": str(cluster),
        "process": str(proc),
        "procid": str(proc),
    }

    def expand(text: str) -> str:
        return MACRO.sub(lambda found: expand(values.get(found[1].lower(), "")), text)

    ad = basics(schedd, job_id, int(now), user)
    for key, raw in description.items():
        name, text = key.lower(), expand(str(raw)).strip()
        if name.startswith(("my.", "+")):
            ad[key[1 if key[0] == "+" else 3 :]] = _expression(key[3:], text)
        elif name in TEXTS:
            ad[TEXTS[name]] = text
        elif name in NUMBERS:
            ad[NUMBERS[name]] = _expression(NUMBERS[name], text)
    ad["JobUniverse"] = _universe(expand(values.get("universe", "vanilla")))
    if ad["JobUniverse"] == UNIVERSES["grid"] and not ad.get("GridResource"):
        raise _refused("grid_resource attribute not defined for grid universe job")
    if expand(values.get("hold", "false")).strip().lower() in ("true", "1", "yes"):
        ad |= {
            "JobStatus": 5,
            "HoldReasonCode": 15,
            "HoldReason": "submitted on hold at user's request",
            "NumHolds": 1,
        }
    return fake_ads.of(ad)


def _universe(word: str) -> int:
    number = UNIVERSES.get(word.strip().lower())
    if number is None:
        raise _refused(f"I don't know about the '{word}' universe.")
    return number


def _expression(name: str, text: str) -> Any:
    try:
        return classad2.ExprTree(text)
    except classad2.ClassAdException:
        raise _refused(f"Parse error in expression: {name} = {text}") from None


def _refused(text: str) -> htcondor2.HTCondorException:
    return htcondor2.HTCondorException(f"Failed to create job ad, errmsg=Submit:-1:{text}\n")
