"""What a Factory says: glidefactory, glidefactoryglobal, glidefactoryclient (protocol 1.4, 1.5,
1.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from glideinwms.lib.wire.base import (
    GENERIC,
    LICENSE,
    VERSION,
    AdKind,
    Value,
    WireAd,
    attr,
    prefixed,
    rest,
)

SIGN_TYPES = "sha1,sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideFactoryGlobal(WireAd):
    """One per Factory: its public key. Name is `<instance>@<factory>`."""

    KIND: ClassVar[AdKind] = AdKind("glidefactoryglobal", *GENERIC)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    factory_name: str = attr("FactoryName")
    glidein_name: str = attr("GlideinName")
    sign_types: str = attr("SupportedSignTypes", SIGN_TYPES)
    daemon_start: int = attr("DaemonStartTime", 0)
    sequence: int = attr("UpdateSequenceNumber", 0)
    key_id: str = attr("PubKeyID", "")
    key_type: str = attr("PubKeyType", "RSA")
    key_pem: str = attr("PubKeyValue", "", pem=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideFactory(WireAd):
    """One per enabled entry. `attrs` are what match expressions see; `params` defaults that a
    Frontend may override.
    """

    KIND: ClassVar[AdKind] = AdKind("glidefactory", *GENERIC)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    factory_name: str = attr("FactoryName")
    glidein_name: str = attr("GlideinName")
    entry_name: str = attr("EntryName")
    sign_types: str = attr("SupportedSignTypes", SIGN_TYPES)
    daemon_start: int = attr("DaemonStartTime", 0)
    sequence: int = attr("UpdateSequenceNumber", 0)
    key_id: str = attr("PubKeyID", "", optional=True)
    key_type: str = attr("PubKeyType", "", optional=True)
    key_pem: str = attr("PubKeyValue", "", optional=True, pem=True)
    in_downtime: bool = attr("GLIDEIN_In_Downtime", False)
    web_url: str = attr("WebURL", "", optional=True)
    web_sign_type: str = attr("WebSignType", "", optional=True)
    web_descript: str = attr("WebDescriptFile", "", optional=True)
    web_sign: str = attr("WebDescriptSign", "", optional=True)
    web_entry_descript: str = attr("WebEntryDescriptFile", "", optional=True)
    web_entry_sign: str = attr("WebEntryDescriptSign", "", optional=True)
    submit: dict[str, Value] = prefixed("GlideinSubmit")
    params: dict[str, Value] = prefixed("GlideinParam")
    monitor: dict[str, Value] = prefixed("GlideinMonitor")
    config: dict[str, Value] = prefixed("GlideinConfig")
    attrs: dict[str, Value] = rest()


@dataclass(frozen=True, slots=True, kw_only=True)
class GlideFactoryClient(WireAd):
    """One per entry and ClientName: what became of its requests. `monitor` carries limits hit and
    reasons (protocol 1.8).
    """

    KIND: ClassVar[AdKind] = AdKind("glidefactoryclient", *LICENSE)

    version: str = attr("GlideinWMSVersion", VERSION)
    name: str = attr("Name")
    req_glidein: str = attr("ReqGlidein")
    factory_name: str = attr("ReqFactoryName")
    glidein_name: str = attr("ReqGlideinName")
    entry_name: str = attr("ReqEntryName")
    client_name: str = attr("ReqClientName")
    client_identity: str = attr("ReqClientIdentity", "", optional=True)
    client_req_name: str = attr("ReqClientReqName", "")
    sequence: int = attr("UpdateSequenceNumber", 0)
    in_downtime: bool = attr("GLIDEIN_In_Downtime", False)
    params: dict[str, Value] = prefixed("GlideinParam")
    monitor: dict[str, Value] = prefixed("GlideinMonitor")
    attrs: dict[str, Value] = rest()
