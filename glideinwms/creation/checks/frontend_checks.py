"""What the Frontend's file may not say, beyond the types (config 13), and what nobody else notices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from glideinwms.creation.checks import characters, common_checks, frontend_values, known_attributes
from glideinwms.creation.xml import nodes
from glideinwms.creation.xml.common_model import File
from glideinwms.creation.xml.frontend_model import (
    EntrySlotsModel,
    Frontend,
    Group,
    GroupSecurity,
    TotalRunning,
    TotalSlots,
)
from glideinwms.creation.xml.problems import Problems, did_you_mean
from glideinwms.lib.wire.names import is_safe

NAME = re.compile(r"[A-Za-z0-9_-]+")
PLUGINS = ("ProxyAll", "CredentialsBasic", "ProxyFirst", "ProxyUserCardinality", "ProxyProjectName")
DROPPED_PLUGINS = ("ProxyUserRR", "ProxyUserMapWRecycling")
FAKE = "@fake.org"
ALL = "ALL"
TOTALS = ("idle_vms_total", "running_glideins_total")
SINGULARITY = "GLIDEIN_Singularity_Use"
UNUSED_WRAPPER = re.compile(r"default_singularity_wrapper.*\.sh")
PACKAGED_WRAPPERS = "web-base/frontend/"


def _is_name(text: str) -> bool:
    """Whether a text can be part of names of files and of HTCondor."""
    return bool(NAME.fullmatch(text)) and is_safe(text)


def check(frontend: Frontend, problems: Problems) -> None:
    """All findings of the whole file that need no other file."""
    if not _is_name(frontend.frontend_name):
        what = "may contain letters, digits, - and _ only"
        hint = characters.hint(frontend.frontend_name)
        problems.error(frontend.where, "frontend@frontend_name", what, hint)
    if not frontend.groups:
        problems.error(frontend.where, "frontend/groups", "there is no group")
    common_checks.directories(frontend.stage, "stage", ["base_dir"], problems)
    common_checks.directories(frontend.work, "work", ["base_dir", "base_log_dir"], problems)
    common_checks.url(frontend.stage.web_base_url, frontend.stage.where, problems)
    common_checks.rests(frontend.loop_delay, "frontend", frontend.where, problems)
    for found in (frontend.attrs, *(g.attrs for g in frontend.groups)):
        common_checks.attrs(found, problems)
    config = frontend.config
    names = [f"{name}{scope}" for name in TOTALS for scope in ("", "_global")]
    _curbs("config", {name: getattr(config, name) for name in names}, problems)
    _expressions(frontend, problems)
    known_attributes.check(frontend, problems)
    frontend_values.check(frontend, problems)
    _collectors(frontend, problems)
    _security("security", frontend.security, problems)
    _groups(frontend, problems)
    _unused_wrappers(frontend.files, problems)
    _availability(frontend, problems)
    for name in ("GLIDEIN_Collector", "GLIDEIN_CCB"):
        theirs = [[a for a in g.attrs if a.name == name] for g in frontend.groups]
        everywhere = [a for found in theirs for a in found] if theirs and all(theirs) else []
        for attr in (*(a for a in frontend.attrs if a.name == name), *everywhere):
            problems.error(
                attr.where, f"attr[{name}]", "comes from collectors and ccbs; it may not be set"
            )
    if frontend.security.classad_proxy and not Path(frontend.security.classad_proxy).is_file():
        what = f"{frontend.security.classad_proxy} is not a file"
        problems.error(
            frontend.security.where,
            "security@classad_proxy",
            what,
            "tokens are enough: leave it out",
        )
    for subject, security in (
        ("", frontend.security),
        *((f"group[{g.name}]/", g.security) for g in frontend.groups),
    ):
        if security.idtoken_lifetime == 0:
            what = "0 is no life: the default is used, 24 hours or what stands above the groups"
            problems.warn(security.where, f"{subject}security@idtoken_lifetime", what)
    if frontend.security.sym_key not in ("aes_256_cbc", "aes_128_cbc"):
        what = f"{frontend.security.sym_key} is not supported; requests are sealed with aes_256_cbc"
        problems.notice(frontend.security.where, "security@sym_key", what)


def _collectors(frontend: Frontend, problems: Problems) -> None:
    if not any(not c.secondary for c in frontend.collectors):
        what = "there is no primary collector" if frontend.collectors else "there is no collector"
        problems.error(frontend.where, "frontend/collectors", what)
    for collector in frontend.collectors:
        if wrong := nodes.fault(collector.node, ranges=collector.secondary):
            problems.error(collector.where, f"collector[{collector.node}]@node", wrong)
    for ccb in frontend.ccbs:
        if wrong := nodes.fault(ccb.node, ranges=True):
            problems.error(ccb.where, f"ccb[{ccb.node}]@node", wrong)


def _expressions(frontend: Frontend, problems: Problems) -> None:
    for subject, match in (
        ("match", frontend.match),
        *((f"group[{g.name}]/match", g.match) for g in frontend.groups),
    ):
        common_checks.classad(match.start_expr, f"{subject}@start_expr", match.where, problems)
        for side, part in (("factory", match.factory), ("job", match.job)):
            common_checks.classad(
                part.query_expr, f"{subject}/{side}@query_expr", part.where, problems
            )


def _groups(frontend: Frontend, problems: Problems) -> None:
    seen: dict[str, object] = {}
    for group in frontend.groups:
        subject = f"group[{group.name}]"
        if not _is_name(group.name) or group.name.startswith("XPVO"):
            what = "may contain letters, digits, - and _ only, and not start with - or XPVO"
            problems.error(group.where, f"{subject}@name", what, characters.hint(group.name))
        if group.name in seen:
            problems.error(
                group.where,
                f"{subject}@name",
                f"is also the name of the group at {seen[group.name]}",
            )
        seen.setdefault(group.name, group.where)
        _match(frontend, group, problems)
        _singularity(frontend, group, problems)
        _unused_wrappers(group.files, problems)
        _limits(group, problems)
        _security(f"{subject}/security", group.security, problems)
        if not group.security.credentials and not frontend.security.credentials:
            problems.warn(group.where, subject, "has no credential: it can ask for nothing")


def _security(subject: str, security: GroupSecurity, problems: Problems) -> None:
    """What is given at this place; what a group takes from above the groups is told there."""
    if re.search(r"[\s:;,]", security.security_name):
        what = f"{security.security_name!r} may not contain blanks, colons, semicolons or commas"
        problems.error(
            security.where, f"{subject}@security_name", f"{what}: Factories write name:class lists"
        )
    plugin = security.proxy_selection_plugin
    if plugin in DROPPED_PLUGINS:
        what = f"there is no {plugin}; ProxyAll is used"
        problems.warn(
            security.where,
            f"{subject}@proxy_selection_plugin",
            what,
            f"use one of {', '.join(PLUGINS)}",
        )
    elif plugin and plugin not in PLUGINS:
        hint = did_you_mean(plugin, PLUGINS) or f"use one of {', '.join(PLUGINS)}"
        problems.error(
            security.where, f"{subject}@proxy_selection_plugin", f"there is no {plugin}", hint
        )


def _match(frontend: Frontend, group: Group, problems: Problems) -> None:
    subject = f"group[{group.name}]/match"
    collectors = [*frontend.match.factory.collectors, *group.match.factory.collectors]
    if not collectors:
        problems.error(
            group.where, f"{subject}/factory/collectors", "no Factory's collector is named"
        )
    for collector in collectors:
        if wrong := nodes.fault(collector.node, ranges=False):
            problems.error(collector.where, f"collector[{collector.node}]@node", wrong)
        for name in ("factory_identity", "my_identity"):
            if getattr(collector, name).endswith(FAKE):
                what = f"{getattr(collector, name)} stands for nobody"
                problems.error(
                    collector.where,
                    f"collector[{collector.node}]@{name}",
                    what,
                    "name the real identity",
                )
    schedds = [s.fullname for s in (*frontend.match.job.schedds, *group.match.job.schedds)]
    if not schedds:
        problems.error(group.where, f"{subject}/job/schedds", "no schedd is named")
    if ALL in schedds and len(set(schedds)) > 1:
        problems.error(group.where, f"{subject}/job/schedds", "ALL may only stand alone")
    for schedd in (*frontend.match.job.schedds, *group.match.job.schedds):
        if schedd.fullname != ALL and (
            wrong := nodes.fault(schedd.fullname, ranges=False, schedd=True)
        ):
            problems.error(schedd.where, f"schedd[{schedd.fullname}]@fullname", wrong)


def _singularity(frontend: Frontend, group: Group, problems: Problems) -> None:
    """A Frontend that wants containers needs a wrapper to start them (config 10)."""
    uses = [a for a in (*group.attrs, *frontend.attrs) if a.name == SINGULARITY]
    if not uses or uses[0].value not in ("OPTIONAL", "PREFERRED", "REQUIRED"):
        return
    if not any(f.wrapper or f.type == "wrapper" for f in (*frontend.files, *group.files)):
        what = f"{uses[0].value} needs a file with wrapper=True, global or in group {group.name}"
        problems.error(uses[0].where, f"attr[{SINGULARITY}]@value", what)


def _unused_wrappers(files: Iterable[File], problems: Problems) -> None:
    """Warn of wrappers that pilots leave out by their name, unless they are the package's own."""
    for file in files:
        name = file.relfname or Path(file.absfname).name
        if not (file.wrapper or file.type == "wrapper") or not UNUSED_WRAPPER.fullmatch(name):
            continue
        if PACKAGED_WRAPPERS not in file.absfname:
            what = f"pilots do not use a wrapper named {name}: they start containers themselves"
            hint = "a changed copy of the default wrapper needs another name"
            problems.warn(file.where, f"file[{file.absfname}]", what, hint)


