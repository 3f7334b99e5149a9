"""HTCondor IDTOKENs made from a pool's signing key, and the expiry of any JSON web token (protocol 2.6, 3.6)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from glideinwms.lib.errors import CredentialError
from glideinwms.lib.files import write_atomic

SCRAMBLE = b"\xde\xad\xbe\xef"
POOL = "POOL"
PILOT_SCOPES = ("condor:/READ", "condor:/ADVERTISE_STARTD", "condor:/ADVERTISE_MASTER")
RENEW_AFTER = 3600.0


def master_key(data: bytes, key_id: str) -> bytes:
    """The HS256 key of a signing key file's bytes: unscrambled, doubled for the key called POOL, then HKDF."""
    raw = bytes(c ^ SCRAMBLE[i % 4] for i, c in enumerate(data))
    if key_id == POOL:
        raw += raw
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"htcondor", info=b"master jwt").derive(raw)


@dataclass(frozen=True, slots=True)
class Signer:
    """A pool's signing key: `issuer` is the pool's TRUST_DOMAIN, `key_id` the file's name in its passwords.d."""

    key: bytes = field(repr=False)
    key_id: str
    issuer: str

    @classmethod
    def load(cls, path: Path, issuer: str, key_id: str = "") -> Signer:
        """Read a key file; its name is the key id unless given."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CredentialError(f"the signing key cannot be read: {error.strerror}", where=str(path)) from error
        if not data:
            raise CredentialError("the signing key is empty", where=str(path))
        name = key_id or path.name
        return cls(master_key(data, name), name, issuer)

    def sign(self, identity: str, lifetime: float, now: float, scopes: Sequence[str] = PILOT_SCOPES) -> str:
        """A token for `identity`, valid `lifetime` seconds from `now`; it always ends (decision 25)."""
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
    """The claims of a token, unverified: enough to know its life. A CredentialError if it is no token."""
    try:
        claims: dict[str, Any] = jwt.decode(token.strip(), options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise CredentialError(f"is not a JSON web token: {error}") from error
    return claims


def remaining(token: str, now: float) -> float:
    """Seconds a token is still good for: infinite without `exp`, 0 when expired, not yet valid or undecodable (3.6)."""
    try:
        claims = claims_of(token)
        if float(claims.get("nbf", 0)) > now:
            return 0.0
        return max(0.0, float(claims["exp"]) - now) if "exp" in claims else float("inf")
    except (CredentialError, TypeError, ValueError):
        return 0.0


def pilot_lifetime(idle_lifetime: float, walltime: float, cap: float) -> float:
    """Life of a pilot's token in seconds: waiting time (idle lifetime, or a day) + walltime + 2 h, at most `cap`
    (decision 25: it cannot be renewed through Condor-C)."""
    return min((idle_lifetime or 86400.0) + walltime + 7200.0, cap)


def cached(path: Path, signer: Signer | None, identity: str, lifetime: float, now: float) -> str:
    """The token in `path`, made anew when older than an hour or past half its life. Without a signer the file's own,
    while it lasts. A CredentialError if there is none that is valid."""
    text, age = _kept(path, now)
    if text and age < RENEW_AFTER and remaining(text, now) > lifetime / 2:
        return text
    if signer is None:
        if remaining(text, now) > 0:
            return text
        raise CredentialError("no signing key, and no valid token in its place", where=str(path))
    text = signer.sign(identity, lifetime, now)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CredentialError(f"cannot be made: {error.strerror}", where=str(path.parent)) from error
    write_atomic(path, text + "\n", 0o600)
    return text


def _kept(path: Path, now: float) -> tuple[str, float]:
    """The text of a token file and its age in seconds; ("", infinite) if there is none that can be read."""
    try:
        return path.read_text().strip(), now - path.stat().st_mtime
    except (OSError, UnicodeDecodeError):
        return "", float("inf")
