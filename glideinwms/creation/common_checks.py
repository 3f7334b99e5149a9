"""Checks that both files need: names that repeat or cannot be names, URLs, ClassAd expressions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from glideinwms.creation import attr_numbers
from glideinwms.creation.common_model import FrontendAttr
from glideinwms.creation.elements import Element
from glideinwms.creation.problems import Problems, Where

ATTR = re.compile(r"[A-Za-z0-9._-]+")
# entry attributes that the system publishes: no match_attr needs to name them (config 4)
SYSTEM = frozenset({
    "GLIDEIN_Gatekeeper", "GLIDEIN_GridType", "GLIDEIN_REQUIRE_VOMS", "GLIDEIN_TrustDomain", "GLIDEIN_SlotsLayout",
    "GLIDEIN_SupportedAuthenticationMethod", "GLIDEIN_WorkDir", "GLIDEIN_Verbosity", "GLIDEIN_In_Downtime",
})  # fmt: skip
REFERENCE = re.compile(r"\$\$?\([^()]*\)")
# of two long names: one letter more, less or other
SLIP = 0.94


def attrs(found: Iterable[FrontendAttr], problems: Problems) -> None:
    """The attributes of one list: pilots read `name value` lines, so a name is one word; of equal names the last
    counts."""
    rows = list(found)
    for attr in rows:
        if not ATTR.fullmatch(attr.name):
            problems.error(attr.where, f"attr[{attr.name}]@name", "may contain letters, digits, dot, - and _ only")
        attr_numbers.check(attr, problems)
        if attr.type == "expr" and not parses(attr.value):
            what = f"{attr.value!r} is not a ClassAd expression"
            problems.warn(attr.where, f"attr[{attr.name}]@value", what, "pilots' HTCondor may not take it")
    once("attr", ((a.name, a) for a in rows), problems)


def once(tag: str, rows: Iterable[tuple[str, Element]], problems: Problems) -> None:
    """Warn of a name that an element before it in the same list has."""
    seen: dict[str, Where] = {}
    for name, row in rows:
        if name in seen:
            problems.warn(row.where, f"{tag}[{name}]", f"is also at {seen[name]}; this one counts")
        seen[name] = row.where


def nearly(name: str, known: Mapping[str, str]) -> str:
    """The known name (by its lower-case form) of which this is a slip, or ""."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=SLIP)
    return known[near[0]] if near else ""


def url(text: str, where: Where, problems: Problems) -> None:
    """Pilots download by HTTP."""
    if not re.match(r"https?://[^/\s]", text):
        problems.warn(where, "stage@web_base_url", f"{text!r} is no URL that pilots can use", "http://host/path")


def directories(element: Element, tag: str, names: Iterable[str], problems: Problems) -> None:
    """Directories of an element; the daemon and every command run in one of their own."""
    for name in names:
        if not (text := getattr(element, name)).startswith("/"):
            problems.error(element.where, f"{tag}@{name}", f"{text!r} is not absolute", "write the whole path")


def rests(loop_delay: float, subject: str, where: Where, problems: Problems) -> None:
    """A daemon that begins the next cycle at once asks schedds and collectors without end."""
    if loop_delay < 1:
        problems.warn(where, f"{subject}@loop_delay", f"{loop_delay:g}: the daemon never rests", "60 is the default")


def classad(text: str, subject: str, where: Where, problems: Problems) -> None:
    """A ClassAd expression that cannot be parsed makes each query with it fail."""
    if not parses(text):
        problems.error(where, subject, f"{text!r} is not a ClassAd expression")


def parses(text: str) -> bool:
    """Whether it is a ClassAd expression, or nothing; references stand for a value."""
    if text.strip() in ("", "True"):
        return True
    import classad2

    try:
        classad2.ExprTree(REFERENCE.sub("undefined", text))
    except (classad2.ClassAdException, ValueError, SyntaxError):
        return False
    return True


def references(text: str) -> list[str]:
    """The attributes that a ClassAd expression reads, without scope; none of one that cannot be parsed."""
    if text.strip() in ("", "True"):
        return []
    import classad2

    try:
        found = classad2.ClassAd().externalRefs(classad2.ExprTree(REFERENCE.sub("undefined", text)))
    except (classad2.ClassAdException, ValueError, SyntaxError):
        return []
    return sorted({name.rpartition(".")[2] for name in found})
