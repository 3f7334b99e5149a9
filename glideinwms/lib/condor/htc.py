"""Every call to HTCondor, as a function with plain data in and out. Runs in a reader process, never
in a daemon's own.

A collector argument "" is the pool of CONDOR_CONFIG. Values are str, int, float, bool, lists or
dicts of them; an expression is its text as `Expr`. Attributes that are undefined or an error are
left out, unless the caller passes `keep_missing`: then their values are `Missing.UNDEFINED` and
`Missing.ERROR`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glideinwms.lib.bounded import Expr as Expr
from glideinwms.lib.bounded import reason as short
from glideinwms.lib.condor.classads import UNREADABLE as UNREADABLE
from glideinwms.lib.condor.classads import Ad as Ad
from glideinwms.lib.condor.classads import plain as plain
from glideinwms.lib.condor.classads import plain_ads as plain_ads
from glideinwms.lib.condor.classads import to_classad as to_classad
from glideinwms.lib.errors import CondorError, OutcomeUnknown, Unreachable

MY_ADDRESS = "<127.0.0.1:0>"
# ads that an error names one by one
MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class ScheddAddress:
    """Where a schedd answers: `Name` and `MyAddress` of its ad."""

    name: str
    address: str


def _bindings() -> tuple[Any, Any]:
    import classad2
    import htcondor2

    return htcondor2, classad2


def _collector(pool: str) -> Any:
    htcondor2, _ = _bindings()
    return htcondor2.Collector(pool) if pool else htcondor2.Collector()


# What the bindings say when a daemon is down, or when it lets us not in: they often do not tell
# which.
NO_ANSWER = (
    "failed communication",
    "failed to connect",
    "connection closed",
    "failed to authenticate",
    "failed to advertise",
    "error when performing action",
    "unable to locate",
)


def _failed(what: str, where: str, error: Exception) -> CondorError:
    text = " ".join(str(error).split()) or type(error).__name__
    if any(word in text.lower() for word in NO_ANSWER):
        return Unreachable(
            f"{what}: {text}", where=where, hint="is it up, and do our tokens open it?"
        )
    return CondorError(f"{what}: {text}", where=where)


def query_ads(
    collector: str,
    constraint: str = "true",
    projection: Sequence[str] | None = None,
    ad_type: str = "Any",
    keep_missing: bool = False,
) -> list[Ad]:
    """Ads of a collector. `ad_type` is a name of htcondor2.AdType; the kinds of GlideinWMS are only
    found under Any.
    """
    htcondor2, classad2 = _bindings()
    kind = getattr(htcondor2.AdType, ad_type)
    try:
        ads = _collector(collector).query(
            kind, constraint=constraint, projection=list(projection or [])
        )
    except (htcondor2.HTCondorException, classad2.ClassAdException, RuntimeError) as error:
        raise _failed(f"query of {ad_type} ads", collector or "local collector", error) from error
    return plain_ads(ads, keep_missing=keep_missing)


def locate_schedds(collector: str, names: Sequence[str] | None = None) -> list[Ad]:
    """Schedd ads (all, or those named) with what load rules need (protocol 5.2)."""
    wanted = [
        "Name",
        "MyAddress",
        "TotalIdleJobs",
        "TotalRunningJobs",
        "MaxJobsRunning",
        "CurbMatchmaking",
        "TransferQueueNumUploading",
        "TransferQueueMaxUploading",
        "AddressV1",
        "CondorVersion",
    ]
    constraint = (
        "true" if names is None else " || ".join(f"Name == {quoted(n)}" for n in names) or "false"
    )
    return query_ads(collector, constraint, wanted, "Schedd")


def quoted(text: str) -> str:
    """A ClassAd string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _schedd(schedd: ScheddAddress) -> Any:
    htcondor2, classad2 = _bindings()
    ad = classad2.ClassAd()
    ad["Name"], ad["MyAddress"] = schedd.name, schedd.address
    ad["CondorVersion"] = "$CondorVersion: 23.0.0 2023-01-01 $"
    return htcondor2.Schedd(ad)


def _job_query(
    schedd: ScheddAddress, constraint: str, projection: Sequence[str], opts: str, limit: int
) -> list[Ad]:
    htcondor2, classad2 = _bindings()
    try:
        ads = _schedd(schedd).query(
            constraint=constraint,
            projection=list(projection),
            limit=limit,
            opts=getattr(htcondor2.QueryOpt, opts),
        )
    except (htcondor2.HTCondorException, classad2.ClassAdException, RuntimeError) as error:
        raise _failed("job query", schedd.name, error) from error
    return plain_ads(ads)


def query_jobs(
    schedd: ScheddAddress, constraint: str, projection: Sequence[str], limit: int = -1
) -> list[Ad]:
    """Jobs, one ad each. Large lists stay in the reader: fold them there."""
    return _job_query(schedd, constraint, projection, "Default", limit)


def group_jobs(
    schedd: ScheddAddress, constraint: str, projection: Sequence[str], limit: int = -1
) -> list[Ad]:
    """One row per distinct combination of `projection`, with JobCount. Zero rows, and no error,
    when the constraint names an attribute that is not in `projection` (decision 2).
    """
    return _job_query(schedd, constraint, projection, "GroupBy", limit)


def summary_jobs(schedd: ScheddAddress, constraint: str) -> Ad:
    """The SummaryOnly ad: Jobs, Idle, Running, Held ... of the constraint, Allusers* of the whole
    queue.
    """
    ads = _job_query(schedd, constraint, [], "SummaryOnly", -1)
    if not ads:
        raise CondorError("no summary came back", where=schedd.name)
    return ads[0]


