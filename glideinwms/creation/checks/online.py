"""What only the network can say of a configuration: names, URLs, collectors. All of it is warnings (decision 35)."""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from glideinwms.creation.build.resolved import Built
from glideinwms.creation.checks import online_pools
from glideinwms.creation.xml.problems import Problems, Where
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib.condor.calls import Workers

SECONDS, DNS_SECONDS = 10.0, 30.0
AT_A_TIME = 20
Resolve = Callable[[str], object]


def _resolve(host: str) -> object:
    return socket.getaddrinfo(host, None)


def check(
    built: Built,
    xml: Path,
    problems: Problems,
    pool: Workers,
    resolve: Resolve = _resolve,
    seconds: float = DNS_SECONDS,
) -> None:
    """Hosts that DNS does not know, a stage URL that does not answer, and what collectors say."""
    where = Where(str(xml), 0)
    named = sorted(set(hosts(built)))
    wrong = unresolved({host for host, _ in named}, resolve, seconds)
    for host, what in named:
        if host in wrong:
            problems.warn(where, what, f"{host} cannot be resolved: {wrong[host]}")
    url = built.policy.stage.url
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS).close()
    except urllib.error.HTTPError:
        pass  # an answer: a directory may be forbidden
    except (OSError, ValueError, http.client.HTTPException) as error:
        problems.warn(where, "stage@web_base_url", f"{url} does not answer: {error}")
    online_pools.check(built.policy, xml, problems, pool)


def unresolved(names: Collection[str], resolve: Resolve, seconds: float) -> dict[str, str]:
    """Host -> why it has no address. All together take at most so many seconds, since DNS that does
    not answer takes half a minute for each.
    """
    asking = ThreadPoolExecutor(AT_A_TIME)
    asked = {host: asking.submit(resolve, host) for host in names}
    wait(asked.values(), seconds)
    asking.shutdown(wait=False, cancel_futures=True)
    found = {}
    for host, answer in asked.items():
        if answer.cancelled() or not answer.done():
            found[host] = f"no answer within {seconds:g} s"
        elif error := answer.exception():
            found[host] = getattr(error, "strerror", None) or str(error)
    return found


def hosts(built: Built) -> Iterator[tuple[str, str]]:
    """(host, what it is) of every node the configuration names."""
    policy = built.policy
    if isinstance(policy, FactoryPolicy):
        named = [(policy.collector, "glidein@factory_collector")]
        named += [(e.schedd_name.rpartition("@")[2], "glidein@schedd_name") for e in policy.entries]
        named += [
            (
                e.gatekeeper.strip().partition(" ")[0].rpartition("@")[2],
                f"entry[{e.name}]@gatekeeper",
            )
            for e in policy.entries
            if e.enabled and "://" not in e.gatekeeper
        ]
    else:
        named = [(n, "collectors") for n in policy.pilot_collectors.replace(";", ",").split(",")]
        named += [(n, "ccbs") for n in policy.pilot_ccbs.replace(";", ",").split(",")]
        named += [
            (p.node, f"group[{g.name}]/collector") for g in policy.groups for p in g.wms_pools
        ]
        named += [
            (s.rpartition("@")[2], f"group[{g.name}]/schedd")
            for g in policy.groups
            for s in g.schedds
        ]
    for node, what in named:
        host = node.partition("?")[0].partition(":")[0]
        if host and host != "ALL":
            yield host, what
