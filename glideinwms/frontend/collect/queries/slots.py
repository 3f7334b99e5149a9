"""Slots of the user pool as counters, folded inside a reader process (protocol 5.5, decision 22).

Only partitionable and static slot ads are asked: their Child* arrays carry State, Activity and Cpus of the dynamic
ones. What leaves the reader is counters per (client, request name, credential) and totals, never ads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from glideinwms.frontend.collect.answers import (
    PoolSlots,
    RunningHere,
    SkippedSlots,
    SlotBucket,
)
from glideinwms.frontend.snapshot import SlotCounts
from glideinwms.lib.bounded import count_or, moment_or, number_or, reason, text
from glideinwms.lib.condor import htc
from glideinwms.lib.errors import GwmsError

SLOTS = "DynamicSlot =!= true"
IDENTITY = ("GLIDEIN_Entry_Name", "GLIDEIN_Name", "GLIDEIN_Factory")
PROJECTION = [
    "Name",
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
    "IS_MONITOR_VM",
    "ChildState",
    "ChildActivity",
    "ChildCpus",
    "ChildMemory",
    *IDENTITY,
    "GLIDECLIENT_Name",
    "GLIDECLIENT_ReqNode",
    "GLIDEIN_CredentialIdentifier",
    "GLIDEIN_Schedd",
]
STARTED = ["StatsLastUpdateTime", "StatsLifetime"]
DEFAULT_MIN_MEMORY = 2500
MAX_NAME = 256
MAX_CORES = 100_000  # of one slot
MAX_CHILDREN = 1000  # dynamic slots of one partitionable slot
MAX_SKIPPED = 20
Key = tuple[str, str, str]


@dataclass(slots=True)
class SlotTally:
    """Slots and cores of one bucket (protocol 5.5)."""

    total: int = 0
    idle: int = 0
    running: int = 0
    failed: int = 0
    total_cores: int = 0
    idle_cores: int = 0
    running_cores: int = 0

    def add(self, other: SlotTally, times: int = 1) -> None:
        """Sum up."""
        for name in SlotTally.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name) * times)

    def counts(self) -> SlotCounts:
        """The same numbers, as they leave the reader."""
        return SlotCounts(
            self.total,
            self.idle,
            self.running,
            self.failed,
            self.total_cores,
            self.idle_cores,
            self.running_cores,
        )


def number(ad: Mapping[str, Any], name: str, default: float = 0) -> float:
    """A numeric attribute; what is not a finite number counts as `default`."""
    return number_or(ad.get(name, default), default)


def cores(ad: Mapping[str, Any], name: str) -> int:
    """CPUs of one slot; 0 for what is no such number."""
    return count_or(ad.get(name), 0, high=MAX_CORES)


def rolled_out(ad: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A slot ad, and one per dynamic slot that its Child* arrays describe."""
    yield dict(ad)
    columns = [ad.get(f"Child{n}") for n in ("State", "Activity", "Cpus", "Memory")]
    states = columns[0][:MAX_CHILDREN] if isinstance(columns[0], list) else []
    for i in range(len(states)):
        state, activity, cpus, memory = (
            c[i] if isinstance(c, list) and i < len(c) else None for c in columns
        )
        yield {
            "State": state,
            "Activity": activity,
            "Cpus": cpus or 0,
            "Memory": memory or 0,
            "SlotType": "Dynamic",
        }


def is_idle(slot: Mapping[str, Any], min_memory: float) -> bool:
    """Unclaimed and Idle, and not merely the unusable rest of a partitionable slot."""
    if slot.get("State") != "Unclaimed" or slot.get("Activity") != "Idle":
        return False
    if slot.get("PartitionableSlot") is not True or number(slot, "TotalSlots") == 1:
        return True
    gpus = number(slot, "TotalGpus") == 0 or number(slot, "Gpus") > 0
    return number(slot, "Cpus") > 0 and number(slot, "Memory") > min_memory and gpus


def is_running(slot: Mapping[str, Any]) -> bool:
    """Claimed by a job; a partitionable slot itself never is."""
    return (
        slot.get("State") == "Claimed"
        and slot.get("Activity") in ("Busy", "Retiring")
        and slot.get("PartitionableSlot") is not True
    )


def tally(slots: Iterable[Mapping[str, Any]], min_memory: float) -> SlotTally:
    """Count slots by the classes of protocol 5.5. IdleCores goes by the default memory, as
    GlideinWMS 3.10 does (protocol 9.4/45).
    """
    t = SlotTally()
    for slot in slots:
        cpus = cores(slot, "Cpus")
        t.total += 1
        t.idle += is_idle(slot, min_memory)
        t.idle_cores += cpus if is_idle(slot, DEFAULT_MIN_MEMORY) else 0
        if is_running(slot):
            t.running += 1
            t.running_cores += cpus
        t.failed += slot.get("State") == "Drained" and slot.get("Activity") == "Retiring"
        if slot.get("PartitionableSlot") is True:
            t.total_cores += cores(slot, "TotalSlotCpus")
        elif slot.get("SlotType") != "Dynamic":
            t.total_cores += cpus
    return t


def request_name(ad: Mapping[str, Any]) -> str | None:
    """`<entry>@<instance>@<factory>` of a glidein's slot; None if it is no glidein. BadValue if the
    names are too long.
    """
    parts = [ad.get(n) for n in IDENTITY]
    if ad.get("IS_MONITOR_VM") is True or not all(isinstance(p, str) and p for p in parts):
        return None
    for name, part in zip(IDENTITY, parts, strict=True):
        text(part, name, longest=MAX_NAME)
    return "@".join(str(p) for p in parts)


