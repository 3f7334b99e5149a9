"""Query HTCondor for the Factory, in a worker process (decisions 2, 4, 5)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glideinwms.factory.collect import count_key
from glideinwms.factory.collect.pilot_queue import parse_queue
from glideinwms.factory.decide.pilot_states import HELD
from glideinwms.factory.snapshot import PilotQueue
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
# Ads of identities that are not configured: each costs as much time as a good one.
MAX_STRANGERS = 1000
# Jobs, and share of the jobs, that may come or go between two queries of one schedd.
SLACK_JOBS = 20
SLACK_SHARE = 0.01
MAX_JOBS_PER_SLICE = 50_000
Ad = dict[str, Any]
"""An ad as HTCondor answers it: of a peer, and not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAds:
    """The ads of Frontends for this Factory.

    `malformed` are names of ads that are neither requests nor credentials, `unreadable` of ads that
    cannot be read. `times` are by the collector's clock (epoch seconds). `strangers` counts the ads
    from identities that are not configured; the first MAX_STRANGERS are among the others.
    """

    requests: list[Ad] = field(default_factory=list)
    credentials: list[Ad] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    strangers: int = 0


class CountMethod(enum.Enum):
    """How the pilots of a queue were counted."""

    KEYED = "by GlideinCountKey"
    GROUPED = "by the attributes that the key stands for"
    SLICED = "by plain queries of parts of the queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAnswer:
    """The pilots of one schedd. `unreadable` is how many of them cannot be read; `any_stale` tells
    whether one was longer in its state than asked.
    """

    pilots: PilotQueue
    unreadable: int
    any_stale: bool
    method: CountMethod


def read_requests(
    collector: str, glidein: str, factory: str, identities: Sequence[str]
) -> RequestAds:
    """Return the request and credential ads for this Factory, without attributes it does not use.

    `identities` are those of configured Frontends.
    """
    ours = f"{glidein}@{factory}"
    constraint = (
        f'((GlideinMyType =?= "glideclient") && (substr(ReqGlidein, -{len(ours) + 1}) == {quoted("@" + ours)}))'
        f' || (GlideinMyType =?= "glideclientglobal")'
    )
    answer = RequestAds()
    configured = frozenset(identities)
    strangers = 0
    for ad in htc.query_ads(collector, "true", ["LastHeardFrom"], "Collector"):
        answer.times.append(bounded.moment_or(ad.get("LastHeardFrom"), 0.0))
    for ad in htc.query_ads(collector, constraint, None, "Any", keep_missing=True):
        kind, name = ad.get("GlideinMyType", ""), bounded.shown(ad.get("Name", ""))
        answer.times.append(bounded.moment_or(ad.get("LastHeardFrom"), 0.0))
        identity = ad.get("AuthenticatedIdentity")
        if not isinstance(identity, str) or identity not in configured:
            strangers += 1
            if strangers > MAX_STRANGERS:
                continue
        used = {k: v for k, v in ad.items() if k in REQUEST_NAMES or k.startswith(REQUEST_KEEP)}
        if htc.UNREADABLE in ad:
            answer.unreadable.append(name)
        elif isinstance(kind, htc.Expr) or kind not in ("glideclient", "glideclientglobal"):
            # An expression that the collector found equal.
            answer.malformed.append(name)
        elif kind == "glideclient":
            answer.requests.append(used)
        elif bounded.text_or(ad.get("Name"), "").startswith(f"{ours}@"):
            answer.credentials.append(used)
    return replace(answer, strangers=strangers)


def read_queue(
    schedd: ScheddAddress,
    factory: str,
    glidein: str,
    min_age: int,
    files: bool = True,
    stale: bool = True,
    keyed: bool = True,
) -> QueueAnswer:
    """Count all pilots of this Factory, and read those that are held or were longer than `min_age`
    seconds in their state.

    With `keyed` they are counted by GlideinCountKey if all jobs have it. Without `files` submit
    files are not told apart, since each grouped column costs time. Without `stale` only held pilots
    are read, and these only if there are any.
    """
    ours = f"(GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)})"
    counted = f"{ours} && (GlideinCredentialIdentifier =!= UNDEFINED)"
    rows = by_key(schedd, factory, glidein) if keyed else None
    method = CountMethod.KEYED
    if rows is None:
        rows, method = by_columns(
            schedd, counted, [n for n in GROUPING if files or n != "GlideinEntrySubmitFile"]
        )
    # Most pilots fail the first half, which is evaluated first.
    odd = (
        f"(JobStatus == 5 || (time() - EnteredCurrentStatus) > {min_age})"
        if stale
        else "JobStatus == 5"
    )
    exceptions: list[Ad] = []
    if stale or any(row.get("JobStatus") == HELD for row in rows):
        exceptions = htc.query_jobs(schedd, f"{odd} && {counted}", EXCEPTION)
    parsed = parse_queue(rows, exceptions)
    return QueueAnswer(
        pilots=parsed.queue,
        unreadable=parsed.unreadable,
        any_stale=any(row.get("JobStatus") != HELD for row in exceptions),
        method=method,
    )


