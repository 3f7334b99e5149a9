"""What the Frontend decided, with its reasons, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from glideinwms.frontend.snapshot import Counters
from glideinwms.lib.reasons import Adjustment, Refusal


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Jobs of one type at one entry (protocol 5.4): matching, proportional share (rounded up), only
    here; `prop_mc` is the share in glideins of that entry's size.
    """

    count: int = 0
    prop: int = 0
    hereonly: int = 0
    prop_mc: int = 0


@dataclass(frozen=True, slots=True)
class CredentialShare:
    """One request ad to come: the part of an entry's numbers that one credential carries."""

    credential: str
    idle: int
    max_glideins: int
    project: str = ""
    monitor: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrontendEntryPlan:
    """One (group, entry): what is asked, how it came about (`clips`, in order), who was rejected by
    which conjunct (`rejected`: index into the group's conjuncts -> jobs it rejected first).
    """

    entry: str
    pool: str
    idle: int
    max_glideins: int
    removal: str = "NO"
    margin: int = 0
    lifetime: int = 0
    clips: tuple[Adjustment, ...] = ()
    strings: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, JobCounts] = field(default_factory=dict)
    vector: tuple[int, ...] = ()
    counters: Counters = Counters()
    shares: tuple[CredentialShare, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    rejected: dict[int, int] = field(default_factory=dict)
    advertise: bool = True


@dataclass(frozen=True, slots=True)
class UnmatchedClass:
    """A class of idle jobs that no entry takes: its values, and for each conjunct how many entries
    it rejected.
    """

    schedd: str
    values: dict[str, str | int | float | bool]
    idle: int
    rejected: dict[int, int]


@dataclass(frozen=True, slots=True)
class Failing:
    """A conjunct (its text and where it stands) that fails for some job and entry, and so matches
    nothing there: for how many classes of jobs, and the first error.
    """

    text: str
    origin: str
    classes: int
    error: str


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """One group's cycle. `conjuncts` are (text, origin) of the match rules; `failing` those that
    failed.
    """

    name: str
    conjuncts: tuple[tuple[str, str], ...]
    entries: tuple[FrontendEntryPlan, ...]
    unmatched: tuple[UnmatchedClass, ...] = ()
    unmatched_jobs: int = 0
    idle_jobs: int = 0
    idle_600: int = 0
    idle_3600: int = 0
    running_jobs: int = 0
    frozen: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    failing: tuple[Failing, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontendPlan:
    """One cycle's decision of the whole Frontend."""

    groups: tuple[GroupPlan, ...]
