"""Credential identifiers (protocol 3.2). They depend on names, not on content, so that a renewal
keeps them.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from glideinwms.lib.errors import CredentialError

# OpenSSL's one-line names of subject parts; others appear by their dotted number.
SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.USER_ID: "UID",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.GIVEN_NAME: "GN",
    NameOID.SURNAME: "SN",
    NameOID.TITLE: "title",
    NameOID.STREET_ADDRESS: "street",
}


def credential_id(text: str) -> str:
    """First 8 characters of base32(MD5(text))."""
    return base64.b32encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()[:8]


def subject(pem: bytes, where: str) -> str:
    """Subject in OpenSSL's one-line form of the first certificate, from the end of the file, that
    is no CA.
    """
    try:
        for certificate in reversed(x509.load_pem_x509_certificates(pem)):
            if not _is_ca(certificate):
                return "".join(
                    f"/{SHORT.get(a.oid, a.oid.dotted_string)}={_escaped(a.value)}"
                    for a in certificate.subject
                )
    except Exception as error:
        # the message of the error could contain a byte of the file
        raise CredentialError("holds no certificate that can be read", where=where) from error
    raise CredentialError("holds only CA certificates", where=where)


def _escaped(value: str | bytes) -> str:
    """A subject part as OpenSSL writes it on one line: `/` and `+` with a backslash, what is not
    ASCII as \\xHH.
    """
    raw = value if isinstance(value, bytes) else value.encode()
    return "".join(
        f"\\{chr(b)}" if chr(b) in "/+" else chr(b) if 32 <= b < 127 else f"\\x{b:02X}" for b in raw
    )


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def file_id(path: str, kinds: str) -> str:
    """CredID of a credential file: its name, with the subject for a credential whose type has
    grid_proxy.
    """
    if "grid_proxy" not in kinds.split("+"):
        return credential_id(path)
    try:
        pem = Path(path).read_bytes()
    except OSError as error:
        raise CredentialError(f"cannot be read: {error.strerror}", where=path) from error
    return credential_id(path + subject(pem, path))
