"""How long X.509 certificates and proxies last."""

from __future__ import annotations

from cryptography import x509

BEGIN = b"-----BEGIN CERTIFICATE-----"


def ends(pem: bytes) -> float | None:
    """When the first certificate of a file to be over is, in epoch seconds; 0 if one cannot be
    read, None if there is none in it.
    """
    if BEGIN not in pem:
        return None
    try:
        found = x509.load_pem_x509_certificates(pem)
        return min(c.not_valid_after_utc.timestamp() for c in found)
    except Exception:  # noqa: BLE001 - the boundary of one file, which a peer wrote: InvalidVersion is no ValueError
        return 0.0
