"""The ads a Factory sends, built from policy, snapshot and plan (protocol 1.4, 1.5, 1.8). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from glideinwms.factory.apply import ad_counters
from glideinwms.factory.apply.ad_counters import Numbers, prefixed
from glideinwms.factory.plan import FactoryEntryPlan, RequestPlan, StatusCounts
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib.errors import place_of
from glideinwms.lib.reasons import Reason, Refusal
from glideinwms.lib.wire import GlideFactory, GlideFactoryClient, GlideFactoryGlobal, Value
from glideinwms.lib.wire.crypto import PublicKey
from glideinwms.lib.wire.names import RequestName, is_safe

SIGN_TYPE = "sha1"
LIMIT_PREFIX = "Status_GlideFactoryLimit"


@dataclass(frozen=True, slots=True)
class EntryReport:
    """What is said of one entry: its plan, its requests by name, whether its queue is known,
    `completed`, the CompletedJobs numbers (protocol 1.4), `failed`: requests for which a submission
    failed, and why, and `owners`: the identity that each ClientName belongs to.
    """

    plan: FactoryEntryPlan
    requests: Mapping[str, Request]
    queue_known: bool = True
    completed: Mapping[str, Value] = field(default_factory=dict)
    failed: Mapping[str, Refusal] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)


def global_ad(
    policy: FactoryPolicy, key: PublicKey, started: int, sequence: int = 0
) -> GlideFactoryGlobal:
    """The Factory's public key."""
    return GlideFactoryGlobal(
        name=f"{policy.glidein_name}@{policy.factory_name}",
        factory_name=policy.factory_name,
        glidein_name=policy.glidein_name,
        daemon_start=started,
        sequence=sequence,
        key_id=key.key_id,
        key_pem=key.pem,
    )


def entry_attrs(entry: EntryPolicy, told: EntryReport) -> dict[str, Value]:
    """The entry's published attributes with its downtime comment."""
    return {**entry.attrs, "GLIDEIN_Downtime_Comment": told.plan.downtime_comment}


def totals(entry: EntryPolicy, told: EntryReport, now: float) -> Numbers:
    """Total* numbers of the entry; requested ones only once there is a request, status only when it
    is known.
    """
    cpus = ad_counters.entry_cpus(entry)
    out: Numbers = {}
    if told.queue_known:
        out |= prefixed("TotalStatus", ad_counters.status_numbers(told.plan.counts, cpus))
    rows = _served(told, told.plan.requests)
    if rows:
        out |= prefixed("TotalRequested", ad_counters.requested_numbers(rows, cpus))
        out |= prefixed("TotalClientMonitor", ad_counters.client_numbers([r for r, _ in rows], now))
    return out


def _served(told: EntryReport, rows: tuple[RequestPlan, ...]) -> list[tuple[Request, RequestPlan]]:
    return [
        (told.requests[p.request], p)
        for p in rows
        if p.refusal is None and p.request in told.requests
    ]


def entry_ad(
    policy: FactoryPolicy,
    entry: EntryPolicy,
    told: EntryReport,
    key: PublicKey,
    now: float,
    started: int,
    sequence: int = 0,
) -> GlideFactory:
    """What match expressions see of an entry."""
    proxy = "grid_proxy" in entry.auth_method
    legacy: dict[str, Value] = {
        "GlideinAllowx509_Proxy": str(proxy),
        "GlideinRequirex509_Proxy": str(proxy),
        "GlideinRequireGlideinProxy": str(not proxy),
    }
    return GlideFactory(
        name=str(RequestName(entry.name, policy.glidein_name, policy.factory_name)),
        factory_name=policy.factory_name,
        glidein_name=policy.glidein_name,
        entry_name=entry.name,
        daemon_start=started,
        sequence=sequence,
        key_id=key.key_id,
        key_type="RSA",
        key_pem=key.pem,
        in_downtime=told.plan.in_downtime,
        web_url=policy.stage.url,
        web_sign_type=SIGN_TYPE,
        web_descript=policy.stage.descript,
        web_sign=policy.stage.sign,
        web_entry_descript=entry.stage.descript,
        web_entry_sign=entry.stage.sign,
        submit={a.name: a.value for a in entry.published_submit_attrs},
        params=entry_params(policy, entry),
        monitor={**totals(entry, told, now), **told.completed},
        config=config_numbers(entry),
        attrs={**legacy, **entry_attrs(entry, told)},
    )


def entry_params(policy: FactoryPolicy, entry: EntryPolicy) -> dict[str, Value]:
    """Defaults of every parameter that a Frontend may override."""
    return dict(entry.params)


