"""Seal and open envelopes with M2Crypto, the library of GlideinWMS 3.10 peers.

Reads a list of [operation, arguments] as JSON from stdin and prints the results. It uses none of
our own code.
"""

from __future__ import annotations

import json
import sys
from typing import Any

PASS_PHRASE = b"default"
KEY_BYTES = {"aes_256_cbc": 32, "aes_128_cbc": 16}


def _cipher(code: str, encrypt: bool) -> Any:
    from M2Crypto import EVP

    name, key, iv = (part.split(":", 1)[1] for part in code.split(","))
    assert len(key) == 2 * KEY_BYTES[name] and len(iv) == 32
    return EVP.Cipher(alg=name, key=bytes.fromhex(key), iv=bytes.fromhex(iv), op=int(encrypt))


def _private(path: str) -> Any:
    from M2Crypto import RSA

    return RSA.load_key(path, callback=lambda _: PASS_PHRASE)


def encrypt(code: str, plain: str) -> str:
    """Hex of a value under a key code."""
    cipher = _cipher(code, True)
    return (cipher.update(plain.encode()) + cipher.final()).hex()


def decrypt(code: str, sealed: str) -> str:
    """The value of a hex text."""
    cipher = _cipher(code, False)
    return (cipher.update(bytes.fromhex(sealed)) + cipher.final()).decode()


def wrap(pem: str, code: str) -> str:
    """A key code for the owner of a public key."""
    from M2Crypto import BIO, RSA

    key = RSA.load_pub_key_bio(BIO.MemoryBuffer(pem.encode()))
    return key.public_encrypt(code.encode(), RSA.pkcs1_oaep_padding).hex()


def unwrap(path: str, wrapped: str) -> str:
    """The key code that was wrapped for a private key file."""
    from M2Crypto import RSA

    return _private(path).private_decrypt(bytes.fromhex(wrapped), RSA.pkcs1_oaep_padding).decode()


def new_key(path: str) -> str:
    """Write a Factory's key file; its public key as PEM."""
    from M2Crypto import RSA

    key = RSA.gen_key(2048, 65537, callback=lambda *_: None)
    key.save_key(path, cipher="aes_256_cbc", callback=lambda _: PASS_PHRASE)
    return public(path)


def public(path: str) -> str:
    """The public key of a private key file as PEM."""
    from M2Crypto import BIO

    memory = BIO.MemoryBuffer()
    _private(path).save_pub_key_bio(memory)
    return memory.read().decode()


if __name__ == "__main__":
    known = {f.__name__: f for f in (encrypt, decrypt, wrap, unwrap, new_key, public)}
    print(json.dumps([known[name](**arguments) for name, arguments in json.load(sys.stdin)]))
