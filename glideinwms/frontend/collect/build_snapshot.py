"""From readings to the tables that the decision sees. Pure.

An input that failed this cycle is *held*: its last good value is used, and nothing is removed. Past its age it is
*unknown*: the value still serves, and no number may drop, for `job_max_age` seconds after the last cycle that knew
everything; then it is dropped (decision 15).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from glideinwms.frontend.collect.answers import (
    EntryAd,
    JobClasses,
    PoolSlots,
    ScheddAd,
    ScheddAds,
    WmsPoolAds,
)
from glideinwms.frontend.collect.inputs import HeldInput, Inputs
from glideinwms.frontend.collect.queries import factory_ads
from glideinwms.frontend.collect.queries.slots import same_pool
from glideinwms.frontend.collect.reader import (
    attribute_names,
    groups_of,
    pool_key,
    schedd_names,
    table_of,
)
from glideinwms.frontend.credentials.loaded import GroupCredentials
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import (
    EntrySlotCounts,
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
    PolicyFile,
    SlotCounts,
    Value,
)
from glideinwms.frontend.state.memory import Memory
from glideinwms.lib.errors import WireError, place_of
from glideinwms.lib.wire.names import RequestName, client_name

T = TypeVar("T")
MAX_PROJECTS = 100
MAX_PROJECT_NAME = 256


@dataclass(slots=True)
class InputDoubt:
    """Collects which inputs of a group are held or unknown. `over`: the time for unknown values is
    over.
    """

    now: float
    over: bool
    held: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def value(self, given: HeldInput[T] | None, source: str) -> T | None:
        """The value to decide with, or None."""
        if given is None:
            self.unknown.append(f"{source}: not asked yet")
            return None
        reading = given.reading
        if not reading.known(self.now):
            self.unknown.append(f"{reading.source}: {reading.error or 'no answer yet'}")
            return None if self.over else reading.value
        if reading.held():
            self.held.append(f"{reading.source}: {reading.error}")
        return reading.value


def build(
    inputs: Inputs,
    policy: FrontendPolicy,
    *,
    credentials: Mapping[str, GroupCredentials],
    memory: Memory,
    actions: Mapping[str, str],
    downtime: bool,
    now: float,
    policy_files: Mapping[str, PolicyFile] | None = None,
) -> FrontendSnapshot:
    """The tables of every enabled group. `actions`: operators' removal commands by group.
    `policy_files`: the policy files of all groups by path.
    """
    files = policy_files or {}
    slots = (inputs.slots.reading.value if inputs.slots else None) or PoolSlots()
    groups = []
    for group in groups_of(policy):
        loaded = credentials.get(group.name, GroupCredentials())
        action = actions.get(group.name, "")
        try:
            given = group_input(
                inputs=inputs,
                policy=policy,
                group=group,
                wallet=loaded,
                memory=memory,
                action=action,
                now=now,
            )
            own_files = tuple(files[path] for path in group.policy_files if path in files)
            groups.append(replace(given, policy_files=own_files))
        except Exception as error:  # noqa: BLE001 - the boundary of one group
            groups.append(GroupInput(group.name, unknown=(f"readings: {place_of(error)}",)))
    return FrontendSnapshot(
        now=now,
        groups=tuple(groups),
        frontend_total=slots.frontend.total,
        frontend_idle=slots.frontend.idle,
        pool_total=slots.everything.total,
        pool_idle=slots.everything.idle,
        downtime=downtime,
    )


def expired(policy: FrontendPolicy, memory: Memory, group: str, now: float) -> bool:
    """Whether the last cycle that knew all of a group's inputs is too long ago to go by."""
    return now - memory.group(group).sure_at > policy.job_max_age


def blind(given: GroupInput, policy: FrontendPolicy, memory: Memory, now: float) -> bool:
    """Whether a group knows so little, and for so long, that no number it could ask for means
    anything: its requests are left to expire.
    """
    return bool(given.unknown) and not given.jobs and expired(policy, memory, given.name, now)


