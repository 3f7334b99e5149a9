"""IDTOKENS of a pool, made from its signing key: the demo's own (the Frontend makes its pilots' in lib/credentials)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SCRAMBLE = b"\xde\xad\xbe\xef"


def signing_key(stored: bytes, kid: str = "POOL") -> bytes:
    """The HS256 key of a key file's bytes: XOR with DE AD BE EF, doubled for kid POOL, HKDF-SHA256."""
    raw = bytes(c ^ SCRAMBLE[i % 4] for i, c in enumerate(stored))
    raw = raw + raw if kid == "POOL" else raw
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"htcondor", info=b"master jwt").derive(raw)


def idtoken(
    stored: bytes, issuer: str, identity: str, authz: Sequence[str], lifetime: int, now: int, kid: str = "POOL"
) -> str:
    """A token of `identity` for the pool whose TRUST_DOMAIN is `issuer`; `authz` like ("READ",), empty = no limit;
    lifetime in s."""
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": identity,
        "iat": now,
        "exp": now + lifetime,
        "jti": secrets.token_hex(16),
    }
    if authz:
        claims["scope"] = " ".join(f"condor:/{a}" for a in authz)
    return jwt.encode(claims, signing_key(stored, kid), algorithm="HS256", headers={"kid": kid})
