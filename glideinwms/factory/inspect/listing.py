"""Entries and their pilots as tables: what `gwms entry list|q|log` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glideinwms.factory.apply import job_actions
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib.bounded import count_or, moment_or
from glideinwms.lib.condor.calls import JOB_DEADLINE, Workers, call
from glideinwms.lib.condor.htc import ScheddAddress, locate_schedds, query_jobs
from glideinwms.lib.errors import StateError

SHOWN = [
    "ClusterId",
    "ProcId",
    "JobStatus",
    "GridJobStatus",
    "GlideinClient",
    "GlideinFrontendName",
    "GlideinCredentialIdentifier",
    "EnteredCurrentStatus",
    "QDate",
    "HoldReason",
    "ServerTime",
    "GridJobId",
]
STATES = {1: "I", 2: "R", 3: "X", 4: "C", 5: "H", 6: ">", 7: "S"}


def entry_of(policy: FactoryPolicy, name: str) -> EntryPolicy:
    """An entry by name; a StateError if there is none."""
    found = next((e for e in policy.entries if e.name == name), None)
    if found is None:
        raise StateError(
            f"there is no entry {name}",
            where=f"Factory {policy.factory_name}",
            hint="gwms entry list",
        )
    return found


def pilots(policy: FactoryPolicy, entry: EntryPolicy, pool: Workers) -> list[dict[str, Any]]:
    """The entry's pilots, asked of its schedd now."""
    where = policy.collector or "collector"
    found = pool.one(
        call(where, locate_schedds, collector=policy.collector, names=[entry.schedd_name])
    )
    if not found.value:
        raise StateError(
            f"schedd {entry.schedd_name} is not in the collector", where=f"entry {entry.name}"
        )
    address = ScheddAddress(found.value[0]["Name"], found.value[0]["MyAddress"])
    asking = call(
        entry.schedd_name,
        query_jobs,
        schedd=address,
        constraint=job_actions.entry_constraint(policy, entry.name),
        projection=SHOWN,
    )
    answer = pool.one(asking.within(JOB_DEADLINE))
    return sorted(answer.value, key=lambda ad: (ad["ClusterId"], ad["ProcId"]))


def pilot_row(ad: Mapping[str, Any]) -> list[Any]:
    """id, state, grid state, client, class, credential, seconds in the state, why held."""
    now, since = (
        moment_or(ad.get("ServerTime"), None),
        moment_or(ad.get("EnteredCurrentStatus"), None),
    )
    age = "" if now is None or since is None else int(now - since)
    state = STATES.get(count_or(ad.get("JobStatus"), 0), "?")
    return [
        f"{ad['ClusterId']}.{ad['ProcId']}",
        state,
        ad.get("GridJobStatus", ""),
        ad.get("GlideinClient", ""),
        ad.get("GlideinFrontendName", ""),
        ad.get("GlideinCredentialIdentifier", ""),
        age,
        ad.get("HoldReason", ""),
    ]


def log_files(policy: FactoryPolicy, entry: EntryPolicy) -> list[Path]:
    """Event logs and pilots' outputs of an entry, newest first."""
    users = sorted({u for f in policy.frontends for u in f.usernames.values()})
    folders = [
        Path(policy.client_log_dir, f"user_{u}", f"glidein_{policy.glidein_name}") for u in users
    ]
    found = [p for folder in folders for p in folder.glob(f"entry_{entry.name}/*") if p.is_file()]
    return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


def example(policy: FactoryPolicy, entry: EntryPolicy) -> Request:
    """A request that stands for any, to show a submit description with."""
    user = next((u for f in policy.frontends for u in f.usernames.values()), "USER")
    return Request("REQUEST", entry.name, "FRONTEND.GROUP", username=user, credential="CREDENTIAL")


def requests_of(rows: Sequence[Request], entry: str) -> list[Request]:
    """The recorded requests of an entry that are served."""
    return [r for r in rows if r.entry == entry and r.refusal is None]