def by_key(schedd: ScheddAddress, factory: str, glidein: str) -> list[Ad] | None:
    """Group the whole queue by GlideinCountKey; return None if any job has none."""
    total = int(htc.summary_jobs(schedd, "true").get("Jobs", 0))
    rows = (
        htc.group_jobs(schedd, "true", [count_key.NAME, "JobStatus", "GridJobStatus"])
        if total
        else []
    )
    if not _agree(rows, total):
        return None
    pilots = []
    for row in rows:
        fields = count_key.fields_of(row.pop(count_key.NAME, None))
        if fields is None:
            return None
        if (fields["GlideinFactory"], fields["GlideinName"]) == (factory, glidein):
            pilots.append({**fields, **row})
    return pilots


def by_columns(
    schedd: ScheddAddress, counted: str, columns: list[str]
) -> tuple[list[Ad], CountMethod]:
    """Group the pilots by the attributes themselves; return the rows and the method used."""
    total = int(htc.summary_jobs(schedd, counted).get("Jobs", 0))
    rows = (
        htc.group_jobs(schedd, counted, ["GlideinFactory", "GlideinName", *columns])
        if total
        else []
    )
    if _agree(rows, total):
        return rows, CountMethod.GROUPED
    return by_slices(schedd, counted, total), CountMethod.SLICED


def _agree(rows: Sequence[Ad], total: int) -> bool:
    """Return whether grouped counts are those of the schedd's summary, except for pilots that came
    or went between the queries (decision 2).
    """
    return abs(sum(int(r.get("JobCount", 0)) for r in rows) - total) <= max(
        SLACK_JOBS, SLACK_SHARE * total
    )


def by_slices(
    schedd: ScheddAddress, constraint: str, total: int, size: int = MAX_JOBS_PER_SLICE
) -> list[Ad]:
    """Count the same rows from plain queries of slices of about `size` pilots, for a schedd that
    does not group well.
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


def read_ids(schedd: ScheddAddress, constraint: str, limit: int) -> dict[str, Ad]:
    """Return up to `limit` pilots that match the constraint, longest in their state first: id ->
    its ad, with why it is held.
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
    """Return how many pilots in the queue carry this submission's id."""
    return len(htc.query_jobs(schedd, f"GlideinSubmitId =?= {quoted(submit_id)}", ["ClusterId"]))


def generations(schedd: ScheddAddress, factory: str, glidein: str) -> set[str]:
    """Return every GlideinStageGeneration that a pilot in the queue names."""
    ours = f"(GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)})"
    columns = ["GlideinFactory", "GlideinName", "GlideinStageGeneration"]
    total = int(htc.summary_jobs(schedd, ours).get("Jobs", 0))
    rows = htc.group_jobs(schedd, ours, columns) if total else []
    if sum(int(r.get("JobCount", 0)) for r in rows) < total:
        rows = htc.query_jobs(schedd, ours, columns[2:])
    return {str(r["GlideinStageGeneration"]) for r in rows if "GlideinStageGeneration" in r}


def files_in_use(schedd: ScheddAddress, factory: str, glidein: str) -> set[str]:
    """Return every file that a pilot in the queue names: credentials, inputs, logs, outputs."""
    ours = f"(GlideinFactory =?= {quoted(factory)} && GlideinName =?= {quoted(glidein)})"
    found: set[str] = set()
    for ad in htc.query_jobs(schedd, ours, NAMED):
        for name in NAMED:
            found.update(part.strip() for part in str(ad.get(name, "")).split(",") if part.strip())
    return found
