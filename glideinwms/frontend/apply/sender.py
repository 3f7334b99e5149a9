"""Sends ads to collectors, and withdraws them (protocol 1.1, 5.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glideinwms.frontend.apply import request_ads
from glideinwms.frontend.collect import probe
from glideinwms.frontend.plan import FrontendPlan
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call, CallResults, Workers, call
from glideinwms.lib.condor.htc import quoted
from glideinwms.lib.errors import TimedOut
from glideinwms.lib.wire import (
    GlideClient,
    GlideClientGlobal,
    GlideFrontendMonitor,
    GlideResource,
    WireAd,
)
from glideinwms.lib.wire.names import client_name

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


@dataclass(slots=True)
class AdSender:
    """Advertises batch after batch; while one group's ads are on their way, the next group's may be
    made. `wary_of`: see `probe`; an endpoint that passed its deadline gets nothing more of this
    cycle. `sent` counts ads by kind, `failed` names what did not arrive, `requested` has each
    group's entries whose requests did.
    """

    pool: Workers
    policy: FrontendPolicy
    wary_of: set[str]
    sent: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    requested: dict[str, list[str]] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _going: list[AdBatch] = field(default_factory=list)
    _answers: CallResults[int] = list

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

    def _call(self, batch: AdBatch) -> Call[int]:
        return call(
            batch.node,
            htc.advertise,
            collector=batch.node,
            ads=[a.to_ad() for a in batch.ads],
            command=batch.ads[0].KIND.update,
            tcp=self.policy.advertise_tcp,
        ).within(SEND_DEADLINE)


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


def _invalidation(node: str, ad: type[WireAd], whose: str, mode: str) -> Call[None]:
    return call(
        node,
        htc.invalidate,
        collector=node,
        target_type=ad.KIND.my_type,
        constraint=f"{whose} && GlideinMyType == {quoted(ad.KIND.my_type)} && {mode}",
        command=ad.KIND.invalidate,
    )


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
