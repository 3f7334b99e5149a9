"""The Frontend's file, element by element (config 3, 6, 7, 16)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glideinwms.creation.xml.common_model import File, Footer, FrontendAttr, ProcessRetention, Stage
from glideinwms.creation.xml.elements import (
    Bool,
    Count,
    Element,
    Expr,
    Int,
    Number,
    OptBool,
    OptCount,
    OptNumber,
    items,
    opt,
    req,
)


class Work(Element):
    """Directories of the Frontend."""

    base_dir: str = opt("/var/lib/gwms-frontend/vofrontend", "Work area.")
    base_log_dir: str = opt("/var/log/gwms-frontend", "Logs of the daemon.")


class FrontendMonitor(Element):
    """The deployed monitoring pages: all but their URL is read and not needed."""

    base_dir: str = opt("/var/lib/gwms-frontend/web-area/monitor", "Not used.")
    web_base_url: str = opt(
        "", "Their URL, told in requests; default: the stage URL with monitor for stage."
    )
    flot_dir: str = opt("", "Not used.")
    javascriptRRD_dir: str = opt("", "Not used.")
    jquery_dir: str = opt("", "Not used.")


class MatchAttr(Element):
    """An attribute that match expressions read."""

    name: str = req("Name.")
    type: Literal["string", "int", "real", "bool"] = opt("string", "string, int, real or bool.")


class FactoryCollector(Element):
    """A Factory's collector."""

    node: str = req("host[:port].")
    DN: str = opt("", "Its certificate's DN; not needed with tokens.")
    factory_identity: str = opt("factory@fake.org", "AuthenticatedIdentity of the Factory's ads.")
    my_identity: str = opt("me@fake.org", "Identity of this Frontend at that collector.")


class ScheddModel(Element):
    """A schedd with user jobs."""

    fullname: str = req("Its name in the collector; ALL = every schedd.")
    DN: str = opt("", "Its certificate's DN; not needed with tokens.")


class MatchFactory(Element):
    """Which entries are looked at."""

    query_expr: Expr = opt("True", "ClassAd constraint on glidefactory ads.")
    match_attrs: tuple[MatchAttr, ...] = items(
        "match_attr", "Entry attributes that match_expr reads."
    )
    collectors: tuple[FactoryCollector, ...] = items("collector", "Factories' collectors.")


class MatchJob(Element):
    """Which jobs are looked at."""

    query_expr: Expr = opt("True", "ClassAd constraint on jobs.")
    match_attrs: tuple[MatchAttr, ...] = items(
        "match_attr", "Job attributes that match_expr reads."
    )
    schedds: tuple[ScheddModel, ...] = items("schedd", "Schedds.")


class GlobalMatchJob(MatchJob):
    """Which jobs are looked at, for all groups."""

    query_expr: Expr = opt(
        "(JobUniverse==5)&&(GLIDEIN_Is_Monitor =!= TRUE)&&(JOB_Is_Monitor =!= TRUE)",
        "ClassAd constraint on jobs.",
    )


class Match(Element):
    """Which jobs fit which entries."""

    match_expr: Expr = opt("True", "Python expression over job, glidein, attr_dict.")
    start_expr: Expr = opt("True", "ClassAd expression of the pilot's START.")
    policy_file: str = opt("", "Python file with match(job, glidein).")
    factory: MatchFactory = opt(MatchFactory(), "Entries.")
    job: MatchJob = opt(MatchJob(), "Jobs.")


class GlobalMatch(Match):
    """Which jobs fit which entries, for all groups."""

    job: GlobalMatchJob = opt(GlobalMatchJob(), "Jobs.")


class Credential(Element):
    """A credential that pilots are submitted with."""

    type: str = opt("grid_proxy", "Type, or types joined by +.")
    absfname: str = opt("", "File: proxy, certificate, public key, user name or token.")
    keyabsfname: str = opt("", "File of the private key or password.")
    pilotabsfname: str = opt("", "Proxy of the pilot.")
    generator: str = opt("", "Python module that makes it.")
    trust_domain: str = opt("OSG", "Matches the entry's trust_domain.")
    security_class: str = opt("", "Security class; default frontend, or group_<name>.")
    creation_script: str = opt("", "Command that makes the file anew.")
    update_frequency: OptCount = opt(None, "Seconds of life left at which it is made anew.")
    remote_username: str = opt("", "User name at the resource.")
    vm_id: str = opt("", "Cloud image.")
    vm_type: str = opt("", "Cloud instance type.")
    vm_id_fname: str = opt("", "File with the cloud image.")
    vm_type_fname: str = opt("", "File with the instance type.")
    project_id: str = opt("", "Allocation.")
    pool_idx_len: OptCount = opt(None, "Digits of the index that is appended to absfname.")
    pool_idx_list: str = opt("", "Indexes: 2,4-6,10.")
    name: str = opt("", "Label.")
    purpose: str = opt("request", "3.11: request, payload, callback or a word.")
    context: str = opt("", "3.11: parameters of a generator.")


