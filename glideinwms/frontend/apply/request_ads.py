"""The ads a Frontend sends, built from plain numbers (protocol 1.6, 1.7, 1.9, 1.10, 3.3, 5.8, 5.9). Pure.

A group's requests towards one WMS pool are one glideclientglobal and the glideclients of its entries, all sealed with
one fresh key per cycle and Factory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy, MaxCurb, WmsPool
from glideinwms.lib.wire import (
    GlideClient,
    GlideClientGlobal,
    GlideFrontendMonitor,
    GlideResource,
    Seal,
    Value,
)
from glideinwms.lib.wire.names import RequestName, client_name

SIGN_TYPE = "sha1"
NOT_FORWARDED = frozenset(
    [
        "CurrentTime",
        "PubKeyValue",
        "PubKeyType",
        "PubKeyID",
        "PubKeyObj",
        "AuthenticatedIdentity",
        "GlideinName",
        "FactoryName",
        "EntryName",
        "GlideinWMSVersion",
        "LastHeardFrom",
        "SupportedSignTypes",
        "GLIDEIN_In_Downtime",
    ]
)
# what a Factory says under these names must not stand in the place of what we say
OUR_OWN = ("GlideinConfig", "GlideClient", "GlideFactory", "GlideFrontend", "GlideGroup")
VECTOR = (
    "JobsIdle",
    "JobsIdleMatching",
    "JobsIdleEffective",
    "JobsIdleOld",
    "JobsIdleUnique",
    "JobsRunning",
    "JobsRunningHere",
    "JobsRunningMax",
    "GlideinsTotal",
    "GlideinsIdle",
    "GlideinsRunning",
    "GlideinsFailed",
    "GlideinsTotalCores",
    "GlideinsIdleCores",
    "GlideinsRunningCores",
    "GlideinsRequestIdle",
    "GlideinsRequestMaxRun",
)


@dataclass(frozen=True, slots=True)
class PublishedAds:
    """One credential as it travels. `files` are the (id, content) pairs of the global ad,
    `name_hash` the prefix of request names, `sealed` the parameters of each request that uses it
    (protocol 3.3).
    """

    id: str
    name_hash: str
    security_class: str
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    sealed: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AdNumbers:
    """What is asked of one entry with one credential, and what is told beside it."""

    idle: int
    max_glideins: int
    removal: str = "NO"
    margin: int = 0
    lifetime: int = 0
    monitor: Mapping[str, Value] = field(default_factory=dict)


def _curbed(name: str, total: str, curb: MaxCurb, suffix: str = "") -> dict[str, Value]:
    return {f"{name}Max{total}{suffix}": curb.max, f"{name}Curb{total}{suffix}": curb.curb}


def limits(policy: FrontendPolicy, group: GroupPolicy) -> dict[str, Value]:
    """GlideinConfig...: the configured limits, for information (protocol 5.8)."""
    g = group.limits
    return {
        **_curbed("Frontend", "RunningTotal", policy.running_total),
        **_curbed("Frontend", "IdleVMsTotal", policy.idle_vms_total),
        **_curbed("Frontend", "RunningTotal", policy.running_total_global, "Global"),
        **_curbed("Frontend", "IdleVMsTotal", policy.idle_vms_total_global, "Global"),
        "GroupMaxRunningPerEntry": g.max_running,
        "GroupMinRunningPerEntry": g.min_running,
        "GroupMaxIdlePerEntry": g.max_idle,
        "GroupReserveIdlePerEntry": g.reserve_idle,
        "GroupMaxIdleVMsPerEntry": g.idle_vms_per_entry.max,
        "GroupCurbIdleVMsPerEntry": g.idle_vms_per_entry.curb,
        **_curbed("Group", "RunningTotal", g.running_total),
        **_curbed("Group", "IdleVMsTotal", g.idle_vms_total),
    }


def pilot_params(policy: FrontendPolicy, group: GroupPolicy, pool: str) -> dict[str, Value]:
    """GlideinParam...: the group's parameters and the three that every pilot gets (protocol 5.9)."""
    params: dict[str, Value] = {**group.params, "GLIDEIN_Collector": policy.pilot_collectors}
    if policy.pilot_ccbs:
        params["GLIDEIN_CCB"] = policy.pilot_ccbs
    return {**params, "GLIDECLIENT_ReqNode": pool}


def global_ad(
    policy: FrontendPolicy,
    group: GroupPolicy,
    global_id: str,
    seal: Seal | None,
    credentials: Sequence[PublishedAds],
    ha_mode: str,
) -> GlideClientGlobal:
    """The credentials of a group for one Factory; without a key nothing secret is in it (protocol
    1.6).
    """
    client = client_name(policy.frontend_name, group.name)
    values: dict[str, str | bytes] = {"SecurityName": group.security_name}
    if credentials:
        values["NumberOfCredentials"] = str(len(credentials))
    for credential in credentials:
        for file_id, content in credential.files:
            values[file_id] = content
            values[f"SecurityClass{file_id}"] = credential.security_class
    return GlideClientGlobal(
        name=f"{global_id}@{client}",
        frontend_name=policy.frontend_name,
        ha_mode=ha_mode,
        group_name=group.name,
        client_name=client,
        key_id=seal.key_id if seal else "",
        key_code=seal.key_code if seal else "",
        enc_identity=seal.enc_identity if seal else "",
        enc_params=seal.params(values) if seal else {},
    )


