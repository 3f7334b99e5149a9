"""What one Factory cycle will do, with its reasons: plain rows, JSON in and out."""

from __future__ import annotations

from dataclasses import dataclass, field

from glideinwms.lib.reasons import Adjustment, Reason, Refusal

WAIT, QUEUED, RUNNING = "wait", "queued", "running"


@dataclass(frozen=True, slots=True)
class Placement:
    """`n` pilots through one submit file (CE) of the entry."""

    file: str
    n: int


@dataclass(frozen=True, slots=True)
class PilotRemoval:
    """At most `n` pilots of the request in `states`, oldest first, then those named in `ids`; never
    more than `cap`.

    `states` are WAIT (never forwarded), QUEUED (forwarded, idle), RUNNING (JobStatus 2). `force`:
    RemoveX follows.
    """

    group: str
    reason: Reason
    states: tuple[str, ...] = ()
    n: int = 0
    ids: tuple[str, ...] = ()
    cap: int = 0
    force: bool = False


@dataclass(frozen=True, slots=True)
class PilotRelease:
    """Held pilots that may try again; at most `cap`."""

    ids: tuple[str, ...]
    cap: int


@dataclass(frozen=True, slots=True)
class ParkedRemoval:
    """A removal of `n` running pilots that waits for `gwms factory approve ID` (decision 16);
    `since` is when the request asked for it last (epoch seconds).
    """

    id: str
    entry: str
    request: str
    n: int
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """Pilots by state, the names of GlideinMonitor*Status* (protocol 1.4). `idle` is the sum of the
    four idle states.
    """

    idle: int = 0
    running: int = 0
    held: int = 0
    wait: int = 0
    pending: int = 0
    stage_in: int = 0
    idle_other: int = 0
    stage_out: int = 0


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """What is done for one request. `effective_idle`: after downtime and entry limits; `planned`:
    after all limits.
    """

    request: str
    entry: str
    client: str
    security_key: str
    credential: str
    idle: int = 0
    max_glideins: int = 0
    effective_idle: int = 0
    own: StatusCounts = field(default_factory=StatusCounts)
    planned: int = 0
    placements: tuple[Placement, ...] = ()
    clips: tuple[Adjustment, ...] = ()
    removals: tuple[PilotRemoval, ...] = ()
    releases: tuple[PilotRelease, ...] = ()
    parked: ParkedRemoval | None = None
    refusal: Refusal | None = None
    path: tuple[str, ...] = ()
    work: int = 0

    @property
    def submitted(self) -> int:
        """Pilots really placed on submit files."""
        return sum(p.n for p in self.placements)


@dataclass(frozen=True, slots=True)
class FactoryEntryPlan:
    """One entry: its state, what is done for each request, and the sanitising at the end
    (`removals`, `releases`).

    `clients`: its pilots by ClientName, then by the Frontend that they were submitted for.

    `unless_submitted`: the sanitising is done only if no submission of the entry succeeds (protocol
    4.3, 9.7/1). `failing`: what the black-hole guard says of its pilots, also where it has cut
    nothing.
    """

    entry: str
    schedd: str
    counts: StatusCounts = field(default_factory=StatusCounts)
    clients: dict[str, dict[str, StatusCounts]] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    in_downtime: bool = False
    downtime_comment: str = ""
    frozen: str = ""
    requests: tuple[RequestPlan, ...] = ()
    removals: tuple[PilotRemoval, ...] = ()
    releases: tuple[PilotRelease, ...] = ()
    unless_submitted: bool = False
    failing: str = ""


@dataclass(frozen=True, slots=True)
class FactoryPlan:
    """All entries in policy order, and what was refused before it reached an entry."""

    entries: tuple[FactoryEntryPlan, ...]
    refusals: tuple[Refusal, ...] = ()
