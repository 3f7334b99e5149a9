"""Merge the match expressions and queries of a group with the global ones, each with its place.

See protocol 5.3 and config 3.4, 9, 10.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from glideinwms.creation.build.attribute_placement import ONE_LINE
from glideinwms.creation.build.frontend_policy_files import Declared
from glideinwms.creation.checks import expression_hints, match_types
from glideinwms.creation.checks.common_checks import SYSTEM
from glideinwms.creation.checks.unsatisfiable import never
from glideinwms.creation.xml.frontend_model import Frontend, Group, Match, MatchAttr
from glideinwms.creation.xml.problems import Problems, Where, nearest
from glideinwms.frontend.decide.match.expression import Conjunct, ExpressionReads, conjuncts
from glideinwms.frontend.policy import Expression
from glideinwms.frontend.policy import MatchAttribute as PolicyAttr
from glideinwms.lib.errors import ConfigError

PYTHON_PLACE = re.compile(r"(?: \(detected at line \d+\))?(?: \(<unknown>, line \d+\))?$")
CORES = 'getGlideinCpusNum(glidein) >= int(job.get("RequestCpus", 1))'
IMPLICIT_FACTORY = (
    ("GLIDEIN_CPUS", "string"),
    ("GLIDEIN_ESTIMATED_CPUS", "string"),
    ("GLIDEIN_NODES", "string"),
)
IMPLICIT_JOB = (("RequestCpus", "int"),)
STARTS = ("GLIDECLIENT_Start", "GLIDECLIENT_Group_Start")
Part = TypeVar("Part", Frontend, Group)
# of two names of attributes: a letter or two more, less or other
SLIP = 0.85
REQUIRE = "GLIDEIN_SINGULARITY_REQUIRE"


@dataclass(frozen=True, slots=True)
class Law:
    """What decides which entries a group's jobs fit."""

    match: tuple[Expression, ...]
    job_query: str
    factory_query: str
    start_expr: str
    job_attrs: tuple[PolicyAttr, ...]
    factory_attrs: tuple[PolicyAttr, ...]
    policy_files: tuple[str, ...]


def law_of(
    frontend: Frontend,
    group: Group,
    singularity: str,
    declared: Mapping[str, Declared],
    problems: Problems,
) -> Law:
    """The merged law; `singularity` is the group's GLIDEIN_Singularity_Use, `declared` what the
    policy files add.
    """
    g, p = frontend.match, group.match
    files = [declared[m.policy_file] for m in (g, p) if m.policy_file in declared]
    files = list({f.path: f for f in files}.values())
    subject = f"group[{group.name}]"
    of_jobs = [*p.job.match_attrs, *(a for f in files for a in f.job_attrs)]
    of_entries = [*p.factory.match_attrs, *(a for f in files for a in f.factory_attrs)]
    job_attrs = merged(g.job.match_attrs, of_jobs, IMPLICIT_JOB, subject, problems)
    factory_attrs = merged(g.factory.match_attrs, of_entries, IMPLICIT_FACTORY, subject, problems)
    query, expression = _singularity(singularity)
    exprs = [(g, "match"), (None, CORES), (p, f"group[{group.name}]/match")]
    match = [
        _expression(m, what)
        for m, what in exprs
        if m is None or m.match_expr.strip() not in ("", "True")
    ]
    if expression:
        match.append(Expression(expression, f"{g.where}: GLIDEIN_Singularity_Use"))
    known = (
        {a.name for a in job_attrs},
        {a.name for a in factory_attrs} | SYSTEM | ({REQUIRE} if expression else set()),
    )
    types = match_types.Declared(
        {a.name: a.type for a in job_attrs},
        {**dict.fromkeys(SYSTEM, "string"), **{a.name: a.type for a in factory_attrs}},
        {a.name: "int" if a.type == "int" else "string" for a in (*frontend.attrs, *group.attrs)},
    )
    places = _places(frontend, group)
    sound = [
        _check(m, what, known, types, places, problems)
        for m, what in ((g, "match"), (p, f"group[{group.name}]/match"))
    ]
    _warn_never((g, p), sound, group.name, problems)
    return Law(
        tuple(match),
        functools.reduce(both, (p.job.query_expr, *(f.job_query for f in files)), g.job.query_expr),
        functools.reduce(
            both,
            (p.factory.query_expr, *(f.factory_query for f in files), query),
            g.factory.query_expr,
        ),
        both(g.start_expr, p.start_expr),
        job_attrs,
        factory_attrs,
        tuple(str(f.path) for f in files),
    )


def folded(frontend: Frontend, problems: Problems) -> Frontend:
    """The file with the attributes that were START expressions before `start_expr` made part of it
    (config 3.4).
    """
    groups = tuple(_folded(g, f"group[{g.name}]/match", problems) for g in frontend.groups)
    return _folded(frontend, "match", problems).model_copy(update={"groups": groups})


def _folded(part: Part, subject: str, problems: Problems) -> Part:
    found = [a for a in part.attrs if a.name in STARTS]
    if not found:
        return part
    for attr in found:
        what = f"is added to {subject}@start_expr"
        problems.warn(attr.where, f"attr[{attr.name}]", what, "write it there")
    start = functools.reduce(
        both, (ONE_LINE.sub(" ", a.value) for a in found), part.match.start_expr
    )
    rest = tuple(a for a in part.attrs if a.name not in STARTS)
    return part.model_copy(
        update={"attrs": rest, "match": part.match.model_copy(update={"start_expr": start})}
    )