class Parameter(Element):
    """3.11: a parameter sent with credentials."""

    name: str = req("VMId, VMType, GlideinProxy, RemoteUsername or ProjectId.")
    value: str = opt("", "Value.")
    type: str = opt("string", "string, integer, expression, dynamic.")
    context: str = opt("", "Parameters of a generator.")


class GroupSecurity(Element):
    """Security of a group."""

    security_name: str = opt("", "The name Factories know; default frontend_name.")
    proxy_selection_plugin: str = opt("", "How credentials are chosen; default ProxyAll.")
    idtoken_lifetime: OptCount = opt(None, "Hours a pilot's token lives; default 24.")
    idtoken_keyname: str = opt("", "Signing key of pilots' tokens; default FRONTEND.")
    credentials: tuple[Credential, ...] = items("credential", "Credentials.")
    parameters: tuple[Parameter, ...] = items("parameter", "3.11 parameters.")


class FrontendSecurity(GroupSecurity):
    """Security of the Frontend."""

    classad_proxy: str = opt("", "Not needed with tokens.")
    proxy_DN: str = opt("", "Not needed with tokens.")
    sym_key: str = opt("aes_256_cbc", "Algorithm of the symmetric key.")


class TotalSlots(Element):
    """Idle slots: at curb requests are halved, at max they stop."""

    max: Count = opt(1000, "Stop.")
    curb: Count = opt(200, "Halve.")


class TotalRunning(Element):
    """Running glideins: at curb requests are halved, at max they stop."""

    max: Count = opt(100000, "Stop.")
    curb: Count = opt(90000, "Halve.")


class EntrySlotsModel(Element):
    """Idle slots at one entry."""

    max: Count = opt(100, "Stop.")
    curb: Count = opt(5, "Halve.")


class RunningPerEntry(Element):
    """Running glideins at one entry."""

    max: Count = opt(10000, "At most.")
    min: Count = opt(0, "Kept even without jobs.")
    relative_to_queue: Number = opt(1.15, "At most so many times the jobs that match.")


class IdlePerEntry(Element):
    """Glideins waiting at one entry."""

    max: Count = opt(100, "At most.")
    reserve: Count = opt(5, "More than needed.")


class Lifetime(Element):
    """Seconds a pilot waits in the queue before it is removed; 0 = for ever."""

    max: Count = opt(0, "Seconds.")


class Workers(Element):
    """Read and not needed."""

    matchmakers: Count = opt(3, "Not needed.")


class GlideinsRemoval(Element):
    """Removal of glideins that are too many."""

    type: Literal["NO", "WAIT", "IDLE", "ALL", "DISABLE"] = opt(
        "NO", "Which: NO, WAIT, IDLE, ALL, DISABLE."
    )
    wait: Count = opt(0, "Cycles to wait.")
    requests_tracking: Bool = opt(False, "Remove when more than requested.")
    margin: Count = opt(0, "So many above the request are kept.")


class Partitionable(Element):
    """When a partitionable slot counts as idle."""

    min_memory: Count = opt(2500, "MB free at least.")


class GlobalConfig(Element):
    """Throttles of the Frontend."""

    ignore_down_entries: Bool = opt(False, "Leave entries in downtime out of the split of jobs.")
    ramp_up_attenuation: Number = opt(3.0, "Divides the wanted idle glideins.")
    idle_vms_total: TotalSlots = opt(TotalSlots(), "Idle slots of the Frontend.")
    idle_vms_total_global: TotalSlots = opt(TotalSlots(), "Idle slots of the pool.")
    running_glideins_total: TotalRunning = opt(TotalRunning(), "Running glideins of the Frontend.")
    running_glideins_total_global: TotalRunning = opt(
        TotalRunning(), "Running glideins of the pool."
    )


