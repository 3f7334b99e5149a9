"""The match law of a group: global and group parts merged, with the place of each (protocol 5.3, config 3.4, 9, 10)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from glideinwms.creation.common_checks import SYSTEM
from glideinwms.creation.frontend_model import Frontend, Group, Match, MatchAttr
from glideinwms.creation.frontend_policyfiles import Declared
from glideinwms.creation.never import never
from glideinwms.creation.placement import ONE_LINE
from glideinwms.creation.problems import Problems, did_you_mean
from glideinwms.frontend.decide.pyexpr import conjuncts
from glideinwms.frontend.policy import Expression
from glideinwms.frontend.policy import MatchAttr as PolicyAttr
from glideinwms.lib.errors import ConfigError

CORES = 'getGlideinCpusNum(glidein) >= int(job.get("RequestCpus", 1))'
IMPLICIT_FACTORY = (("GLIDEIN_CPUS", "string"), ("GLIDEIN_ESTIMATED_CPUS", "string"), ("GLIDEIN_NODES", "string"))
IMPLICIT_JOB = (("RequestCpus", "int"),)
STARTS = ("GLIDECLIENT_Start", "GLIDECLIENT_Group_Start")
Part = TypeVar("Part", Frontend, Group)
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
    frontend: Frontend, group: Group, singularity: str, declared: Mapping[str, Declared], problems: Problems
) -> Law:
    """The merged law; `singularity` is the group's GLIDEIN_Singularity_Use, `declared` what the policy files add."""
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
    match = [_expression(m, what) for m, what in exprs if m is None or m.match_expr.strip() not in ("", "True")]
    if expression:
        match.append(Expression(expression, f"{g.where}: GLIDEIN_Singularity_Use"))
    known = (
        {a.name for a in job_attrs},
        {a.name for a in factory_attrs} | SYSTEM | ({REQUIRE} if expression else set()),
    )
    sound = [_check(m, what, known, problems) for m, what in ((g, "match"), (p, f"group[{group.name}]/match"))]
    _warn_never((g, p), sound, group.name, problems)
    return Law(
        tuple(match),
        functools.reduce(both, (p.job.query_expr, *(f.job_query for f in files)), g.job.query_expr),
        functools.reduce(both, (p.factory.query_expr, *(f.factory_query for f in files), query), g.factory.query_expr),
        both(g.start_expr, p.start_expr),
        job_attrs,
        factory_attrs,
        tuple(str(f.path) for f in files),
    )


def folded(frontend: Frontend, problems: Problems) -> Frontend:
    """The file with the attributes that were START expressions before `start_expr` made part of it (config 3.4)."""
    groups = tuple(_folded(g, f"group[{g.name}]/match", problems) for g in frontend.groups)
    return _folded(frontend, "match", problems).model_copy(update={"groups": groups})


def _folded(part: Part, subject: str, problems: Problems) -> Part:
    found = [a for a in part.attrs if a.name in STARTS]
    if not found:
        return part
    for attr in found:
        what = f"is added to {subject}@start_expr"
        problems.warn(attr.where, f"attr[{attr.name}]", what, "write it there")
    start = functools.reduce(both, (ONE_LINE.sub(" ", a.value) for a in found), part.match.start_expr)
    rest = tuple(a for a in part.attrs if a.name not in STARTS)
    return part.model_copy(update={"attrs": rest, "match": part.match.model_copy(update={"start_expr": start})})


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
    """Union, the first of a name wins; a group that gives another type than the global one is refused."""
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
        return f'({REQUIRE} =!= UNDEFINED) && ({REQUIRE} =!= "NEVER")', f'{got} not in ("", "NEVER")'
    if use == "NEVER":
        query = f'({REQUIRE} =!= "REQUIRED") && ({REQUIRE} =!= "REQUIRED_GWMS")'
        return query, f'{got} not in ("REQUIRED", "REQUIRED_GWMS")'
    return "", ""


def _check(match: Match, subject: str, known: tuple[set[str], set[str]], problems: Problems) -> bool:
    """The expression parses (else False), and reads only what the match_attrs declare."""
    try:
        found = conjuncts(match.match_expr, f"{match.where}: {subject}@match_expr")
    except ConfigError as error:
        problems.error(match.where, f"{subject}@match_expr", error.message, error.hint)
        return False
    for part in found:
        seen: Mapping[str, set[str]] = {
            "job": set(part.reads.job or ()),
            "factory": {n for kind, n in part.reads.glidein or () if kind == "attrs"},
        }
        for (side, names), declared in zip(seen.items(), known, strict=True):
            for name in sorted(names - declared):
                hint = did_you_mean(name, declared) or f"add it to match/{side}/match_attrs"
                problems.warn(match.where, f"{subject}@match_expr", f"{side} attribute {name} is not declared", hint)
    return True


def _warn_never(matches: Sequence[Match], sound: Sequence[bool], group: str, problems: Problems) -> None:
    """Say where no job can match: at the global part if that alone is to blame, else at the group's."""
    texts = [m.match_expr if good else "True" for m, good in zip(matches, sound, strict=True)]
    alone = list(never(texts[:1]))
    hint = "no job matches any entry; give enabled=False if that is meant"
    for why in alone:
        problems.warn(matches[0].where, "match@match_expr", why, hint)
    for why in never(texts):
        if why not in alone:
            problems.warn(matches[1].where, f"group[{group}]/match@match_expr", why, hint)
