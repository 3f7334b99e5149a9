"""Our envelopes and M2Crypto's, the library of deployed peers, both ways (protocol 2.1-2.3, decision 58)."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.demo.portable import default_cache
from glideinwms.lib.wire import GlideClient, GlideClientGlobal, Seal, open_envelope
from glideinwms.lib.wire.crypto import FactoryKey, PublicKey, SymmetricKey
from tests.support import golden

pytestmark = pytest.mark.interop
PEER = Path(__file__).parents[2] / "support" / "m2crypto_peer.py"
Peer = Callable[..., list[Any]]
AES_128 = "cypher:aes_128_cbc,key:" + "0a" * 16 + ",iv:" + "0b" * 16


def works(path: str) -> str:
    """Why M2Crypto cannot be imported with this PYTHONPATH, or ""."""
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", "import M2Crypto.RSA"], env=env, text=True, capture_output=True
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def unpacked(cache: Path) -> tuple[str, str]:
    """M2Crypto out of Debian's package, beside the virtual environment: no compiler, no root.
    (PYTHONPATH, why not).
    """
    home = cache / "m2crypto"
    place = str(home / "usr/lib/python3/dist-packages")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "m2crypto.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if home.exists() and not works(place):
            return place, ""
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            return "", "no apt-get and dpkg-deb to unpack python3-m2crypto with"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        for argv in (
            ["apt-get", "-q", "download", "python3-m2crypto"],
            ["sh", "-c", "dpkg-deb -x ./*.deb . && rm ./*.deb"],
        ):
            done = subprocess.run(argv, cwd=home, text=True, capture_output=True)
            if done.returncode:
                return "", f"{' '.join(argv)}: {done.stderr.strip().splitlines()[-1]}"
        return place, works(place)


@pytest.fixture(scope="session")
def peer() -> Peer:
    """`peer(("unwrap", {...}), ...)`: what M2Crypto makes of it."""
    why, place = works(os.environ.get("PYTHONPATH", "")), os.environ.get("PYTHONPATH", "")
    if why:
        place, why_not = unpacked(default_cache())
        if why_not:
            pytest.skip(
                f"M2Crypto is neither installed (extra 'interop': {why}) nor can it be unpacked: {why_not}"
            )

    def ask(*operations: tuple[str, dict[str, Any]]) -> list[Any]:
        done = subprocess.run(
            [sys.executable, str(PEER)],
            env={**os.environ, "PYTHONPATH": place},
            input=json.dumps(operations),
            text=True,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        found: list[Any] = json.loads(done.stdout)
        return found

    return ask


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[FactoryKey, str]:
    """A key of ours and its file."""
    path = tmp_path_factory.mktemp("key") / "rsa.key"
    key = FactoryKey.generate()
    key.save(path)
    return key, str(path)


def test_it_opens_what_we_wrap_and_we_open_what_it_wraps(
    peer: Peer, ours: tuple[FactoryKey, str]
) -> None:
    key, path = ours
    for code in (SymmetricKey.generate().code(), AES_128):
        opened, wrapped = peer(
            ("unwrap", {"path": path, "wrapped": key.public.wrap(code)}),
            ("wrap", {"pem": key.public.pem, "code": code}),
        )
        assert opened == code and key.unwrap(wrapped).code() == code


def test_key_files_are_read_by_the_other_side(
    peer: Peer, ours: tuple[FactoryKey, str], tmp_path: Path
) -> None:
    key, path = ours
    theirs = tmp_path / "rsa.key"
    pem, of_ours = peer(("new_key", {"path": str(theirs)}), ("public", {"path": path}))
    assert FactoryKey.load(theirs).public == PublicKey.from_pem(pem)
    assert of_ours == key.public.pem
    for file in (theirs, Path(path)):
        lines = file.read_text().splitlines()
        assert lines[:2] == ["-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"]
        assert lines[2].startswith("DEK-Info: AES-256-CBC,")


@settings(max_examples=5, deadline=None)
@given(texts=st.lists(st.text(min_size=1), min_size=1, max_size=30), short=st.booleans())
def test_values_are_sealed_the_same(peer: Peer, texts: list[str], short: bool) -> None:
    key = SymmetricKey.from_code(AES_128) if short else SymmetricKey.generate()
    texts = [t.encode(errors="ignore").decode() or "x" for t in texts]
    sealed = [key.encrypt_hex(t) for t in texts]
    found = peer(
        *(("encrypt", {"code": key.code(), "plain": t}) for t in texts),
        *(("decrypt", {"code": key.code(), "sealed": s}) for s in sealed),
    )
    assert found == [*sealed, *texts]
    assert [key.decrypt_hex(s).decode() for s in found[: len(texts)]] == texts


def test_a_whole_request_of_ours_opens_there(peer: Peer, ours: tuple[FactoryKey, str]) -> None:
    key, path = ours
    seal = Seal.make(key.public, "frontend@wms.demo")
    params = {"SecurityName": "fe", "E.1.idtoken": "a.b.c", "Proxy": "line\nline\n"}
    ad = GlideClient(
        name="n",
        client_name="fe.main",
        req_name="E.1@i@F",
        req_glidein="E.1@i@F",
        idle=1,
        max_glideins=2,
        key_id=seal.key_id,
        key_code=seal.key_code,
        enc_identity=seal.enc_identity,
        enc_params=seal.params(params),
    )
    sent = GlideClient.from_ad(ad.to_ad())
    code = peer(("unwrap", {"path": path, "wrapped": sent.key_code}))[0]
    opened = peer(
        ("decrypt", {"code": code, "sealed": sent.enc_identity}),
        *(("decrypt", {"code": code, "sealed": s}) for s in sent.enc_params.values()),
    )
    assert opened == ["frontend@wms.demo", *params.values()]


def test_a_whole_request_of_theirs_opens_here(peer: Peer, ours: tuple[FactoryKey, str]) -> None:
    key, _ = ours
    code = "cypher:aes_256_cbc,key:" + "5c" * 32 + ",iv:" + "c5" * 16
    values = {
        "SecurityName": "fe",
        "ABCDEFGH": "-----BEGIN\nsecret\n",
        "SecurityClassABCDEFGH": "frontend",
    }
    wrapped, identity, *sealed = peer(
        ("wrap", {"pem": key.public.pem, "code": code}),
        ("encrypt", {"code": code, "plain": "frontend@wms.demo"}),
        *(("encrypt", {"code": code, "plain": v}) for v in values.values()),
    )
    ad = GlideClientGlobal(
        name="i@F@fe.main",
        frontend_name="fe",
        group_name="main",
        client_name="fe.main",
        key_id=key.public.key_id,
        key_code=wrapped,
        enc_identity=identity,
        enc_params=dict(zip(values, sealed, strict=True)),
    )
    opened = open_envelope(ad, {key.public.key_id: key}, "frontend@wms.demo")
    assert {k: v.decode() for k, v in opened.items()} == values


def test_it_reads_the_golden_key_as_we_do(peer: Peer, tmp_path: Path) -> None:
    path = golden.unpack("crypto/rsa.key", tmp_path)
    assert peer(("public", {"path": str(path)})) == [FactoryKey.load(path).public.pem]