def _curbs(
    subject: str,
    pairs: Mapping[str, EntrySlotsModel | TotalSlots | TotalRunning],
    problems: Problems,
) -> None:
    for name, pair in pairs.items():
        if pair.curb > pair.max:
            what = f"{pair.curb} is above max {pair.max}: requests are never halved"
            problems.warn(pair.where, f"{subject}/{name}@curb", what)


def _limits(group: Group, problems: Problems) -> None:
    names = (*TOTALS, "idle_vms_per_entry")
    _curbs(f"group[{group.name}]", {name: getattr(group.config, name) for name in names}, problems)
    idle = group.config.idle_glideins_per_entry
    if idle.reserve > idle.max:
        what = f"{idle.reserve} is above max {idle.max}"
        problems.warn(idle.where, f"group[{group.name}]/idle_glideins_per_entry@reserve", what)
    per = group.config.running_glideins_per_entry
    if per.min > per.max:
        problems.error(
            per.where,
            f"group[{group.name}]/running_glideins_per_entry@min",
            f"is above max {per.max}",
        )


def _availability(frontend: Frontend, problems: Problems) -> None:
    ha = frontend.high_availability
    if ha.enabled and len(ha.ha_frontends) != 1:
        what = f"names {len(ha.ha_frontends)} masters; a slave stands in for exactly one"
        problems.error(ha.where, "high_availability/ha_frontends", what)