def group_input(
    inputs: Inputs,
    policy: FrontendPolicy,
    group: GroupPolicy,
    wallet: GroupCredentials,
    memory: Memory,
    action: str,
    now: float,
) -> GroupInput:
    """One group's tables."""
    client = client_name(policy.frontend_name, group.name)
    doubt = InputDoubt(now, expired(policy, memory, group.name, now))
    ads = (doubt.value(inputs.loads, "schedd ads") or ScheddAds()).ads
    slots = doubt.value(inputs.slots, "slots")
    jobs, extras = job_tables(inputs, group, ads, doubt)
    entries = entries_of(inputs, group, doubt)
    buckets = entry_slots(slots or PoolSlots(), client, entries, wallet.names)
    totals = [b.counts for b in buckets.values()]
    own = memory.group(group.name)
    return GroupInput(
        name=group.name,
        # Without any reading of the slots the need is unknown: only the last request is kept.
        jobs=tuple(jobs) if slots is not None else (),
        entries=tuple(entries),
        slots=buckets,
        total=sum(c.total for c in totals),
        idle=sum(c.idle for c in totals),
        counters=dict(own.counters),
        last={} if doubt.over else dict(own.last),
        action=action,
        users=len(extras.get("User", ())),
        projects=projects_of(extras.get("ProjectName", {})),
        held=tuple(doubt.held),
        unknown=tuple(doubt.unknown),
        unusable_credentials=dict(wallet.unusable),
        told=told_of(inputs, group, client),
        left_out=(
            *left_out(inputs, group),
            *odd_jobs(inputs, schedd_names(group, ads)),
            *odd_slots(slots or PoolSlots()),
        ),
    )


def projects_of(counts: Mapping[Value, int]) -> dict[str, int]:
    """Idle jobs by project, of the `MAX_PROJECTS` with most of them: each makes a request to every
    entry.
    """
    projects = {str(name): idle for name, idle in counts.items() if idle}
    short = {name: idle for name, idle in projects.items() if len(name) <= MAX_PROJECT_NAME}
    most = sorted(short, key=lambda name: -short[name])[:MAX_PROJECTS]
    return {name: idle for name, idle in short.items() if name in most}


def told_of(inputs: Inputs, group: GroupPolicy, client: str) -> dict[str, dict[str, Any]]:
    """The words of the glidefactoryclient ads about a client's requests (decision 51), by request
    name.
    """
    reports: dict[str, dict[str, Any]] = {}
    for wms in group.wms_pools:
        given = inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        value = (given and given.reading.value) or WmsPoolAds()
        for ad in value.clients.get(client, ()):
            if status := {k: v for k, v in ad.monitor.items() if k.startswith("Status_")}:
                reports[ad.request] = status
    return reports


def left_out(inputs: Inputs, group: GroupPolicy) -> Iterator[str]:
    """WMS pools of which no entry could be used, and why: mostly, another identity than the
    configured one. Where some could, the others may be those of a Factory that is not the group's.
    Malformed ads are always told.
    """
    query = factory_ads.expanded(group.factory_query, group.attrs)
    for wms in group.wms_pools:
        given = inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        value = (given and given.reading.value) or WmsPoolAds()
        skipped = [text for text in value.skipped if text.startswith("glidefactory ")]
        if skipped and not value.entries.get(query):
            yield f"no entry of {wms.node} can be used, {len(skipped)} ads are left out, first {skipped[0]}"
        elif malformed := value.malformed:
            yield f"{len(malformed)} ads of {wms.node} are malformed and left out, first {malformed[0]}"


def odd_jobs(inputs: Inputs, schedds: Sequence[str]) -> Iterator[str]:
    """Jobs whose values had to be replaced, by schedd and reason."""
    for name in schedds:
        given = inputs.schedds.get(name)
        value = given and given.reading.value
        for odd in value.odd if value else ():
            yield f"schedd {name}: {odd.jobs} jobs: {odd.reason}"


def odd_slots(slots: PoolSlots) -> Iterator[str]:
    """Slots of the user pool that no request can be found for, since their ads are malformed."""
    for skipped in slots.skipped:
        yield f"{skipped.slots} slots: {skipped.reason}"


