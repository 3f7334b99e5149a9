"""All reads of one cycle, for all groups at once: schedds, slots, Factories (design 4, decisions 15, 22, 23, 48)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from glideinwms.frontend import fold_factory, inputs
from glideinwms.frontend.inputs import Input, Inputs
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.lib.names import client_name
from glideinwms.lib.readers import JOB_DEADLINE, READ_DEADLINE, Answer, Call, Pool

ALL = "ALL"
POOL_DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class JobQuery:
    """What groups with one job query want to know: the union of their attributes."""

    query: str
    names: tuple[str, ...]


def groups_of(policy: FrontendPolicy) -> list[GroupPolicy]:
    """The enabled groups."""
    return [g for g in policy.groups if g.enabled]


def attribute_names(group: GroupPolicy) -> tuple[str, ...]:
    """The job attributes a group's expressions read, RequestCpus always."""
    return tuple(dict.fromkeys([*(a.name for a in group.job_attrs), "RequestCpus"]))


def job_queries(groups: Iterable[GroupPolicy]) -> list[JobQuery]:
    """One query set per distinct job query; groups that share it share its attributes (decision 23)."""
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        found.setdefault(group.job_query, {}).update(dict.fromkeys(attribute_names(group)))
    return [JobQuery(query, tuple(names)) for query, names in found.items()]


def pool_key(node: str, identity: str) -> str:
    """Key of `Inputs.pools`: two Factories may share a collector, each with its own identity."""
    return f"{node} {identity}"


def schedd_names(group: GroupPolicy, loads: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The schedds of a group; ALL is every schedd that the user collector knows."""
    if ALL in group.schedds:
        return tuple(sorted(str(ad["Name"]) for ad in loads if ad.get("Name")))
    return group.schedds


def collect(pool: Pool, policy: FrontendPolicy, old: Inputs) -> Inputs:
    """Ask every endpoint; what fails or looks wrong keeps its last good reading."""
    groups = groups_of(policy)
    first = [_loads_call(policy), _slots_call(policy, groups), *_pool_calls(policy, groups)]
    answers = pool.run(first)
    loads = _take(inputs.new("schedd ads", policy.job_max_age, old.loads), answers[0], _of_loads)
    slots = _take(inputs.new("slots", policy.slot_max_age, old.slots), answers[1], _of_slots)
    pools = {}
    for call, answer in zip(first[2:], answers[2:], strict=True):
        key = pool_key(call.endpoint, call.args["identity"])
        known = inputs.new(f"Factories of {call.endpoint}", policy.factory_max_age, old.pools.get(key))
        pools[key] = _take(known, answer, _of_pool)
    return replace(old, loads=loads, slots=slots, pools=pools, schedds=_schedds(pool, policy, groups, loads, old))


def _take(old: Input, answer: Answer, judge: Callable[[Any], tuple[dict[str, Any], int, int]]) -> Input:
    if answer.error is not None:
        return old.failed(str(answer.error))
    value, count, witness = judge(answer.value)
    return old.answered(value, count, witness, answer.began)


def _of_loads(ads: list[dict[str, Any]]) -> tuple[dict[str, Any], int, int]:
    return {"ads": ads}, len(ads), -1


def _of_slots(value: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
    return value, int(value["global"][0]), int(value["witness"])


def _of_pool(value: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
    """Entries that all vanish are held (the keys of Factories that still advertise are the witness)."""
    entries = {row["name"] for rows in value["queries"].values() for row in rows}
    return value, len(entries), -1


def _of_jobs(value: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
    return value, sum(t["jobs"] for t in value["tables"].values()), int(value["all_queued"])


def _loads_call(policy: FrontendPolicy) -> Call:
    return Call(policy.user_collector, "glideinwms.frontend.fold_load:read_loads", {"collector": policy.user_collector})


def _slots_call(policy: FrontendPolicy, groups: Sequence[GroupPolicy]) -> Call:
    memory = {client_name(policy.frontend_name, g.name): g.limits.min_memory for g in groups}
    args = {"collector": policy.user_collector, "frontend": policy.frontend_name, "min_memory": memory}
    return Call(policy.user_collector, "glideinwms.frontend.fold_slots:read_slots", args, POOL_DEADLINE)


def _pool_calls(policy: FrontendPolicy, groups: Sequence[GroupPolicy]) -> list[Call]:
    """One call per WMS pool, with every group that uses it."""
    wanted: dict[tuple[str, str], list[dict[str, str]]] = {}
    for group in groups:
        query = fold_factory.expanded(group.factory_query, group.attrs)
        ask = {"client": client_name(policy.frontend_name, group.name), "query": query}
        for wms in group.wms_pools:
            wanted.setdefault((wms.node, wms.factory_identity), []).append(ask)
    return [
        Call(node, "glideinwms.frontend.fold_factory:read_pool", {"pool": node, "identity": identity, "groups": asks},
             POOL_DEADLINE)
        for (node, identity), asks in wanted.items()
    ]  # fmt: skip


def _schedds(
    pool: Pool, policy: FrontendPolicy, groups: Sequence[GroupPolicy], loads: Input, old: Inputs
) -> dict[str, Input]:
    ads = (loads.reading.value or {"ads": []})["ads"]
    address = {str(ad.get("Name")): str(ad.get("MyAddress", "")) for ad in ads}
    users: dict[str, list[GroupPolicy]] = {}
    for group in groups:
        for name in schedd_names(group, ads):
            users.setdefault(name, []).append(group)
    found = {n: inputs.new(f"schedd {n}", policy.job_max_age, old.schedds.get(n)) for n in users}
    calls = [_jobs_call(n, address.get(n) or _old_address(found[n]), job_queries(users[n]), found[n]) for n in users]
    known = [c for c in calls if c.args["address"]]
    for name in users:
        if not any(c.endpoint == name for c in known):
            found[name] = found[name].failed("has no ad in the user collector; is its name right, and is it up?")
    for call, answer in zip(known, pool.run(known), strict=True):
        found[call.endpoint] = _take(found[call.endpoint], _labelled(call, answer), _of_jobs)
    return found


def _old_address(known: Input) -> str:
    return str((known.reading.value or {}).get("address", ""))


def _jobs_call(name: str, address: str, queries: Sequence[JobQuery], known: Input) -> Call:
    methods = {q: t["method"] for q, t in (known.reading.value or {}).get("tables", {}).items()}
    args = {
        "name": name,
        "address": address,
        "queries": [{"query": q.query, "names": list(q.names), "method": methods.get(q.query, "")} for q in queries],
    }
    return Call(name, "glideinwms.frontend.fold_jobs:read_jobs", args, JOB_DEADLINE)


def _labelled(call: Call, answer: Answer) -> Answer:
    """The tables by their query, with the names their columns have and the address that answered."""
    if answer.error is not None:
        return answer
    asked = call.args["queries"]
    tables = {q["query"]: {**t, "names": q["names"]} for q, t in zip(asked, answer.value["tables"], strict=True)}
    value = {"tables": tables, "all_queued": answer.value["all_queued"], "address": call.args["address"]}
    return replace(answer, value=value)


__all__ = [
    "READ_DEADLINE",
    "JobQuery",
    "attribute_names",
    "collect",
    "groups_of",
    "job_queries",
    "pool_key",
    "schedd_names",
]
