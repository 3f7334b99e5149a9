"""All reads of one cycle, for all groups at once: schedds, slots, Factories (decisions 15, 22, 23,
48).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from glideinwms.frontend.collect import inputs, probe
from glideinwms.frontend.collect.answers import (
    EntriesQuery,
    JobClasses,
    JobQuery,
    PoolSlots,
    ScheddAd,
    ScheddAds,
    ScheddJobs,
    WmsPoolAds,
)
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

T = TypeVar("T")
ALL = "ALL"
NO_JOBS = ScheddJobs(tables=(), all_queued=0)
POOL_DEADLINE = 30.0
# a witness that no number of entries outweighs
KEYS_AGREE = 1_000_000
WIDER = 4
PLUGIN_ATTRS = {"ProxyUserCardinality": "User", "ProxyProjectName": "ProjectName"}


def groups_of(policy: FrontendPolicy) -> list[GroupPolicy]:
    """The enabled groups."""
    return [g for g in policy.groups if g.enabled]


def attribute_names(group: GroupPolicy) -> tuple[str, ...]:
    """The job attributes a group's expressions read, RequestCpus always."""
    return tuple(dict.fromkeys([*(a.name for a in group.job_attrs), "RequestCpus"]))


def job_queries(groups: Iterable[GroupPolicy], wide: Collection[str] = ()) -> list[JobQuery]:
    """One query set per distinct job query; groups that share it share its attributes, unless the
    query is one of the `wide` ones: then each set of attributes is asked for itself (decision 23).
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
        JobQuery(query=query, names=tuple(names), extras=tuple(extras))
        for (query, _), (names, extras) in found.items()
    ]


def table_of(tables: Sequence[JobClasses], group: GroupPolicy) -> JobClasses | None:
    """The narrowest of a schedd's tables that answers a group's query; None if it was never asked."""
    wanted = set(attribute_names(group))
    fit = [
        table for table in tables if table.query == group.job_query and wanted <= set(table.names)
    ]
    return min(fit, key=lambda table: len(table.names), default=None)


def wide_queries(
    wide: Iterable[str], tables: Sequence[JobClasses], groups: Iterable[GroupPolicy]
) -> set[str]:
    """Job queries whose shared table has more than 4 times the rows that any of its groups needs;
    once so, always so for this schedd (decision 23).
    """
    needs: dict[str, tuple[int, int]] = {}
    for group in groups:
        table = table_of(tables, group)
        if table is None:
            continue
        where = [table.names.index(n) for n in attribute_names(group)]
        rows = len({tuple(values[i] for i in where) for values in table.values})
        most, _ = needs.get(group.job_query, (0, 0))
        needs[group.job_query] = (max(most, rows), len(table.values))
    return set(wide) | {query for query, (most, rows) in needs.items() if rows > WIDER * most}


def pool_key(node: str, identity: str) -> str:
    """Key of `Inputs.pools`: two Factories may share a collector, each with its own identity."""
    return f"{node} {identity}"


def schedd_names(group: GroupPolicy, ads: Sequence[ScheddAd]) -> tuple[str, ...]:
    """The schedds of a group; ALL is every schedd that the user collector knows."""
    if ALL in group.schedds:
        return tuple(sorted(ad.name for ad in ads))
    return group.schedds


def collect(pool: Workers, policy: FrontendPolicy, old: Inputs) -> Inputs:
    """Ask every endpoint; what fails or looks wrong keeps its last good reading. First the user
    collector tells where the schedds are; all else goes on at the same time, the schedds, which
    take longest, before the others. A collector that just did not answer is not asked again.
    """
    groups = groups_of(policy)
    suspects = probe.suspects(old, policy.user_collector)
    [told] = probe.run(pool, [_loads_call(policy)], suspects)
    loads = _take(inputs.new("schedd ads", policy.job_max_age, old.loads), told, _judge_loads)
    schedds, asking = _schedds(policy, groups, loads, old)
    pool_calls = _pool_calls(policy, groups)
    slots_calls = [] if isinstance(told.error, TimedOut) else [_slots_call(policy, groups)]
    if told.error is None:
        suspects.discard(policy.user_collector)
    calls: list[Call[Any]] = [*(asked for asked, _ in asking), *pool_calls, *slots_calls]
    answers = iter(probe.run(pool, calls, suspects))
    for (asked, wide), answer in zip(asking, answers, strict=False):
        schedds[asked.endpoint] = _take(
            schedds[asked.endpoint], _with_wide(answer, wide), _judge_jobs
        )
    pools = {}
    for pool_call, answer in zip(pool_calls, answers, strict=False):
        key = pool_key(pool_call.endpoint, pool_call.args["identity"])
        known = inputs.new(
            f"Factories of {pool_call.endpoint}", policy.factory_max_age, old.pools.get(key)
        )
        pools[key] = _take(known, answer, _judge_pool)
    slots = _take(
        inputs.new("slots", policy.slot_max_age, old.slots), next(answers, told), _judge_slots
    )
    return replace(old, loads=loads, slots=slots, pools=pools, schedds=schedds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What HeldInput.answered judges an answer by."""

    count: int
    witness: int = -1
    started: float = -1.0


