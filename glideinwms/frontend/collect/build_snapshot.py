"""From readings to the tables that the decision sees. Pure.

An input that failed this cycle is *held*: its last good value is used, and nothing is removed. Past its age it is
*unknown*: the value still serves, and no number may drop, for `job_max_age` seconds after the last cycle that knew
everything; then it is dropped (decision 15).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
)
from glideinwms.frontend.state.memory import Memory
from glideinwms.lib.errors import WireError, place_of
from glideinwms.lib.wire.names import RequestName, client_name

ZERO = [0] * 7
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

    def value(self, given: HeldInput | None, source: str) -> dict[str, Any] | None:
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
    slots = (inputs.slots.reading.value if inputs.slots else None) or {}
    frontend, pool = slots.get("frontend", ZERO), slots.get("global", ZERO)
    groups = []
    for group in groups_of(policy):
        loaded = credentials.get(group.name, GroupCredentials())
        action = actions.get(group.name, "")
        try:
            given = group_input(inputs, policy, group, loaded, memory, action, now)
            own_files = tuple(files[path] for path in group.policy_files if path in files)
            groups.append(replace(given, policy_files=own_files))
        except Exception as error:  # noqa: BLE001 - the boundary of one group
            groups.append(GroupInput(group.name, unknown=(f"readings: {place_of(error)}",)))
    return FrontendSnapshot(
        now, tuple(groups), frontend[0], frontend[1], pool[0], pool[1], downtime
    )


def expired(policy: FrontendPolicy, memory: Memory, group: str, now: float) -> bool:
    """Whether the last cycle that knew all of a group's inputs is too long ago to go by."""
    return now - memory.group(group).sure_at > policy.job_max_age