class GroupConfig(Element):
    """Throttles of a group."""

    ignore_down_entries: OptBool = opt(None, "As the global one; empty = that.")
    ramp_up_attenuation: OptNumber = opt(None, "As the global one; not given = that.")
    idle_vms_total: TotalSlots = opt(TotalSlots(), "Idle slots of the group.")
    idle_vms_per_entry: EntrySlotsModel = opt(EntrySlotsModel(), "Idle slots at one entry.")
    running_glideins_total: TotalRunning = opt(TotalRunning(), "Running glideins of the group.")
    running_glideins_per_entry: RunningPerEntry = opt(
        RunningPerEntry(), "Running glideins at one entry."
    )
    idle_glideins_per_entry: IdlePerEntry = opt(IdlePerEntry(), "Waiting glideins at one entry.")
    idle_glideins_lifetime: Lifetime = opt(Lifetime(), "How long a pilot waits.")
    processing_workers: Workers = opt(Workers(), "Not needed.")
    glideins_removal: GlideinsRemoval = opt(
        GlideinsRemoval(), "Removal of glideins that are too many."
    )
    partitionable_glidein: Partitionable = opt(Partitionable(), "Partitionable slots.")


class CollectorModel(Element):
    """A collector of the user pool."""

    node: str = req("host[:port[-port]][?sock=name].")
    DN: str = opt("", "Its certificate's DN; not needed with tokens.")
    secondary: Bool = opt(False, "Pilots use secondaries where there are any.")
    group: str = opt("default", "Pilots use one of each group.")


class Ccb(Element):
    """A CCB server for pilots."""

    node: str = req("host[:port[-port]][?sock=name].")
    DN: str = opt("", "Its certificate's DN; not needed with tokens.")
    group: str = opt("default", "Pilots use one of each group.")


class HaFrontend(Element):
    """The master of this slave."""

    frontend_name: str = req("Its frontend_name.")


class HighAvailability(Element):
    """This Frontend stands in for another."""

    enabled: Bool = opt(False, "True: this is the slave.")
    check_interval: Int = Field(300, ge=1, description="Seconds between looks at the master.")
    ha_frontends: tuple[HaFrontend, ...] = items("ha_frontend", "Exactly one master.")


class Group(Element):
    """A group of jobs with its own matching, limits and credentials."""

    name: str = req("Name.")
    enabled: Bool = opt(True, "False: not run.")
    config: GroupConfig = opt(GroupConfig(), "Throttles.")
    match: Match = opt(Match(), "Matching.")
    security: GroupSecurity = opt(GroupSecurity(), "Security.")
    attrs: tuple[FrontendAttr, ...] = items("attr", "Attributes.")
    files: tuple[File, ...] = items("file", "Files.")


class Frontend(Element):
    """The root element `frontend`."""

    frontend_name: str = req("Name of the Frontend.")
    downtimes_file: str = opt("frontenddowntime", "Downtime file in the work area.")
    frontend_versioning: Bool = opt(True, "Sub-directories frontend_<frontend_name>.")
    frontend_monitor_index_page: Bool = opt(True, "Read and not needed.")
    loop_delay: Number = opt(60.0, "Seconds between cycles.")
    advertise_delay: Count = opt(5, "Read and not needed.")
    advertise_with_tcp: Bool = opt(True, "Advertise over TCP.")
    advertise_with_multiple: Bool = opt(True, "Read and not needed.")
    group_parallel_workers: Count = opt(2, "Read and not needed.")
    restart_attempts: Count = opt(3, "Not used: systemd restarts the daemon.")
    restart_interval: Count = opt(1800, "Not used.")
    enable_attribute_expansion: Bool = opt(False, "Expand $(X) and $$(X).")
    work: Work = opt(Work(), "Directories.")
    stage: Stage = opt(
        Stage(
            base_dir="/var/lib/gwms-frontend/web-area/stage",
            web_base_url="http://localhost/vofrontend/stage",
        ),
        "What pilots download.",
    )
    monitor: FrontendMonitor = opt(FrontendMonitor(), "The monitoring pages' URL.")
    monitor_footer: Footer = opt(Footer(), "Not used.")
    log_retention: ProcessRetention = opt(ProcessRetention(), "How long logs are kept.")
    match: GlobalMatch = opt(GlobalMatch(), "Matching, for all groups.")
    security: FrontendSecurity = opt(FrontendSecurity(), "Security, for all groups.")
    attrs: tuple[FrontendAttr, ...] = items("attr", "Attributes, for all groups.")
    files: tuple[File, ...] = items("file", "Files, for all groups.")
    collectors: tuple[CollectorModel, ...] = items("collector", "The user pool.")
    ccbs: tuple[Ccb, ...] = items("ccb", "CCB servers.")
    config: GlobalConfig = opt(GlobalConfig(), "Throttles, for all groups.")
    groups: tuple[Group, ...] = items("group", "Groups.")
    high_availability: HighAvailability = opt(
        HighAvailability(), "Standing in for another Frontend."
    )
