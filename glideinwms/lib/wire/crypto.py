"""The envelope's cryptography (protocol 2): the Factory's RSA key pair, the request's symmetric
key, key ids.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from glideinwms.lib.bounded import reason
from glideinwms.lib.errors import CryptoError
from glideinwms.lib.files import write_atomic

PASS_PHRASE = b"default"
KEY_BYTES = {"aes_256_cbc": 32, "aes_128_cbc": 16}
KEY_CODE = re.compile(r"(?:cypher|cipher):([a-z0-9_]+),key:([0-9a-fA-F]+),iv:([0-9a-fA-F]+)")
BLOCK = 128


def _oaep(algorithm: hashes.HashAlgorithm) -> rsa_padding.OAEP:
    return rsa_padding.OAEP(mgf=rsa_padding.MGF1(algorithm), algorithm=algorithm, label=None)


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """One request's key: AES-CBC with PKCS#7, the same IV for every value (the deployed dialect)."""

    cipher: str
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> SymmetricKey:
        """A fresh AES-256 key and IV."""
        return cls("aes_256_cbc", secrets.token_bytes(32), secrets.token_bytes(16))

    @classmethod
    def from_code(cls, code: str) -> SymmetricKey:
        """Parse `cypher:<name>,key:<hex>,iv:<hex>` (3.11 writes `cipher:`)."""
        match = KEY_CODE.fullmatch(code)
        if not match:
            raise CryptoError("the key code is not cypher:<name>,key:<hex>,iv:<hex>")
        name, key, iv = match[1], match[2], match[3]
        if name not in KEY_BYTES:
            raise CryptoError(f"the cipher of the key code is none of {', '.join(KEY_BYTES)}")
        if len(key) != 2 * KEY_BYTES[name] or len(iv) != 32:
            raise CryptoError("the key or the IV of the key code has the wrong length")
        return cls(name, bytes.fromhex(key), bytes.fromhex(iv))

    def code(self) -> str:
        """The key code text, as wrapped into ReqEncKeyCode."""
        return f"cypher:{self.cipher},key:{self.key.hex()},iv:{self.iv.hex()}"

    def encrypt_hex(self, plain: str | bytes) -> str:
        """Lower-case hex of the encrypted value. Empty values kill a deployed Factory's worker:
        refused (protocol 9.1/1).
        """
        raw = plain.encode() if isinstance(plain, str) else plain
        if not raw:
            raise CryptoError("an empty value may not be sealed")
        padder = padding.PKCS7(BLOCK).padder()
        encryptor = self._cipher().encryptor()
        return (
            encryptor.update(padder.update(raw) + padder.finalize()) + encryptor.finalize()
        ).hex()

    def decrypt_hex(self, text: str) -> bytes:
        """The value of a hex text; a CryptoError for bad hex, length, padding, or an empty value."""
        try:
            raw = bytes.fromhex(text)
            decryptor = self._cipher().decryptor()
            unpadder = padding.PKCS7(BLOCK).unpadder()
            plain = (
                unpadder.update(decryptor.update(raw) + decryptor.finalize()) + unpadder.finalize()
            )
        except ValueError as error:
            raise CryptoError(f"the value cannot be decrypted: {error}") from error
        if not plain:
            raise CryptoError("the value decrypts to nothing")
        return plain

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self.key), modes.CBC(self.iv))


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A Factory's public key as the Frontend sees it; `pem` ends with a newline, `key_id` is what
    requests name.
    """

    pem: str
    key_id: str

    @classmethod
    def from_pem(cls, pem: str) -> PublicKey:
        """Load PubKeyValue (real newlines); the id is MD5 of `RSA `+PEM (protocol 2.1)."""
        try:
            key = serialization.load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CryptoError(f"the public key cannot be loaded: {reason(str(error))}") from error
        if not isinstance(key, rsa.RSAPublicKey):
            raise CryptoError("the public key is not RSA")
        return cls(pem, public_key_id(pem))

    def wrap(self, code: str) -> str:
        """ReqEncKeyCode: hex of RSA-OAEP-SHA1 (what every Factory accepts; protocol 2.8)."""
        key = serialization.load_pem_public_key(self.pem.encode())
        assert isinstance(key, rsa.RSAPublicKey)
        return key.encrypt(code.encode(), _oaep(hashes.SHA1())).hex()


def public_key_id(pem: str) -> str:
    """PubKeyID of a PEM text with its final newline."""
    return hashlib.md5(f"RSA {pem}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class FactoryKey:
    """The Factory's key pair."""

    private: rsa.RSAPrivateKey
    public: PublicKey

    @classmethod
    def of(cls, private: rsa.RSAPrivateKey) -> FactoryKey:
        """The pair of a private key."""
        pem = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(private, PublicKey.from_pem(pem.decode()))

    @classmethod
    def generate(cls, bits: int = 2048) -> FactoryKey:
        """A new pair, exponent 65537."""
        return cls.of(rsa.generate_private_key(65537, bits))

    @classmethod
    def load(cls, path: Path) -> FactoryKey:
        """Read `rsa.key` (PKCS#1 PEM, AES-256-CBC, pass phrase `default`)."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), PASS_PHRASE)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CryptoError(
                f"the Factory key cannot be loaded: {error}", where=str(path)
            ) from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise CryptoError("the Factory key is not RSA", where=str(path))
        return cls.of(key)

    def save(self, path: Path) -> None:
        """Write `rsa.key` in the deployed form, mode 0600."""
        pem = self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(PASS_PHRASE),
        )
        write_atomic(path, pem, 0o600, fsync=True)

    def unwrap(self, wrapped: str) -> SymmetricKey:
        """Open ReqEncKeyCode: OAEP with SHA-256 (3.11), then SHA-1; a CryptoError if neither fits."""
        for algorithm in (hashes.SHA256(), hashes.SHA1()):
            try:
                code = self.private.decrypt(bytes.fromhex(wrapped), _oaep(algorithm))
                return SymmetricKey.from_code(code.decode())
            except (ValueError, UnicodeDecodeError):
                continue
        raise CryptoError("the key code was not wrapped with our key")


def keys_at_start(work_dir: Path, grace: float, bits: int, now: float) -> list[FactoryKey]:
    """The keys of a starting Factory, newest first (protocol 2.1): one that was not in use for
    `grace` seconds is set aside as rsa.key.bak, and a new one is made; else it is kept, with its
    predecessor if that loads. It was in use when it was made, and when a Factory last wrote its
    status.
    """
    path, old, used = (
        work_dir / "rsa.key",
        work_dir / "rsa.key.bak",
        work_dir / "state" / "status.json",
    )
    if path.exists() and now - max(p.stat().st_mtime for p in (path, used) if p.exists()) > grace:
        previous = FactoryKey.load(path)
        write_atomic(old, path.read_bytes(), 0o600)
        new = FactoryKey.generate(bits)
        new.save(path)
        return [new, previous]
    if not path.exists():
        new = FactoryKey.generate(bits)
        new.save(path)
        return [new]
    keys = [FactoryKey.load(path)]
    if old.exists():
        with contextlib.suppress(CryptoError):
            keys.append(FactoryKey.load(old))
    return keys
