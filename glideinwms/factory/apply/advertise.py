"""Send the Factory's ads: all every `advertise_delay` cycles, those with news at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from glideinwms.factory.apply import ads
from glideinwms.factory.apply.ads import EntryReport
from glideinwms.factory.collect.client_names import ClientNames
from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import FactorySnapshot, Request
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import JOB_DEADLINE, Workers, call
from glideinwms.lib.condor.htc import quoted
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import place_of
from glideinwms.lib.reasons import Refusal
from glideinwms.lib.wire import (
    Ad,
    GlideFactory,
    GlideFactoryClient,
    GlideFactoryGlobal,
    Value,
    WireAd,
)
from glideinwms.lib.wire.crypto import PublicKey
from glideinwms.lib.wire.names import RequestName

# what differs each time without saying anything new
RESTLESS = (
    "UpdateSequenceNumber",
    "GlideinMonitorTotalClientMonitorInfoAge",
    "GlideinMonitorClientMonitorInfoAge",
)


Basis = tuple[
    FactoryEntryPlan,
    tuple[dict[str, int], ...],
    bool,
    dict[str, Value],
    Mapping[str, Refusal],
    dict[str, str | None],
]


class Advertiser:
    """Remembers what was sent, and how often under each name (UpdateSequenceNumber)."""

    def __init__(self, pool: Workers, started: int) -> None:
        self.pool, self.started = pool, started
        self.cycle = 0
        self.sequences: Counter[str] = Counter()
        self.sent: dict[tuple[str, str], int] = {}
        self.said: dict[str, Basis] = {}
        self.coming: dict[str, Basis] = {}
        self.generation = ""
        self.unmade = ""
        self.clients = ClientNames()
        self.log = log.get("advertise")

    def send(
        self,
        policy: FactoryPolicy,
        key: PublicKey,
        snapshot: FactorySnapshot,
        plan: FactoryPlan,
        completed: Mapping[str, Mapping[str, Value]],
        refusals: Iterable[Refusal] = (),
    ) -> tuple[int, str]:
        """Send what is due; how many ads, and what went wrong ("": nothing). What failed is due
        again next cycle. `refusals`: submissions that failed, `where` being the request.
        """
        everything = (
            self.cycle % max(1, policy.advertise_delay) == 0 or policy.generation != self.generation
        )
        self.cycle += 1
        due: dict[str, list[Ad]] = {}
        self.coming = {}
        failed = {r.where: r for r in refusals}
        self.unmade = ""
        for ad in self._due(
            policy=policy,
            key=key,
            snapshot=snapshot,
            plan=plan,
            completed=completed,
            failed=failed,
            everything=everything,
        ):
            try:
                data = ad.to_ad()
                hash(tuple(data.values()))
            except Exception as error:  # noqa: BLE001 - the boundary of one ad
                self._not_made(ad.KIND.my_type, error)
                continue
            # the key goes out every cycle (protocol 1.1)
            if (
                everything
                or isinstance(ad, GlideFactoryGlobal)
                or self.sent.get(_name(data)) != _content(data)
            ):
                due.setdefault(ad.KIND.update, []).append(data)
        if policy.generation != self.generation:
            self._withdraw_gone(policy)
            self.generation = policy.generation
        return self._send(policy, due)

    def _not_made(self, what: str, error: Exception) -> None:
        """Note an ad that cannot be made; the others are."""
        self.unmade = f"an ad of {what} cannot be made: {place_of(error)}"
        self.log.error("ad not made", what=what, error=place_of(error))

    def forget(self) -> None:
        """The collector may have lost everything: all is due again."""
        self.cycle = 0

    def _send(self, policy: FactoryPolicy, due: Mapping[str, list[Ad]]) -> tuple[int, str]:
        calls = [
            call(
                policy.collector or "collector",
                htc.advertise,
                collector=policy.collector,
                ads=found,
                command=command,
                tcp=policy.advertise_tcp,
            ).within(JOB_DEADLINE)
            for command, found in due.items()
        ]
        count, problem = 0, self.unmade
        for answer in self.pool.run(calls):
            if answer.error is not None:
                problem = str(answer.error)
                self.log.error("ads not sent", error=problem)
                continue
            for ad in answer.call.args["ads"]:
                name = _name(ad)
                self.sequences[" ".join(name)] += 1
                self.sent[name] = _content(ad)
                count += 1
        if not problem:
            self.said |= self.coming
        return count, problem

    def _due(
        self,
        policy: FactoryPolicy,
        key: PublicKey,
        snapshot: FactorySnapshot,
        plan: FactoryPlan,
        completed: Mapping[str, Mapping[str, Value]],
        failed: Mapping[str, Refusal],
        everything: bool,
    ) -> list[WireAd]:
        """The ads of every entry, or of those of which something else is known than when theirs
        were last sent.
        """
        number = {name.partition(" ")[2]: n for name, n in self.sequences.items()}
        first = ads.global_ad(
            policy, key, self.started, number.get(f"{policy.glidein_name}@{policy.factory_name}", 0)
        )
        out: list[WireAd] = [first]
        entries = {e.name: e for e in policy.entries}
        requests: dict[str, Request] = {r.name: r for r in snapshot.requests.value or ()}
        known = {s.name for s in snapshot.schedds if s.queue.value is not None}
        owners = (
            self.clients.update(policy, plan, requests)
            if snapshot.requests.value is not None
            else {}
        )
        for row in plan.entries:
            entry = entries[row.entry]
            mine = {r.request: failed[r.request] for r in row.requests if r.request in failed}
            told = EntryReport(
                row, requests, row.schedd in known, completed.get(row.entry, {}), mine, owners
            )
            basis = _basis(told)
            if not everything and self.said.get(row.entry) == basis:
                continue
            name = str(RequestName(entry.name, policy.glidein_name, policy.factory_name))
            try:
                out.append(
                    ads.entry_ad(
                        policy=policy,
                        entry=entry,
                        told=told,
                        key=key,
                        now=snapshot.now,
                        started=self.started,
                        sequence=number.get(name, 0),
                    )
                )
                # without the requests nothing new can be said of them: the old ads stand until they
                # expire
                if snapshot.requests.value is not None:
                    out += ads.client_ads(policy, entry, told, snapshot.now, number)
            except Exception as error:  # noqa: BLE001 - the boundary of one entry's ads
                self._not_made(f"entry {entry.name}", error)
            else:
                self.coming[row.entry] = basis
        return out

    def _withdraw_gone(self, policy: FactoryPolicy) -> None:
        """Ads of entries that the new configuration no longer has go at once."""
        now = {
            str(RequestName(e.name, policy.glidein_name, policy.factory_name))
            for e in policy.entries
            if e.enabled
        }
        gone = sorted({n for kind, n in self.sent if kind == GlideFactory.KIND.my_type} - now)
        wanted: list[tuple[type[WireAd], str]] = []
        for name in gone:
            wanted.append((GlideFactory, f"Name =?= {quoted(name)}"))
            wanted.append((GlideFactoryClient, f"ReqGlidein =?= {quoted(name)}"))
            self.sent = {
                k: v
                for k, v in self.sent.items()
                if k[1] != name and not k[1].startswith(f"{name}@")
            }
        self._invalidate(policy, wanted)

    def stop(self, policy: FactoryPolicy) -> None:
        """Withdraw everything (protocol 1.1)."""
        f, i = quoted(policy.factory_name), quoted(policy.glidein_name)
        own = f"FactoryName =?= {f} && GlideinName =?= {i}"
        clients = f"ReqFactoryName =?= {f} && ReqGlideinName =?= {i}"
        self._invalidate(
            policy, [(GlideFactory, own), (GlideFactoryGlobal, own), (GlideFactoryClient, clients)]
        )

    def _invalidate(
        self, policy: FactoryPolicy, wanted: Sequence[tuple[type[WireAd], str]]
    ) -> None:
        calls = [
            call(
                policy.collector or "collector",
                htc.invalidate,
                collector=policy.collector,
                target_type=kind.KIND.my_type,
                command=kind.KIND.invalidate,
                constraint=f"{constraint} && GlideinMyType =?= {quoted(kind.KIND.my_type)}",
            )
            for kind, constraint in wanted
        ]
        for answer in self.pool.run(calls):
            if answer.error is not None:
                kind = answer.call.args["target_type"]
                self.log.error("ads not withdrawn", kind=kind, error=str(answer.error))


def _name(ad: Mapping[str, Value]) -> tuple[str, str]:
    return str(ad["GlideinMyType"]), str(ad["Name"])


def _content(ad: Mapping[str, Value]) -> int:
    """A sum of what the ad says."""
    return hash(tuple((k, v) for k, v in ad.items() if k not in RESTLESS))


def _basis(told: EntryReport) -> Basis:
    """All that the ads of an entry are made of, besides the policy and the clock."""
    rows = (told.requests.get(r.request) for r in told.plan.requests)
    monitors = tuple(dict(r.monitor) if r is not None else {} for r in rows)
    names = {*told.plan.clients, *(r.client for r in told.plan.requests)}
    owners = {name: told.owners.get(name) for name in names}
    return told.plan, monitors, told.queue_known, dict(told.completed), told.failed, owners
