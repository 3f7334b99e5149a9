"""The Factory's file, element by element (config 2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glideinwms.creation.xml.common_model import (
    FactoryAttr,
    File,
    Footer,
    JobLogs,
    LogKind,
    ProcessLog,
    Stage,
    SummaryLogs,
)
from glideinwms.creation.xml.elements import (
    Bool,
    Count,
    Element,
    Int,
    Number,
    OptCount,
    items,
    opt,
    req,
)


class FactoryRetention(Element):
    """How long logs are kept."""

    condor_logs: LogKind = opt(LogKind(), "HTCondor's logs of pilots.")
    job_logs: JobLogs = opt(JobLogs(), "Output of pilots.")
    summary_logs: SummaryLogs = opt(SummaryLogs(), "Summaries of completed pilots.")
    process_logs: tuple[ProcessLog, ...] = items("process_log", "Log files of the daemon.")


class FactoryMonitor(Element):
    """The deployed monitoring pages: read and not needed."""

    base_dir: str = opt("/var/lib/gwms-factory/web-area/monitor", "Not used.")
    flot_dir: str = opt("/usr/share/javascriptrrd/flot", "Not used.")
    javascriptRRD_dir: str = opt("/usr/share/javascriptrrd/js", "Not used.")
    jquery_dir: str = opt("/usr/share/javascriptrrd/flot", "Not used.")
    update_thread_count: Count = opt(1, "Not used.")


class SecurityClass(Element):
    """A security class of a Frontend and the directory name its credentials and logs get."""

    name: str = opt("frontend", "Class named by the Frontend's credentials.")
    username: str = req("Directory user_<username> of logs and credentials.")


class KnownFrontend(Element):
    """A Frontend that may ask for pilots."""

    name: str = req("The Frontend's security_name.")
    identity: str = req("AuthenticatedIdentity of its ads, user@host.")
    security_classes: tuple[SecurityClass, ...] = items("security_class", "Its security classes.")


class FactorySecurity(Element):
    """Keys, and the Frontends that are known."""

    key_length: Int = Field(2048, ge=1024, description="Bits of the Factory's RSA key.")
    pub_key: str = opt("RSA", "Type of the key; only RSA.")
    reuse_oldkey_onstartup_gracetime: Count = opt(
        900, "Seconds that requests made for the old key are served."
    )
    remove_old_cred_age: Number = opt(30.0, "Days after which unused credentials are removed.")
    remove_old_cred_freq: float = opt(24.0, "Hours between such clean-ups; negative = never.")
    frontends: tuple[KnownFrontend, ...] = items("frontend", "Frontends that are known.")


class SubmitAttr(Element):
    """A line of the submit description."""

    name: str = req("Submit command, or +Attribute.")
    value: str = opt("All", "Its value.")
    all_grid_types: Bool = opt(
        False, "Also for grid types other than condor, arc, ec2, gce, batch."
    )


class FactorySubmit(Element):
    """Directories of the Factory."""

    base_dir: str = opt("/var/lib/gwms-factory/work-dir", "Work area.")
    base_log_dir: str = opt("/var/log/gwms-factory/server", "Logs of the daemon.")
    base_client_log_dir: str = opt("/var/log/gwms-factory/client", "Output of pilots.")
    base_client_proxies_dir: str = opt(
        "/var/lib/gwms-factory/client-proxies", "Credentials of Frontends."
    )
    num_factories: Int = Field(
        1, ge=1, description="Divisor of all limits: Factories that share the entries."
    )
    submit_attrs: tuple[SubmitAttr, ...] = items(
        "submit_attr", "Published in the ad; not put into submit files."
    )


class JobLimits(Element):
    """Limits of an entry; 0 is a limit."""

    glideins: Count = opt(10000, "Pilots idle and running.")
    held: Count = opt(1000, "Held pilots; beyond it nothing is submitted.")
    idle: Count = opt(2000, "Idle pilots.")


class ClassLimits(Element):
    """Limits of one Frontend's security class at the entry."""

    glideins: Count = opt(5000, "Pilots idle and running.")
    held: Count = opt(50, "Held pilots.")
    idle: Count = opt(100, "Idle pilots.")


class PerFrontend(ClassLimits):
    """Limits of one named security class."""

    name: str = req("frontend:security_class.")


