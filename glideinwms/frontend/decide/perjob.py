"""From job and slot ads to the tables of the decision, by the exact rules of protocol 5.4 and 5.5. Pure.

The daemon never holds jobs one by one; this is for what has them: a Decision Engine, a recorded queue, golden cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from glideinwms.frontend import fold_slots
from glideinwms.frontend.decide.matching import MatchCache, law, matcher
from glideinwms.frontend.decide.tables import Entry, EntrySlots, GroupInput, JobClassRow, JobTable, SlotCounts
from glideinwms.frontend.policy import GroupPolicy

Ad = Mapping[str, Any]
IDLE, RUNNING = 1, 2
PLAIN = (str, int, float, bool, type(None))


@dataclass(slots=True)
class Queue:
    """One schedd's jobs by class, and for each class where its running jobs are (`hosts`: class -> RemoteHosts)."""

    table: JobTable
    hosts: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)


def read_queue(schedd: str, jobs: Iterable[Ad], names: Sequence[str], now: float, good: bool = True) -> Queue:
    """Fold jobs (each a mapping with JobStatus, EnteredCurrentStatus, x509UserProxyFirstFQAN and `names`) into classes.
    `now`, epoch seconds, stands for the ServerTime of jobs that have none."""
    classes: dict[tuple[Any, ...], list[int]] = {}
    hosts: dict[tuple[Any, ...], list[str]] = {}
    columns = tuple(names)
    for job in jobs:
        status, get = job.get("JobStatus"), job.get
        if status != IDLE and status != RUNNING:
            continue
        key = tuple([get(n) for n in columns])
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
            if host:
                hosts.setdefault(key, []).append(host)
            continue
        counts[0] += 1
        age = get("ServerTime", now) - get("EnteredCurrentStatus", now)
        if age >= 600:
            counts[1] += 1
            if age >= 3600:
                counts[2] += 1
        if get("x509UserProxyFirstFQAN") is not None:
            counts[4] += 1
    rows = tuple(JobClassRow(values, *counts) for values, counts in classes.items())
    return Queue(JobTable(schedd, columns, rows, good), hosts)


def group_input(
    group: GroupPolicy, frontend: str, queues: Iterable[Queue], entries: Sequence[Entry], slots: Iterable[Ad],
    cache: MatchCache | None = None,
) -> GroupInput:  # fmt: skip
    """A group's tables. `slots` are startd ads, dynamic ones included; those of other groups are left out. Jobs run
    *here* by their RemoteHost, where the law still lets them."""
    own, client = list(queues), f"{frontend}.{group.name}"
    counted: dict[str, dict[str, list[Ad]]] = {}
    places: dict[str, tuple[str, str]] = {}
    for ad in slots:
        request = fold_slots.request_name(ad)
        if request is None or fold_slots.client_of(ad, request) != client:
            continue
        credential = str(ad.get("GLIDEIN_CredentialIdentifier", ""))
        counted.setdefault(request, {}).setdefault(credential, []).append(ad)
        if ad.get("State") == "Claimed" or ad.get("PartitionableSlot") is True:
            places[str(ad.get("Name"))] = request, fold_slots.pool_of(ad)
    here = running_here(group, own, entries, places, cache or MatchCache())
    found = {
        request: _entry_slots(buckets, group.limits.min_memory, here.get(request, (0, 0)))
        for request, buckets in counted.items()
    }
    return GroupInput(
        group.name, tuple(q.table for q in own), tuple(entries), found,
        sum(s.counts.total for s in found.values()), sum(s.counts.idle for s in found.values()),
    )  # fmt: skip


def running_here(
    group: GroupPolicy, queues: Iterable[Queue], entries: Sequence[Entry], places: Mapping[str, tuple[str, str]],
    cache: MatchCache,
) -> dict[str, tuple[int, int]]:  # fmt: skip
    """Per request name (jobs, glideins with at least one of them). `places`: slot name -> (request name, pool)."""
    conj = law(group)
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
                if fits & bit and fold_slots.same_pool(node, pool):
                    jobs[request] = jobs.get(request, 0) + 1
                    glideins.setdefault(request, set()).add("@".join(host.split("@")[-2:]))
    return {request: (n, len(glideins[request])) for request, n in jobs.items()}


def _entry_slots(buckets: Mapping[str, Sequence[Ad]], min_memory: float, here: tuple[int, int]) -> EntrySlots:
    total = fold_slots.Tally()
    by_credential = {}
    for credential, ads in buckets.items():
        part = fold_slots.tally(ads, min_memory)
        total.add(part)
        by_credential[credential] = SlotCounts(*astuple(part))
    return EntrySlots(SlotCounts(*astuple(total)), by_credential, here[1], here[0])
