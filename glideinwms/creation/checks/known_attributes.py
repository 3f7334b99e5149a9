"""Entry attributes that a Frontend reads and no Factory is known to publish, though one with nearly that name is.

What entries publish beyond the system's attributes is the operators' own: only a name that is a slip of a known one
is spoken of (protocol 1.4, config 4.1). `validate --online` looks at what is really published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from glideinwms.creation.checks import common_checks, known_names
from glideinwms.creation.xml.frontend_model import Frontend, MatchAttr
from glideinwms.creation.xml.problems import Problems, Where
from glideinwms.lib.wire.factory_ads import GlideFactory

SOMETIMES = frozenset(
    {"GLIDEIN_GlobusRSL", "GLIDEIN_BoscoDir", "GLIDEIN_ProxyURL", "GLIDEIN_Downtime_Comment"}
)
# what Factories' entries commonly publish of the catalogue of config 4.1
COMMON = frozenset(
    {
        "GLIDEIN_Site",
        "GLIDEIN_ResourceName",
        "GLIDEIN_Supported_VOs",
        "GLIDEIN_Country",
        "GLIDEIN_CMSSite",
        "GLIDEIN_Max_Walltime",
        "GLIDEIN_Retire_Time",
        "GLIDEIN_Job_Max_Time",
        "GLIDEIN_CPUS",
        "GLIDEIN_ESTIMATED_CPUS",
        "GLIDEIN_NODES",
        "GLIDEIN_MaxMemMBs",
        "GLIDEIN_MaxMemMBs_Estimate",
        "GLIDEIN_DISK",
        "GLIDEIN_Resource_Slots",
        "GLIDEIN_SINGULARITY_REQUIRE",
        "GLIDEIN_REQUIRED_OS",
        "GLIDEIN_OVERLOAD_ENABLED",
        "GLIDEIN_CVMFS",
        "GLIDEIN_MULTIGLIDEIN",
        "CONDOR_VERSION",
        "CONDOR_OS",
        "CONDOR_ARCH",
        "MIN_DISK_GBS",
    }
)
FIXED = frozenset(f.metadata["attr"] for f in fields(GlideFactory) if "attr" in f.metadata)
WORDS = common_checks.SYSTEM | SOMETIMES | COMMON | FIXED | {"GLIDEIN_GPUS"}
KNOWN = {n.lower(): n for n in sorted(WORDS)}


def check(frontend: Frontend, problems: Problems) -> None:
    """Warn of such names in match_attrs and in query_expr."""
    for subject, match in (
        ("match", frontend.match),
        *((f"group[{g.name}]/match", g.match) for g in frontend.groups),
    ):
        for side, part in (("factory", match.factory), ("job", match.job)):
            once(f"{subject}/{side}/match_attr", part.match_attrs, problems)
        for attr in match.factory.match_attrs:
            # a match expression finds a name only as it is written, a query in any case
            if attr.name != KNOWN.get(attr.name.lower()):
                _slip(attr.name, f"{subject}/factory/match_attr[{attr.name}]", attr.where, problems)
        for attr in match.job.match_attrs:
            near = known_names.slip(attr.name, known_names.JOB_ATTRS)
            if near.lower() not in ("", attr.name.lower()):
                what = f"jobs usually have no {attr.name}"
                problems.warn(
                    attr.where,
                    f"{subject}/job/match_attr[{attr.name}]",
                    what,
                    f"did you mean {near}?",
                )
        for name in common_checks.references(match.factory.query_expr):
            if name.lower() not in KNOWN:
                _slip(name, f"{subject}/factory@query_expr", match.factory.where, problems)


def once(tag: str, found: Iterable[MatchAttr], problems: Problems) -> None:
    """Warn of a match_attr that is twice in one list; the first counts."""
    seen: dict[str, Where] = {}
    for attr in found:
        if attr.name in seen:
            problems.warn(
                attr.where,
                f"{tag}[{attr.name}]",
                f"is also at {seen[attr.name]}, which counts",
                "remove one",
            )
        seen.setdefault(attr.name, attr.where)


def _slip(name: str, subject: str, where: Where, problems: Problems) -> None:
    if near := known_names.slip(name, WORDS):
        problems.warn(
            where, subject, f"no Factory is known to publish {name}", f"did you mean {near}?"
        )
