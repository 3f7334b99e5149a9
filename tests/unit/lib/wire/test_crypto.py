"""Keys and envelopes: the spec's vectors, the deployed bytes, and tampering (protocol 2, 9.1/1-6)."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib.errors import CryptoError
from glideinwms.lib.wire.crypto import (
    FactoryKey,
    PublicKey,
    SymmetricKey,
    keys_at_start,
    public_key_id,
)
from tests.support import golden

KEY = "00112233445566778899aabbccddeeff"
IV = "0f0e0d0c0b0a09080706050403020100"
EXPECTED = golden.data("crypto/expected.json")
VALUES = [(s["code"], v) for s in EXPECTED["symmetric"] for v in s["values"]]


@pytest.fixture(scope="session")
def golden_key(tmp_path_factory: pytest.TempPathFactory) -> FactoryKey:
    return FactoryKey.load(golden.unpack("crypto/rsa.key", tmp_path_factory.mktemp("golden")))


@pytest.fixture(scope="session")
def key() -> FactoryKey:
    return FactoryKey.generate()


@pytest.mark.parametrize(
    ("cipher", "key_hex", "plain", "sealed"),
    [
        ("aes_256_cbc", KEY * 2, "frontend", "d8ba4c2de60f3c41a255339b470207d9"),
        (
            "aes_256_cbc",
            KEY * 2,
            "x" * 16,
            "cb3ae86c402bad2aa017c6dfaf1e122f85daa42f8c7c741744a1a40c0605c38a",
        ),
        ("aes_128_cbc", KEY, "frontend", "ded2eb89fa6bec85596798697df27400"),
    ],
)
def test_vectors_of_the_specification(cipher: str, key_hex: str, plain: str, sealed: str) -> None:
    symmetric = SymmetricKey.from_code(f"cypher:{cipher},key:{key_hex},iv:{IV}")
    assert symmetric.encrypt_hex(plain) == sealed
    assert symmetric.decrypt_hex(sealed) == symmetric.decrypt_hex(sealed.upper()) == plain.encode()


@pytest.mark.parametrize(("code", "value"), VALUES)
def test_deployed_values(code: str, value: dict[str, Any]) -> None:
    symmetric = SymmetricKey.from_code(code)
    if not value["plain"]:
        with pytest.raises(CryptoError, match="decrypts to nothing"):
            symmetric.decrypt_hex(value["hex"])
        with pytest.raises(CryptoError, match="empty"):
            symmetric.encrypt_hex("")
        return
    assert symmetric.encrypt_hex(value["plain"]) == value["hex"]
    assert symmetric.decrypt_hex(value["hex"]).decode() == value["plain"]


@pytest.mark.parametrize("case", EXPECTED["symmetric"], ids=lambda c: c["cypher"])
def test_deployed_key_codes_are_unwrapped(golden_key: FactoryKey, case: dict[str, Any]) -> None:
    assert golden_key.unwrap(case["wrapped_key_code"]).code() == case["code"]


@pytest.mark.parametrize("case", EXPECTED["other_key_codes"], ids=lambda c: c["code"][:40])
def test_other_key_codes(golden_key: FactoryKey, case: dict[str, Any]) -> None:
    """What the deployed reader rejects we reject, except the 3.11 spelling; ciphers that fail there
    are refused.
    """
    if case["code"].startswith("cipher:aes"):
        assert golden_key.unwrap(case["wrapped_key_code"]).code() == case["code"].replace(
            "cipher:", "cypher:"
        )
        return
    with pytest.raises(CryptoError):
        golden_key.unwrap(case["wrapped_key_code"])


def test_the_golden_keys_name(golden_key: FactoryKey) -> None:
    assert golden_key.public.pem == EXPECTED["pub_key_value"] == golden.text("crypto/rsa.pub.pem")
    assert (
        golden_key.public.key_id
        == EXPECTED["pub_key_id"]
        == public_key_id(EXPECTED["pub_key_value"])
    )


@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_any_value_comes_back(plain: bytes, short: bool) -> None:
    symmetric = (
        SymmetricKey("aes_128_cbc", b"k" * 16, b"i" * 16) if short else SymmetricKey.generate()
    )
    sealed = symmetric.encrypt_hex(plain)
    assert sealed == sealed.lower() and len(sealed) % 32 == 0
    assert SymmetricKey.from_code(symmetric.code()).decrypt_hex(sealed) == plain


@given(st.text(max_size=70))
def test_nonsense_is_never_anything_but_a_crypto_error(text: str) -> None:
    symmetric = SymmetricKey("aes_256_cbc", b"k" * 32, b"i" * 16)
    for act in (lambda: symmetric.decrypt_hex(text), lambda: SymmetricKey.from_code(text)):
        with pytest.raises(CryptoError):
            act()


@given(st.binary(min_size=16, max_size=64), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_value_is_refused_or_different(plain: bytes, place: int, flip: int) -> None:
    """There is no tag (protocol 9.1/6): what can be noticed is bad padding; the rest must at least
    not come back as it was.
    """
    symmetric = SymmetricKey("aes_256_cbc", b"k" * 32, b"i" * 16)
    raw = bytearray.fromhex(symmetric.encrypt_hex(plain))
    raw[place % len(raw)] ^= flip
    with contextlib.suppress(CryptoError):
        assert symmetric.decrypt_hex(raw.hex()) != plain


@pytest.mark.parametrize(
    "code",
    [
        "",
        "cypher:aes_256_cbc",
        f"cypher:aes_256_cbc,key:{KEY},iv:{IV}",
        f"cypher:aes_128_cbc,key:{KEY},iv:00",
        f"cypher:des3,key:{KEY},iv:{IV}",
        f"key:{KEY},cypher:aes_128_cbc,iv:{IV}",
        f"cypher:aes_128_cbc,key:{KEY},iv:{IV},x:1",
        f"cypher:aes_128_cbc,key:{KEY},iv:{IV}\n",
        f"other:aes_128_cbc,key:{KEY},iv:{IV}",
        f"cypher:aes_128_cbc,key:zz{KEY[2:]},iv:{IV}",
    ],
)
def test_key_codes_that_are_none(code: str) -> None:
    with pytest.raises(CryptoError):
        SymmetricKey.from_code(code)


def test_a_wrapped_key_is_for_one_factory(key: FactoryKey, golden_key: FactoryKey) -> None:
    symmetric = SymmetricKey.generate()
    wrapped = key.public.wrap(symmetric.code())
    assert len(wrapped) == 512 and key.unwrap(wrapped) == symmetric
    for wrong in (
        wrapped[:-2] + ("00" if wrapped[-2:] != "00" else "01"),
        wrapped[2:],
        "",
        "no hex",
        wrapped + "00",
    ):
        with pytest.raises(CryptoError, match="not wrapped with our key"):
            key.unwrap(wrong)
    with pytest.raises(CryptoError, match="not wrapped with our key"):
        golden_key.unwrap(wrapped)


def test_pkcs1_v15_is_not_taken(key: FactoryKey) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding

    wrapped = key.private.public_key().encrypt(
        SymmetricKey.generate().code().encode(), padding.PKCS1v15()
    )
    with pytest.raises(CryptoError):
        key.unwrap(wrapped.hex())


def test_sha256_wrapping_of_newer_frontends_is_taken(key: FactoryKey) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    code = f"cipher:aes_256_cbc,key:{KEY * 2},iv:{IV}"
    assert key.unwrap(
        key.private.public_key().encrypt(code.encode(), oaep).hex()
    ).key == bytes.fromhex(KEY * 2)


def test_a_key_file_is_what_the_deployed_factory_writes(key: FactoryKey, tmp_path: Path) -> None:
    path = tmp_path / "rsa.key"
    key.save(path)
    assert path.read_text().startswith(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FactoryKey.load(path).public == key.public


@pytest.mark.parametrize("content", [b"", b"no key", None])
def test_a_key_file_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rsa.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CryptoError, match=str(path)):
        FactoryKey.load(path)


def test_public_keys_that_are_none() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(CryptoError, match="not RSA"):
        PublicKey.from_pem(pem.decode())
    with pytest.raises(CryptoError, match="cannot be loaded"):
        PublicKey.from_pem("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n")


def test_keys_at_start(tmp_path: Path) -> None:
    """Protocol 2.1: a fresh key is reused; an old one is set aside, and still opens requests; a
    broken copy stops nothing.
    """
    first = keys_at_start(tmp_path, 900, 2048, 1000.0)
    assert len(first) == 1
    made = (tmp_path / "rsa.key").stat().st_mtime
    again = keys_at_start(tmp_path, 900, 2048, made + 899)
    assert [k.public for k in again] == [first[0].public] and not (
        tmp_path / "rsa.key.bak"
    ).exists()
    rotated = keys_at_start(tmp_path, 900, 2048, made + 901)
    assert rotated[1].public == first[0].public and rotated[0].public != first[0].public
    assert stat.S_IMODE((tmp_path / "rsa.key.bak").stat().st_mode) == 0o600
    both = keys_at_start(tmp_path, 900, 2048, (tmp_path / "rsa.key").stat().st_mtime)
    assert [k.public for k in both] == [k.public for k in rotated]
    (tmp_path / "rsa.key.bak").write_text("broken")
    os.utime(tmp_path / "rsa.key")
    left = keys_at_start(tmp_path, 900, 2048, (tmp_path / "rsa.key").stat().st_mtime)
    assert [k.public for k in left] == [rotated[0].public]


def test_a_key_of_days_is_kept_over_a_short_stop(tmp_path: Path) -> None:
    first = keys_at_start(tmp_path, 900, 2048, 0.0)
    made = (tmp_path / "rsa.key").stat().st_mtime
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "status.json").write_text("{}")
    stopped = made + 86400
    os.utime(tmp_path / "state" / "status.json", (stopped, stopped))
    assert [k.public for k in keys_at_start(tmp_path, 900, 2048, stopped + 30)] == [first[0].public]
    assert not (tmp_path / "rsa.key.bak").exists()
    assert len(keys_at_start(tmp_path, 900, 2048, stopped + 901)) == 2


def test_keys_do_not_show_themselves(key: FactoryKey) -> None:
    symmetric = SymmetricKey.generate()
    for secret in (symmetric.key, symmetric.iv):
        assert secret.hex() not in repr(symmetric) and repr(secret) not in repr(symmetric)
    assert "PRIVATE" not in repr(key)
