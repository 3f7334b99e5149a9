"""Runs in a reader process: asks HTCondor and folds the answers into plain rows (decisions 2, 4, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glideinwms.factory.collect import count_key
from glideinwms.lib import bounded
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import ScheddAddress, quoted

GROUPING = [
    "GlideinEntryName",
    "GlideinClient",
    "GlideinFrontendName",
    "GlideinSecurityClass",
    "GlideinCredentialIdentifier",
    "GlideinEntrySubmitFile",
    "JobStatus",
    "GridJobStatus",
]
EXCEPTION = [
    "ClusterId",
    "ProcId",
    *GROUPING,
    "EnteredCurrentStatus",
    "ServerTime",
    "HoldReasonCode",
    "HoldReasonSubCode",
    "NumSystemHolds",
]
HOLD = ["HoldReason", "HoldReasonCode", "HoldReasonSubCode"]
NAMED = [
    "SciTokensFile",
    "x509userproxy",
    "TransferInput",
    "UserLog",
    "Out",
    "Err",
    "EC2AccessKeyId",
    "EC2SecretAccessKey",
    "EC2UserDataFile",
    "GceAuthFile",
    "GceMetadataFile",
    "GridResource",
]
REQUEST_KEEP = ("Req", "Web", "GlideinParam", "GlideinEncParam", "GlideinMonitor", "Glidein")
REQUEST_NAMES = {
    "Name",
    "ClientName",
    "FrontendName",
    "GroupName",
    "FrontendHAMode",
    "AuthenticatedIdentity",
    "LastHeardFrom",
}
# ads of identities that are not configured; each costs as much time as a good one
MAX_STRANGERS = 1000
SLACK_JOBS, SLACK_SHARE, SLICE = 20, 0.01, 50_000


def read_requests(
    collector: str, glidein: str, factory: str, identities: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the request and credential ads meant for this Factory, without what it does not use.

    `odd` are names of ads that are neither, `unreadable` of those that cannot be read, `clock`
    times by the clock of the collector. Of ads of other
    identities than the configured ones the first `MAX_STRANGERS` are returned; `more` counts the rest.
    """
    ours = f"{glidein}@{factory}"
    constraint = (
        f'((GlideinMyType =?= "glideclient") && (substr(ReqGlidein, -{len(ours) + 1}) == {quoted("@" + ours)}))'
        f' || (GlideinMyType =?= "glideclientglobal")'
    )
    found: dict[str, list[Any]] = {
        "glideclient": [],
        "glideclientglobal": [],
        "odd": [],
        "unreadable": [],
        "clock": [],
        "more": [],
    }
    strangers, known = 0, frozenset(identities)
    for ad in htc.query_ads(collector, "true", ["LastHeardFrom"], "Collector"):
        found["clock"].append(bounded.moment_or(ad.get("LastHeardFrom"), 0.0))
    for ad in htc.query_ads(collector, constraint, None, "Any", keep_missing=True):
        kind, name = ad.get("GlideinMyType", ""), bounded.shown(ad.get("Name", ""))
        found["clock"].append(bounded.moment_or(ad.get("LastHeardFrom"), 0.0))
        identity = ad.get("AuthenticatedIdentity")
        if not isinstance(identity, str) or identity not in known:
            strangers += 1
            if strangers > MAX_STRANGERS:
                continue
        row = {k: v for k, v in ad.items() if k in REQUEST_NAMES or k.startswith(REQUEST_KEEP)}
        if htc.UNREADABLE in ad:
            found["unreadable"].append(name)
        elif isinstance(kind, htc.Expr) or kind not in ("glideclient", "glideclientglobal"):
            # an expression that the collector found equal
            found["odd"].append(name)
        elif kind == "glideclient" or bounded.text_or(ad.get("Name"), "").startswith(f"{ours}@"):
            found[kind].append(row)
    found["more"].append(max(0, strangers - MAX_STRANGERS))
    return found


def read_queue(
    schedd: ScheddAddress,
    factory: str,
    glidein: str,
    min_age: int,
    files: bool = True,
    stale: bool = True,
    keyed: bool = True,
) -> dict[str, Any]:
    """`groups`: counted rows of all our pilots; `exceptions`: those held or longer than `min_age` s
    in their state;
    `method`: how the counts were had: by the one attribute that holds all (`keyed`), by the
    attributes themselves where
    jobs without it are in the queue, by slices. Without `files` submit files need not be told
    apart: each grouped
    column costs; without `stale` only held ones are exceptions, and not asked for where no group is
    held.
    """
    ours = f"(GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)})"
    counted = f"{ours} && (GlideinCredentialIdentifier =!= UNDEFINED)"
    rows = by_key(schedd, factory, glidein) if keyed else None
    method = "keyed"
    if rows is None:
        rows, method = by_columns(
            schedd, counted, [n for n in GROUPING if files or n != "GlideinEntrySubmitFile"]
        )
    # most pilots fail the first half, which is evaluated first
    odd = (
        f"(JobStatus == 5 || (time() - EnteredCurrentStatus) > {min_age})"
        if stale
        else "JobStatus == 5"
    )
    exceptions: list[dict[str, Any]] = []
    if stale or any(r.get("JobStatus") == 5 for r in rows):
        exceptions = htc.query_jobs(schedd, f"{odd} && {counted}", EXCEPTION)
    return {"groups": rows, "exceptions": exceptions, "method": method}