def _take(old: HeldInput[T], answer: CallResult[T], judge: Callable[[T], Judged]) -> HeldInput[T]:
    if answer.error is not None:
        return old.failed(str(answer.error))
    value = answer.value
    judged = judge(value)
    return old.answered(value, judged.count, judged.witness, answer.began, judged.started)


def _judge_loads(value: ScheddAds) -> Judged:
    return Judged(count=len(value.ads), started=value.started)


def _judge_slots(value: PoolSlots) -> Judged:
    return Judged(count=value.everything.total, witness=value.witness, started=value.started)


def _judge_pool(value: WmsPoolAds) -> Judged:
    """Entries that all vanish while their Factories still publish keys are held once."""
    names = {entry.name for entries in value.entries.values() for entry in entries}
    return Judged(count=len(names), witness=KEYS_AGREE * bool(value.keys), started=value.started)


def _judge_jobs(value: ScheddJobs) -> Judged:
    return Judged(count=sum(table.jobs for table in value.tables), witness=value.all_queued)


def _loads_call(policy: FrontendPolicy) -> Call[ScheddAds]:
    return call(policy.user_collector, read_loads, collector=policy.user_collector)


def _slots_call(policy: FrontendPolicy, groups: Sequence[GroupPolicy]) -> Call[PoolSlots]:
    memory = {client_name(policy.frontend_name, g.name): g.limits.min_memory for g in groups}
    return call(
        policy.user_collector,
        read_slots,
        collector=policy.user_collector,
        frontend=policy.frontend_name,
        min_memory=memory,
    ).within(POOL_DEADLINE)


def _pool_calls(policy: FrontendPolicy, groups: Sequence[GroupPolicy]) -> list[Call[WmsPoolAds]]:
    """One call per WMS pool, with every group that uses it."""
    wanted: dict[tuple[str, str], list[EntriesQuery]] = {}
    for group in groups:
        query = factory_ads.expanded(group.factory_query, group.attrs)
        client = client_name(policy.frontend_name, group.name)
        for wms in group.wms_pools:
            wanted.setdefault((wms.node, wms.factory_identity), []).append(
                EntriesQuery(client=client, query=query, identity=wms.my_identity)
            )
    return [
        call(node, read_pool, pool=node, identity=identity, groups=asks).within(POOL_DEADLINE)
        for (node, identity), asks in wanted.items()
    ]


def _schedds(
    policy: FrontendPolicy, groups: Sequence[GroupPolicy], loads: HeldInput[ScheddAds], old: Inputs
) -> tuple[dict[str, HeldInput[ScheddJobs]], list[tuple[Call[ScheddJobs], set[str]]]]:
    """The inputs of all schedds as they were, and the calls, with their `wide` queries, to those
    whose address is known; the others have failed.
    """
    ads = (loads.reading.value or ScheddAds()).ads
    addresses = {ad.name: ad.address for ad in ads}
    users: dict[str, list[GroupPolicy]] = {}
    for group in groups:
        for name in schedd_names(group, ads):
            users.setdefault(name, []).append(group)
    schedds: dict[str, HeldInput[ScheddJobs]] = {}
    calls = []
    for name, using in users.items():
        known = inputs.new(f"schedd {name}", policy.job_max_age, old.schedds.get(name))
        value = known.reading.value or NO_JOBS
        where = addresses.get(name) or value.address
        if where:
            ways = (
                {} if name in old.schedds and old.schedds[name].reading.error else _methods(value)
            )
            wide = wide_queries(value.wide, value.tables, using)
            calls.append((_jobs_call(name, where, using, wide, ways), wide))
        else:
            known = known.failed(
                "has no ad in the user collector; is its name right, and is it up?"
            )
        schedds[name] = known
    return schedds, calls


def _methods(value: ScheddJobs) -> dict[tuple[str, tuple[str, ...]], str]:
    """How each query was answered last time. After a failure nobody asks: the queue may have become
    one for which that way takes too long.
    """
    return {(table.query, table.names): table.method for table in value.tables}


def _jobs_call(
    name: str,
    address: str,
    groups: Sequence[GroupPolicy],
    wide: Collection[str],
    methods: Mapping[tuple[str, tuple[str, ...]], str],
) -> Call[ScheddJobs]:
    queries = [
        replace(query, method=methods.get((query.query, query.names), ""))
        for query in job_queries(groups, wide)
    ]
    asking = call(name, read_jobs, name=name, address=address, queries=queries)
    return asking.within(JOB_DEADLINE)


def _with_wide(answer: CallResult[ScheddJobs], wide: Collection[str]) -> CallResult[ScheddJobs]:
    """The answer of a schedd, with the queries that groups do not share there."""
    if answer.error is not None:
        return answer
    return replace(answer, answer=replace(answer.value, wide=tuple(sorted(wide))))
