"""The inputs of one Factory cycle: plain data, JSON in and out, no secrets (decisions 4, 56)."""

from __future__ import annotations

from dataclasses import dataclass, field

from glideinwms.factory.plan import ParkedRemoval
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.reasons import Refusal

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class PilotGroup:
    """Pilots that are alike in everything that is counted: one row of the schedd's GroupBy answer
    (protocol 4.2).
    """

    entry: str
    client: str
    frontend: str
    security_class: str
    credential: str
    submit_file: str
    status: int
    grid_status: str | None
    count: int


@dataclass(frozen=True, slots=True)
class QueuedPilot:
    """One pilot out of the ordinary: held, or long in its state. `age`: seconds in it, None when
    not known.
    """

    id: str
    entry: str
    client: str
    frontend: str
    security_class: str
    credential: str
    submit_file: str
    status: int
    grid_status: str | None = None
    age: int | None = None
    hold_code: int | None = None
    hold_subcode: int | None = None
    num_holds: int | None = None
    timed: bool = True


@dataclass(frozen=True, slots=True)
class PilotQueue:
    """The pilots of one schedd: counts of all of them, and the exceptions one by one."""

    groups: tuple[PilotGroup, ...] = ()
    exceptions: tuple[QueuedPilot, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheddState:
    """A schedd and its queue. `frozen` says why nothing may be decided on it this cycle ("": it
    may; decision 9).
    """

    name: str
    queue: Reading[PilotQueue]
    frozen: str = ""


@dataclass(frozen=True, slots=True)
class Web:
    """The stage entry points of the Frontend and its group in the request (protocol 1.7)."""

    url: str = ""
    sign_type: str = ""
    descript: str = ""
    sign: str = ""
    sign256: str = ""
    group_url: str = ""
    group_descript: str = ""
    group_sign: str = ""
    group_sign256: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One glideclient ad, opened and checked. `credential` is the accounting id, `files` credential
    files by role.

    `refusal`: why it is not served. `whitelisted` False: its Frontend is not in the entry's
    allow-list (protocol 4.3/3).
    """

    name: str
    entry: str
    client: str
    frontend_name: str = ""
    group_name: str = ""
    identity: str = ""
    security_name: str = ""
    security_class: str = ""
    username: str = ""
    credential: str = ""
    idle: int = 0
    max_glideins: int = 0
    remove_level: str = "NO"
    remove_margin: int = 0
    idle_lifetime: str = "0"
    last_heard: float = 0.0
    whitelisted: bool = True
    web: Web = field(default_factory=Web)
    params: dict[str, Value] = field(default_factory=dict)
    monitor: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    refusal: Refusal | None = None

    @property
    def security_key(self) -> str:
        """`SecurityName:class`: class limits and the job attribute GlideinFrontendName."""
        return f"{self.security_name}:{self.security_class}"


@dataclass(frozen=True, slots=True)
class TakenRemoval:
    """`n` running pilots removed at `when` for a request, for the rail of decision 16."""

    when: float
    entry: str
    request: str
    n: int


@dataclass(frozen=True, slots=True)
class Approval:
    """An operator's word for a parked removal; `expires` in epoch seconds. `left`: how many of the
    pilots that were approved have not been removed yet.
    """

    id: str
    expires: float
    who: str = ""
    left: int = 0


@dataclass(frozen=True, slots=True)
class RunningRemovals:
    """What bounds removals of running pilots: what was taken in the last hour, what was approved,
    and what is parked, also when the request that asked for it no longer does.
    """

    taken: tuple[TakenRemoval, ...] = ()
    approvals: tuple[Approval, ...] = ()
    parked: tuple[ParkedRemoval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How recent finished pilots of an entry, or of one client there, fared.

    `cap` pilots may be submitted in this cycle; None means no limit. `frontend` is the Frontend's
    SecurityName, or several separated by commas if they share a user name; "" stands for the whole
    entry. `client` is a ClientName; "" stands for all clients of the Frontend that have no row.
    """

    entry: str
    finished: int
    failed: int
    cap: int | None = None
    text: str = ""
    frontend: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class FactorySnapshot:
    """All inputs of one cycle. `requests` is a reading of the collector; each schedd has its own."""

    now: float
    requests: Reading[tuple[Request, ...]]
    schedds: tuple[ScheddState, ...]
    downtimes: tuple[Downtime, ...] = ()
    rail: RunningRemovals = field(default_factory=RunningRemovals)
    health: tuple[Health, ...] = ()
    refusals: tuple[Refusal, ...] = ()