class MaxJobs(Element):
    """Limits on pilots."""

    num_factories: OptCount = opt(None, "Divisor of this entry's limits; default the global one.")
    per_entry: JobLimits = opt(JobLimits(), "Whole entry.")
    default_per_frontend: ClassLimits = opt(ClassLimits(), "Each frontend:class without its own.")
    per_frontends: tuple[PerFrontend, ...] = items("per_frontend", "Limits of named classes.")


class StaleAge(Element):
    """Pilots unchanged for so many seconds are removed."""

    idle: Count = opt(604800, "Idle.")
    running: Count = opt(2678400, "Running.")
    unclaimed: Count = opt(7200, "Not used.")


class Release(Element):
    """Releases of held pilots."""

    max_per_cycle: Count = opt(20, "At most so many a cycle.")
    sleep: Number = opt(0.2, "Not used: one act is for all of them.")


class Remove(Release):
    """Removals of pilots."""

    max_per_cycle: Count = opt(5, "At most so many a cycle.")


class Restrictions(Element):
    """What a credential must have."""

    require_voms_proxy: Bool = opt(False, "Published as GLIDEIN_REQUIRE_VOMS.")
    require_glidein_glexec_use: Bool = opt(False, "Legacy; ignored.")


class EntrySubmit(Element):
    """Submission."""

    cluster_size: Int = Field(10, ge=1, description="Pilots of one cluster at most.")
    max_per_cycle: Count = opt(100, "Pilots submitted a cycle at most.")
    sleep: Number = opt(0.2, "Seconds between clusters.")
    slots_layout: Literal["fixed", "partitionable"] = opt("fixed", "Slots of the pilot's startd.")
    submit_attrs: tuple[SubmitAttr, ...] = items(
        "submit_attr", "Extra lines of the submit description."
    )


class EntrySelection(Element):
    """How an entry set picks a sub-entry."""

    algorithm_name: str = opt("Default", "Default: shuffled, in turn, within the limits.")


class EntryConfig(Element):
    """Limits and rates."""

    max_jobs: MaxJobs = opt(MaxJobs(), "Limits on pilots.")
    stale_age: StaleAge = opt(StaleAge(), "When a pilot is stale.")
    release: Release = opt(Release(), "Releases.")
    remove: Remove = opt(Remove(), "Removals.")
    restrictions: Restrictions = opt(Restrictions(), "Restrictions.")
    submit: EntrySubmit = opt(EntrySubmit(), "Submission.")
    entry_selection: EntrySelection = opt(EntrySelection(), "Entry sets only.")


class AllowFrontend(Element):
    """Allow list; any item turns it on."""

    name: str = req("Frontend.")
    security_class: str = opt("All", "Security class, or All.")


class InfosysRef(Element):
    """Legacy information system reference."""

    ref: str = req("Reference.")
    server: str = req("Server.")
    type: str = req("RESS or BDII.")


class MonitorGroup(Element):
    """A group of entries on the deployed monitoring pages."""

    group_name: str = req("Not used.")


class BareEntry(Element):
    """The attributes of an entry; all that counts of a sub-entry of a set."""

    name: str = req("Name of the entry: directories and ads.")
    gatekeeper: str = req("Tail of Grid_Resource.")
    gridtype: str = opt("condor", "condor, arc, ec2, gce, batch <lrms>.")
    auth_method: str = opt("grid_proxy", "Credentials the CE accepts.")
    trust_domain: str = opt("grid", "Matches the credential's trust_domain.")
    enabled: Bool = opt(True, "False: not run.")
    work_dir: str = opt(".", "Where the pilot works: ., Condor, OSG, TMPDIR, AUTO or a path.")
    verbosity: Literal["std", "fast", "nodebug"] = opt("std", "How much the pilot writes.")
    rsl: str = opt("", "Extra grid attributes.")
    proxy_url: str = opt("", "Web proxy host:port, or OSG.")
    bosco_dir: str = opt("bosco", "Directory below $HOME at a batch resource.")
    vm_id: str = opt("", "Cloud image.")
    vm_type: str = opt("", "Cloud instance type.")
    schedd_name: str = opt("", "Schedd of this entry; default: spread over the global list.")


class Entry(BareEntry):
    """A CE as pilots are sent to it."""

    config: EntryConfig = opt(EntryConfig(), "Limits and rates.")
    allow_frontends: tuple[AllowFrontend, ...] = items("allow_frontend", "Only these Frontends.")
    attrs: tuple[FactoryAttr, ...] = items("attr", "Attributes of this entry.")
    files: tuple[File, ...] = items("file", "Files of this entry.")
    infosys_refs: tuple[InfosysRef, ...] = items("infosys_ref", "Legacy.")
    monitorgroups: tuple[MonitorGroup, ...] = items("monitorgroup", "Not used.")


