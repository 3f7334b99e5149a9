"""Values of entries that the types allow and that are probably slips: addresses, domains, directories, submit lines.

All of it is warnings: GlideinWMS 3.10 takes these, and one entry must not stop the others.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from glideinwms.creation.build.factory_entry import name_of, subs_of
from glideinwms.creation.checks import common_checks, known_names
from glideinwms.creation.xml import nodes
from glideinwms.creation.xml.factory_model import BareEntry, Entry, EntrySet, Factory, SubmitAttr
from glideinwms.creation.xml.problems import Problems, did_you_mean

WORK_DIRS = (".", "Condor", "CONDOR", "OSG", "TMPDIR", "AUTO")
DOMAINS = ("grid", "OSG")
# lines of the submit description that are made for each pilot
OURS = frozenset(
    """
    universe executable arguments grid_resource log output error environment queue transfer_executable
    transfer_input_files transfer_output_files when_to_transfer_output encrypt_input_files periodic_remove
    leave_in_queue x509userproxy use_scitokens scitokens_file arc_rsl notification copy_to_spool initialdir
""".split()
)
COMMANDS = frozenset(
    """
    request_cpus request_memory request_disk request_gpus batch_queue batch_project batch_runtime
    batch_extra_submit_args
    RequestCpus RequestMemory RequestDisk requirements rank priority job_lease_duration periodic_hold periodic_release
    on_exit_hold on_exit_remove accounting_group accounting_group_user concurrency_limits max_job_retirement_time
    job_max_vacate_time stream_output stream_error want_graceful_removal cream_attributes arc_resources arc_application
    arc_rte keystore_file delegate_job_GSI_credentials_lifetime gce_image gce_machine_type ec2_ami_id ec2_keypair
    +GlideinSkipIdleRemoval +maxWallTime +xcount +maxMemory +WantWholeNode +queue +remote_queue +JobProject
    +ProjectName +SingularityImage +DESIRED_Sites Request_GPUs
""".split()
)
# a count with a unit or a decimal comma
NO_COUNT = re.compile(r"\d+\s*[A-Za-z]+|\d+,\d+")
AMOUNTS = ("request", "+maxmemory", "+xcount", "+maxwalltime")
MACRO = re.compile(r"\$\$?(ENV|INT|REAL|RANDOM_CHOICE|RANDOM_INTEGER)?\([^()]*\)", re.IGNORECASE)
UNTOUCHED = "HTCondor takes it as a name or refuses the submit"


def check(factory: Factory, problems: Problems) -> None:
    """Values of the file's top, then of every entry."""
    _top(factory, problems)
    entries: list[Entry | EntrySet] = [*factory.entries, *factory.entry_sets]
    enabled = [sub.trust_domain for e in entries if e.enabled for sub in subs_of(e)]
    domains = known_names.odd_ones(
        [*enabled, *(sub.trust_domain for e in entries for sub in subs_of(e))], DOMAINS
    )
    for entry in entries:
        with problems.about(disabled=not entry.enabled):
            for sub in subs_of(entry):
                _entry(f"entry[{name_of(entry)}]", sub, domains, problems)
            _submit(f"entry[{name_of(entry)}]", entry.config.submit.submit_attrs, problems)


def _top(factory: Factory, problems: Problems) -> None:
    for word in factory.schedd_name.split(","):
        if word.strip() and (wrong := nodes.fault(word.strip(), ranges=False, schedd=True)):
            what = f"{word.strip()!r} {wrong}"
            problems.warn(factory.where, "glidein@schedd_name", what, "schedd1@host,schedd2@host")
    if factory.factory_collector not in ("", "None", "default"):
        for word in factory.factory_collector.split(","):
            if wrong := nodes.fault(word.strip(), ranges=False):
                what = f"{word.strip()!r} {wrong}"
                problems.warn(factory.where, "glidein@factory_collector", what, "host:port")
    for known in factory.security.frontends:
        user, _, host = known.identity.rpartition("@")
        if user and (not nodes.HOST.fullmatch(host) or not re.fullmatch(r"[\w.+/-]+", user)):
            what = f"{known.identity!r} is not user@host: no ad has such an identity"
            problems.warn(known.where, f"frontend[{known.name}]@identity", what)
        if re.search(r"[\s:;,]", known.name):
            what = f"{known.name!r} may not contain blanks, colons, semicolons or commas"
            problems.warn(
                known.where,
                f"frontend[{known.name}]@name",
                what,
                "write the Frontend's security_name",
            )


def _entry(subject: str, sub: BareEntry, domains: dict[str, str], problems: Problems) -> None:
    for attribute, wrong in (
        ("gatekeeper", _gatekeeper(sub)),
        ("trust_domain", _domain(sub.trust_domain, domains)),
        ("work_dir", _work_dir(sub.work_dir)),
        ("proxy_url", _proxy(sub.proxy_url)),
    ):
        if wrong:
            problems.warn(sub.where, f"{subject}@{attribute}", *wrong)
    if sub.auth_method != sub.auth_method.strip():
        problems.warn(
            sub.where, f"{subject}@auth_method", f"{sub.auth_method!r} has a blank", "remove it"
        )
    if open_at := common_checks.unbalanced(sub.rsl):
        problems.warn(sub.where, f"{subject}@rsl", f"has {open_at} without its other half")