def by_key(schedd: ScheddAddress, factory: str, glidein: str) -> list[dict[str, Any]] | None:
    """Rows by GlideinCountKey over the whole queue; None if any job there has none."""
    total = int(htc.summary_jobs(schedd, "true").get("Jobs", 0))
    rows = (
        htc.group_jobs(schedd, "true", [count_key.NAME, "JobStatus", "GridJobStatus"])
        if total
        else []
    )
    if not _agree(rows, total):
        return None
    found = []
    for row in rows:
        fields = count_key.fields_of(row.pop(count_key.NAME, None))
        if fields is None:
            return None
        if (fields["GlideinFactory"], fields["GlideinName"]) == (factory, glidein):
            found.append({**fields, **row})
    return found


def by_columns(
    schedd: ScheddAddress, counted: str, columns: list[str]
) -> tuple[list[dict[str, Any]], str]:
    """Rows by the attributes themselves, and the method that gave them."""
    total = int(htc.summary_jobs(schedd, counted).get("Jobs", 0))
    rows = (
        htc.group_jobs(schedd, counted, ["GlideinFactory", "GlideinName", *columns])
        if total
        else []
    )
    return (
        (rows, "grouped") if _agree(rows, total) else (by_slices(schedd, counted, total), "sliced")
    )


def _agree(rows: list[dict[str, Any]], total: int) -> bool:
    """Whether grouped counts are those of the schedd's summary, but for what came or went meanwhile
    (decision 2).
    """
    return abs(sum(int(r.get("JobCount", 0)) for r in rows) - total) <= max(
        SLACK_JOBS, SLACK_SHARE * total
    )


def by_slices(
    schedd: ScheddAddress, constraint: str, total: int, size: int = SLICE
) -> list[dict[str, Any]]:
    """The same rows from plain queries of slices of about `size` pilots, for a schedd that does not
    group well.
    """
    slices = total // size + 1
    counts: dict[tuple[Any, ...], int] = {}
    for k in range(slices):
        part = (
            constraint if slices == 1 else f"{constraint} && (ProcId + ClusterId) % {slices} == {k}"
        )
        for ad in htc.query_jobs(schedd, part, GROUPING):
            key = tuple(ad.get(name) for name in GROUPING)
            counts[key] = counts.get(key, 0) + 1
    return [
        {**{n: v for n, v in zip(GROUPING, key, strict=True) if v is not None}, "JobCount": n}
        for key, n in counts.items()
    ]


def read_ids(schedd: ScheddAddress, constraint: str, limit: int) -> dict[str, dict[str, Any]]:
    """At most `limit` pilots that answer the constraint, longest in their state first: id -> its
    ad, which says why
    it is held.
    """
    names = ["ClusterId", "ProcId", "EnteredCurrentStatus", "JobStatus", *HOLD]
    ads = htc.query_jobs(schedd, constraint, names)
    ads.sort(
        key=lambda ad: (
            bounded.number_or(ad.get("EnteredCurrentStatus"), 0),
            ad["ClusterId"],
            ad["ProcId"],
        )
    )
    return {f"{ad['ClusterId']}.{ad['ProcId']}": ad for ad in ads[:limit]}


def find_submit(schedd: ScheddAddress, submit_id: str) -> int:
    """How many pilots in the queue carry this submit's id."""
    return len(htc.query_jobs(schedd, f"GlideinSubmitId =?= {quoted(submit_id)}", ["ClusterId"]))


def generations(schedd: ScheddAddress, factory: str, glidein: str) -> set[str]:
    """Every GlideinStageGeneration that a pilot in the queue names. Grouped, if that counts all of
    them.
    """
    ours = f"(GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)})"
    columns = ["GlideinFactory", "GlideinName", "GlideinStageGeneration"]
    total = int(htc.summary_jobs(schedd, ours).get("Jobs", 0))
    rows = htc.group_jobs(schedd, ours, columns) if total else []
    if sum(int(r.get("JobCount", 0)) for r in rows) < total:
        rows = htc.query_jobs(schedd, ours, columns[2:])
    return {str(r["GlideinStageGeneration"]) for r in rows if "GlideinStageGeneration" in r}


def files_in_use(schedd: ScheddAddress, factory: str, glidein: str) -> set[str]:
    """Every file that a pilot in the queue names: credentials, inputs, logs, outputs."""
    ours = f"(GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)})"
    found: set[str] = set()
    for ad in htc.query_jobs(schedd, ours, NAMED):
        for name in NAMED:
            found.update(part.strip() for part in str(ad.get(name, "")).split(",") if part.strip())
    return found