def both(one: str, other: str) -> str:
    """Two ClassAd expressions ANDed; a bare True is left out."""
    parts = [t for t in (one.strip(), other.strip()) if t and t.lower() != "true"]
    return " && ".join(f"({t})" for t in parts) if len(parts) > 1 else (parts or ["True"])[0]


def _expression(match: Match | None, text: str) -> Expression:
    if match is None:
        return Expression(text, "(implicit) RequestCpus")
    return Expression(match.match_expr, f"{match.where}: {text}@match_expr")


def merged(
    g: Iterable[MatchAttr],
    p: Iterable[MatchAttr],
    implicit: Iterable[tuple[str, str]],
    subject: str,
    problems: Problems,
) -> tuple[PolicyAttr, ...]:
    """Union, the first of a name wins; a group that gives another type than the global one is
    refused.
    """
    out: dict[str, PolicyAttr] = {}
    for attr in (*g, *p):
        first = out.setdefault(attr.name, PolicyAttr(attr.name, attr.type))
        if first.type != attr.type:
            what = f"is {attr.type} here and {first.type} in the global match_attrs"
            problems.error(attr.where, f"{subject}/match_attr[{attr.name}]@type", what)
    for name, kind in implicit:
        out.setdefault(name, PolicyAttr(name, kind))
    return tuple(out.values())


def _singularity(use: str) -> tuple[str, str]:
    """(factory query, match expression) that a Frontend's GLIDEIN_Singularity_Use adds (config 10)."""
    got = f'glidein["attrs"].get("{REQUIRE}", "")'
    if use == "REQUIRED":
        return (
            f'({REQUIRE} =!= UNDEFINED) && ({REQUIRE} =!= "NEVER")',
            f'{got} not in ("", "NEVER")',
        )
    if use == "NEVER":
        query = f'({REQUIRE} =!= "REQUIRED") && ({REQUIRE} =!= "REQUIRED_GWMS")'
        return query, f'{got} not in ("REQUIRED", "REQUIRED_GWMS")'
    return "", ""


def _places(frontend: Frontend, group: Group) -> dict[str, dict[str, Where]]:
    """Where the match_attrs of each side are declared that no match expression reads."""
    found: dict[str, dict[str, Where]] = {}
    read = [part.reads for m in (frontend.match, group.match) for part in _parts(m)]
    for side in ("job", "factory"):
        declared = [
            *getattr(frontend.match, side).match_attrs,
            *getattr(group.match, side).match_attrs,
        ]
        used = {n for r in read for n in _names(r, side)}
        found[side] = {a.name: a.where for a in declared if a.name not in used}
    return found


def _parts(match: Match) -> tuple[Conjunct, ...]:
    try:
        return conjuncts(match.match_expr, "")
    except ConfigError:
        return ()


def _names(reads: ExpressionReads, side: str) -> set[str]:
    """What is read of jobs, or of what entries publish."""
    return (
        set(reads.job or ())
        if side == "job"
        else {n for kind, n in reads.glidein or () if kind == "attrs"}
    )


def _check(
    match: Match,
    subject: str,
    known: tuple[set[str], set[str]],
    types: match_types.Declared,
    unread: Mapping[str, Mapping[str, Where]],
    problems: Problems,
) -> bool:
    """The expression parses (else False), reads only what the match_attrs declare, and compares
    what can be.
    """
    subject = f"{subject}@match_expr"
    try:
        found = conjuncts(match.match_expr, f"{match.where}: {subject}")
    except ConfigError as error:
        # Python's own place is a line of the expression, not of the file
        message = PYTHON_PLACE.sub("", error.message)
        hint = error.hint
        if isinstance(error.__cause__, SyntaxError):
            hint = expression_hints.for_python(match.match_expr)
        problems.error(match.where, subject, message, hint)
        return False
    for part in found:
        for side, declared in zip(("job", "factory"), known, strict=True):
            for name in sorted(_names(part.reads, side) - declared):
                hint = _declare(name, side, declared, unread[side])
                problems.warn(
                    match.where, subject, f"{side} attribute {name} is not declared", hint
                )
    for wrong in match_types.mismatches(match.match_expr, types):
        problems.warn(match.where, subject, wrong.what, wrong.hint)
    return True


def _declare(name: str, side: str, declared: set[str], unread: Mapping[str, Where]) -> str:
    """What to do about an attribute that is not declared: another one of nearly that name may be
    misspelt.
    """
    add = f"add it to match/{side}/match_attrs"
    if near := nearest(name, unread, SLIP):
        return f"{add}, or correct match_attr {near} at {unread[near]}, which no match_expr reads"
    near = nearest(name, declared, SLIP)
    return f"{add}; did you mean {near}?" if near else add


def _warn_never(
    matches: Sequence[Match], sound: Sequence[bool], group: str, problems: Problems
) -> None:
    """Say where no job can match: at the global part if that alone is to blame, else at the
    group's.
    """
    texts = [m.match_expr if good else "True" for m, good in zip(matches, sound, strict=True)]
    alone = list(never(texts[:1]))
    hint = "no job matches any entry; give enabled=False if that is meant"
    for why in alone:
        problems.warn(matches[0].where, "match@match_expr", why, hint)
    for why in never(texts):
        if why not in alone:
            problems.warn(matches[1].where, f"group[{group}]/match@match_expr", why, hint)