def _gatekeeper(sub: BareEntry) -> tuple[str, str] | None:
    """What is wrong with the address of a CE (config 2.7)."""
    text, kind = sub.gatekeeper, sub.gridtype.partition(" ")[0]
    if "$" in text:
        return None
    words = text.split()
    if kind == "condor" and len(words) == 2:
        schedd, collector = words
        for word in words:
            if "://" in word:
                return f"{word!r} is a URL, not a host", "ce.example.org ce.example.org:9619"
        if wrong := nodes.fault(schedd, ranges=False, schedd=True):
            return f"the schedd's name {schedd!r} {wrong}", "ce.example.org ce.example.org:9619"
        if wrong := nodes.fault(collector, ranges=False):
            return f"the collector {collector!r} {wrong}", "ce.example.org ce.example.org:9619"
    elif kind in ("ec2", "gce") and not re.match(r"https?://[^/\s]+", text):
        return f"{text!r} is no URL", "https://host/path"
    elif kind in ("arc", "batch"):
        host = words[0] if words else text
        if kind == "arc":
            host = re.sub(r"^https?://", "", host).partition("/")[0]
        if len(words) > 1 or (wrong := nodes.fault(host, ranges=False, schedd=True)):
            return f"{text!r} is no host[:port]" + (
                "" if len(words) > 1 else f": {wrong}"
            ), "ce.example.org"
    return None


def _domain(domain: str, odd: dict[str, str]) -> tuple[str, str] | None:
    if not domain.strip():
        return (
            "is empty: no credential has such a trust domain",
            "leave it out, or name the credentials' one",
        )
    if re.search(r"[\s,;]", domain):
        return (
            f"{domain!r} is one word in the credentials, compared as it stands",
            "write one trust domain",
        )
    return (
        (f"{domain!r} is used nowhere else", f"did you mean {odd[domain]}?")
        if domain in odd
        else None
    )


@functools.lru_cache(maxsize=1024)
def _work_dir(text: str) -> tuple[str, str] | None:
    if text in WORK_DIRS or text.startswith("/") or "$" in text:
        return None
    hint = did_you_mean(text, WORK_DIRS) or f"{', '.join(WORK_DIRS)} or a whole path"
    return f"{text!r} is no directory that pilots know", hint


@functools.lru_cache(maxsize=1024)
def _proxy(text: str) -> tuple[str, str] | None:
    if text in ("", "OSG") or "$" in text:
        return None
    host = re.sub(r"^http://", "", text).rstrip("/")
    wrong = nodes.fault(host, ranges=False)
    if not wrong and ":" not in host:
        wrong = "has no port"
    return (f"{text!r} {wrong}", "host:port, or OSG") if wrong else None


def _submit(subject: str, attrs: Iterable[SubmitAttr], problems: Problems) -> None:
    rows = list(attrs)
    common_checks.once("submit_attr", ((a.name, a) for a in rows), problems)
    for attr in rows:
        where = f"{subject}/submit_attr[{attr.name}]"
        if attr.name.lower() in OURS:
            what = "is set for each pilot: this line takes the place of it"
            problems.warn(attr.where, f"{where}@name", what, "remove it")
        elif near := known_names.slip(attr.name, COMMANDS):
            problems.warn(
                attr.where,
                f"{where}@name",
                "is no submit command known here",
                f"did you mean {near}?",
            )
        if "value" not in attr.model_fields_set:
            problems.warn(
                attr.where, f"{where}@value", "is not given: All is written", "give the value"
            )
        elif wrong := _line(attr):
            problems.warn(attr.where, f"{where}@value", *wrong)


def _line(attr: SubmitAttr) -> tuple[str, str] | None:
    """What is wrong with the value of a submit line."""
    value = MACRO.sub("1", attr.value)
    if attr.name.startswith("+") or attr.name.lower().startswith("my."):
        if not common_checks.parses(value):
            return (
                f"{attr.value!r} is not a ClassAd expression, which +Attributes take",
                'write text as "text"',
            )
        if known_names.single_quoted(value):
            return f"{attr.value!r} names an attribute, it is no text", 'write text as "text"'
        return _amount(attr.name, attr.value)
    if open_at := common_checks.unbalanced(value):
        return f"{attr.value!r} has {open_at} without its other half", UNTOUCHED
    return _amount(attr.name, attr.value)


@functools.lru_cache(maxsize=1024)
def _amount(name: str, text: str) -> tuple[str, str] | None:
    number = name.lower().replace("_", "")
    if number in ("requestcpus", "requestgpus") and NO_COUNT.fullmatch(text.strip()):
        return f"{text!r} is no number", "write a number or an expression"
    if number.startswith(AMOUNTS) and re.fullmatch(r"[A-Za-z]+", text.strip()):
        return f"{text!r} is no number", "write a number or an expression"
    return None
