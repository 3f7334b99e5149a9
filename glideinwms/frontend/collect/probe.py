"""Endpoints that failed last time are first asked a small question with a short deadline: one that hangs then costs the
cycle 10 s, not the whole deadline of a long question (decision 5).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call, CallResult, CallResults, Result, Workers, call


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


def run(
    pool: Workers, calls: Sequence[Call[Result]], wary_of: Collection[str]
) -> list[CallResult[Result]]:
    """As `pool.run`, with a probe before the first call to each endpoint in `wary_of`. If that does
    not answer, the pool gives up the endpoint's other calls of this run.
    """
    return begin(pool, calls, wary_of)()


def begin(
    pool: Workers, calls: Sequence[Call[Result]], wary_of: Collection[str]
) -> CallResults[Result]:
    """As `pool.begin`, with the probes of `run`."""
    first: dict[str, Call[Result]] = {}
    for asked in calls:
        if asked.endpoint in wary_of:
            first.setdefault(asked.endpoint, asked)
    probes = [_probe(asked) for asked in first.values()]
    mixed: list[Call[Any]] = [*probes, *calls]
    results = pool.begin(mixed)
    return lambda: results()[len(probes) :]


def _probe(asked: Call[Any]) -> Call[int]:
    if "address" in asked.args:
        name, address = asked.args["name"], asked.args["address"]
        return call(asked.endpoint, ping_schedd, name=name, address=address)
    return call(asked.endpoint, ping_collector, collector=asked.endpoint)
