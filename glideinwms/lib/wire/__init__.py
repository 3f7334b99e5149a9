"""The seven kinds of ads on the wire, and the envelope (protocol 1, 2)."""

from glideinwms.lib.wire.base import VERSION, Ad, AdKind, Value, WireAd, long_form, parse_long_form
from glideinwms.lib.wire.envelope import EnvelopeRefused, Seal, as_text
from glideinwms.lib.wire.factory_ads import GlideFactory, GlideFactoryClient, GlideFactoryGlobal
from glideinwms.lib.wire.frontend_ads import (
    GlideClient,
    GlideClientGlobal,
    GlideFrontendMonitor,
    GlideResource,
)
from glideinwms.lib.wire.opening import Opener, open_envelope

ALL: tuple[type[WireAd], ...] = (
    GlideFactory,
    GlideFactoryGlobal,
    GlideFactoryClient,
    GlideClient,
    GlideClientGlobal,
    GlideResource,
    GlideFrontendMonitor,
)

__all__ = [
    "ALL",
    "VERSION",
    "Ad",
    "AdKind",
    "EnvelopeRefused",
    "GlideClient",
    "GlideClientGlobal",
    "GlideFactory",
    "GlideFactoryClient",
    "GlideFactoryGlobal",
    "GlideFrontendMonitor",
    "GlideResource",
    "Opener",
    "Seal",
    "Value",
    "WireAd",
    "as_text",
    "long_form",
    "open_envelope",
    "parse_long_form",
]
