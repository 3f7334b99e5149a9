"""All reads of one cycle, for all groups at once: schedds, slots, Factories (decisions 15, 22, 23,
48).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from glideinwms.frontend.collect import inputs, probe
from glideinwms.frontend.collect.inputs import HeldInput, Inputs
from glideinwms.frontend.collect.queries import factory_ads
from glideinwms.frontend.collect.queries.factory_ads import read_pool
from glideinwms.frontend.collect.queries.jobs import read_jobs
from glideinwms.frontend.collect.queries.schedds import read_loads
from glideinwms.frontend.collect.queries.slots import read_slots
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.lib.condor.calls import JOB_DEADLINE, Call, CallResult, Workers, call
from glideinwms.lib.errors import TimedOut
from glideinwms.lib.wire.names import client_name

ALL = "ALL"
POOL_DEADLINE = 30.0
# a witness that no number of entries outweighs
KEYS_AGREE = 1_000_000
WIDER = 4
PLUGIN_ATTRS = {"ProxyUserCardinality": "User", "ProxyProjectName": "ProjectName"}


@dataclass(frozen=True, slots=True)
class JobQuery:
    """What groups with one job query want to know: the union of their attributes, and `extras`,
    attributes that are
    counted by themselves.
    """

    query: str
    names: tuple[str, ...]
    extras: tuple[str, ...] = ()


def groups_of(policy: FrontendPolicy) -> list[GroupPolicy]:
    """The enabled groups."""
    return [g for g in policy.groups if g.enabled]


def attribute_names(group: GroupPolicy) -> tuple[str, ...]:
    """The job attributes a group's expressions read, RequestCpus always."""
    return tuple(dict.fromkeys([*(a.name for a in group.job_attrs), "RequestCpus"]))


def job_queries(groups: Iterable[GroupPolicy], wide: Collection[str] = ()) -> list[JobQuery]:
    """One query set per distinct job query; groups that share it share its attributes, unless the
    query is one of the
    `wide` ones: then each set of attributes is asked for itself (decision 23).
    """
    found: dict[tuple[str, tuple[str, ...]], tuple[dict[str, None], dict[str, None]]] = {}
    for group in groups:
        names = attribute_names(group)
        key = (group.job_query, tuple(sorted(names)) if group.job_query in wide else ())
        columns, extras = found.setdefault(key, ({}, {}))
        columns.update(dict.fromkeys(names))
        if group.selection_plugin in PLUGIN_ATTRS:
            extras[PLUGIN_ATTRS[group.selection_plugin]] = None
    return [
        JobQuery(query, tuple(names), tuple(extras))
        for (query, _), (names, extras) in found.items()
    ]


def table_of(value: Mapping[str, Any], group: GroupPolicy) -> dict[str, Any] | None:
    """The narrowest of a schedd's tables that answers a group's query; None if it was never asked."""
    wanted = set(attribute_names(group))
    fit = [
        t for t in value["tables"] if t["query"] == group.job_query and wanted <= set(t["names"])
    ]
    return min(fit, key=lambda t: len(t["names"]), default=None)


def wide_queries(value: Mapping[str, Any], groups: Iterable[GroupPolicy]) -> set[str]:
    """Job queries whose shared table has more than 4 times the rows that any of its groups needs;
    once so, always so
    for this schedd (decision 23).
    """
    wide = set(value.get("wide", ()))
    needs: dict[str, tuple[int, int]] = {}
    for group in groups:
        table = table_of(value, group)
        if table is None:
            continue
        where = [table["names"].index(n) for n in attribute_names(group)]
        rows = len({tuple(row[0][i] for i in where) for row in table["rows"]})
        most, _ = needs.get(group.job_query, (0, 0))
        needs[group.job_query] = (max(most, rows), len(table["rows"]))
    return wide | {query for query, (most, rows) in needs.items() if rows > WIDER * most}


def pool_key(node: str, identity: str) -> str:
    """Key of `Inputs.pools`: two Factories may share a collector, each with its own identity."""
    return f"{node} {identity}"