class EntrySet(Element):
    """Several CEs that look like one entry."""

    alias: str = req("Name of the set.")
    enabled: Bool = opt(..., "False: not run.")
    config: EntryConfig = opt(EntryConfig(), "Limits and rates.")
    allow_frontends: tuple[AllowFrontend, ...] = items("allow_frontend", "Only these Frontends.")
    attrs: tuple[FactoryAttr, ...] = items("attr", "Attributes of the set.")
    files: tuple[File, ...] = items("file", "Files of the set.")
    infosys_refs: tuple[InfosysRef, ...] = items("infosys_ref", "Legacy.")
    monitorgroups: tuple[MonitorGroup, ...] = items("monitorgroup", "Not used.")
    entries: tuple[BareEntry, ...] = items("entry", "Its CEs.")


class CondorTarball(Element):
    """HTCondor for worker nodes."""

    arch: str = opt("default", "Architectures, comma separated.")
    os: str = opt("default", "Operating systems, comma separated.")
    version: str = opt("default", "Versions, comma separated.")
    tar_file: str = opt("", "A packed tarball.")
    base_dir: str = opt("", "An unpacked installation, packed by reconfig.")


class CvmfsExec(Element):
    """cvmfsexec distributions for worker nodes."""

    sources: str = opt("", "osg, egi, default; comma separated.")
    platforms: str = opt("", "rhel9-x86_64 and others; comma separated.")


class MonitoringCollector(Element):
    """A collector of the Factory that pilots report to as well."""

    DN: str = req("Its certificate's DN.")
    node: str = req("host[:port].")
    secondary: Bool = opt(False, "Used by pilots instead of the primary.")
    group: str = opt("default", "One of each group is used.")


class Factory(Element):
    """The root element `glidein`."""

    factory_name: str = req("Name of the Factory.")
    glidein_name: str = opt("gfactory_instance", "Name of the instance.")
    factory_collector: str = opt("", "Collector host[:port]; default the local pool.")
    factory_versioning: Bool = opt(False, "Sub-directories glidein_<glidein_name>.")
    schedd_name: str = opt("schedd_glideins1@localhost", "Schedds, comma separated.")
    loop_delay: Number = opt(60.0, "Seconds between cycles.")
    advertise_delay: Count = opt(5, "Advertise all every so many cycles.")
    advertise_with_tcp: Bool = opt(True, "Advertise over TCP.")
    advertise_with_multiple: Bool = opt(True, "Read and not needed.")
    advertise_pilot_accounting: Bool = opt(
        False, "Keep completed pilots 12 h in the queue for accounting."
    )
    restart_attempts: Count = opt(3, "Not used: systemd restarts the daemon.")
    restart_interval: Count = opt(1800, "Not used.")
    entry_parallel_workers: Int = opt(0, "Read and not needed.")
    recoverable_exitcodes: str = opt("", "Hold codes that are released: code [subcode ...], ...")
    enable_attribute_expansion: Bool = opt(False, "Expand $(X) and $$(X).")
    log_retention: FactoryRetention = opt(FactoryRetention(), "How long logs are kept.")
    monitor: FactoryMonitor = opt(FactoryMonitor(), "Not used.")
    monitor_footer: Footer = opt(Footer(), "Not used.")
    security: FactorySecurity = opt(FactorySecurity(), "Keys and Frontends.")
    stage: Stage = opt(
        Stage(
            base_dir="/var/lib/gwms-factory/web-area/stage",
            web_base_url="http://localhost/factory/stage",
        ),
        "What pilots download.",
    )
    submit: FactorySubmit = opt(FactorySubmit(), "Directories.")
    attrs: tuple[FactoryAttr, ...] = items("attr", "Attributes of all entries.")
    files: tuple[File, ...] = items("file", "Files of all entries.")
    entries: tuple[Entry, ...] = items("entry", "CEs.")
    entry_sets: tuple[EntrySet, ...] = items("entry_set", "Sets of CEs.")
    condor_tarballs: tuple[CondorTarball, ...] = items(
        "condor_tarball", "HTCondor for worker nodes."
    )
    cvmfsexec_distro: CvmfsExec = opt(CvmfsExec(), "cvmfsexec for worker nodes.")
    monitoring_collectors: tuple[MonitoringCollector, ...] = items(
        "monitoring_collector", "The Factory's collectors."
    )
