"""Find a job in its schedd, and say why a group may not count it, for `gwms job explain ID`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.reader import ALL
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import GroupInput, Value
from glideinwms.lib.condor.calls import Workers, call
from glideinwms.lib.errors import StateError

# JobStatus of HTCondor
IDLE = 1
RUNNING = 2
HELD = 5
STATES = {
    IDLE: "idle",
    RUNNING: "running",
    3: "removed",
    4: "completed",
    HELD: "held",
    6: "transferring output",
    7: "suspended",
}


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One job: its schedd and its job ad."""

    schedd: str
    ad: Mapping[str, Any] = field(repr=False)

    def values(self, names: Sequence[str]) -> dict[str, Value]:
        """Return these attributes as the Frontend reads them, without undefined ones."""
        from glideinwms.frontend.collect.queries.job_values import class_of

        pairs = zip(names, class_of(self.ad, names), strict=True)
        return {name: value for name, value in pairs if value is not None}

    def state(self) -> str:
        """Return the state, with the reason why it is held or the host where it runs."""
        status = int(self.ad.get("JobStatus", 0))
        details = {HELD: self.ad.get("HoldReason"), RUNNING: self.ad.get("RemoteHost")}
        detail = details.get(status)
        state = STATES.get(status, f"in JobStatus {status}")
        return f"{state} ({detail})" if detail else state

    def is_idle(self) -> bool:
        """Return whether it asks for a pilot."""
        return self.ad.get("JobStatus") == IDLE

    def not_counted(self, group: GroupPolicy, given: GroupInput) -> list[str]:
        """Return the reasons why it is not among a group's idle jobs, whatever entries it fits."""
        reasons = []
        table = {table.schedd: table for table in given.jobs}.get(self.schedd)
        if table is not None and not table.good:
            reasons.append(f"idle jobs of {self.schedd} do not count: {table.why}")
        elif table is None and (ALL in group.schedds or self.schedd in group.schedds):
            reasons.append(f"{self.schedd} did not answer in that cycle")
        elif table is None:
            schedds = ", ".join(group.schedds)
            reasons.append(f"{self.schedd} is not among its schedds: {schedds}")
        if not _matches(group.job_query, self.ad):
            reasons.append(f"its job query does not match the job: {group.job_query}")
        return reasons


def _matches(query: str, ad: Mapping[str, Any]) -> bool:
    import classad2

    from glideinwms.frontend.collect.queries.job_groups import rewrite
    from glideinwms.lib.condor.htc import to_classad

    result: object = classad2.ExprTree(rewrite(query)).eval(to_classad(ad))
    return not isinstance(result, classad2.Value) and bool(result)


def find_job(name: str, policy: FrontendPolicy, schedd: str, workers: Workers) -> QueuedJob:
    """Find the job ClusterId.ProcId.

    Raise StateError unless exactly one schedd has it, or the schedd that is named.
    """
    from glideinwms.lib.condor import htc
    from glideinwms.lib.condor.htc import ScheddAddress, quoted

    cluster, _, proc = name.partition(".")
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{0,10})?", name):
        raise StateError(
            f"{name!r} is not ClusterId.ProcId", where="job explain", hint="for example 12.0"
        )
    collector = policy.user_collector
    located = workers.one(call("user pool", htc.locate_schedds, collector=collector))
    known = [ScheddAddress(str(ad["Name"]), str(ad["MyAddress"])) for ad in located.value]
    asked = [address for address in known if schedd in ("", address.name)]
    if schedd and not asked:
        names = ", ".join(sorted(address.name for address in known)) or "no schedds"
        raise StateError(
            f"{schedd} is not a schedd of the user pool",
            where=quoted(collector),
            hint=f"there are {names}",
        )
    where = f"ClusterId == {cluster} && ProcId == {proc or 0}"
    answers = workers.run(
        [
            call(
                address.name,
                htc.query_jobs,
                schedd=address,
                constraint=where,
                projection=[],
            )
            for address in asked
        ]
    )
    jobs = [QueuedJob(answer.call.endpoint, ad) for answer in answers for ad in answer.value_or([])]
    if len(jobs) == 1:
        return jobs[0]
    if jobs:
        several = ", ".join(job.schedd for job in jobs)
        raise StateError(
            f"{several} each have a job {name}",
            where="job explain",
            hint="choose a schedd with --schedd",
        )
    answered = {answer.call.endpoint for answer in answers if answer.error is None}
    raise StateError(
        f"job {name} is in no schedd that answers" + _silent(policy, schedd, answered),
        where=quoted(collector),
        hint="if it has ended, give its attributes with --class",
    )


def _silent(policy: FrontendPolicy, schedd: str, answered: set[str]) -> str:
    """Name the schedds that should have answered and did not."""
    used = {name for group in policy.groups for name in group.schedds if name != ALL}
    silent = ", ".join(sorted(({schedd} if schedd else used) - answered))
    return f"; no answer from {silent}" if silent else ""
