"""Elements that the Factory's and the Frontend's file share (config 2.2, 2.3, 4, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from glideinwms.creation.xml.elements import Bool, Count, Element, Number, items, opt, req
from glideinwms.lib.daemon.policy_file import Retention

NEVER = 1e9

AttrType = Literal["string", "int", "expr"]


class LogKind(Element):
    """How long one kind of log is kept."""

    max_days: Number = opt(14.0, "Files older than this many days are removed; 0 = never.")
    max_mbytes: Number = opt(
        100.0, "Older files are removed once all together exceed this size (MB); 0 = never."
    )
    min_days: Number = opt(3.0, "Files younger than this many days are kept whatever their size.")


class JobLogs(LogKind):
    """Standard output and error of pilots."""

    max_days: Number = opt(7.0, "Days that pilot output is kept; 0 = for ever.")
    min_days: Number = opt(2.0, "Days that pilot output is kept whatever its size.")


class SummaryLogs(LogKind):
    """Summaries of completed pilots."""

    max_days: Number = opt(31.0, "Days that summaries are kept; 0 = for ever.")


class ProcessLog(LogKind):
    """A log file of the deployed daemon. Ours is one, of JSON lines, begun anew each day: this says
    how long days past are kept.
    """

    structured: Bool = opt(False, "Not used.")
    extension: str = opt("all", "Tells logs apart; not used otherwise.")
    msg_types: str = opt("INFO, WARN, ERR", "Not used.")
    max_days: Number = opt(7.0, "Days that logs are kept; 0 = for ever.")
    backup_count: Count = opt(5, "Not used.")
    compression: Literal["", "gz", "zip"] = opt("", "Not used.")


class Footer(Element):
    """A line at the foot of the deployed monitoring pages."""

    display_txt: str = opt("", "Not used.")
    href_link: str = opt("", "Not used.")


class Stage(Element):
    """Where the files that pilots download are, and under which URL they are served."""

    base_dir: str = req("Directory of the stage (web) area.")
    web_base_url: str = req("URL under which a web server serves base_dir.")
    use_symlink: Bool = opt(True, "Not used.")


class UntarOptions(Element):
    """How a tarball is unpacked on the worker node."""

    cond_attr: str = opt("TRUE", "Unpack only if this glidein_config variable is 1; TRUE = always.")
    dir: str = opt("", "Directory on the worker; default: the file name up to its first dot.")
    absdir_outattr: str = opt("", "glidein_config key that receives the absolute directory.")


class File(Element):
    """A file that pilots download, run or source."""

    absfname: str = req("Path on this host.")
    relfname: str | None = opt(None, "Name on the worker; default: the base name.")
    const: Bool = opt(True, "False: may change at any time; served uncached and unsigned.")
    executable: Bool = opt(False, "Run it with the path of glidein_config and the tree's id.")
    wrapper: Bool = opt(False, "Source it in the user job's wrapper.")
    untar: Bool = opt(False, "Unpack it.")
    config: Bool = opt(False, "Put it into the HTCondor configuration directory.")
    period: Count = opt(0, "Run again every so many seconds; 0 = once.")
    prefix: str = opt("GLIDEIN_PS_", "Prefix of what a periodic script publishes; NOPREFIX = none.")
    type: str = opt(
        "", "regular, run, run:singularity, source, config, config:condor, wrapper, untar."
    )
    time: str = opt(
        "",
        "When it runs or is sourced: setup, setup:QeQg (Q: b, a, n or o: before or after entry and group), prejob, "
        "postjob, periodic:SECONDS, cleanup; separated by commas.",
    )
    after_entry: Bool | None = opt(
        None, "After the entry's scripts (default: Frontend True, Factory False)."
    )
    after_group: Bool = opt(False, "After the group's scripts (Frontend global files only).")
    untar_options: UntarOptions = opt(UntarOptions(), "How to unpack.")


class FrontendAttr(Element):
    """A value that pilots, matching or jobs see; set by the Frontend."""

    name: str = req("Name of the attribute.")
    value: str = opt(..., "Its value; for type int an integer, for type expr a ClassAd expression.")
    parameter: Bool = opt(True, "Sent with each request; else a constant of the stage.")
    glidein_publish: Bool = opt(False, "Publish it in the pilot's slot ad.")
    job_publish: Bool = opt(False, "Put it into the user job's environment.")
    type: AttrType = opt("string", "string, int or expr.")


class FactoryAttr(FrontendAttr):
    """A value that pilots, Frontends or jobs see; set by the Factory."""

    const: Bool = opt(True, "Frontends cannot change it.")
    publish: Bool = opt(True, "Publish it in the glidefactory ad.")


class Empty(Element):
    """An element without meaning here."""


class ProcessRetention(Element):
    """Logs of the daemon."""

    process_logs: tuple[ProcessLog, ...] = items("process_log", "Log files of the daemon.")


def retention(kind: LogKind) -> Retention:
    """How long one kind of log is kept; 0 is for ever."""
    return Retention(kind.max_days or NEVER, kind.min_days, kind.max_mbytes or NEVER)


def process_retention(logs: Sequence[ProcessLog]) -> Retention:
    """How long our own logs of days past are kept: of several deployed ones, the one that is kept
    longest says it.
    """
    return retention(max(logs or [ProcessLog()], key=lambda p: p.max_days or NEVER))
