"""What only the network can say of a configuration: names, URLs, collectors. All of it is warnings (decision 35)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from glideinwms.creation import online_pools
from glideinwms.creation.built import Built
from glideinwms.creation.problems import Problems, Where
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib.readers import Pool

SECONDS = 10.0
Resolve = Callable[[str], object]


def _resolve(host: str) -> object:
    return socket.getaddrinfo(host, None)


def check(built: Built, xml: Path, problems: Problems, pool: Pool, resolve: Resolve = _resolve) -> None:
    """Hosts that DNS does not know, a stage URL that does not answer, and what collectors say."""
    where = Where(str(xml), 0)
    for host, what in sorted(set(hosts(built))):
        try:
            resolve(host)
        except OSError as error:
            problems.warn(where, what, f"{host} cannot be resolved: {error.strerror or error}")
    url = built.policy.stage.url
    try:
        requests.head(url, timeout=SECONDS)
    except requests.RequestException as error:
        problems.warn(where, "stage@web_base_url", f"{url} does not answer: {type(error).__name__}")
    online_pools.check(built.policy, xml, problems, pool)


def hosts(built: Built) -> Iterator[tuple[str, str]]:
    """(host, what it is) of every node the configuration names."""
    policy = built.policy
    if isinstance(policy, FactoryPolicy):
        named = [(policy.collector, "glidein@factory_collector")]
        named += [(e.schedd_name.rpartition("@")[2], "glidein@schedd_name") for e in policy.entries]
        named += [
            (e.gatekeeper.split()[0].rpartition("@")[2], f"entry[{e.name}]@gatekeeper")
            for e in policy.entries
            if e.enabled and "://" not in e.gatekeeper
        ]
    else:
        named = [(n, "collectors") for n in policy.pilot_collectors.replace(";", ",").split(",")]
        named += [(n, "ccbs") for n in policy.pilot_ccbs.replace(";", ",").split(",")]
        named += [(p.node, f"group[{g.name}]/collector") for g in policy.groups for p in g.wms_pools]
        named += [(s.rpartition("@")[2], f"group[{g.name}]/schedd") for g in policy.groups for s in g.schedds]
    for node, what in named:
        host = node.partition("?")[0].partition(":")[0]
        if host and host != "ALL":
            yield host, what
