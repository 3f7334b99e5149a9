"""The seven kinds of ads on the wire, and the envelope (protocol 1, 2)."""

from glideinwms.lib.ads.base import VERSION, Ad, Kind, Value, WireAd, long_form, parse_long_form
from glideinwms.lib.ads.envelope import EnvelopeRefused, Seal, as_text
from glideinwms.lib.ads.factory import GlideFactory, GlideFactoryClient, GlideFactoryGlobal
from glideinwms.lib.ads.frontend import GlideClient, GlideClientGlobal, GlideFrontendMonitor, GlideResource
from glideinwms.lib.ads.opening import Opener, open_envelope

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
    "ALL", "VERSION", "Ad", "EnvelopeRefused", "GlideClient", "GlideClientGlobal", "GlideFactory", "GlideFactoryClient",
    "GlideFactoryGlobal", "GlideFrontendMonitor", "GlideResource", "Kind", "Opener", "Seal", "Value", "WireAd",
    "as_text", "long_form", "open_envelope", "parse_long_form",
]  # fmt: skip
