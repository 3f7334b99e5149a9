"""Issue SciTokens and certificates for the demo, without a server.

Keys go into the key cache of libSciTokens.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glideinwms.lib.files import write_atomic

KID = "demo1"
YEAR = 365 * 86400


def write_private(path: Path, data: bytes | str) -> None:
    """Write a file that only its owner can ever read, and replace an existing one."""
    write_atomic(path, data, 0o600)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Authority:
    """A certificate authority for hosts. Clients trust `certificate`."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def make(now: datetime.datetime) -> Authority:
        """A fresh self-signed authority, valid for a year."""
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("demo CA")
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(name, name, key, now)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        return Authority(key, certificate)

    @property
    def pem(self) -> bytes:
        """Return the certificate of the authority."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def host(self, name: str, others: Sequence[str], now: datetime.datetime) -> tuple[bytes, bytes]:
        """Return (certificate, key) in PEM for a host with its other names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_alternative(n) for n in (name, *others)])
        certificate = (
            _builder(_name(name), self.certificate.subject, key, now)
            .add_extension(names, False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(seconds=YEAR))
    )


@dataclass(frozen=True)
class Issuer:
    """An issuer of SciTokens.

    libSciTokens insists on an https URL, but does not contact it while the key cache is fresh.
    """

    url: str
    key: ec.EllipticCurvePrivateKey

    @staticmethod
    def make(url: str) -> Issuer:
        """An issuer with a fresh P-256 key."""
        return Issuer(url, ec.generate_private_key(ec.SECP256R1()))

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public key as a JWK set."""

        def number(n: int) -> str:
            return base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode()

        public = self.key.public_key().public_numbers()
        kind = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KID}
        return {"keys": [{**kind, "x": number(public.x), "y": number(public.y)}]}

    def token(self, subject: str, audience: str, lifetime: int, now: int) -> str:
        """Return a SciToken for the CE whose SCITOKENS_SERVER_AUDIENCE is `audience`.

        The lifetime is in seconds and may be negative.
        """
        claims = {
            "ver": "scitoken:2.0",
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "scope": "condor:/READ condor:/WRITE",
            "iat": now,
            "nbf": now - 5,
            "exp": now + lifetime,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": KID})

    def fill_cache(self, home: Path, now: int) -> None:
        """Write the keys into the cache of libSciTokens below `home` (SEC_SCITOKENS_CACHE)."""
        folder = home / "scitokens"
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        keys = json.dumps({"jwks": self.jwks(), "expires": now + YEAR, "next_update": now + YEAR})
        with contextlib.closing(sqlite3.connect(folder / "scitokens_cpp.sqllite")) as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS keycache "
                "(issuer text UNIQUE PRIMARY KEY NOT NULL,keys text NOT NULL)"
            )
            db.execute("INSERT OR REPLACE INTO keycache VALUES (?, ?)", (self.url, keys))