def job_tables(
    inputs: Inputs, group: GroupPolicy, ads: Sequence[ScheddAd], doubt: InputDoubt
) -> tuple[list[JobTable], dict[str, dict[Value, int]]]:
    """One table per schedd of the group, with the columns that the group's expressions may see; and
    what selection plug-ins count: attribute -> value -> idle jobs.
    """
    overload = {ad.name: ad.overload for ad in ads}
    tables = []
    extras: dict[str, dict[Value, int]] = {}
    for name in schedd_names(group, ads):
        value = doubt.value(inputs.schedds.get(name), f"schedd {name}")
        if value is None:
            continue
        table = table_of(value.tables, group)
        if table is None:
            doubt.unknown.append(f"schedd {name}: not yet asked with this group's job query")
            continue
        tables.append(_table(name, table, attribute_names(group), overload.get(name, "")))
        for attribute, counts in table.extras.items():
            idle = extras.setdefault(attribute, {})
            for count in counts:
                idle[count.value] = idle.get(count.value, 0) + count.idle
    return tables, extras


def _table(schedd: str, table: JobClasses, names: tuple[str, ...], why: str) -> JobTable:
    """Columns of other groups are folded away, so that no expression sees what its group did not
    declare.
    """
    where = [table.names.index(n) for n in names]
    counts = zip(
        table.idle, table.idle_600, table.idle_3600, table.running, table.voms, strict=True
    )
    sums: dict[tuple[Value | None, ...], Sequence[int]] = {}
    for values, numbers in zip(table.values, counts, strict=True):
        key = tuple([values[i] for i in where])
        old = sums.get(key)
        sums[key] = numbers if old is None else list(map(operator.add, old, numbers))
    rows = tuple([JobClassRow(values, *numbers) for values, numbers in sums.items()])
    return JobTable(
        schedd=schedd,
        names=names,
        rows=rows,
        good=not why,
        why=why,
        estimated=table.estimated,
    )


def entries_of(inputs: Inputs, group: GroupPolicy, doubt: InputDoubt) -> list[EntryState]:
    """The entries that the group may use. A WMS pool that is not known has none: what was asked
    there expires there.
    """
    query = factory_ads.expanded(group.factory_query, group.attrs)
    entries: list[EntryState] = []
    for wms in group.wms_pools:
        given = inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        if given is None or not given.reading.known(doubt.now):
            continue
        if given.reading.held():
            doubt.held.append(f"{given.reading.source}: {given.reading.error}")
        value = given.reading.value or WmsPoolAds()
        keys = {key.global_id for key in value.keys}
        entries += [_entry(ad, wms.node, keys) for ad in value.entries.get(query, ())]
    return entries


def _entry(ad: EntryAd, node: str, keys: set[str]) -> EntryState:
    try:
        has_key = RequestName.parse(ad.name).global_id in keys
    except WireError:
        has_key = False
    return EntryState(
        name=ad.name,
        pool=node,
        attrs=ad.attrs,
        params=ad.params,
        monitor=ad.monitor,
        has_key=has_key,
    )


def entry_slots(
    slots: PoolSlots, client: str, entries: Sequence[EntryState], names: Mapping[str, str]
) -> dict[str, EntrySlotCounts]:
    """Slots of a client by request name. Credential ids become the credentials' names; unknown ids
    are kept.
    """
    by_credential: dict[str, dict[str, SlotCounts]] = {}
    for bucket in slots.buckets:
        if bucket.client == client:
            credentials = by_credential.setdefault(bucket.request, {})
            name = names.get(bucket.credential, bucket.credential)
            old = credentials.get(name)
            credentials[name] = bucket.counts if old is None else old.plus(bucket.counts)
    running: dict[str, tuple[int, int]] = {}
    pools = {e.name: e.pool for e in entries}
    for here in slots.here:
        request = here.request
        if here.client == client and request in pools and same_pool(here.pool, pools[request]):
            claimed, glideins = running.get(request, (0, 0))
            running[request] = (claimed + here.claimed, glideins + here.glideins)
    result = {}
    for request, credentials in by_credential.items():
        claimed, glideins = running.get(request, (0, 0))
        result[request] = EntrySlotCounts(
            counts=functools.reduce(SlotCounts.plus, credentials.values()),
            by_credential=credentials,
            running_glideins=glideins,
            running_here=claimed,
        )
    return result