def named(ad: Mapping[str, Any], name: str) -> str:
    """A short text of a slot (a number is its digits), "" where it is absent; BadValue for anything
    else.
    """
    value = ad.get(name, "")
    return text(str(value) if type(value) is int else value, name, longest=MAX_NAME)


def client_of(ad: Mapping[str, Any], request: str) -> str:
    """`<Frontend>.<group>`; the historic form `<request>@<Frontend>.<group>` is accepted."""
    client = named(ad, "GLIDECLIENT_Name")
    return client[len(request) + 1 :] if client.startswith(request + "@") else client


@dataclass(slots=True)
class Folded:
    """Counters of one pool reading. `skipped`: why slots could not be assigned to a request -> how
    many of them.
    """

    buckets: dict[Key, SlotTally] = field(default_factory=dict)
    frontend: SlotTally = field(default_factory=SlotTally)
    everything: SlotTally = field(default_factory=SlotTally)
    here: dict[Key, list[int]] = field(default_factory=dict)
    hosts: set[tuple[str, str, str, str]] = field(default_factory=set)
    skipped: dict[str, int] = field(default_factory=dict)

    def add(self, ad: Mapping[str, Any], prefix: str, min_memory: Mapping[str, float]) -> None:
        """Count one slot ad with its dynamic slots."""
        slots = list(rolled_out(ad))
        total = tally(slots, DEFAULT_MIN_MEMORY)
        self.everything.add(total)
        request = request_name(ad)
        client = client_of(ad, request) if request else ""
        if request is None or not client.startswith(prefix):
            return
        self.frontend.add(total)
        own = tally(slots, min_memory.get(client, DEFAULT_MIN_MEMORY))
        key = (client, request, named(ad, "GLIDEIN_CredentialIdentifier"))
        self.buckets.setdefault(key, SlotTally()).add(own)
        _running_here(ad, client, request, own.running, self.here, self.hosts)

    def skip(self, error: Exception) -> None:
        """Note a slot that cannot be assigned."""
        why = reason(
            str(error) if isinstance(error, GwmsError) else f"{type(error).__name__}: {error}"
        )
        if why not in self.skipped and len(self.skipped) >= MAX_SKIPPED:
            why = "other reasons"
        self.skipped[why] = self.skipped.get(why, 0) + 1


def fold(
    ads: Iterable[Mapping[str, Any]], frontend: str, min_memory: Mapping[str, float]
) -> PoolSlots:
    """All counters of one pool reading. `min_memory` MB by client name."""
    folded = Folded()
    for ad in ads:
        try:
            folded.add(ad, f"{frontend}.", min_memory)
        except Exception as error:  # noqa: BLE001 - the boundary of one slot
            folded.skip(error)
    return PoolSlots(
        buckets=tuple(
            SlotBucket(client=client, request=request, credential=credential, counts=t.counts())
            for (client, request, credential), t in sorted(folded.buckets.items())
        ),
        here=tuple(
            RunningHere(
                client=client, request=request, pool=pool, claimed=claimed, glideins=glideins
            )
            for (client, request, pool), (claimed, glideins) in sorted(folded.here.items())
        ),
        frontend=folded.frontend.counts(),
        everything=folded.everything.counts(),
        skipped=tuple(
            SkippedSlots(reason=why, slots=slots) for why, slots in folded.skipped.items()
        ),
    )


def _running_here(
    ad: Mapping[str, Any],
    client: str,
    request: str,
    claimed: int,
    here: dict[tuple[str, str, str], list[int]],
    hosts: set[tuple[str, str, str, str]],
) -> None:
    """Claimed slots, and distinct glideins that have one, by the pool whose request made them
    (decision 22).
    """
    if not claimed:
        return
    node = pool_of(ad)
    name = "@".join(str(ad.get("Name", "")).split("@")[-2:])
    counts = here.setdefault((client, request, node), [0, 0])
    counts[0] += claimed
    if (client, request, node, name) not in hosts:
        hosts.add((client, request, node, name))
        counts[1] += 1


def pool_of(ad: Mapping[str, Any]) -> str:
    """GLIDECLIENT_ReqNode, or for a slot without it `host:` and the host of its GLIDEIN_Schedd (the
    deployed rule).
    """
    node = ad.get("GLIDECLIENT_ReqNode")
    if isinstance(node, str) and node:
        return text(node, "GLIDECLIENT_ReqNode", longest=MAX_NAME)
    return "host:" + named(ad, "GLIDEIN_Schedd").rsplit("@", 1)[-1].split(":")[0]


def same_pool(node: str, pool: str) -> bool:
    """Whether what `pool_of` says is this WMS pool."""
    return node == pool or (node.startswith("host:") and node[5:] == pool.split(":")[0])


def read_slots(collector: str, frontend: str, min_memory: Mapping[str, float]) -> PoolSlots:
    """Count all slots of the user pool from one query."""
    ads = htc.query_ads(collector, SLOTS, PROJECTION, "Startd")
    own = htc.query_ads(collector, "true", [*STARTED, "HostsTotal"], "Collector")
    witness = max((count_or(ad.get("HostsTotal"), -1) for ad in own), default=-1)
    return replace(fold(ads, frontend, min_memory), witness=witness, started=started(own))


def collector_started(collector: str) -> float:
    """When the collector was started, by its own clock; -1 if it does not say."""
    return started(htc.query_ads(collector, "true", STARTED, "Collector"))


def started(own: Iterable[Mapping[str, Any]]) -> float:
    """The latest start that collectors' own ads tell (those that forward to this one are among
    them).
    """
    pairs = [
        (moment_or(ad.get(STARTED[0]), None), number_or(ad.get(STARTED[1]), None)) for ad in own
    ]
    return max(
        (told - life for told, life in pairs if told is not None and life is not None), default=-1.0
    )
