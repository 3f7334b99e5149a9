"""What the Frontend daemon obeys: written by reconfig as `<work_dir>/policy.json`, read at a cycle boundary.

Field values are resolved: global and group parts already merged as protocol 5.3 says. `None` limits mean "no limit".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from glideinwms.lib.daemon.policy_file import Retention
from glideinwms.lib.daemon.policy_file import StageTriple as StageTriple

SCHEMA = 2
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class MaxCurb:
    """Slots: at `curb` requests are halved, at `max` they stop (config 3.3)."""

    max: int
    curb: int


@dataclass(frozen=True, slots=True)
class MatchAttribute:
    """An attribute that expressions read; type is one of string, int, real, bool, Expr."""

    name: str
    type: str = "string"


@dataclass(frozen=True, slots=True)
class Expression:
    """One conjunct of the match rules, in its own language, with where it stands in the
    configuration.
    """

    text: str
    origin: str
    language: str = "python"


@dataclass(frozen=True, slots=True)
class WmsPool:
    """A Factory's collector and the identities used there (config 3.4)."""

    node: str
    factory_identity: str
    my_identity: str


@dataclass(frozen=True, slots=True)
class CredentialPolicy:
    """One configured credential (protocol 3.1). `name` is its key: absfname, or the generator;
    `context` is JSON.
    """

    name: str
    type: str
    trust_domain: str
    security_class: str
    absfname: str = ""
    keyabsfname: str = ""
    pilotabsfname: str = ""
    generator: str = ""
    context: str = ""
    creation_script: str = ""
    update_frequency: int = -1
    vm_id: str = ""
    vm_type: str = ""
    vm_id_fname: str = ""
    vm_type_fname: str = ""
    remote_username: str = ""
    project_id: str = ""


@dataclass(frozen=True, slots=True)
class RemovalPolicy:
    """glideins_removal (protocol 5.7): type NO, WAIT, IDLE, ALL or DISABLE; wait in cycles."""

    type: str = "NO"
    wait: int = 0
    tracking: bool = False
    margin: int = 0


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """Throttles of one group (config 3.3). *_vms are slots; lifetime seconds (0 = unlimited)."""

    max_running: int = 10000
    min_running: int = 0
    relative_to_queue: float = 1.15
    max_idle: int = 100
    reserve_idle: int = 5
    idle_lifetime: int = 0
    idle_vms_per_entry: MaxCurb = MaxCurb(100, 5)
    running_total: MaxCurb = MaxCurb(100000, 90000)
    idle_vms_total: MaxCurb = MaxCurb(1000, 200)
    ramp_up_attenuation: float = 3.0
    min_memory: int = 2500
    removal: RemovalPolicy = RemovalPolicy()


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """One group, merged with the global parts."""

    name: str
    enabled: bool
    security_name: str
    stage: StageTriple
    match: tuple[Expression, ...]
    job_query: str
    factory_query: str
    start_expr: str
    job_attrs: tuple[MatchAttribute, ...]
    factory_attrs: tuple[MatchAttribute, ...]
    schedds: tuple[str, ...]
    wms_pools: tuple[WmsPool, ...]
    credentials: tuple[CredentialPolicy, ...]
    params: dict[str, Value]
    attrs: dict[str, Value]
    limits: GroupLimits = GroupLimits()
    selection_plugin: str = "ProxyAll"
    ignore_down_entries: bool = False
    policy_files: tuple[str, ...] = ()
    idtoken_lifetime: int = 86400
    idtoken_keyname: str = "FRONTEND"

    def supplied(self, credential: CredentialPolicy) -> frozenset[str]:
        """Words of auth methods that a credential's parameters supply; in 3.10 its type alone
        counts.
        """
        if self.selection_plugin != "CredentialsBasic":
            return frozenset()
        c = credential
        texts = {
            "vm_id": c.vm_id or c.vm_id_fname,
            "vm_type": c.vm_type or c.vm_type_fname,
            "project_id": c.project_id,
            "username": c.remote_username,
            "glidein_proxy": c.pilotabsfname,
        }
        return frozenset(word for word, text in texts.items() if text)

    @staticmethod
    def plain(name: str, **changes: Any) -> GroupPolicy:
        """A group for the decision alone: nothing to query, nothing staged."""
        empty = GroupPolicy(
            name,
            True,
            name,
            StageTriple("", "", ""),
            (),
            "true",
            "true",
            "true",
            (),
            (),
            (),
            (),
            (),
            {},
            {},
        )
        return replace(empty, **changes)


@dataclass(frozen=True, slots=True)
class HaPolicy:
    """This Frontend is the slave of `master` (config 3.7)."""

    master: str
    check_interval: int = 300


@dataclass(frozen=True, slots=True)
class FrontendPolicy:
    """Everything the daemon needs that is not in HTCondor's configuration. Paths absolute, times in
    seconds.
    """

    schema: int
    generation: str
    version: str
    frontend_name: str
    work_dir: str
    stage_dir: str
    log_dir: str
    monitoring_url: str
    user_collector: str
    pilot_collectors: str
    pilot_ccbs: str
    passwords_dir: str
    tokens_dir: str
    stage: StageTriple
    groups: tuple[GroupPolicy, ...]
    running_total: MaxCurb = MaxCurb(100000, 90000)
    idle_vms_total: MaxCurb = MaxCurb(1000, 200)
    running_total_global: MaxCurb = MaxCurb(100000, 90000)
    idle_vms_total_global: MaxCurb = MaxCurb(1000, 200)
    loop_delay: float = 60.0
    advertise_tcp: bool = True
    downtimes_file: str = "frontenddowntime"
    high_availability: HaPolicy | None = None
    job_max_age: float = 1800.0
    slot_max_age: float = 600.0
    factory_max_age: float = 900.0
    strict_deployed_numbers: bool = False
    log_retention: Retention = Retention(7.0, 3.0, 100.0)
    generators_dir: str = ""

    @staticmethod
    def plain(name: str, **changes: Any) -> FrontendPolicy:
        """A Frontend for the decision alone: no directories, no pools."""
        none = StageTriple("", "", "")
        return replace(
            FrontendPolicy(SCHEMA, "", "", name, "", "", "", "", "", "", "", "", "", none, ()),
            **changes,
        )
