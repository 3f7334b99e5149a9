"""What the Frontend's decision is made of: tables and counters, no objects per job or slot (decision 56).

Everything is plain data: JSON through `lib.jsondata`, so that a recorded cycle is its own test case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class JobClassRow:
    """Jobs of one schedd with equal values of all match attributes: how many idle, idle for 600 s
    and for 3600 s, running, idle with a VOMS proxy. `values` stand in the order of the table's
    names; None is undefined.
    """

    values: tuple[Value | None, ...]
    idle: int = 0
    idle_600: int = 0
    idle_3600: int = 0
    running: int = 0
    voms: int = 0


@dataclass(frozen=True, slots=True)
class JobTable:
    """One schedd. `good` False: overloaded, its idle jobs are not asked for (protocol 5.2), `why`
    says by what.
    """

    schedd: str
    names: tuple[str, ...]
    rows: tuple[JobClassRow, ...]
    good: bool = True
    why: str = ""
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class EntryState:
    """A Factory entry as its glidefactory ad shows it; `pool` is the WMS pool's node, `name` the
    request name.
    """

    name: str
    pool: str
    attrs: dict[str, Value]
    params: dict[str, Value] = field(default_factory=dict)
    monitor: dict[str, Value] = field(default_factory=dict)
    has_key: bool = True

    @property
    def in_downtime(self) -> bool:
        """GLIDEIN_In_Downtime as GlideinWMS 3.10 reads it: the text `true` in any case, never a
        number.
        """
        return str(self.attrs.get("GLIDEIN_In_Downtime", "")).lower() == "true"


@dataclass(frozen=True, slots=True)
class SlotCounts:
    """Slots and cores by class (protocol 5.5)."""

    total: int = 0
    idle: int = 0
    running: int = 0
    failed: int = 0
    total_cores: int = 0
    idle_cores: int = 0
    running_cores: int = 0

    def plus(self, other: SlotCounts) -> SlotCounts:
        """The sums of both."""
        return SlotCounts(
            self.total + other.total,
            self.idle + other.idle,
            self.running + other.running,
            self.failed + other.failed,
            self.total_cores + other.total_cores,
            self.idle_cores + other.idle_cores,
            self.running_cores + other.running_cores,
        )


@dataclass(frozen=True, slots=True)
class EntrySlotCounts:
    """A group's slots at one entry: all, by credential id, the glideins that run jobs (R), the jobs
    they run.
    """

    counts: SlotCounts = SlotCounts()
    by_credential: dict[str, SlotCounts] = field(default_factory=dict)
    running_glideins: int = 0
    running_here: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Consecutive cycles at one entry (protocol 5.7): without idle jobs, with all slots idle,
    without slots.
    """

    no_jobs: int = 0
    all_idle: int = 0
    no_slots: int = 0


@dataclass(frozen=True, slots=True)
class PublishedGroup:
    """What was asked of an entry in the last cycle."""

    idle: int = 0
    max_glideins: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """An operator's policy file as it was read for this cycle: its text, or the problem why it
    cannot be used.
    """

    path: str
    text: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GroupInput:
    """Everything one group's decision needs. `held` names inputs that are older than this cycle,
    `unknown` those past their age; `action` is an operator's removal word (protocol 5.1) or empty;
    `told` is what the Factories say of the group's requests, by request name, `left_out` why none
    of a pool's ads is used: these decide nothing, and explain much.
    """

    name: str
    jobs: tuple[JobTable, ...] = ()
    entries: tuple[EntryState, ...] = ()
    slots: dict[str, EntrySlotCounts] = field(default_factory=dict)
    total: int = 0
    idle: int = 0
    counters: dict[str, Counters] = field(default_factory=dict)
    last: dict[str, PublishedGroup] = field(default_factory=dict)
    action: str = ""
    users: int = 0
    projects: dict[str, int] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unusable_credentials: dict[str, str] = field(default_factory=dict)
    told: dict[str, dict[str, Value]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    policy_files: tuple[PolicyFile, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontendSnapshot:
    """One cycle's inputs. Slot totals are of the whole Frontend and of the whole user pool; `now`
    epoch seconds.
    """

    now: float
    groups: tuple[GroupInput, ...]
    frontend_total: int = 0
    frontend_idle: int = 0
    pool_total: int = 0
    pool_idle: int = 0
    downtime: bool = False
