"""The scanner finds what is planted, however it is written; a scanner that finds nothing proves nothing."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import secret_scan

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLXRleHQ"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEArxO1GpfXFQUfVUVQrcE7jFK1ck5eDp3ZF8JfF5p\nMIIB\n"
KNOWN = {"token": TOKEN, "password": "s3cret-pässword", "raw": b"\x00\x01\xfe\xffbinary"}


@pytest.mark.parametrize(
    "data",
    [
        TOKEN.encode(),
        b'{"a": "' + TOKEN.encode() + b'\\n"}',
        base64.b64encode(TOKEN.encode()),
        TOKEN.encode().hex().encode(),
        repr(KNOWN["raw"]).encode(),
        b"x" + b"\x00\x01\xfe\xffbinary",
        PEM.encode(),
        json.dumps(KNOWN["password"]).encode(),
        b"\x00\x01\xfe\xffbinary".hex().upper().encode(),
    ],
)
def test_every_form_is_found(data: bytes) -> None:
    assert secret_scan.in_bytes(b"before " + data + b" after", KNOWN)


def test_what_is_none_is_not() -> None:
    harmless = b"eyJ.eyJ.x -----BEGIN PUBLIC KEY----- s3cret-p token=eyJhbGciOiJIUzI1NiJ9.. d8ba4c2de60f3c41a255339b470207d9"  # noqa: E501
    assert secret_scan.in_bytes(harmless, KNOWN) == []


def test_one_line_of_a_key_is_enough() -> None:
    assert secret_scan.in_bytes(PEM.splitlines()[1].encode(), {"key": PEM}) == ["key"]


def test_files(tmp_path: Path) -> None:
    (tmp_path / "state/cycles").mkdir(parents=True)
    (tmp_path / "state/cycles/1.json.gz").write_bytes(
        gzip.compress(b'{"x": "' + TOKEN.encode() + b'"}')
    )
    (tmp_path / "state/cycles/2.json.gz").write_bytes(b"broken")
    (tmp_path / "fine").write_text("nothing")
    (tmp_path / "allowed").write_text(TOKEN)
    (tmp_path / "allowed").chmod(0o600)
    (tmp_path / "loose").write_text(TOKEN)
    (tmp_path / "loose").chmod(0o640)
    found = secret_scan.in_files(tmp_path, KNOWN, lambda p: p.name in ("allowed", "loose"))
    assert found == [
        f"{tmp_path}/loose: token, a JWT, and its mode is 0640",
        f"{tmp_path}/state/cycles/1.json.gz: token, a JWT",
        f"{tmp_path}/state/cycles/2.json.gz: cannot be looked into",
    ]


def test_data_and_processes() -> None:
    assert secret_scan.in_data("ad", {"A": [TOKEN]}, KNOWN) == ["ad: token", "ad: a JWT"]
    assert secret_scan.in_data("ad", {"A": "x"}, KNOWN) == []
    program = "import sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", program, TOKEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"P": "s3cret-pässword"},
    )
    try:
        assert child.stdout is not None and child.stdout.readline()
        assert secret_scan.in_processes([child.pid, 2**22 + 1], KNOWN) == [
            f"cmdline of process {child.pid}: token",
            f"cmdline of process {child.pid}: a JWT",
            f"environ of process {child.pid}: password",
        ]
    finally:
        child.communicate()
