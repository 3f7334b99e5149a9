"""Which Frontend a ClientName belongs to: anybody may claim one in a request, and answers are published under it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from glideinwms.factory.plan import FactoryPlan
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib.daemon import log

MAX_REMEMBERED = 10_000


@dataclass(slots=True)
class _Claims:
    """Identities of configured Frontends that claim one ClientName, by what speaks for them."""

    with_pilots: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


class ClientNames:
    """Remembers the identity that each ClientName belongs to.

    A name belongs to who has it, as long as that one has pilots or requests under it. A free name
    goes to the only
    identity that has pilots under it in the queue, else to the only one with a request that is
    served. Of two that
    come at the same time neither gets it. One whose requests are all refused gets an answer, but
    not the name.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._reported: set[str] = set()
        self._log = log.get("clients")

    def update(
        self, policy: FactoryPolicy, plan: FactoryPlan, requests: Mapping[str, Request]
    ) -> dict[str, str]:
        """ClientName -> identity of who may be answered under it in this cycle."""
        answered: dict[str, str] = {}
        claims = _claims_of(policy, plan, requests)
        for client, claim in claims.items():
            everyone = claim.with_pilots | claim.served | claim.refused
            self._report(client, everyone)
            if self._owners.get(client) in everyone:
                answered[client] = self._owners[client]
                continue
            self._owners.pop(client, None)
            strongest = claim.with_pilots or claim.served or claim.refused
            if len(strongest) == 1:
                [answered[client]] = strongest
                if strongest != claim.refused and len(self._owners) < MAX_REMEMBERED:
                    self._owners[client] = answered[client]
        for gone in self._owners.keys() - claims.keys():
            del self._owners[gone]
        return answered

    def _report(self, client: str, everyone: set[str]) -> None:
        if len(everyone) < 2:
            self._reported.discard(client)
        elif client not in self._reported and len(self._reported) < MAX_REMEMBERED:
            self._reported.add(client)
            self._log.warning(
                "several identities use one ClientName", client=client, identities=sorted(everyone)
            )


def _claims_of(
    policy: FactoryPolicy, plan: FactoryPlan, requests: Mapping[str, Request]
) -> dict[str, _Claims]:
    identities = {f.name: f.identity for f in policy.frontends}
    known = set(identities.values())
    claims: dict[str, _Claims] = defaultdict(_Claims)
    for entry in plan.entries:
        for client, frontends in entry.clients.items():
            claims[client].with_pilots |= {
                identities[name] for name in frontends if name in identities
            }
        for row in entry.requests:
            request = requests.get(row.request)
            if request is not None and request.identity in known:
                claim = claims[row.client]
                (claim.served if row.refusal is None else claim.refused).add(request.identity)
    return claims
