"""Decide which Frontend owns a ClientName. Anybody may claim one in a request, and the Factory
publishes answers under it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from glideinwms.factory.plan import FactoryPlan
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib.daemon import log

MAX_REMEMBERED = 10_000
MAX_CONFLICTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientNameConflict:
    """A ClientName that is used by identities that do not own it; `owners` may be empty."""

    client: str
    owners: tuple[str, ...]
    others: tuple[str, ...]

    def __str__(self) -> str:
        others = ", ".join(self.others)
        if not self.owners:
            return f"{others} use it at the same time: none of them is answered under it"
        return f"{others} use it, but it belongs to {', '.join(self.owners)}: they get no answer"


@dataclass(slots=True)
class _Claims:
    """Identities of configured Frontends that claim one ClientName, by what supports the claim."""

    with_pilots: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def everyone(self) -> set[str]:
        return self.with_pilots | self.served | self.refused

    def restricted(self, entitled: set[str]) -> _Claims:
        """Return the claims of these identities only."""
        return _Claims(
            with_pilots=self.with_pilots & entitled,
            served=self.served & entitled,
            refused=self.refused & entitled,
        )


class ClientNames:
    """Remembers which identity owns each ClientName.

    A ClientName `<name>.<group>` whose `<name>` is that of a configured Frontend belongs to this
    Frontend's identity alone, also before it sends its first request. The Frontend part of other
    ClientNames is not configured in the Factory, so the first to use one owns it, as long as that
    identity has pilots or requests under it. A free name goes to the only identity that has pilots
    under it in the queue, else to the only one with a request that is served. Of two that come at
    the same time neither gets it. An identity whose requests are all refused gets an answer, but
    not the name.
    """

    def __init__(self) -> None:
        self.conflicts: list[ClientNameConflict] = []
        self._owners: dict[str, str] = {}
        self._reported: set[ClientNameConflict] = set()
        self._log = log.get("clients")

    def update(
        self, policy: FactoryPolicy, plan: FactoryPlan, requests: Mapping[str, Request]
    ) -> dict[str, str]:
        """Return the identity that may be answered under each ClientName in this cycle."""
        answered: dict[str, str] = {}
        reserved = _reserved(policy)
        conflicts = []
        claims = _claims_of(policy, plan, requests)
        for client, claimed in claims.items():
            entitled = _entitled(reserved, client)
            claim = claimed.restricted(entitled) if entitled else claimed
            owner = self._owner(client, claim)
            if owner is not None:
                answered[client] = owner
            owners = entitled or ({owner} if owner is not None else set())
            if others := claimed.everyone() - owners:
                conflicts.append(
                    ClientNameConflict(
                        client=client, owners=tuple(sorted(owners)), others=tuple(sorted(others))
                    )
                )
        for client in self._owners.keys() - claims.keys():
            del self._owners[client]
        self._report(conflicts[:MAX_CONFLICTS])
        return answered

    def _owner(self, client: str, claim: _Claims) -> str | None:
        """Return who is answered under a name, and remember who owns it."""
        if self._owners.get(client) in claim.everyone():
            return self._owners[client]
        self._owners.pop(client, None)
        strongest = claim.with_pilots or claim.served or claim.refused
        if len(strongest) != 1:
            return None
        [owner] = strongest
        if strongest != claim.refused and len(self._owners) < MAX_REMEMBERED:
            self._owners[client] = owner
        return owner

    def _report(self, conflicts: list[ClientNameConflict]) -> None:
        for conflict in conflicts:
            if conflict not in self._reported:
                self._log.warning(
                    "ClientName in conflict", client=conflict.client, why=str(conflict)
                )
        self.conflicts = conflicts
        self._reported = set(conflicts)


def _reserved(policy: FactoryPolicy) -> dict[str, set[str]]:
    """Return the identities of each name that a Frontend has in the configuration."""
    identities: dict[str, set[str]] = defaultdict(set)
    for frontend in policy.frontends:
        identities[frontend.name].add(frontend.identity)
    return identities


def _entitled(reserved: Mapping[str, set[str]], client: str) -> set[str]:
    """Return the only identities that may own a ClientName; an empty set if any may.

    Names of Frontends and groups may have dots, so that several configured names can fit.
    """
    parts = client.split(".")
    entitled: set[str] = set()
    for length in range(1, len(parts)):
        entitled |= reserved.get(".".join(parts[:length]), set())
    return entitled


def _claims_of(
    policy: FactoryPolicy, plan: FactoryPlan, requests: Mapping[str, Request]
) -> dict[str, _Claims]:
    identities = {frontend.name: frontend.identity for frontend in policy.frontends}
    configured = set(identities.values())
    claims: dict[str, _Claims] = defaultdict(_Claims)
    for entry in plan.entries:
        for client, frontends in entry.clients.items():
            claims[client].with_pilots |= {
                identities[name] for name in frontends if name in identities
            }
        for row in entry.requests:
            request = requests.get(row.request)
            if request is not None and request.identity in configured:
                claim = claims[row.client]
                (claim.served if row.refusal is None else claim.refused).add(request.identity)
    return claims