def schedd_names(group: GroupPolicy, loads: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The schedds of a group; ALL is every schedd that the user collector knows."""
    if ALL in group.schedds:
        return tuple(sorted(str(ad["Name"]) for ad in loads if ad.get("Name")))
    return group.schedds


def collect(pool: Workers, policy: FrontendPolicy, old: Inputs) -> Inputs:
    """Ask every endpoint; what fails or looks wrong keeps its last good reading. First the user
    collector tells where
    the schedds are; all else goes on at the same time, the schedds, which take longest, before the
    others. A collector
    that just did not answer is not asked again.
    """
    groups = groups_of(policy)
    suspects = probe.suspects(old, policy.user_collector)
    [told] = probe.run(pool, [_loads_call(policy)], suspects)
    loads = _take(inputs.new("schedd ads", policy.job_max_age, old.loads), told, _of_loads)
    schedds, asking = _schedds(policy, groups, loads, old)
    pool_calls = _pool_calls(policy, groups)
    slots_calls = [] if isinstance(told.error, TimedOut) else [_slots_call(policy, groups)]
    if told.error is None:
        suspects.discard(policy.user_collector)
    answers = iter(
        probe.run(pool, [*(asked for asked, _ in asking), *pool_calls, *slots_calls], suspects)
    )
    for (asked, wide), answer in zip(asking, answers, strict=False):
        schedds[asked.endpoint] = _take(
            schedds[asked.endpoint], _labelled(asked, answer, wide), _of_jobs
        )
    pools = {}
    for asked, answer in zip(pool_calls, answers, strict=False):
        key = pool_key(asked.endpoint, asked.args["identity"])
        known = inputs.new(
            f"Factories of {asked.endpoint}", policy.factory_max_age, old.pools.get(key)
        )
        pools[key] = _take(known, answer, _of_pool)
    slots = _take(
        inputs.new("slots", policy.slot_max_age, old.slots), next(answers, told), _of_slots
    )
    return replace(old, loads=loads, slots=slots, pools=pools, schedds=schedds)


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer as its Input judges it (see Input.answered)."""

    value: dict[str, Any]
    count: int
    witness: int
    started: float = -1.0


def _take(
    old: HeldInput, answer: CallResult[dict[str, Any]], judge: Callable[[Any], Judged]
) -> HeldInput:
    if answer.error is not None:
        return old.failed(str(answer.error))
    told = judge(answer.value)
    return old.answered(told.value, told.count, told.witness, answer.began, told.started)


def _of_loads(value: dict[str, Any]) -> Judged:
    return Judged(value, len(value["ads"]), -1, value["started"])


def _of_slots(value: dict[str, Any]) -> Judged:
    return Judged(value, int(value["global"][0]), int(value["witness"]), value["started"])


def _of_pool(value: dict[str, Any]) -> Judged:
    """Entries that all vanish while their Factories still publish keys are held once."""
    entries = {row["name"] for rows in value["queries"].values() for row in rows}
    return Judged(value, len(entries), KEYS_AGREE * bool(value["keys"]), value["started"])


def _of_jobs(value: dict[str, Any]) -> Judged:
    return Judged(value, sum(t["jobs"] for t in value["tables"]), int(value["all_queued"]))


def _loads_call(policy: FrontendPolicy) -> Call[dict[str, Any]]:
    return call(policy.user_collector, read_loads, collector=policy.user_collector)


def _slots_call(policy: FrontendPolicy, groups: Sequence[GroupPolicy]) -> Call[dict[str, Any]]:
    memory = {client_name(policy.frontend_name, g.name): g.limits.min_memory for g in groups}
    return call(
        policy.user_collector,
        read_slots,
        collector=policy.user_collector,
        frontend=policy.frontend_name,
        min_memory=memory,
    ).within(POOL_DEADLINE)


def _pool_calls(
    policy: FrontendPolicy, groups: Sequence[GroupPolicy]
) -> list[Call[dict[str, Any]]]:
    """One call per WMS pool, with every group that uses it."""
    wanted: dict[tuple[str, str], list[dict[str, str]]] = {}
    for group in groups:
        query = factory_ads.expanded(group.factory_query, group.attrs)
        ask = {"client": client_name(policy.frontend_name, group.name), "query": query}
        for wms in group.wms_pools:
            wanted.setdefault((wms.node, wms.factory_identity), []).append(
                {**ask, "me": wms.my_identity}
            )
    return [
        call(node, read_pool, pool=node, identity=identity, groups=asks).within(POOL_DEADLINE)
        for (node, identity), asks in wanted.items()
    ]


def _schedds(
    policy: FrontendPolicy, groups: Sequence[GroupPolicy], loads: HeldInput, old: Inputs
) -> tuple[dict[str, HeldInput], list[tuple[Call[dict[str, Any]], set[str]]]]:
    """The inputs of all schedds as they were, and the calls, with their `wide` queries, to those
    whose address is
    known; the others have failed.
    """
    ads = (loads.reading.value or {"ads": []})["ads"]
    address = {str(ad.get("Name")): str(ad.get("MyAddress", "")) for ad in ads}
    users: dict[str, list[GroupPolicy]] = {}
    for group in groups:
        for name in schedd_names(group, ads):
            users.setdefault(name, []).append(group)
    found: dict[str, HeldInput] = {}
    calls = []
    for name, using in users.items():
        known = inputs.new(f"schedd {name}", policy.job_max_age, old.schedds.get(name))
        value: Mapping[str, Any] = known.reading.value or {}
        where = address.get(name) or str(value.get("address", ""))
        if where:
            ways = {} if name in old.schedds and old.schedds[name].reading.error else _ways(value)
            wide = wide_queries({"tables": [], **value}, using)
            calls.append((_jobs_call(name, where, using, wide, ways), wide))
        else:
            known = known.failed(
                "has no ad in the user collector; is its name right, and is it up?"
            )
        found[name] = known
    return found, calls


def _ways(value: Mapping[str, Any]) -> dict[tuple[str, tuple[str, ...]], str]:
    """How each query was answered last time. After a failure nobody asks: the queue may have become
    one for which that
    way takes too long.
    """
    return {(t["query"], tuple(t["names"])): t["method"] for t in value.get("tables", [])}


def _jobs_call(
    name: str,
    address: str,
    groups: Sequence[GroupPolicy],
    wide: Collection[str],
    methods: Mapping[tuple[str, tuple[str, ...]], str],
) -> Call[dict[str, Any]]:
    queries = [
        {
            "query": q.query,
            "names": list(q.names),
            "extras": list(q.extras),
            "method": methods.get((q.query, q.names), ""),
        }
        for q in job_queries(groups, wide)
    ]
    asking = call(name, read_jobs, name=name, address=address, queries=queries)
    return asking.within(JOB_DEADLINE)


def _labelled(
    asked: Call[dict[str, Any]], answer: CallResult[dict[str, Any]], wide: Collection[str]
) -> CallResult[dict[str, Any]]:
    """The tables with their query and the names of their columns, and the address that answered."""
    if answer.error is not None:
        return answer
    queries = asked.args["queries"]
    tables = [
        {**t, "query": q["query"], "names": q["names"]}
        for q, t in zip(queries, answer.value["tables"], strict=True)
    ]
    value = {
        **answer.value,
        "tables": tables,
        "address": asked.args["address"],
        "wide": sorted(wide),
    }
    return replace(answer, answer=value)
