"""The Factory's policy: reconfig writes `<work_dir>/policy.json`, the daemon reads it.

One rename of that file switches to a new configuration *and* a new stage (decision 10). Values are
resolved: defaults, inheritance, expansion, division by `num_factories` (protocol 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from glideinwms.lib.daemon.policy_file import Retention
from glideinwms.lib.daemon.policy_file import StageTriple as StageTriple

SCHEMA = 2
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Pilots: idle+running together, idle, held (config 2.7 max_jobs)."""

    glideins: int
    idle: int
    held: int


@dataclass(frozen=True, slots=True)
class SubmitAttribute:
    """A raw line of the submit description; `name` may start with `+`."""

    name: str
    value: str
    all_grid_types: bool = False


@dataclass(frozen=True, slots=True)
class SubEntry:
    """One CE of an entry set (config 2.8); a plain entry has exactly one, named like the entry."""

    name: str
    gatekeeper: str
    gridtype: str
    submit_file: str
    rsl: str = ""
    bosco_dir: str = "bosco"
    vm_id: str = ""
    vm_type: str = ""
    work_dir: str = "."
    proxy_url: str = ""


@dataclass(frozen=True, slots=True)
class EntryPolicy:
    """One entry: what is published, its limits, how pilots are submitted."""

    name: str
    enabled: bool
    schedd_name: str
    gatekeeper: str
    gridtype: str
    auth_method: str
    trust_domain: str
    stage: StageTriple
    limits: Limits
    class_default: Limits
    class_limits: dict[str, Limits]
    attrs: dict[str, Value]
    params: dict[str, Value]
    submit_attrs: tuple[SubmitAttribute, ...] = ()
    published_submit_attrs: tuple[SubmitAttribute, ...] = ()
    sub_entries: tuple[SubEntry, ...] = ()
    selection_algorithm: str = ""
    allow_frontends: tuple[str, ...] = ()
    work_dir: str = "."
    verbosity: str = "std"
    rsl: str = ""
    proxy_url: str = ""
    bosco_dir: str = "bosco"
    vm_id: str = ""
    vm_type: str = ""
    slots_layout: str = "fixed"
    stale_idle: int = 604800
    stale_running: int = 2678400
    submit_cluster_size: int = 10
    submit_max_per_cycle: int = 100
    submit_sleep: float = 0.2
    remove_max_per_cycle: int = 5
    release_max_per_cycle: int = 20


@dataclass(frozen=True, slots=True)
class FrontendTrust:
    """A Frontend the Factory knows: the identity its ads must carry, and user name of each security
    class.
    """

    name: str
    identity: str
    usernames: dict[str, str]


@dataclass(frozen=True, slots=True)
class Guard:
    """The black-hole guard: of a Frontend's last `pilots` at an entry that ended within `window`
    seconds, `least` tell something; with a `share` of them failing fewer are submitted. No pilots:
    no guard.
    """

    pilots: int = 20
    least: int = 5
    share: float = 0.5
    window: float = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class FactoryPolicy:
    """Everything the daemon needs that is not in HTCondor's configuration. Paths absolute, times in
    seconds.
    """

    schema: int
    generation: str
    version: str
    factory_name: str
    glidein_name: str
    work_dir: str
    stage_dir: str
    log_dir: str
    client_log_dir: str
    client_proxies_dir: str
    collector: str
    startup_script: str
    stage: StageTriple
    frontends: tuple[FrontendTrust, ...]
    entries: tuple[EntryPolicy, ...]
    startup_sha256: str = ""
    loop_delay: float = 60.0
    advertise_delay: int = 5
    advertise_tcp: bool = True
    pilot_accounting: bool = False
    recoverable_exitcodes: str = ""
    key_length: int = 2048
    old_key_grace: int = 900
    remove_old_cred_age: float = 30 * 86400.0
    remove_old_cred_freq: float = 86400.0
    downtimes_file: str = "glideinWMS.downtimes"
    sign_type: str = "sha1"
    retention: dict[str, Retention] = field(default_factory=dict)
    request_max_age: float = 900.0
    keep_generations: float = 14 * 86400.0
    guard: Guard = field(default_factory=Guard)

    def frontends_by_username(self) -> dict[str, str]:
        """User name -> the Frontend that has it; names of several are joined by commas."""
        names: dict[str, set[str]] = {}
        for frontend in self.frontends:
            for username in frontend.usernames.values():
                names.setdefault(username, set()).add(frontend.name)
        return {username: ",".join(sorted(holders)) for username, holders in names.items()}
