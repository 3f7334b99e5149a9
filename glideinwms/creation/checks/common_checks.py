"""Checks that both files need: names that repeat or cannot be names, URLs, ClassAd expressions."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from glideinwms.creation.checks import (
    attr_numbers,
    attr_values,
    characters,
    expression_hints,
    known_names,
)
from glideinwms.creation.xml import nodes
from glideinwms.creation.xml.common_model import FrontendAttr
from glideinwms.creation.xml.elements import Element
from glideinwms.creation.xml.problems import Problems, Where, did_you_mean

ATTR = re.compile(r"[A-Za-z0-9._-]+")
# entry attributes that the system publishes: no match_attr needs to name them (config 4)
SYSTEM = frozenset(
    {
        "GLIDEIN_Gatekeeper",
        "GLIDEIN_GridType",
        "GLIDEIN_REQUIRE_VOMS",
        "GLIDEIN_TrustDomain",
        "GLIDEIN_SlotsLayout",
        "GLIDEIN_SupportedAuthenticationMethod",
        "GLIDEIN_WorkDir",
        "GLIDEIN_Verbosity",
        "GLIDEIN_In_Downtime",
    }
)
# attributes of type expr that HTCondor evaluates for each job or machine
EXPRESSIONS = frozenset(
    f"{who}_{what}"
    for who in ("GLIDEIN", "GLIDEIN_Entry", "GLIDECLIENT", "GLIDECLIENT_Group")
    for what in ("Start", "Hold", "PREEMPT", "Rank")
) | {"GLIDEIN_Custom_Start", "WANT_VACATE", "START", "PREEMPT", "RANK", "SiteWMS_WN_Draining"}
# an empty text, a number, a string without escapes, True or False
LITERAL = re.compile(r'\s*(?:-?[0-9]{1,15}|"[^"\\\r\n$]*"|True|False)?\s*')
REFERENCE = re.compile(r"\$\$?\([^()]*\)")


def attrs(attributes: Iterable[FrontendAttr], problems: Problems) -> None:
    """Check the attributes of one list. Pilots read lines of a name and a value, and the last line
    of a name counts.
    """
    rows = list(attributes)
    for attr in rows:
        if not _is_one_word(attr.name):
            what = "may contain letters, digits, dot, - and _ only"
            problems.error(attr.where, f"attr[{attr.name}]@name", what, characters.hint(attr.name))
        attr_numbers.check(attr, problems)
        attr_values.check(attr, problems)
        if attr.type == "expr":
            _expression(attr, problems)
    once("attr", ((attr.name, attr) for attr in rows), problems)


@functools.lru_cache(maxsize=4096)
def _is_one_word(name: str) -> bool:
    return bool(ATTR.fullmatch(name))


def _expression(attr: FrontendAttr, problems: Problems) -> None:
    """Type expr is what HTCondor's configuration takes unquoted: a ClassAd expression in few of
    them, else any text.
    """
    subject = f"attr[{attr.name}]@value"
    if attr.name in EXPRESSIONS and not parses(attr.value):
        what = f"{attr.value!r} is not a ClassAd expression"
        hint = expression_hints.for_classad(attr.value) or "pilots' HTCondor may refuse it"
        problems.warn(attr.where, subject, what, hint)
    elif open_at := unbalanced(attr.value):
        problems.warn(attr.where, subject, f"{attr.value!r} has {open_at} without its other half")
    elif attr.name in EXPRESSIONS:
        _doubtful(attr.value, subject, attr.where, problems)


@functools.lru_cache(maxsize=4096)
def unbalanced(text: str) -> str:
    """A quote or bracket without its other half, or ""."""
    rest = known_names.STRING.sub("", text)
    if '"' in rest:
        return 'a "'
    pairs = (("(", ")"), ("[", "]"), ("{", "}"))
    return next(
        (
            f"a {left if rest.count(left) > rest.count(right) else right}"
            for left, right in pairs
            if rest.count(left) != rest.count(right)
        ),
        "",
    )


def _doubtful(text: str, subject: str, where: Where, problems: Problems) -> None:
    """What HTCondor parses and does not evaluate as it is meant."""
    for name in known_names.strange_functions(text):
        hint = did_you_mean(name, known_names.FUNCTIONS)
        problems.warn(where, subject, f"HTCondor has no function {name}", hint)
    for quoted in known_names.single_quoted(text):
        what = f"{quoted} names an attribute, it is no text"
        problems.warn(where, subject, what, f'write "{quoted[1:-1]}"')


def once(tag: str, rows: Iterable[tuple[str, Element]], problems: Problems) -> None:
    """Warn of a name that an element before it in the same list has."""
    seen: dict[str, Where] = {}
    for name, row in rows:
        if name in seen:
            problems.warn(row.where, f"{tag}[{name}]", f"is also at {seen[name]}; this one counts")
        seen[name] = row.where


def url(text: str, where: Where, problems: Problems) -> None:
    """Pilots download by HTTP."""
    match = re.match(r"https?://([^/:\s]+)(:\d+)?(/[^\s;,|]*)?$", text)
    if not match or not nodes.HOST.fullmatch(match[1]):
        problems.warn(
            where,
            "stage@web_base_url",
            f"{text!r} is no URL that pilots can use",
            "http://host/path",
        )


def directories(element: Element, tag: str, names: Iterable[str], problems: Problems) -> None:
    """Directories of an element; the daemon and every command run in one of their own."""
    for name in names:
        if not (text := getattr(element, name)).startswith("/"):
            problems.error(
                element.where, f"{tag}@{name}", f"{text!r} is not absolute", "write the whole path"
            )


def rests(loop_delay: float, subject: str, where: Where, problems: Problems) -> None:
    """A daemon that begins the next cycle at once asks schedds and collectors without end."""
    if loop_delay < 1:
        problems.warn(
            where,
            f"{subject}@loop_delay",
            f"{loop_delay:g}: the daemon never rests",
            "60 is the default",
        )


def classad(text: str, subject: str, where: Where, problems: Problems) -> None:
    """A ClassAd expression that cannot be parsed makes each query with it fail."""
    if not parses(text):
        hint = expression_hints.for_classad(text)
        problems.error(where, subject, f"{text!r} is not a ClassAd expression", hint)
    else:
        _doubtful(text, subject, where, problems)


@functools.lru_cache(maxsize=4096)
def parses(text: str) -> bool:
    """Return whether HTCondor can parse a ClassAd expression; `$(X)` references count as values.

    An empty text is accepted. Plain literals, which most values are, do not need HTCondor's parser.
    """
    if LITERAL.fullmatch(text):
        return True
    import classad2

    try:
        classad2.ExprTree(REFERENCE.sub("undefined", text))
    except (classad2.ClassAdException, ValueError, SyntaxError):
        return False
    return True


def references(text: str) -> list[str]:
    """The attributes that a ClassAd expression reads, without scope; none of one that cannot be
    parsed.
    """
    if LITERAL.fullmatch(text):
        return []
    import classad2

    try:
        found = classad2.ClassAd().externalRefs(classad2.ExprTree(REFERENCE.sub("undefined", text)))
    except (classad2.ClassAdException, ValueError, SyntaxError):
        return []
    return sorted({name.rpartition(".")[2] for name in found})
