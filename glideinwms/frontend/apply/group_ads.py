"""The ads of one group: requests to the WMS pools, glideresource ads to the user pool (protocol 1.1, 5.10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from glideinwms.frontend.apply import request_ads
from glideinwms.frontend.apply.request_ads import PublishedAds
from glideinwms.frontend.apply.sender import AdBatch
from glideinwms.frontend.collect.answers import WmsPoolAds
from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.frontend.collect.reader import pool_key
from glideinwms.frontend.credentials.generated import GeneratedCredentials, domain_of
from glideinwms.frontend.credentials.loaded import SCITOKEN, GroupCredentials
from glideinwms.frontend.credentials.pilot_tokens import TokenMaker
from glideinwms.frontend.plan import CredentialShare, FrontendEntryPlan, GroupPlan
from glideinwms.frontend.policy import CredentialPolicy, FrontendPolicy, GroupPolicy, WmsPool
from glideinwms.frontend.snapshot import EntryState, GroupInput
from glideinwms.lib.bounded import reason
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import CredentialError, GwmsError, place_of
from glideinwms.lib.wire import (
    GlideClient,
    GlideClientGlobal,
    GlideResource,
    Seal,
    WireAd,
)
from glideinwms.lib.wire.crypto import PublicKey
from glideinwms.lib.wire.names import RequestName, client_name


@dataclass(slots=True)
class Sealer:
    """One key per cycle, Factory and identity of ours; made when first needed."""

    inputs: Inputs
    seals: dict[tuple[str, str, str, str], Seal | None] = field(default_factory=dict)

    def seal(self, wms: WmsPool, global_id: str) -> Seal | None:
        """The envelope for a Factory; None if it has published no key in that pool."""
        key = (wms.node, wms.factory_identity, global_id, wms.my_identity)
        if key not in self.seals:
            self.seals[key] = self._make(wms, global_id)
        return self.seals[key]

    def _make(self, wms: WmsPool, global_id: str) -> Seal | None:
        given = self.inputs.pools.get(pool_key(wms.node, wms.factory_identity))
        value = (given and given.reading.value) or WmsPoolAds()
        for key in value.keys:
            if key.global_id == global_id:
                return Seal.make(PublicKey(key.pem, key.key_id), wms.my_identity)
        return None


def wms_of(group: GroupPolicy, inputs: Inputs, entry: EntryState) -> WmsPool | None:
    """The group's WMS pool that an entry was read from."""
    identity = entry.attrs.get("AuthenticatedIdentity")
    same = [w for w in group.wms_pools if w.node == entry.pool]
    return next((w for w in same if w.factory_identity == identity), same[0] if same else None)


