"""What a Frontend says: glideclient, glideclientglobal to the Factories; glideresource,
glidefrontendmonitor to its own pool (protocol 1.6, 1.7, 1.9, 1.10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from glideinwms.lib.wire.base import (
    GENERIC,
    MASTER,
    VERSION,
    AdKind,
    Value,
    WireAd,
    attr,
    pilots,
    prefixed,
    rest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideClientGlobal(WireAd):
    """One per group and Factory: the sealed credentials. Name is
    `<instance>@<factory>@<ClientName>`.
    """

    KIND: ClassVar[AdKind] = AdKind("glideclientglobal", *MASTER)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    frontend_name: str = attr("FrontendName")
    ha_mode: str = attr("FrontendHAMode", "master")
    group_name: str = attr("GroupName")
    client_name: str = attr("ClientName")
    key_id: str = attr("ReqPubKeyID", "", optional=True)
    key_code: str = attr("ReqEncKeyCode", "", optional=True)
    enc_identity: str = attr("ReqEncIdentity", "", optional=True)
    enc_params: dict[str, str] = prefixed("GlideinEncParam")
    sequence: int = attr("UpdateSequenceNumber", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideClient(WireAd):
    """One request: `idle` pilots to keep idle, at most `max_glideins` idle and running, with one
    credential.
    """

    KIND: ClassVar[AdKind] = AdKind("glideclient", *MASTER)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    client_name: str = attr("ClientName")
    frontend_name: str = attr("FrontendName", "")
    ha_mode: str = attr("FrontendHAMode", "master")
    group_name: str = attr("GroupName", "")
    req_name: str = attr("ReqName")
    req_glidein: str = attr("ReqGlidein")
    web_url: str = attr("WebURL", "", optional=True)
    web_sign_type: str = attr("WebSignType", "", optional=True)
    web_descript: str = attr("WebDescriptFile", "", optional=True)
    web_sign: str = attr("WebDescriptSign", "", optional=True)
    web_sign256: str = attr("WebDescriptSign256", "", optional=True)
    web_group_url: str = attr("WebGroupURL", "", optional=True)
    web_group_descript: str = attr("WebGroupDescriptFile", "", optional=True)
    web_group_sign: str = attr("WebGroupDescriptSign", "", optional=True)
    web_group_sign256: str = attr("WebGroupDescriptSign256", "", optional=True)
    web_monitoring_url: str = attr("WebMonitoringURL", "", optional=True)
    key_id: str = attr("ReqPubKeyID", "", optional=True)
    key_code: str = attr("ReqEncKeyCode", "", optional=True)
    enc_identity: str = attr("ReqEncIdentity", "", optional=True)
    idle: int = pilots("ReqIdleGlideins")
    max_glideins: int = pilots("ReqMaxGlideins")
    remove_excess: str = attr("ReqRemoveExcess", "NO")
    remove_margin: int = pilots("ReqRemoveExcessMargin", 0)
    idle_lifetime: str = attr("ReqIdleLifetime", "0")
    params: dict[str, Value] = prefixed("GlideinParam")
    enc_params: dict[str, str] = prefixed("GlideinEncParam")
    config: dict[str, Value] = prefixed("GlideinConfig")
    monitor: dict[str, Value] = prefixed("GlideinMonitor")
    sequence: int = attr("UpdateSequenceNumber", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideResource(WireAd):
    """One per entry and group, in the user pool: what the group knows and asked for."""

    KIND: ClassVar[AdKind] = AdKind("glideresource", *GENERIC)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    factory_name: str = attr("GlideFactoryName")
    client_name: str = attr("GlideClientName")
    frontend_name: str = attr("GlideFrontendName")
    group_name: str = attr("GlideGroupName")
    ha_mode: str = attr("GlideFrontendHAMode", "master")
    in_downtime: str = attr("GLIDEIN_In_Downtime", "False")
    sequence: int = attr("UpdateSequenceNumber", 0)
    factory_monitor: dict[str, Value] = prefixed("GlideFactoryMonitor")
    factory_config: dict[str, Value] = prefixed("GlideFactoryConfig")
    monitor: dict[str, Value] = prefixed("GlideClientMonitor")
    config: dict[str, Value] = prefixed("GlideClientConfig")
    curbs: dict[str, Value] = prefixed("GlideClientCurb")
    limits: dict[str, Value] = prefixed("GlideClientLimit")
    attrs: dict[str, Value] = rest()


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideFrontendMonitor(WireAd):
    """One per Frontend, in the user pool: totals and timings."""

    KIND: ClassVar[AdKind] = AdKind("glidefrontendmonitor", *GENERIC)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    frontend_name: str = attr("GlideFrontendName")
    groups: str = attr("GlideFrontendGroups", "")
    ha_mode: str = attr("GlideFrontendHAMode", "master")
    idle_total: int = attr("GlideFrontend_IdleJobs_Total", 0)
    idle_600: int = attr("GlideFrontend_IdleJobs_600", 0)
    idle_3600: int = attr("GlideFrontend_IdleJobs_3600", 0)
    sequence: int = attr("UpdateSequenceNumber", 0)
    performance: dict[str, Value] = prefixed("GlideinPerfMetric")