def blind(given: GroupInput, policy: FrontendPolicy, memory: Memory, now: float) -> bool:
    """Whether a group knows so little, and for so long, that no number it could ask for means
    anything: its requests
    are left to expire.
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
    loads = (doubt.value(inputs.loads, "schedd ads") or {"ads": []})["ads"]
    slots = doubt.value(inputs.slots, "slots")
    jobs, extras = job_tables(inputs, group, loads, doubt)
    entries = entries_of(inputs, group, doubt)
    buckets = entry_slots(slots or {}, client, entries, wallet.names)
    totals = [b.counts for b in buckets.values()]
    own = memory.group(group.name)
    return GroupInput(
        group.name,
        # without any reading of the slots nobody can tell what is needed: only what was last asked
        # for stands
        tuple(jobs) if slots is not None else (),
        tuple(entries),
        buckets,
        sum(c.total for c in totals),
        sum(c.idle for c in totals),
        dict(own.counters),
        {} if doubt.over else dict(own.last),
        action,
        len(extras.get("User", ())),
        projects_of(extras.get("ProjectName", {})),
        held=tuple(doubt.held),
        unknown=tuple(doubt.unknown),
        unusable_credentials=dict(wallet.unusable),
        told=told_of(inputs, group, client),
        left_out=(
            *left_out(inputs, group),
            *odd_jobs(inputs, schedd_names(group, loads)),
            *odd_slots(slots or {}),
        ),
    )


def projects_of(counts: Mapping[Any, Sequence[int]]) -> dict[str, int]:
    """Idle jobs by project, of the `MAX_PROJECTS` with most of them: each makes a request to every
    entry.
    """
    found = {"" if name is None else str(name): idle for name, (idle, *_) in counts.items() if idle}
    short = {name: idle for name, idle in found.items() if len(name) <= MAX_PROJECT_NAME}
    most = sorted(short, key=lambda name: -short[name])[:MAX_PROJECTS]
    return {name: idle for name, idle in short.items() if name in most}


def told_of(inputs: Inputs, group: GroupPolicy, client: str) -> dict[str, dict[str, Any]]:
    """The words of the glidefactoryclient ads about a client's requests (decision 51), by request
    name.
    """
    found: dict[str, dict[str, Any]] = {}
    for wms in group.wms_pools:
        given = inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        for request, monitor in (
            ((given and given.reading.value) or {}).get("clients", {}).get(client, ())
        ):
            if said := {k: v for k, v in monitor.items() if k.startswith("Status_")}:
                found[request] = said
    return found


def left_out(inputs: Inputs, group: GroupPolicy) -> Iterator[str]:
    """WMS pools of which no entry could be used, and why: mostly, another identity than the
    configured one. Where some
    could, the others may be those of a Factory that is not the group's. Malformed ads are always
    told.
    """
    query = factory_ads.expanded(group.factory_query, group.attrs)
    for wms in group.wms_pools:
        given = inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        value = (given and given.reading.value) or {}
        skipped = [text for text in value.get("skipped", ()) if text.startswith("glidefactory ")]
        if skipped and not value["queries"].get(query):
            yield f"no entry of {wms.node} can be used, {len(skipped)} ads are left out, first {skipped[0]}"
        elif malformed := value.get("malformed"):
            yield f"{len(malformed)} ads of {wms.node} are malformed and left out, first {malformed[0]}"


def odd_jobs(inputs: Inputs, schedds: Sequence[str]) -> Iterator[str]:
    """Jobs whose values had to be replaced, by schedd and reason."""
    for name in schedds:
        given = inputs.schedds.get(name)
        for why, jobs in ((given and given.reading.value) or {}).get("odd", ()):
            yield f"schedd {name}: {jobs} jobs: {why}"


def odd_slots(slots: Mapping[str, Any]) -> Iterator[str]:
    """Slots of the user pool that no request can be found for, since their ads are malformed."""
    for why, number in slots.get("skipped", ()):
        yield f"{number} slots: {why}"


def job_tables(
    inputs: Inputs, group: GroupPolicy, loads: Sequence[Mapping[str, Any]], doubt: InputDoubt
) -> tuple[list[JobTable], dict[str, dict[Any, list[int]]]]:
    """One table per schedd of the group, with the columns that the group's expressions may see; and
    what selection
    plug-ins count: attribute -> value -> [idle, running].
    """
    bad = {str(ad.get("Name")): str(ad.get("bad", "")) for ad in loads}
    tables = []
    extras: dict[str, dict[Any, list[int]]] = {}
    for name in schedd_names(group, loads):
        value = doubt.value(inputs.schedds.get(name), f"schedd {name}")
        if value is None:
            continue
        table = table_of(value, group)
        if table is None:
            doubt.unknown.append(f"schedd {name}: not yet asked with this group's job query")
            continue
        why = bad.get(name, "")
        tables.append(_table(name, table, attribute_names(group), why))
        for attribute, rows in table["extras"].items():
            counts = extras.setdefault(attribute, {})
            for value_of, *n in rows:
                counts[value_of] = _add(counts.get(value_of, [0, 0]), n)
    return tables, extras


def _table(schedd: str, table: Mapping[str, Any], names: tuple[str, ...], why: str) -> JobTable:
    """Columns of other groups are folded away, so that no expression sees what its group did not
    declare.
    """
    where = [table["names"].index(n) for n in names]
    sums: dict[tuple[Any, ...], list[int]] = {}
    for values, *counts in table["rows"]:
        key = tuple(values[i] for i in where)
        old = sums.get(key)
        sums[key] = counts if old is None else [a + b for a, b in zip(old, counts, strict=True)]
    rows = tuple(JobClassRow(values, *counts) for values, counts in sums.items())
    return JobTable(schedd, names, rows, not why, why, bool(table["estimated"]))


def entries_of(inputs: Inputs, group: GroupPolicy, doubt: InputDoubt) -> list[EntryState]:
    """The entries that the group may use. A WMS pool that is not known has none: what was asked
    there expires there.
    """
    query = factory_ads.expanded(group.factory_query, group.attrs)
    found: list[EntryState] = []
    for wms in group.wms_pools:
        given = inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        if given is None or not given.reading.known(doubt.now):
            continue
        if given.reading.held():
            doubt.held.append(f"{given.reading.source}: {given.reading.error}")
        value = given.reading.value or {}
        keys = {k[0] for k in value.get("keys", ())}
        for row in value.get("queries", {}).get(query, ()):
            found.append(_entry(row, wms.node, keys))
    return found


def _entry(row: Mapping[str, Any], node: str, keys: set[str]) -> EntryState:
    try:
        has_key = RequestName.parse(row["name"]).global_id in keys
    except WireError:
        has_key = False
    return EntryState(row["name"], node, row["attrs"], row["params"], row["monitor"], has_key)


def entry_slots(
    slots: Mapping[str, Any], client: str, entries: Sequence[EntryState], names: Mapping[str, str]
) -> dict[str, EntrySlotCounts]:
    """Slots of a client by request name; credential ids become the credentials' names (unknown ids
    stay).
    """
    by_credential: dict[str, dict[str, list[int]]] = {}
    for owner, request, credential, *counts in slots.get("slots", ()):
        if owner == client:
            bucket = by_credential.setdefault(request, {})
            key = names.get(credential, credential)
            bucket[key] = _add(bucket.get(key, ZERO), counts)
    here: dict[str, list[int]] = {}
    pools = {e.name: e.pool for e in entries}
    for owner, request, node, claimed, glideins in slots.get("here", ()):
        if owner == client and request in pools and same_pool(node, pools[request]):
            here[request] = _add(here.get(request, [0, 0]), [claimed, glideins])
    result = {}
    for request, bucket in by_credential.items():
        total = ZERO
        for counts in bucket.values():
            total = _add(total, counts)
        claimed, glideins = here.get(request, [0, 0])
        result[request] = EntrySlotCounts(
            SlotCounts(*total), {k: SlotCounts(*v) for k, v in bucket.items()}, glideins, claimed
        )
    return result


def _add(a: Sequence[int], b: Sequence[int]) -> list[int]:
    return [x + y for x, y in zip(a, b, strict=True)]
