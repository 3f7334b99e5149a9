"""What the Factory's file may not say, beyond the types (config 13), and what nobody else notices."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from glideinwms.creation.build import cvmfsexec, tarballs
from glideinwms.creation.build.factory_entry import DEFAULT_PARAMS, LEGACY_TYPES, name_of, subs_of
from glideinwms.creation.build.tarballs import Platform
from glideinwms.creation.checks import attr_values, characters, common_checks, entry_values
from glideinwms.creation.xml import nodes
from glideinwms.creation.xml.common_model import FactoryAttr
from glideinwms.creation.xml.factory_model import (
    Entry,
    EntrySet,
    Factory,
    KnownFrontend,
    SecurityClass,
)
from glideinwms.creation.xml.problems import Problems, did_you_mean
from glideinwms.lib.bounded import BadValue, count_or, file_name
from glideinwms.lib.credentials import methods

NAME = re.compile(r"[A-Za-z0-9._-]+")
SUBMIT = re.compile(r"\+?[A-Za-z_][A-Za-z0-9_.]*")
REFUSED_TYPES = ("gt2", "gt5")
TYPES = ("condor", "arc", "ec2", "gce", *LEGACY_TYPES, *REFUSED_TYPES)
BATCH = ("pbs", "lsf", "sge", "slurm", "condor")
AUTH = (
    *(
        "grid_proxy",
        "voms_proxy",
        "key_pair",
        "cert_pair",
        "username_password",
        "auth_file",
        "scitoken",
        "idtoken",
    ),
    *("vm_id", "vm_type", "project_id", "username", "glidein_proxy", "none"),
)
DIRECTORIES = ("base_dir", "base_log_dir", "base_client_log_dir", "base_client_proxies_dir")
PLATFORMS = ("CONDOR_VERSION", "CONDOR_OS", "CONDOR_ARCH")


def check(factory: Factory, problems: Problems) -> None:
    """All findings of the whole file; reads only tarballs' and files' presence."""
    _top(factory, problems)
    common_checks.directories(factory.stage, "stage", ["base_dir"], problems)
    common_checks.directories(factory.submit, "submit", DIRECTORIES, problems)
    common_checks.url(factory.stage.web_base_url, factory.stage.where, problems)
    common_checks.rests(factory.loop_delay, "glidein", factory.where, problems)
    common_checks.attrs(factory.attrs, problems)
    _frontends(factory, problems)
    _shared_usernames(factory, problems)
    entry_values.check(factory, problems)
    entries: list[Entry | EntrySet] = [*factory.entries, *factory.entry_sets]
    _unique(entries, problems)
    offered = tarballs.check(factory.condor_tarballs, problems)
    wanted = {**DEFAULT_PARAMS, **{a.name: a.value for a in factory.attrs}}
    everywhere = {a.name: a for a in factory.attrs}
    told = set[str]()
    classes = {f"{f.name}:{c.name}" for f in factory.security.frontends for c in f.security_classes}
    for entry in entries:
        with problems.about(disabled=not entry.enabled):
            _entry(entry, factory, problems)
            common_checks.attrs(entry.attrs, problems)
            _limits(entry, classes, problems)
            _walltime(entry, factory, problems)
            _platform(entry, factory, wanted, offered, problems)
            _constness(entry, everywhere, told, problems)


def _constness(
    entry: Entry | EntrySet,
    everywhere: Mapping[str, FactoryAttr],
    told: set[str],
    problems: Problems,
) -> None:
    """Say once of a name that an entry has it as a constant and the whole Factory as a parameter,
    or the reverse.
    """
    for attr in entry.attrs:
        other = everywhere.get(attr.name, attr)
        if other.const != attr.const and attr.name not in told:
            told.add(attr.name)
            what = f"{attr.const} here, {other.const} at {other.where}; an entry with its own value uses that"
            problems.notice(attr.where, f"attr[{attr.name}]@const", what)


def names(factory: Factory, known: Iterable[str], problems: Problems) -> None:
    """Attribute names that are nearly one the pilot knows are probably meant to be that."""
    holders: list[Entry | EntrySet] = [*factory.entries, *factory.entry_sets]
    found = [*factory.attrs, *(a for e in holders for a in e.attrs if e.enabled)]
    for attr in found:
        if attr.name in common_checks.SYSTEM:
            what = "is ignored: each entry's own value is published"
            problems.warn(
                attr.where, f"attr[{attr.name}]", what, "remove it, or set the entry's attribute"
            )
    attr_values.names(found, {*known, *common_checks.SYSTEM}, problems)


def bad_name(name: str) -> str:
    """Return why a name cannot be part of a file name or of a command, or an empty string."""
    if not NAME.fullmatch(name):
        return "may contain letters, digits, dot, - and _ only"
    try:
        file_name(name)
    except BadValue as error:
        return f"cannot be a name: {error.message}"
    return ""


def _top(factory: Factory, problems: Problems) -> None:
    for attribute in ("factory_name", "glidein_name"):
        name = getattr(factory, attribute)
        if what := bad_name(name):
            problems.error(factory.where, f"glidein@{attribute}", what, characters.hint(name))
    if factory.security.pub_key not in ("RSA", "None"):
        problems.error(
            factory.security.where,
            "security@pub_key",
            f"must be RSA, not {factory.security.pub_key!r}",
        )
    for part in filter(None, (p.strip() for p in factory.recoverable_exitcodes.split(","))):
        if not all(re.fullmatch(r"-?\d+", w) for w in part.split()):
            problems.error(
                factory.where,
                "glidein@recoverable_exitcodes",
                f"{part!r} is not `code [subcode ...]`",
            )
    if not tarballs.words(factory.schedd_name):
        problems.error(factory.where, "glidein@schedd_name", "names no schedd")
    cvmfsexec.check(factory, problems)
    if factory.factory_versioning and factory.submit.num_factories > 1:
        what = (
            "divides limits; the deployed program cannot start with it and factory_versioning=True"
        )
        problems.notice(factory.submit.where, "submit@num_factories", what)
    primaries: Counter[str] = Counter()
    for collector in factory.monitoring_collectors:
        subject = f"monitoring_collector[{collector.node}]"
        if wrong := nodes.fault(collector.node, ranges=collector.secondary):
            problems.error(collector.where, f"{subject}@node", wrong)
        primaries[collector.group] += not collector.secondary
        if primaries[collector.group] > 1 and not collector.secondary:
            problems.error(
                collector.where, subject, f"group {collector.group} has two primary collectors"
            )
    if not factory.entries and not factory.entry_sets:
        problems.warn(factory.where, "glidein/entries", "there is no entry")


def _frontends(factory: Factory, problems: Problems) -> None:
    common_checks.once("frontend", ((f.name, f) for f in factory.security.frontends), problems)
    for frontend in factory.security.frontends:
        common_checks.once(
            "security_class", ((c.name, c) for c in frontend.security_classes), problems
        )
        for known in frontend.security_classes:
            if not known.name.strip():
                what = "is empty: no request has such a security class"
                hint = "write the security_class of the Frontend's credentials"
                problems.warn(
                    known.where, f"frontend[{frontend.name}]/security_class@name", what, hint
                )
            if what := bad_name(known.username):
                problems.error(
                    known.where,
                    f"security_class[{known.name}]@username",
                    f"{what}: it names directories",
                    characters.hint(known.username),
                )
        if "@" not in frontend.identity:
            what = f"{frontend.identity!r} is not user@host"
            problems.warn(frontend.where, f"frontend[{frontend.name}]@identity", what)
        if not frontend.security_classes:
            problems.warn(
                frontend.where,
                f"frontend[{frontend.name}]",
                "has no security class: no request is served",
            )


def _shared_usernames(factory: Factory, problems: Problems) -> None:
    """A user name owns a directory of credentials: two identities must not share one."""
    holders: dict[str, tuple[KnownFrontend, SecurityClass]] = {}
    for frontend in factory.security.frontends:
        for known in frontend.security_classes:
            other, first = holders.setdefault(known.username, (frontend, known))
            if other.identity != frontend.identity:
                subject = f"frontend[{frontend.name}]/security_class[{known.name}]@username"
                what = f"{known.username!r} is the user name of {other.name} already ({first.where}), another identity"
                hint = "give each Frontend a user name of its own, see docs/how-to/split-a-user-name.md"
                problems.error(known.where, subject, what, hint)


def _unique(entries: Iterable[Entry | EntrySet], problems: Problems) -> None:
    seen: dict[str, object] = {}
    for entry in entries:
        name = name_of(entry)
        subject = f"entry[{name}]@name"
        if name in seen:
            problems.error(entry.where, subject, f"is also the name of the entry at {seen[name]}")
        seen.setdefault(name, entry.where)
        if what := bad_name(name):
            problems.error(entry.where, subject, what, characters.hint(name))


def _entry(entry: Entry | EntrySet, factory: Factory, problems: Problems) -> None:
    subject = f"entry[{name_of(entry)}]"
    subs = subs_of(entry)
    if not subs:
        problems.error(entry.where, subject, "an entry_set needs at least one entry")
    for sub in subs:
        kind, _, lrms = sub.gridtype.partition(" ")
        if kind in REFUSED_TYPES and entry.enabled:
            problems.error(
                sub.where,
                f"{subject}@gridtype",
                f"{kind} no longer exists",
                "use condor, or disable it",
            )
        elif kind in LEGACY_TYPES:
            problems.warn(
                sub.where,
                f"{subject}@gridtype",
                f"HTCondor no longer has {kind}; the entry stays disabled",
            )
        elif sub.gridtype not in TYPES and not (kind == "batch" and lrms in BATCH):
            problems.warn(
                sub.where,
                f"{subject}@gridtype",
                f"unknown type {sub.gridtype!r}",
                did_you_mean(kind, TYPES),
            )
        if sub.gridtype == "condor" and len(sub.gatekeeper.split()) != 2:
            what = f"{sub.gatekeeper!r} is not `schedd collector[:port]`"
            problems.warn(
                sub.where, f"{subject}@gatekeeper", what, "ce.example.org ce.example.org:9619"
            )
        newer = methods.grouped(sub.auth_method)
        for method in (
            itertools.chain(*methods.groups(sub.auth_method))
            if newer
            else sub.auth_method.split("+")
        ):
            if method.strip() not in AUTH:
                what = f"unknown method {method!r}"
                problems.warn(sub.where, f"{subject}@auth_method", what, did_you_mean(method, AUTH))
        if sub.schedd_name and isinstance(entry, Entry):
            what = "is ignored: entries are spread over the Factory's schedd_name"
            problems.notice(sub.where, f"{subject}@schedd_name", what)
    _one_line(entry, problems)
    for ref in entry.infosys_refs:
        problems.warn(
            ref.where,
            f"{subject}/infosys_ref[{ref.ref}]",
            f"{ref.type} is no more, ignored",
            "remove it",
        )
    if entry.config.restrictions.require_glidein_glexec_use:
        what = f"{subject}/restrictions@require_glidein_glexec_use"
        problems.warn(
            entry.config.restrictions.where, what, "pilots use no glexec, ignored", "remove it"
        )
    if len({(s.auth_method, s.trust_domain, s.gridtype) for s in subs}) > 1:
        problems.warn(
            entry.where, subject, "its entries differ in auth_method, gridtype or trust_domain"
        )
    algorithm = entry.config.entry_selection.algorithm_name
    if isinstance(entry, EntrySet) and algorithm != "Default":
        problems.error(
            entry.where, f"{subject}/entry_selection@algorithm_name", f"there is no {algorithm!r}"
        )
    known = {f.name: f for f in factory.security.frontends}
    for allowed in entry.allow_frontends:
        if allowed.name not in known:
            hint = did_you_mean(allowed.name, known)
            problems.warn(
                allowed.where,
                f"{subject}/allow_frontend@name",
                f"no frontend {allowed.name!r}",
                hint,
            )
        elif allowed.security_class not in (
            "All",
            *(classes := {c.name for c in known[allowed.name].security_classes}),
        ):
            what = f"frontend {allowed.name} has no class {allowed.security_class!r}"
            hint = did_you_mean(allowed.security_class, classes)
            problems.warn(allowed.where, f"{subject}/allow_frontend@security_class", what, hint)


def _one_line(entry: Entry | EntrySet, problems: Problems) -> None:
    """Submit descriptions and constants have one value a line."""
    subject = f"entry[{name_of(entry)}]"
    for sub in subs_of(entry):
        for name in (
            "gatekeeper",
            "rsl",
            "work_dir",
            "proxy_url",
            "trust_domain",
            "bosco_dir",
            "vm_id",
            "vm_type",
        ):
            if _has_newline(getattr(sub, name)):
                problems.error(sub.where, f"{subject}@{name}", "may not contain a newline")
    for attr in entry.config.submit.submit_attrs:
        where = f"{subject}/submit_attr[{attr.name}]"
        if not SUBMIT.fullmatch(attr.name):
            problems.error(attr.where, f"{where}@name", "is no submit command and no +Attribute")
        if _has_newline(attr.value):
            problems.error(
                attr.where,
                f"{where}@value",
                "may not contain a newline: it would begin another command",
            )


def _has_newline(text: str) -> bool:
    return "\n" in text or "\r" in text


def _limits(entry: Entry | EntrySet, classes: set[str], problems: Problems) -> None:
    subject, jobs = f"entry[{name_of(entry)}]/max_jobs", entry.config.max_jobs
    common_checks.once("per_frontend", ((p.name, p) for p in jobs.per_frontends), problems)
    for per in jobs.per_frontends:
        if per.name not in classes:
            hint = did_you_mean(per.name, classes)
            problems.warn(
                per.where, f"{subject}/per_frontend@name", f"no frontend:class {per.name!r}", hint
            )
    named = [(f"per_frontend[{p.name}]", p) for p in jobs.per_frontends]
    for name, limits in [("default_per_frontend", jobs.default_per_frontend), *named]:
        # what is only a default may well be above a small entry's limit
        for limit in [n for n in ("glideins", "idle", "held") if n in limits.model_fields_set]:
            if getattr(limits, limit) > getattr(jobs.per_entry, limit):
                what = f"{getattr(limits, limit)} is above the whole entry's {getattr(jobs.per_entry, limit)}"
                problems.warn(limits.where, f"{subject}/{name}@{limit}", what)
    if jobs.per_entry.idle > jobs.per_entry.glideins:
        what = f"{jobs.per_entry.idle} idle pilots are above the limit of {jobs.per_entry.glideins} pilots"
        problems.warn(jobs.per_entry.where, f"{subject}/per_entry@idle", what)


def _walltime(entry: Entry | EntrySet, factory: Factory, problems: Problems) -> None:
    walltime = next(
        (a for a in (*entry.attrs, *factory.attrs) if a.name == "GLIDEIN_Max_Walltime"), None
    )
    if walltime and count_or(walltime.value, 1200) < 1200:
        what = f"{walltime.value} seconds leave no time for a job"
        problems.warn(walltime.where, "attr[GLIDEIN_Max_Walltime]@value", what)


def _platform(
    entry: Entry | EntrySet,
    factory: Factory,
    defaults: Mapping[str, str],
    offered: Iterable[Platform],
    problems: Problems,
) -> None:
    own = [a for a in entry.attrs if a.name in PLATFORMS]
    wanted = {**defaults, **{a.name: a.value for a in entry.attrs}}
    if not entry.enabled or tarballs.resolves(wanted, offered):
        return
    need = "-".join(wanted[k] for k in PLATFORMS)
    what, hint = (
        f"no condor_tarball offers version-os-arch {need}",
        "add a condor_tarball, or set CONDOR_VERSION",
    )
    everywhere = [a for a in factory.attrs if a.name in PLATFORMS]
    if own:
        problems.error(entry.where, f"entry[{name_of(entry)}]", what, hint)
    elif everywhere:
        problems.error(everywhere[0].where, f"attr[{everywhere[0].name}]", what, hint)
    else:
        # once for all entries that say nothing
        problems.error(factory.where, "glidein/condor_tarballs", what, hint)
