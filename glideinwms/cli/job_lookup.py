"""A job as its schedd has it, and why a group may not count it, for `gwms job explain ID`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.reader import ALL
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import GroupInput, Value
from glideinwms.lib.condor.calls import Workers, call
from glideinwms.lib.errors import StateError

IDLE = 1
# JobStatus of HTCondor
STATES = {
    1: "idle",
    2: "running",
    3: "removed",
    4: "completed",
    5: "held",
    6: "transferring output",
    7: "suspended",
}


@dataclass(frozen=True, slots=True)
class Queued:
    """One job: its schedd, and everything that says of it."""

    schedd: str
    ad: Mapping[str, Any] = field(repr=False)

    def values(self, names: Sequence[str]) -> dict[str, Value]:
        """What the Frontend reads of these attributes; those that are undefined are left out."""
        from glideinwms.frontend.collect.queries.job_values import class_of

        return {n: v for n, v in zip(names, class_of(self.ad, names), strict=True) if v is not None}

    def state(self) -> str:
        """In words, with why it is held or where it runs."""
        status = int(self.ad.get("JobStatus", 0))
        more = {5: self.ad.get("HoldReason"), 2: self.ad.get("RemoteHost")}.get(status)
        return STATES.get(status, f"in JobStatus {status}") + (f" ({more})" if more else "")

    def waits(self) -> bool:
        """Whether it asks for a pilot at all."""
        return self.ad.get("JobStatus") == IDLE

    def not_counted(self, group: GroupPolicy, given: GroupInput) -> list[str]:
        """Why it is not among a group's idle jobs, whatever entries it fits."""
        table = {t.schedd: t for t in given.jobs}.get(self.schedd)
        found = []
        if table is not None and not table.good:
            found.append(f"idle jobs of {self.schedd} do not count: {table.why}")
        elif table is None and (ALL in group.schedds or self.schedd in group.schedds):
            found.append(f"{self.schedd} gave no answer in that cycle")
        elif table is None:
            found.append(f"{self.schedd} is none of its schedds: {', '.join(group.schedds)}")
        if not _takes(group.job_query, self.ad):
            found.append(f"its job query does not take the job: {group.job_query}")
        return found


def _takes(query: str, ad: Mapping[str, Any]) -> bool:
    import classad2

    from glideinwms.frontend.collect.queries.job_groups import rewrite
    from glideinwms.lib.condor.htc import to_classad

    result: Any = classad2.ExprTree(rewrite(query)).eval(to_classad(ad))
    return not isinstance(result, classad2.Value) and bool(result)


def find(name: str, policy: FrontendPolicy, schedd: str, pool: Workers) -> Queued:
    """The job ClusterId.ProcId; a StateError unless exactly one schedd (or the one that is named)
    has it.
    """
    from glideinwms.lib.condor import htc
    from glideinwms.lib.condor.htc import ScheddAddress, quoted

    cluster, _, proc = name.partition(".")
    if not cluster.isdigit() or not (proc or "0").isdigit():
        raise StateError(
            f"{name!r} is not ClusterId.ProcId", where="job explain", hint="for example 12.0"
        )
    collector = policy.user_collector
    located = pool.one(call("user pool", htc.locate_schedds, collector=collector))
    known = [ScheddAddress(str(ad["Name"]), str(ad["MyAddress"])) for ad in located.value]
    asked = [a for a in known if schedd in ("", a.name)]
    if schedd and not asked:
        names = ", ".join(sorted(a.name for a in known)) or "none"
        raise StateError(
            f"{schedd} is no schedd of the user pool",
            where=quoted(collector),
            hint=f"there are {names}",
        )
    where = f"ClusterId == {cluster} && ProcId == {proc or 0}"
    answers = pool.run(
        [call(a.name, htc.query_jobs, schedd=a, constraint=where, projection=[]) for a in asked]
    )
    found = [Queued(a.call.endpoint, ad) for a in answers for ad in a.value_or([])]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(q.schedd for q in found)
        raise StateError(
            f"{several} each have a job {name}",
            where="job explain",
            hint="choose one with --schedd",
        )
    expected = {schedd} if schedd else {n for g in policy.groups for n in g.schedds if n != ALL}
    silent = ", ".join(sorted(expected - {a.call.endpoint for a in answers if a.error is None}))
    raise StateError(
        f"job {name} is in no schedd that answers"
        + (f"; no answer from {silent}" if silent else ""),
        where=quoted(collector),
        hint="has it ended? name its attributes with --class",
    )