@dataclass(slots=True)
class GroupAds:
    """Builds the ads of one group."""

    policy: FrontendPolicy
    group: GroupPolicy
    given: GroupInput
    plan: GroupPlan
    inputs: Inputs
    wallet: GroupCredentials
    sealer: Sealer
    tokens: TokenMaker
    minted: GeneratedCredentials
    ha_mode: str
    now: float
    _wrong: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be done for which entries: where many have the same cause, how many."""
        return tuple(
            f"{what} {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {why}"
            for (what, why), names in self._wrong.items()
        )

    def _note(self, what: str, entry: str, error: Exception) -> None:
        if isinstance(error, GwmsError):
            why = f"{reason(error.message)}; {error.hint}" if error.hint else reason(error.message)
        else:
            why = place_of(error)
            log.get("group").error(what, group=self.group.name, entry=entry, error=why)
        self._wrong.setdefault((what, why), []).append(entry)

    def requests(self) -> list[AdBatch]:
        """One batch per WMS pool: the credentials for each Factory there, then the requests."""
        entries = {(e.name, e.pool): e for e in self.given.entries}
        by_pool: dict[str, list[WireAd]] = {}
        names: dict[str, list[str]] = {}
        globals_: dict[tuple[str, str], GlideClientGlobal] = {}
        for row in self.plan.entries:
            entry = entries.get((row.entry, row.pool))
            if entry is None or not row.advertise:
                continue
            try:
                ads = self._entry(entry, row, globals_)
            except Exception as error:  # noqa: BLE001 - the boundary of one entry
                self._note("no request to", row.entry, error)
                continue
            if ads:
                by_pool.setdefault(row.pool, []).extend(ads)
                names.setdefault(row.pool, []).append(row.entry)
        batches = []
        for node, ads in by_pool.items():
            first = [ad for (pool, _), ad in globals_.items() if pool == node]
            batches.append(AdBatch(self.group.name, node, (*first, *ads), tuple(names[node])))
        return batches

    def _entry(
        self,
        entry: EntryState,
        row: FrontendEntryPlan,
        globals_: dict[tuple[str, str], GlideClientGlobal],
    ) -> list[WireAd]:
        request = RequestName.parse(entry.name)
        wms = wms_of(self.group, self.inputs, entry)
        seal = self.sealer.seal(wms, request.global_id) if wms else None
        if wms is None or seal is None:
            return []
        if (wms.node, request.global_id) not in globals_:
            globals_[wms.node, request.global_id] = request_ads.global_ad(
                self.policy, self.group, request.global_id, seal, self._published(), self.ha_mode
            )
        sealed = self._tokens(entry, request)
        shares = [s for s in row.shares if self._has_text(entry, s)]
        return [self._client(wms, request, seal, row, share, sealed) for share in shares]

    def wanted(self) -> list[EntryState]:
        """The entries that get a request."""
        going = {(row.entry, row.pool) for row in self.plan.entries if row.advertise}
        return [e for e in self.given.entries if (e.name, e.pool) in going]

    def _published(self) -> list[PublishedAds]:
        """The credentials with their contents; of a generated one, what was made for some entry
        (protocol 3.6).
        """
        found = []
        for name, one in self.wallet.usable.items():
            if not one.files and (text := self.minted.any(self.group.name, name, self.now)):
                one = replace(one, files=((one.id, text.encode()),))
            if one.files:
                found.append(one)
        return found

    def _has_text(self, entry: EntryState, share: CredentialShare) -> bool:
        """A request whose generated credential could not be made is not sent; it is a problem."""
        credential = self._generated.get(share.credential)
        if credential is None:
            return True
        try:
            return bool(self.minted.text(self.group.name, credential, entry.name, self.now))
        except CredentialError as error:
            self._note("no request to", entry.name, error)
            return False

    def _client(
        self,
        wms: WmsPool,
        request: RequestName,
        seal: Seal,
        row: FrontendEntryPlan,
        share: CredentialShare,
        sealed: Mapping[str, str],
    ) -> GlideClient:
        credential = self.wallet.usable[share.credential]
        numbers = request_ads.AdNumbers(
            share.idle, share.max_glideins, row.removal, row.margin, row.lifetime, share.monitor
        )
        more = {"ProjectId": share.project} if share.project else {}
        return request_ads.client_ad(
            policy=self.policy,
            group=self.group,
            wms=wms,
            request=request,
            seal=seal,
            credential=credential,
            numbers=numbers,
            tokens={**sealed, **more},
            ha_mode=self.ha_mode,
        )

    def _tokens(self, entry: EntryState, request: RequestName) -> dict[str, str]:
        """The texts of protocol 3.6; a pilot token that cannot be made is a problem, the request
        goes out without it.
        """
        sealed = {}
        try:
            sealed[f"{request.entry}.idtoken"] = self.tokens.token(self.group, entry, self.now)
        except Exception as error:  # noqa: BLE001 - the boundary of one entry's token
            self._note("no pilot token for", entry.name, error)
        domain = domain_of(entry)
        sealed["frontend_scitoken"] = self.wallet.scitokens.get(domain, "")
        for credential in self._generated.values():
            if credential.trust_domain == domain and SCITOKEN in credential.type.split("+"):
                with contextlib.suppress(CredentialError):
                    sealed["frontend_scitoken"] = self.minted.text(
                        self.group.name, credential, entry.name, self.now
                    )
                    break
        return sealed

    @property
    def _generated(self) -> dict[str, CredentialPolicy]:
        return {c.name: c for c in self.group.credentials if c.generator}

    def resources(self, sequence: int) -> list[GlideResource]:
        """One glideresource per entry of the plan, those without a key included."""
        entries = {(e.name, e.pool): e for e in self.given.entries}
        told = {(node, name): m for node, name, m in self._clients()}
        ads = []
        for row in self.plan.entries:
            entry = entries.get((row.entry, row.pool))
            if entry is None:
                continue
            try:
                ads.append(
                    self._resource(entry, row, told.get((row.pool, row.entry), {}), sequence)
                )
            except Exception as error:  # noqa: BLE001 - the boundary of one entry
                self._note("no glideresource ad for", row.entry, error)
        return ads

    def _resource(
        self, entry: EntryState, row: FrontendEntryPlan, told: Mapping[str, Any], sequence: int
    ) -> GlideResource:
        return request_ads.resource_ad(
            policy=self.policy,
            group=self.group,
            request=row.entry,
            attrs=entry.attrs,
            entry_monitor=entry.monitor,
            client_monitor=told,
            vector=row.vector,
            strings=row.strings,
            down=entry.in_downtime,
            ha_mode=self.ha_mode,
            sequence=sequence,
        )

    def _clients(self) -> Iterable[tuple[str, str, dict[str, Any]]]:
        """(pool, request name, monitor) of what the Factories say of this group's requests."""
        client = client_name(self.policy.frontend_name, self.group.name)
        for wms in self.group.wms_pools:
            given = self.inputs.pools.get(pool_key(wms.node, wms.factory_identity))
            value = (given and given.reading.value) or WmsPoolAds()
            for ad in value.clients.get(client, ()):
                yield wms.node, ad.request, ad.monitor
