"""Which credentials serve an entry, and how a request is shared among them (protocol 3.3, 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from glideinwms.lib.credentials import methods
from glideinwms.lib.errors import ConfigError

Shuffle = Callable[[list[int]], list[int]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configured credential as selection sees it: `type` is `+`-joined; `parameters` are further
    words that it supplies, where they are no part of the type (3.11).
    """

    id: str
    type: str
    trust_domain: str
    parameters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SelectedShare:
    """A credential's part of one request; `project` only from ProxyProjectName."""

    credential: Candidate
    idle: int
    max_glideins: int
    project: str = ""


@dataclass(frozen=True, slots=True)
class CredentialDemand:
    """What selection plug-ins ask of the jobs: distinct users, all idle jobs, idle jobs per project
    in order of first appearance ("" for those without one).
    """

    users: int = 0
    idle_jobs: int = 0
    projects: Mapping[str, int] | None = None


def serves(candidate: Candidate, trust_domain: str, auth_method: str) -> bool:
    """Trust domains equal, and every word of the entry's method among the credential's types; a
    token also serves an entry that asks for a proxy (protocol 3.3). Of a method of 3.11, one
    alternative of each group (config 16).
    """
    if candidate.trust_domain != trust_domain:
        return False
    types = candidate.parameters.union(candidate.type.split("+"))
    if methods.grouped(auth_method):
        return methods.settled(auth_method, types) != ""
    wanted = set(auth_method.split("+"))
    return wanted <= types or ("grid_proxy" in wanted and "scitoken" in types)


def select(
    plugin: str,
    candidates: Sequence[Candidate],
    trust_domain: str,
    auth_method: str,
    idle: int,
    max_glideins: int,
    demand: CredentialDemand,
    shuffle: Shuffle,
) -> list[SelectedShare]:
    """The credentials that serve the entry, with their shares; none if no credential does."""
    fit = [c for c in candidates if serves(c, trust_domain, auth_method)]
    if plugin in ("ProxyAll", "CredentialsBasic"):
        return split(fit, idle, max_glideins, shuffle)
    if plugin == "ProxyFirst":
        return [SelectedShare(c, idle, max_glideins) for c in fit[:1]]
    if plugin == "ProxyUserCardinality":
        return split(fit[: demand.users], idle, max_glideins, shuffle)
    if plugin == "ProxyProjectName":
        return _by_project(fit[:1], idle, max_glideins, demand)
    raise ConfigError(f"proxy_selection_plugin {plugin} is not supported", hint="use ProxyAll")


def split(
    fit: Sequence[Candidate], idle: int, max_glideins: int, shuffle: Shuffle
) -> list[SelectedShare]:
    """Fair split (protocol 3.8): idle shares shuffled, each capped by the credential's maximum. Of
    exactly a proxy and a token, the proxy gets everything and the token is only advertised.
    """
    if [c.type for c in fit] in (["grid_proxy", "scitoken"], ["scitoken", "grid_proxy"]):
        return [
            SelectedShare(c, idle, max_glideins)
            if c.type == "grid_proxy"
            else SelectedShare(c, 0, 0)
            for c in fit
        ]
    n = len(fit)
    if n == 0:
        return []
    idles = shuffle([_part(idle, n, i) for i in range(n)])
    tops = [_part(max_glideins, n, i) for i in range(1, n + 1)]
    return [SelectedShare(c, min(i, m), m) for c, i, m in zip(fit, idles, tops, strict=True)]


def _part(total: int, parts: int, index: int) -> int:
    return total * index // parts - total * (index - 1) // parts


def _by_project(
    fit: Sequence[Candidate], idle: int, max_glideins: int, demand: CredentialDemand
) -> list[SelectedShare]:
    """One copy per project; the deployed plug-in swaps idle and maximum (protocol 9.2/27), and so
    do we.
    """
    total = max(demand.idle_jobs, 1)
    shares = []
    for credential in fit:
        for project, jobs in (demand.projects or {}).items():
            if not project:
                continue
            shares.append(
                SelectedShare(
                    credential,
                    ceil(jobs * max_glideins / total),
                    ceil(jobs * idle / total),
                    project,
                )
            )
    return shares