def _cause(error: Exception) -> str:
    """Why an ad was refused. The bindings hide the real error behind a SystemError."""
    if isinstance(error, CondorError):
        return error.message
    cause = error.__cause__ if isinstance(error, SystemError) and error.__cause__ else error
    return f"{type(cause).__name__}: {cause}"


def advertise(
    collector: str, ads: Sequence[Mapping[str, Any]], command: str, tcp: bool = True
) -> int:
    """Send ads in one go; each gets the MyAddress without which a collector drops some kinds
    silently (decision 6).

    The first ad that a collector cannot file ends its reading, mostly without an error here: such
    ads are left out, and named in the CondorError that follows when the others are sent.
    """
    good, wrong = [], []
    for ad in ads:
        try:
            if not isinstance(ad.get("Name"), str) or isinstance(ad["Name"], Expr):
                raise CondorError("has no Name")
            good.append(to_classad({"MyAddress": MY_ADDRESS, **ad}))
        except Exception as error:  # noqa: BLE001 - the boundary of one ad; the bindings raise SystemError too
            wrong.append(
                f"{short(ad.get('MyType', '?'))} {short(ad.get('Name', '?'))}: {short(_cause(error))}"
            )
    where = collector or "local collector"
    try:
        if good:
            _collector(collector).advertise(good, command, tcp)
    except Exception as error:
        raise _failed(f"{command} of {len(good)} ads", where, error) from error
    if wrong:
        raise CondorError(
            f"{command}: {len(wrong)} ads cannot be sent: {'; '.join(wrong[:MAX_NAMED])}",
            where=where,
        )
    return len(good)


def invalidate(collector: str, target_type: str, constraint: str, command: str) -> None:
    """Withdraw ads by constraint (protocol 1.1)."""
    ad = {"MyType": "Query", "TargetType": target_type, "Requirements": Expr(constraint)}
    htcondor2, classad2 = _bindings()
    try:
        _collector(collector).advertise([to_classad(ad)], command, True)
    except (htcondor2.HTCondorException, classad2.ClassAdException, RuntimeError) as error:
        raise _failed(
            f"{command} of {target_type}", collector or "local collector", error
        ) from error


def submit(
    schedd: ScheddAddress,
    description: Mapping[str, str],
    count: int,
    items: Sequence[Mapping[str, str]] | None = None,
) -> list[tuple[int, int, int]]:
    """Submit `count` jobs (per item) in one transaction; (cluster, first proc, number) of what the
    schedd took.

    OutcomeUnknown if the schedd went away while it committed; after any other error there are none.
    A new line in a value would start another command of the description (the executable, say):
    refused.
    """
    for name, text in (pair for part in (description, *(items or ())) for pair in part.items()):
        if any(ord(c) < 32 for c in f"{name}{text}"):
            raise CondorError(f"submit refused: {name!r} has control characters", where=schedd.name)
    htcondor2, classad2 = _bindings()
    try:
        job = htcondor2.Submit(dict(description))
        itemdata: Iterator[Any] | None = iter([dict(i) for i in items]) if items else None
        result = _schedd(schedd).submit(job, count=count, itemdata=itemdata)
    except (htcondor2.HTCondorException, classad2.ClassAdException, RuntimeError) as error:
        text = explain_submit(str(error))
        kind = (
            OutcomeUnknown
            if "commit" in text
            else Unreachable
            if "connect" in text
            else CondorError
        )
        raise kind(text, where=schedd.name) from error
    return [(result.cluster(), result.first_proc(), result.num_procs())]


def explain_submit(text: str) -> str:
    """A schedd's refusal with the knob behind its code (decision 8)."""
    text = " ".join(text.split())
    for code, knob in (
        ("-2", "MAX_JOBS_SUBMITTED"),
        ("-3", "MAX_JOBS_PER_OWNER (100000 by default)"),
        ("-4", "MAX_JOBS_PER_SUBMISSION (20000 by default)"),
    ):
        if f"says {code}" in text or text.endswith(code):
            return f"submit refused: {text}: the schedd's limit {knob} is reached"
    return f"submit refused: {text}"


def act(schedd: ScheddAddress, action: str, ids: Sequence[str], reason: str) -> int:
    """Remove, RemoveX, Release or Hold jobs by id; how many the schedd acted on."""
    htcondor2, classad2 = _bindings()
    if not ids:
        return 0
    try:
        # a reason that is no pair is dropped by the bindings
        result = _schedd(schedd).act(
            getattr(htcondor2.JobAction, action), list(ids), reason=(reason, 0)
        )
    except (htcondor2.HTCondorException, classad2.ClassAdException, RuntimeError) as error:
        raise _failed(f"{action} of {len(ids)} jobs", schedd.name, error) from error
    return int(result.get("TotalSuccess", 0))


def edit(schedd: ScheddAddress, job: str, name: str, expression: str) -> None:
    """Set one attribute of a job in the queue to a ClassAd expression."""
    htcondor2, classad2 = _bindings()
    try:
        _schedd(schedd).edit(job, name, expression)
    except (htcondor2.HTCondorException, classad2.ClassAdException, RuntimeError) as error:
        raise _failed(f"edit of {job}", schedd.name, error) from error


def _param(name: str) -> str:
    htcondor2, _ = _bindings()
    return str(htcondor2.param.get(name, "") or "")


def param(name: str) -> str:
    """A knob of this process's HTCondor configuration; "" where it is not set."""
    return _param(name)


def ping(value: Any = None) -> Any:
    """Give `value` back: tells that a reader is alive."""
    return value
