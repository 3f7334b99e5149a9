"""Values of a Frontend's file that the types allow and that are probably slips. All of it is warnings."""

from __future__ import annotations

import re
from pathlib import Path

from glideinwms.creation.checks import attr_values, known_names
from glideinwms.creation.xml import nodes
from glideinwms.creation.xml.frontend_model import (
    Credential,
    FactoryCollector,
    Frontend,
    GroupSecurity,
)
from glideinwms.creation.xml.problems import Problems

IDENTITY = re.compile(r"[^@\s,:]+@[^@\s,]+")
# hours, beyond which a number is probably meant in seconds
LONGEST_TOKEN = 24 * 366
DOMAINS = ("grid", "OSG")


def check(frontend: Frontend, problems: Problems) -> None:
    """Identities, names, trust domains, and who stands in for whom."""
    groups = frontend.groups
    attr_values.names([*frontend.attrs, *(a for g in groups for a in g.attrs)], (), problems)
    for match in (frontend.match, *(g.match for g in groups)):
        for collector in match.factory.collectors:
            _identities(collector, problems)
    places = [
        ("security", frontend.security),
        *((f"group[{g.name}]/security", g.security) for g in groups),
    ]
    _domains([c for _, s in places for c in s.credentials], problems)
    for subject, security in places:
        _lifetime(subject, security, problems)
    for master in frontend.high_availability.ha_frontends:
        if master.frontend_name == frontend.frontend_name:
            what = "is this Frontend itself: it would wait for itself"
            problems.warn(master.where, "ha_frontend@frontend_name", what, "name the master")


def _identities(collector: FactoryCollector, problems: Problems) -> None:
    for name in ("factory_identity", "my_identity"):
        value = getattr(collector, name)
        host = value.rpartition("@")[2]
        if not IDENTITY.fullmatch(value) or not nodes.HOST.fullmatch(host):
            what = f"{value!r} is not user@host: no ad has such an identity"
            problems.warn(collector.where, f"collector[{collector.node}]@{name}", what)
    if collector.my_identity == collector.factory_identity:
        what = "is the Factory's identity as well"
        hint = "write the identity that this Frontend has at that collector"
        problems.warn(collector.where, f"collector[{collector.node}]@my_identity", what, hint)


def _domains(credentials: list[Credential], problems: Problems) -> None:
    odd = known_names.odd_ones((c.trust_domain for c in credentials), DOMAINS)
    classes = known_names.odd_ones((c.security_class for c in credentials), ("frontend",))
    for credential in credentials:
        subject = f"credential[{credential.absfname or credential.generator}]"
        domain = credential.trust_domain
        if not domain.strip() or re.search(r"[\s,;]", domain):
            what = f"{domain!r} is compared as it stands with the entries' trust_domain, which is one word"
            problems.warn(credential.where, f"{subject}@trust_domain", what)
        elif domain in odd:
            what = f"{domain!r} is probably no entry's"
            problems.warn(
                credential.where, f"{subject}@trust_domain", what, f"did you mean {odd[domain]}?"
            )
        if re.search(r"[\s:;,]", credential.security_class):
            what = f"{credential.security_class!r} may not contain blanks, colons, semicolons or commas"
            problems.warn(credential.where, f"{subject}@security_class", what)
        elif near := classes.get(credential.security_class):
            what = f"{credential.security_class!r} is probably unknown to Factories"
            problems.warn(
                credential.where, f"{subject}@security_class", what, f"did you mean {near}?"
            )
        for name in ("remote_username", "project_id", "vm_id", "vm_type"):
            value = getattr(credential, name)
            if value != value.strip() or re.search(r"\s", value):
                problems.warn(credential.where, f"{subject}@{name}", f"{value!r} contains a blank")


def _lifetime(subject: str, security: GroupSecurity, problems: Problems) -> None:
    if (security.idtoken_lifetime or 0) > LONGEST_TOKEN:
        what = f"{security.idtoken_lifetime} hours are hardly meant"
        problems.warn(security.where, f"{subject}@idtoken_lifetime", what, "it is in hours")


def signing_keys(frontend: Frontend, passwords: Path, problems: Problems) -> None:
    """A key that is named must be there, if that can be seen here."""
    try:
        there = {path.name for path in passwords.iterdir()}
    except OSError:
        return
    places = [
        ("security", frontend.security),
        *((f"group[{g.name}]/security", g.security) for g in frontend.groups),
    ]
    for subject, security in places:
        if security.idtoken_keyname and security.idtoken_keyname not in there:
            what = f"there is no key {passwords / security.idtoken_keyname}"
            hint = "make it, or name one that is there; a pilot gets no token without"
            problems.warn(security.where, f"{subject}@idtoken_keyname", what, hint)
