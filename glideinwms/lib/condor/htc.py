"""Every call to HTCondor, as a function with plain data in and out. Runs in a reader process, never in a daemon's own.

A collector argument "" is the pool of CONDOR_CONFIG. Values are str, int, float, bool, lists or dicts of them; an
expression is its text as `Expr`. Attributes that are undefined or an error are left out, unless the caller passes
`keep_missing`: then their values are `Missing.UNDEFINED` and `Missing.ERROR`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glideinwms.lib.bounded import Expr as Expr
from glideinwms.lib.bounded import Missing
from glideinwms.lib.bounded import reason as short
from glideinwms.lib.errors import CondorError, OutcomeUnknown, Unreachable

Ad = dict[str, Any]
MY_ADDRESS = "<127.0.0.1:0>"
# what the bindings raise of a text that is not UTF-8: in a list, the second
UNREADABLE_TEXT = (UnicodeDecodeError, SystemError)
# the attribute of an ad that could not be read: why
UNREADABLE = "GwmsUnreadable"
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


def plain(value: Any, classad2: Any) -> Any:
    """A ClassAd value as plain data; None for undefined and error values (which are ints to Python:
    asked first).
    """
    if isinstance(value, classad2.Value):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, classad2.ExprTree):
        return Expr(str(value))
    if isinstance(value, list):
        return [plain(v, classad2) for v in value]
    if isinstance(value, Mapping):
        return {k: plain(v, classad2) for k, v in value.items()}
    return str(value)


def plain_ads(ads: Iterable[Any], *, keep_missing: bool = False) -> list[Ad]:
    """ClassAds as plain data. An ad whose attribute names cannot be read becomes `_stand_in`."""
    _, classad2 = _bindings()
    return [_plain_ad(ad, classad2, keep_missing) for ad in ads]


def _plain_ad(ad: Any, classad2: Any, keep_missing: bool) -> Ad:
    """The ad without what is undefined, or with it as `Missing`.

    In a text that is not UTF-8 the bad bytes are replaced. A list or ad that holds one is left out.
    """
    try:
        if not keep_missing:
            return {k: v for k in ad if (v := plain(ad[k], classad2)) is not None}
        return {k: _or_missing(ad[k], classad2) for k in ad}
    except UNREADABLE_TEXT:
        return _repaired_ad(ad, classad2, keep_missing)


def _or_missing(value: Any, classad2: Any) -> Any:
    """A ClassAd value as plain data; `Missing` for undefined and error values."""
    if isinstance(value, classad2.Value):
        return Missing.ERROR if value == classad2.Value.Error else Missing.UNDEFINED
    return plain(value, classad2)


def _repaired_ad(ad: Any, classad2: Any, keep_missing: bool) -> Ad:
    try:
        names = list(ad)
    except UNREADABLE_TEXT:
        return _stand_in(ad, classad2)
    repaired: Ad = {}
    for name in names:
        with contextlib.suppress(*UNREADABLE_TEXT):
            repaired[name] = _or_missing(_replaced(ad, name), classad2)
    if keep_missing:
        return repaired
    return {name: value for name, value in repaired.items() if not isinstance(value, Missing)}


def _stand_in(ad: Any, classad2: Any) -> Ad:
    """What is shown of an ad with an attribute name that is not UTF-8: `UNREADABLE` and its names.

    The bindings list the names of such an ad only all or not at all. It stays in the answer, so
    that it is counted and can be named; it lacks all that would make it count as one of ours.
    """
    stand_in: Ad = {UNREADABLE: "the name of an attribute is not UTF-8"}
    for name in ("MyType", "Name", "MyAddress", "ClusterId", "ProcId"):
        with contextlib.suppress(*UNREADABLE_TEXT):
            if name in ad and (value := plain(_replaced(ad, name), classad2)) is not None:
                stand_in[name] = value
    return stand_in


def _replaced(ad: Any, name: str) -> Any:
    """An attribute as the bindings have it; a text that is not UTF-8 with its bad bytes replaced."""
    try:
        return ad[name]
    except UnicodeDecodeError as error:
        return bytes(error.object).decode(errors="replace")


def to_classad(ad: Mapping[str, Any]) -> Any:
    """A ClassAd of plain data, `Expr` texts parsed. UnicodeEncodeError (a ValueError) for a text
    that is not Unicode,
    such as a file name that is not UTF-8: of that the bindings crash.
    """
    _, classad2 = _bindings()
    for name, value in ad.items():
        _encoded((name, value))
    return classad2.ClassAd(
        {k: classad2.ExprTree(str(v)) if isinstance(v, Expr) else v for k, v in ad.items()}
    )


def _encoded(value: Any) -> None:
    """Encode every text of a value, for the error that this may raise."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, Mapping):
        _encoded(list(value.items()))
    elif isinstance(value, list | tuple):
        for item in value:
            _encoded(item)


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
    when the constraint
    names an attribute that is not in `projection` (decision 2).
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
    ads are left out, and
    named in the CondorError that follows when the others are sent.
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
    A new line in a
    value would start another command of the description (the executable, say): refused.
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
