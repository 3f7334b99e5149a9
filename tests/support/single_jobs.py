"""From job and slot ads to the tables of the decision, by the exact rules of protocol 5.4 and 5.5. Pure.

The daemon never holds jobs one by one; this is for what has them: a Decision Engine, a recorded queue, golden cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.queries import slots as slot_queries
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.decide.match.matcher import match_rules, matcher
from glideinwms.frontend.policy import GroupPolicy
from glideinwms.frontend.snapshot import (
    EntrySlotCounts,
    EntryState,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.lib.bounded import BadValue

Ad = Mapping[str, Any]
IDLE, RUNNING = 1, 2
IDENTITY = (
    *slot_queries.IDENTITY,
    "GLIDECLIENT_Name",
    "GLIDECLIENT_ReqNode",
    "GLIDEIN_Schedd",
    "IS_MONITOR_VM",
)
COUNTED = (
    "State",
    "Activity",
    "Cpus",
    "Memory",
    "PartitionableSlot",
    "SlotType",
    "TotalSlots",
    "TotalSlotCpus",
    "TotalGpus",
    "Gpus",
)
PLAIN = (str, int, float, bool, type(None))


@dataclass(slots=True)
class JobList:
    """One schedd's jobs by class, and for each class where its running jobs are (`hosts`: class ->
    RemoteHosts).
    """

    table: JobTable
    hosts: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)


def read_queue(
    schedd: str, jobs: Iterable[Ad], names: Sequence[str], now: float, good: bool = True
) -> JobList:
    """Fold jobs (each a mapping with JobStatus, EnteredCurrentStatus, x509UserProxyFirstFQAN and
    `names`) into classes. `now`, epoch seconds, stands for the ServerTime of jobs that have none.
    """
    classes: dict[tuple[Any, ...], list[int]] = {}
    hosts: dict[tuple[Any, ...], list[str]] = {}
    columns = tuple(names)
    for job in jobs:
        status, get = job.get("JobStatus"), job.get
        if status != IDLE and status != RUNNING:
            continue
        key = tuple(map(get, columns))
        try:
            counts = classes.get(key)
        except TypeError:  # lists and ads as values: their text stands for them
            key = tuple([v if isinstance(v, PLAIN) else str(v) for v in key])
            counts = classes.get(key)
        if counts is None:
            classes[key] = counts = [0, 0, 0, 0, 0]
        if status == RUNNING:
            counts[3] += 1
            host = get("RemoteHost")
            if host and isinstance(host, str):
                hosts.setdefault(key, []).append(host)
            continue
        counts[0] += 1
        try:
            age = get("ServerTime", now) - get("EnteredCurrentStatus", now)
        except TypeError:  # a user wrote something that is no time
            age = 0
        if age >= 600:
            counts[1] += 1
            if age >= 3600:
                counts[2] += 1
        if get("x509UserProxyFirstFQAN") is not None:
            counts[4] += 1
    rows = tuple(JobClassRow(values, *counts) for values, counts in classes.items())
    return JobList(JobTable(schedd, columns, rows, good), hosts)


def group_input(
    group: GroupPolicy,
    frontend: str,
    queues: Iterable[JobList],
    entries: Sequence[EntryState],
    slots: Iterable[Ad],
    cache: MatchCache | None = None,
) -> GroupInput:
    """A group's tables. `slots` are startd ads, dynamic ones included; those of other groups are
    left out. Jobs run
    *here* by their RemoteHost, where the law still lets them.
    """
    own, client = list(queues), f"{frontend}.{group.name}"
    counted: dict[tuple[Any, ...], int] = {}
    places: dict[str, tuple[str, str]] = {}
    known: dict[tuple[Any, ...], tuple[str, str] | None] = {}
    for ad in slots:
        get = ad.get
        try:
            key = tuple(map(get, IDENTITY))
            if key not in known:
                request = slot_queries.request_name(ad)
                own_slot = request is not None and slot_queries.client_of(ad, request) == client
                known[key] = (str(request), slot_queries.pool_of(ad)) if own_slot else None
            place = known[key]
            if place is None:
                continue
            kind = (place[0], str(get("GLIDEIN_CredentialIdentifier", "")), *map(get, COUNTED))
            counted[kind] = counted.get(kind, 0) + 1
        # a list, an ad or a long text where a name belongs: this slot does not count
        except (TypeError, BadValue):
            continue
        if get("State") == "Claimed" or get("PartitionableSlot") is True:
            places[str(get("Name"))] = place
    here = running_here(group, own, entries, places, cache or MatchCache())
    found = {
        request: _entry_slots(by_credential, here.get(request, (0, 0)))
        for request, by_credential in _tallies(counted, group.limits.min_memory).items()
    }
    return GroupInput(
        group.name,
        tuple(q.table for q in own),
        tuple(entries),
        found,
        sum(s.counts.total for s in found.values()),
        sum(s.counts.idle for s in found.values()),
    )


def running_here(
    group: GroupPolicy,
    queues: Iterable[JobList],
    entries: Sequence[EntryState],
    places: Mapping[str, tuple[str, str]],
    cache: MatchCache,
) -> dict[str, tuple[int, int]]:
    """Per request name (jobs, glideins with at least one of them). `places`: slot name -> (request
    name, pool).
    """
    conj = match_rules(group)
    match = matcher(group, entries, 0, cache, conj)
    bits = {e.name: (1 << i, e.pool) for i, e in enumerate(entries)}
    jobs: dict[str, int] = {}
    glideins: dict[str, set[str]] = {}
    for queue in queues:
        for values, hosts in queue.hosts.items():
            fits = match.entries(queue.table.names, values)
            for host in hosts:
                request, node = places.get(host, ("", ""))
                bit, pool = bits.get(request, (0, ""))
                if fits & bit and slot_queries.same_pool(node, pool):
                    jobs[request] = jobs.get(request, 0) + 1
                    glideins.setdefault(request, set()).add("@".join(host.split("@")[-2:]))
    return {request: (n, len(glideins[request])) for request, n in jobs.items()}


def _tallies(
    counted: Mapping[tuple[Any, ...], int], min_memory: float
) -> dict[str, dict[str, slot_queries.SlotTally]]:
    """Slots by request name and credential, each kind of slot looked at once."""
    found: dict[str, dict[str, slot_queries.SlotTally]] = {}
    for (request, credential, *values), n in counted.items():
        ad = {name: v for name, v in zip(COUNTED, values, strict=True) if v is not None}
        own = found.setdefault(request, {}).setdefault(credential, slot_queries.SlotTally())
        own.add(slot_queries.tally([ad], min_memory), n)
    return found


def _entry_slots(
    by_credential: Mapping[str, slot_queries.SlotTally], here: tuple[int, int]
) -> EntrySlotCounts:
    total = slot_queries.SlotTally()
    for part in by_credential.values():
        total.add(part)
    split = {c: t.counts() for c, t in by_credential.items()}
    return EntrySlotCounts(total.counts(), split, here[1], here[0])