def client_ad(
    policy: FrontendPolicy,
    group: GroupPolicy,
    wms: WmsPool,
    request: RequestName,
    seal: Seal,
    credential: PublishedAds,
    numbers: AdNumbers,
    tokens: Mapping[str, str],
    ha_mode: str,
) -> GlideClient:
    """One request. `tokens` are the sealed texts of protocol 3.6 by parameter name
    (`<entry>.idtoken`, `frontend_scitoken`).
    """
    client = client_name(policy.frontend_name, group.name)
    values: dict[str, str | bytes] = {
        **tokens,
        **credential.sealed,
        "SecurityClass": credential.security_class,
        "SecurityName": group.security_name,
    }
    return GlideClient(
        name=f"{credential.name_hash}_{request}@{client}",
        client_name=client,
        frontend_name=policy.frontend_name,
        ha_mode=ha_mode,
        group_name=group.name,
        req_name=str(request),
        req_glidein=str(request),
        web_url=policy.stage.url,
        web_sign_type=SIGN_TYPE,
        web_descript=policy.stage.descript,
        web_sign=policy.stage.sign,
        web_sign256=policy.stage.sign256,
        web_group_url=group.stage.url,
        web_group_descript=group.stage.descript,
        web_group_sign=group.stage.sign,
        web_group_sign256=group.stage.sign256,
        web_monitoring_url=policy.monitoring_url,
        key_id=seal.key_id,
        key_code=seal.key_code,
        enc_identity=seal.enc_identity,
        idle=numbers.idle,
        max_glideins=numbers.max_glideins,
        remove_excess=numbers.removal,
        remove_margin=numbers.margin,
        idle_lifetime=str(numbers.lifetime),
        params=pilot_params(policy, group, wms.node),
        enc_params=seal.params(values),
        config=limits(policy, group),
        monitor=dict(numbers.monitor),
    )


def resource_ad(
    policy: FrontendPolicy,
    group: GroupPolicy,
    request: str,
    attrs: Mapping[str, Value],
    entry_monitor: Mapping[str, Value],
    client_monitor: Mapping[str, Value],
    vector: Sequence[float],
    strings: Mapping[str, str],
    down: bool,
    ha_mode: str,
    sequence: int,
) -> GlideResource:
    """What a group knows of one entry (protocol 1.9). `strings` are limits and curbs reached: name
    ->
    `count=N, limit=M`.
    """
    client = client_name(policy.frontend_name, group.name)
    own = {
        "GlideClientMatchingGlideinCondorExpr": match_text(group),
        "GlideClientConstraintJobCondorExpr": group.job_query,
        "GlideClientMatchingInternalPythonExpr": group.factory_query,
        "GlideClientConstraintFactoryCondorExpr": group.start_expr,
    }
    free = {k: v for k, v in attrs.items() if k not in NOT_FORWARDED and not k.startswith(OUR_OWN)}
    return GlideResource(
        name=f"{request}@{client}",
        factory_name=request,
        client_name=client,
        frontend_name=policy.frontend_name,
        group_name=group.name,
        ha_mode=ha_mode,
        in_downtime=str(down),
        sequence=sequence,
        factory_monitor=factory_monitor(entry_monitor, client_monitor),
        factory_config={
            k[len("GlideinConfig") :]: v for k, v in attrs.items() if k.startswith("GlideinConfig")
        },
        monitor=dict(zip(VECTOR, vector, strict=True)),
        config=limits(policy, group),
        curbs={k: v for k, v in strings.items() if k.startswith("Curb")},
        limits={k: v for k, v in strings.items() if not k.startswith("Curb")},
        attrs={**free, **own},
    )


def factory_monitor(entry: Mapping[str, Value], client: Mapping[str, Value]) -> dict[str, Value]:
    """What of the Factory's monitoring a glideresource carries on, refusals included (decision 51)."""
    forwarded = {
        k: v
        for k, v in client.items()
        if k.startswith(("Total", "Status", "Requested")) and not k.startswith("TotalClientMonitor")
    }
    return {**{k: v for k, v in entry.items() if k.startswith("CompletedJobs")}, **forwarded}


def match_text(group: GroupPolicy) -> str:
    """The conjuncts of the match rules, joined as GlideinWMS 3.10 shows them."""
    texts = [e.text for e in group.match]
    return texts[0] if len(texts) == 1 else " and ".join(f"({t})" for t in texts) or "True"


def monitor_ad(
    policy: FrontendPolicy,
    groups: Sequence[str],
    idle: tuple[int, int, int],
    performance: Mapping[str, float],
    ha_mode: str,
    sequence: int,
) -> GlideFrontendMonitor:
    """Totals and timings of the whole Frontend (protocol 1.10); `idle` is all, at least 600 s, at
    least 3600 s.
    """
    return GlideFrontendMonitor(
        name=policy.frontend_name,
        frontend_name=policy.frontend_name,
        groups=",".join(groups),
        ha_mode=ha_mode,
        idle_total=idle[0],
        idle_600=idle[1],
        idle_3600=idle[2],
        sequence=sequence,
        performance={f"_{k}": round(v, 3) for k, v in performance.items()},
    )