def config_numbers(entry: EntryPolicy) -> Numbers:
    """GlideinConfig...: the entry's limits, those of single classes as `fe:class=N,...`."""
    e, d = entry.limits, entry.class_default
    own = entry.class_limits.items()
    return {
        "DefaultPerFrontendMaxIdle": d.idle,
        "DefaultPerFrontendMaxHeld": d.held,
        "DefaultPerFrontendMaxGlideins": d.glideins,
        "PerFrontendMaxIdle": ",".join(f"{k}={v.idle}" for k, v in own),
        "PerFrontendMaxHeld": ",".join(f"{k}={v.held}" for k, v in own),
        "PerFrontendMaxGlideins": ",".join(f"{k}={v.glideins}" for k, v in own),
        "PerEntryMaxIdle": e.idle,
        "PerEntryMaxHeld": e.held,
        "PerEntryMaxGlideins": e.glideins,
    }


def clients_of(told: EntryReport) -> dict[str, list[RequestPlan]]:
    """Every ClientName with a request or pilots here, with the rows of who owns it: what another
    identity asks under that name is not the owner's business. One that is no name (protocol 4.3/1)
    gets no ad.
    """
    rows: dict[str, list[RequestPlan]] = {client: [] for client in told.plan.clients}
    for row in told.plan.requests:
        mine = rows.setdefault(row.client, [])
        request = told.requests.get(row.request)
        if request is not None and request.identity == told.owners.get(row.client):
            mine.append(row)
    return {
        client: rows[client] for client in sorted(rows) if is_safe(client) and client in told.owners
    }


def client_ads(
    policy: FactoryPolicy,
    entry: EntryPolicy,
    told: EntryReport,
    now: float,
    sequences: Mapping[str, int],
) -> list[GlideFactoryClient]:
    """What became of each client's requests at this entry, for the Frontend that owns the name."""
    identities = {f.name: f.identity for f in policy.frontends}
    name = RequestName(entry.name, policy.glidein_name, policy.factory_name)
    common = totals(entry, told, now)
    cpus = ad_counters.entry_cpus(entry)

    def numbers(client: str, rows: list[RequestPlan]) -> Numbers:
        try:
            return {
                **_own(told, _pilots(told, client, identities), rows, cpus, now),
                **_why(told, rows),
            }
        except Exception as error:  # noqa: BLE001 - the boundary of one client: what is said of the others stands
            return {
                "Status_Reason": Reason.MALFORMED_AD.value,
                "Status_ReasonText": place_of(error),
            }

    return [
        GlideFactoryClient(
            name=f"{name}@{client}",
            req_glidein=str(name),
            factory_name=policy.factory_name,
            glidein_name=policy.glidein_name,
            entry_name=entry.name,
            client_name=client,
            client_identity=told.owners[client],
            client_req_name=str(name),
            sequence=sequences.get(f"{name}@{client}", 0),
            in_downtime=told.plan.in_downtime or _class_down(rows),
            params=entry_params(policy, entry),
            monitor={
                **prefixed(LIMIT_PREFIX, told.plan.limits),
                **common,
                **numbers(client, rows),
            },
            attrs=entry_attrs(entry, told),
        )
        for client, rows in clients_of(told).items()
    ]


def _class_down(rows: list[RequestPlan]) -> bool:
    return any(c.reason is Reason.CLASS_DOWNTIME for row in rows for c in row.clips)


def _pilots(told: EntryReport, client: str, identities: Mapping[str, str]) -> StatusCounts:
    """The pilots of a client that are its owner's."""
    counts = Counter[str]()
    for frontend, found in told.plan.clients.get(client, {}).items():
        if identities.get(frontend) == told.owners[client]:
            counts.update(asdict(found))
    return StatusCounts(**counts)


def _own(
    told: EntryReport, counts: StatusCounts, rows: list[RequestPlan], cpus: int, now: float
) -> Numbers:
    out: Numbers = {}
    if served := _served(told, tuple(rows)):
        out |= prefixed("Requested", ad_counters.requested_numbers(served, cpus))
        out |= prefixed("ClientMonitor", ad_counters.client_numbers([r for r, _ in served], now))
    if told.queue_known:
        out |= prefixed("Status", ad_counters.status_numbers(counts, cpus))
    return out


def _why(told: EntryReport, rows: list[RequestPlan]) -> Numbers:
    code, text = ad_counters.reason_of(told.plan, rows, told.failed)
    return {"Status_Reason": code, "Status_ReasonText": text} if code else {}
