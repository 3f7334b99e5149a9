"""HTCondor IDTOKENs made from a pool's signing key, and the expiry of any JSON web token (protocol
2.6, 3.6).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from glideinwms.lib.bounded import BadValue, number
from glideinwms.lib.errors import CredentialError

SCRAMBLE = b"\xde\xad\xbe\xef"
POOL = "POOL"
PILOT_SCOPES = ("condor:/READ", "condor:/ADVERTISE_STARTD", "condor:/ADVERTISE_MASTER")


def master_key(data: bytes, key_id: str) -> bytes:
    """The HS256 key of a signing key file's bytes: unscrambled, doubled for the key called POOL,
    then HKDF.
    """
    raw = bytes(c ^ SCRAMBLE[i % 4] for i, c in enumerate(data))
    if key_id == POOL:
        raw += raw
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"htcondor", info=b"master jwt").derive(
        raw
    )


@dataclass(frozen=True, slots=True)
class Signer:
    """A pool's signing key: `issuer` is the pool's TRUST_DOMAIN, `key_id` the file's name in its
    passwords.d.
    """

    key: bytes = field(repr=False)
    key_id: str
    issuer: str

    @classmethod
    def load(cls, path: Path, issuer: str, key_id: str = "") -> Signer:
        """Read a key file; its name is the key id unless given."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CredentialError(
                f"the signing key cannot be read: {error.strerror}", where=str(path)
            ) from error
        if not data:
            raise CredentialError("the signing key is empty", where=str(path))
        name = key_id or path.name
        return cls(master_key(data, name), name, issuer)

    def sign(
        self, identity: str, lifetime: float, now: float, scopes: Sequence[str] = PILOT_SCOPES
    ) -> str:
        """A token for `identity`, valid `lifetime` seconds from `now`; it always ends (decision
        25).
        """
        if lifetime <= 0:
            raise CredentialError(f"a token of {lifetime:g} s is none", where=identity)
        issued = int(now)
        claims = {
            "sub": identity,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(lifetime),
            "jti": secrets.token_hex(16),
            "iss": self.issuer,
        }
        if scopes:
            claims["scope"] = " ".join(scopes)
        return jwt.encode(claims, self.key, algorithm="HS256", headers={"kid": self.key_id})


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unverified: enough to know its life. A CredentialError if it is no
    token.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token.strip(), options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise CredentialError(f"is not a JSON web token: {error}") from error
    except Exception as error:  # the boundary of one token, which a peer wrote
        raise CredentialError(f"is not a JSON web token: {type(error).__name__}") from error
    return claims


def remaining(token: str, now: float) -> float:
    """Seconds a token is still good for: infinite without `exp`, 0 when expired, not yet valid or
    undecodable (protocol 3.6).
    """
    try:
        claims = claims_of(token)
        if number(claims.get("nbf", 0)) > now:
            return 0.0
        return max(0.0, number(claims["exp"]) - now) if "exp" in claims else float("inf")
    except (CredentialError, BadValue):
        return 0.0


def pilot_lifetime(idle_lifetime: float, walltime: float, cap: float) -> float:
    """Life of a pilot's token in seconds: waiting time (idle lifetime, or a day) + walltime + 2 h,
    at most `cap` (decision 25: it cannot be renewed through Condor-C).
    """
    return min((idle_lifetime or 86400.0) + walltime + 7200.0, cap)


def of_file(path: Path, now: float) -> str:
    """The token in a file, while it lasts; a CredentialError if there is none."""
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise CredentialError(f"no valid token can be read: {why}", where=str(path)) from error
    if remaining(text, now) <= 0:
        raise CredentialError("the token is expired, not yet valid, or no token", where=str(path))
    return text
