"""What reader processes return to the Frontend, by query: plain data with named fields.

The answers are pickled by the reader, kept as readings between cycles and written to `readings.json`. Classes of jobs,
of which there may be 100,000, are columns, not objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from glideinwms.frontend.snapshot import JobClassRow, SlotCounts, Value

Values = tuple[Value | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """One question to a schedd: the classes of the jobs that `query` selects, by the attributes
    `names`, and the counts of each attribute in `extras`. `method`: how it was answered last time,
    or empty.
    """

    query: str
    names: tuple[str, ...]
    extras: tuple[str, ...] = ()
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCount:
    """Idle and running jobs with one value of an attribute."""

    value: Value
    idle: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClasses:
    """The classes of jobs of one query at one schedd. Column `values` holds the values of each
    class in the order of `names`; the other columns hold its jobs (see JobClassRow). `jobs`: their
    sum, idle and running. `estimated`: the ages are estimates.
    """

    query: str
    names: tuple[str, ...]
    values: list[Values]
    idle: list[int]
    idle_600: list[int]
    idle_3600: list[int]
    running: list[int]
    voms: list[int]
    jobs: int
    method: str
    estimated: bool = False
    extras: dict[str, list[ValueCount]] = field(default_factory=dict)

    def rows(self) -> Iterator[JobClassRow]:
        """The classes one by one."""
        return map(
            JobClassRow,
            self.values,
            self.idle,
            self.idle_600,
            self.idle_3600,
            self.running,
            self.voms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OddJobs:
    """Jobs whose values had to be replaced, and why."""

    reason: str
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheddJobs:
    """The jobs of one schedd, one table per query. `all_queued`: everybody's idle and running jobs,
    the witness of decision 15. `address`: where it answered. `wide`: queries that groups no longer
    share there (decision 23).
    """

    tables: tuple[JobClasses, ...]
    all_queued: int
    odd: tuple[OddJobs, ...] = ()
    address: str = ""
    wide: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheddAd:
    """A schedd that the user collector knows. `overload`: why its idle jobs do not count, or empty."""

    name: str
    address: str
    overload: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheddAds:
    """All schedds of the user pool. `started`: when the collector was started, by its own clock
    (-1: unknown).
    """

    ads: tuple[ScheddAd, ...] = ()
    started: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotBucket:
    """The slots of one client, request and credential id."""

    client: str
    request: str
    credential: str
    counts: SlotCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHere:
    """Claimed slots of one client and request in the pilots of one WMS pool, and the pilots that
    have any.
    """

    client: str
    request: str
    pool: str
    claimed: int
    glideins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedSlots:
    """Slots that no request can be found for, and why."""

    reason: str
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSlots:
    """The slots of the user pool: by client, of this Frontend (`frontend`), and of everybody
    (`everything`).

    `witness`: the number of slots that the collector itself reports, or -1. `started`: as in
    ScheddAds.
    """

    buckets: tuple[SlotBucket, ...] = ()
    here: tuple[RunningHere, ...] = ()
    frontend: SlotCounts = SlotCounts()
    everything: SlotCounts = SlotCounts()
    skipped: tuple[SkippedSlots, ...] = ()
    witness: int = -1
    started: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesQuery:
    """What one group asks of a WMS pool: its ClientName, its query with $$() expanded, and its
    identity there.
    """

    client: str
    query: str
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAd:
    """A glidefactory ad: its request name and its three maps (protocol 1.3)."""

    name: str
    attrs: dict[str, Value]
    params: dict[str, Value]
    monitor: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAd:
    """The public key of a Factory, `<instance>@<factory>`, from its glidefactoryglobal ad."""

    global_id: str
    key_id: str
    pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAd:
    """What a Factory reports about one request (a glidefactoryclient ad): request name and
    monitoring values.
    """

    request: str
    monitor: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class WmsPoolAds:
    """Everything that the Factories of one WMS pool publish: entries by query, reports by
    ClientName.

    `skipped`: why ads were left out; `malformed`: those of them that no Factory should send.
    `started`: as in ScheddAds.
    """

    keys: tuple[KeyAd, ...] = ()
    entries: dict[str, tuple[EntryAd, ...]] = field(default_factory=dict)
    clients: dict[str, tuple[ClientAd, ...]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()
    started: float = -1.0
