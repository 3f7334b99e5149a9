"""All writes of one cycle: requests to the WMS pools, what we know to the user pool (protocol 1.1, 5.10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glideinwms.frontend.apply import request_ads
from glideinwms.frontend.apply.request_ads import PublishedAds
from glideinwms.frontend.collect import probe
from glideinwms.frontend.collect.inputs import Inputs
from glideinwms.frontend.collect.reader import pool_key
from glideinwms.frontend.credentials.generated import GeneratedCredentials, domain_of
from glideinwms.frontend.credentials.loaded import SCITOKEN, GroupCredentials
from glideinwms.frontend.credentials.pilot_tokens import TokenMaker
from glideinwms.frontend.plan import CredentialShare, FrontendEntryPlan, FrontendPlan, GroupPlan
from glideinwms.frontend.policy import CredentialPolicy, FrontendPolicy, GroupPolicy, WmsPool
from glideinwms.frontend.snapshot import EntryState, GroupInput
from glideinwms.lib.bounded import reason
from glideinwms.lib.condor.htc import quoted
from glideinwms.lib.condor.workers import Call, CallResults, Workers
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import CredentialError, GwmsError, TimedOut, place_of
from glideinwms.lib.wire import (
    GlideClient,
    GlideClientGlobal,
    GlideFrontendMonitor,
    GlideResource,
    Seal,
    WireAd,
)
from glideinwms.lib.wire.crypto import PublicKey
from glideinwms.lib.wire.names import RequestName, client_name

SEND_DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class AdBatch:
    """Ads of one group for one collector, sent in one go; `requests` are the request names among
    them.
    """

    group: str
    node: str
    ads: tuple[WireAd, ...]
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontendReport:
    """What was sent (ads by kind), what was not and why, and which entries' requests arrived, by
    group.
    """

    sent: dict[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    requested: dict[str, tuple[str, ...]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


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
        value: Mapping[str, Any] = (given.reading.value if given else None) or {}
        for name, key_id, pem in value.get("keys", ()):
            if name == global_id:
                return Seal.make(PublicKey(pem, key_id), wms.my_identity)
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
        (3.6).
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
            self.policy,
            self.group,
            wms,
            request,
            seal,
            credential,
            numbers,
            {**sealed, **more},
            self.ha_mode,
        )

    def _tokens(self, entry: EntryState, request: RequestName) -> dict[str, str]:
        """The texts of 3.6; a pilot token that cannot be made is a problem, the request goes out
        without it.
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
            self.policy,
            self.group,
            row.entry,
            entry.attrs,
            entry.monitor,
            told,
            row.vector,
            row.strings,
            entry.in_downtime,
            self.ha_mode,
            sequence,
        )

    def _clients(self) -> Iterable[tuple[str, str, dict[str, Any]]]:
        """(pool, request name, monitor) of what the Factories say of this group's requests."""
        client = client_name(self.policy.frontend_name, self.group.name)
        for wms in self.group.wms_pools:
            given = self.inputs.pools.get(pool_key(wms.node, wms.factory_identity))
            value: Mapping[str, Any] = (given.reading.value if given else None) or {}
            for request, monitor in value.get("clients", {}).get(client, ()):
                yield wms.node, request, monitor


@dataclass(slots=True)
class AdSender:
    """Advertises batch after batch; while one group's ads are on their way, the next group's may be
    made. `wary_of`:
    see `wary`; an endpoint that passed its deadline gets nothing more of this cycle. `sent` counts
    ads by kind,
    `failed` names what did not arrive, `requested` has each group's entries whose requests did.
    """

    pool: Workers
    policy: FrontendPolicy
    wary_of: set[str]
    sent: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    requested: dict[str, list[str]] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _going: list[AdBatch] = field(default_factory=list)
    _answers: CallResults = list

    def send(self, batches: Sequence[AdBatch]) -> None:
        """Hand the batches over, once those before are through."""
        calls = [(b, self._call(b)) for b in batches if b.node not in self._silent]
        self.settle()
        self.failed += [
            f"{_what(b)}: it does not answer" for b in batches if b.node in self._silent
        ]
        calls = [(b, c) for b, c in calls if b.node not in self._silent]
        self._going = [b for b, _ in calls]
        self._answers = probe.begin(self.pool, [c for _, c in calls], self.wary_of)

    def settle(self) -> None:
        """Wait until what was handed over is through."""
        for batch, answer in zip(self._going, self._answers(), strict=True):
            if answer.error is not None:
                self.failed.append(f"{_what(batch)}: {answer.error}")
                if isinstance(answer.error, TimedOut):
                    self._silent.add(batch.node)
                continue
            self.wary_of.discard(batch.node)
            self.requested.setdefault(batch.group, []).extend(batch.requests)
            for ad in batch.ads:
                self.sent[ad.KIND.my_type] = self.sent.get(ad.KIND.my_type, 0) + 1
        self._going, self._answers = [], list

    def _call(self, batch: AdBatch) -> Call:
        args = {
            "collector": batch.node,
            "ads": [a.to_ad() for a in batch.ads],
            "command": batch.ads[0].KIND.update,
            "tcp": self.policy.advertise_tcp,
        }
        return Call(batch.node, "glideinwms.lib.condor.htc:advertise", args, SEND_DEADLINE)


def _what(batch: AdBatch) -> str:
    return f"{len(batch.ads)} ads of {batch.group or 'the Frontend'} to {batch.node}"


def withdraw(pool: Workers, policy: FrontendPolicy, ha_mode: str) -> list[str]:
    """Invalidate everything this Frontend has advertised in its HA mode; what could not be
    withdrawn, and why.
    """
    calls = []
    mode = f"GlideFrontendHAMode =?= {quoted(ha_mode)}"
    for group in policy.groups:
        client = quoted(client_name(policy.frontend_name, group.name))
        for node in sorted({w.node for w in group.wms_pools}):
            for ad in (GlideClient, GlideClientGlobal):
                calls.append(
                    _invalidation(
                        node, ad, f"ClientName == {client}", f"FrontendHAMode == {quoted(ha_mode)}"
                    )
                )
        calls.append(
            _invalidation(
                policy.user_collector, GlideResource, f"GlideClientName == {client}", mode
            )
        )
    name = f"GlideFrontendName == {quoted(policy.frontend_name)}"
    calls.append(_invalidation(policy.user_collector, GlideFrontendMonitor, name, mode))
    return [f"{a.call.endpoint}: {a.error}" for a in pool.run(calls) if a.error is not None]


def _invalidation(node: str, ad: type[WireAd], whose: str, mode: str) -> Call:
    constraint = f"{whose} && GlideinMyType == {quoted(ad.KIND.my_type)} && {mode}"
    args = {
        "collector": node,
        "target_type": ad.KIND.my_type,
        "constraint": constraint,
        "command": ad.KIND.invalidate,
    }
    return Call(node, "glideinwms.lib.condor.htc:invalidate", args)


def monitor_batch(
    policy: FrontendPolicy,
    plan: FrontendPlan,
    times: Mapping[str, float],
    ha_mode: str,
    sequence: int,
) -> AdBatch:
    """The Frontend's own ad in the user pool."""
    idle = tuple(
        sum(getattr(g, n) for g in plan.groups) for n in ("idle_jobs", "idle_600", "idle_3600")
    )
    ad = request_ads.monitor_ad(
        policy, [g.name for g in plan.groups], (idle[0], idle[1], idle[2]), times, ha_mode, sequence
    )
    return AdBatch("", policy.user_collector, (ad,))
