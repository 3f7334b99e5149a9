"""Endpoints that failed last time are first asked a small question with a short deadline: one that hangs then costs the
cycle 10 s, not the whole deadline of a long question (decision 5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.workers import READ_DEADLINE, Call, CallResult, CallResults, Workers


def ping_collector(collector: str) -> int:
    """Runs in a reader: whether the collector answers; how many collectors' own ads it has."""
    return len(htc.query_ads(collector, "true", ["Name"], "Collector"))


def ping_schedd(name: str, address: str) -> int:
    """Runs in a reader: whether the schedd answers; how many jobs it has."""
    return int(htc.summary_jobs(htc.ScheddAddress(name, address), "false").get("AllusersJobs", 0))


def suspects(inputs: Inputs, user_collector: str) -> set[str]:
    """Endpoints whose newest attempt failed."""
    found = {name for name, given in inputs.schedds.items() if given.reading.error}
    found |= {key.partition(" ")[0] for key, given in inputs.pools.items() if given.reading.error}
    if any(given is not None and given.reading.error for given in (inputs.loads, inputs.slots)):
        found.add(user_collector)
    return found


def run(pool: Workers, calls: Sequence[Call], wary_of: Collection[str]) -> list[CallResult]:
    """As `pool.run`, with a probe before the first call to each endpoint in `wary_of`. If that does
    not answer, the
    pool gives up the endpoint's other calls of this run.
    """
    return begin(pool, calls, wary_of)()


def begin(pool: Workers, calls: Sequence[Call], wary_of: Collection[str]) -> CallResults:
    """As `pool.begin`, with the probes of `run`."""
    first: dict[str, Call] = {}
    for call in calls:
        if call.endpoint in wary_of:
            first.setdefault(call.endpoint, call)
    probes = [_probe(call) for call in first.values()]
    answers = pool.begin([*probes, *calls])
    return lambda: answers()[len(probes) :]


def _probe(call: Call) -> Call:
    module = "glideinwms.frontend.collect.probe"
    if "address" in call.args:
        args = {"name": call.args["name"], "address": call.args["address"]}
        return Call(call.endpoint, f"{module}:ping_schedd", args, READ_DEADLINE)
    return Call(
        call.endpoint, f"{module}:ping_collector", {"collector": call.endpoint}, READ_DEADLINE
    )
