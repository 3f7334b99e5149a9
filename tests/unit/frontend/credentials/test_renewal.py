"""creation_script and update_frequency: when a program runs, and what its failure leaves (protocol 3.6)."""

from __future__ import annotations

import datetime
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glideinwms.frontend.credentials import renewal
from glideinwms.frontend.credentials.renewal import RETRY, Renewals, left
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.lib.errors import CredentialError
from glideinwms.testing import World
from tests.unit.frontend.build_frontend import NOW


def certificate(seconds: float) -> bytes:
    """A self-signed one that lasts so long from NOW, with its key as a proxy has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pilot")])
    end = datetime.datetime.fromtimestamp(NOW + seconds, datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, end - datetime.timedelta(days=9), end
    )
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return pem + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def credential(path: Path, command: str, kind: str = "scitoken", at: int = 600) -> CredentialPolicy:
    return CredentialPolicy(
        str(path),
        kind,
        "demo",
        "frontend",
        absfname=str(path),
        creation_script=command,
        update_frequency=at,
    )


def ran(renewals: Renewals, one: CredentialPolicy, now: float) -> list[tuple[str, str]]:
    return list(renewals.run(World().pool(), [one], now))


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("scitoken", lambda s: jwt.encode({"exp": NOW + s}, "k" * 32).encode()),
        ("grid_proxy", certificate),
    ],
)
def test_it_runs_when_the_file_is_missing_or_nearly_over(
    tmp_path: Path, kind: str, make: object
) -> None:
    assert callable(make)
    path, source = tmp_path / "credential", tmp_path / "source"
    one = credential(path, f"cp '{source}' {path}", kind)
    source.write_bytes(make(1000))
    renewals = Renewals()
    assert left(one, NOW) is None and ran(renewals, one, NOW) == [(str(path), "")]
    assert left(one, NOW) == pytest.approx(1000, abs=1)
    source.write_bytes(make(5000))
    assert ran(renewals, one, NOW + 390) == []
    assert ran(renewals, one, NOW + 410) == [(str(path), "")] and left(one, NOW) == pytest.approx(
        5000, abs=1
    )


def test_one_that_does_not_help_waits(tmp_path: Path) -> None:
    one = credential(tmp_path / "x", "false")
    renewals = Renewals()
    assert [why for _, why in ran(renewals, one, NOW) if "ended with 1" in why]
    assert ran(renewals, one, NOW + RETRY - 1) == []
    assert ran(renewals, one, NOW + RETRY)


@pytest.mark.parametrize("content", [b"no certificate", b"endless"])
def test_a_file_that_does_not_say_stays(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    one = credential(tmp_path / "x", "false", "grid_proxy")
    assert left(one, NOW) == float("inf") and ran(Renewals(), one, NOW) == []


def test_without_update_frequency_only_a_missing_file_is_made(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(certificate(-10))
    one = credential(tmp_path / "x", "true", "grid_proxy", -1)
    assert left(one, NOW) == pytest.approx(-10, abs=1) and ran(Renewals(), one, NOW) == []
    (tmp_path / "x").unlink()
    assert [why for _, why in ran(Renewals(), one, NOW) if "the file is not there" in why]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/no/such/program", "cannot be run: No such file"),
        ("'", "No closing quotation"),
        ("sleep 60", "did not end"),
    ],
)
def test_a_program_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, why: str
) -> None:
    monkeypatch.setattr(renewal, "SECONDS", 0.2)
    with pytest.raises(CredentialError, match=why):
        renewal.make(command, str(tmp_path / "x"))


def test_there_is_no_shell_and_no_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CredentialError, match="not there"):
        renewal.make(f"echo secret > {tmp_path}/x", str(tmp_path / "x"))
    assert "secret" not in "".join(capfd.readouterr())


def test_a_program_that_others_can_write_does_not_run(tmp_path: Path) -> None:
    script = tmp_path / "make.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/x\n")
    script.chmod(0o775)
    with pytest.raises(CredentialError, match=f"is not run: {script}: can be written by others"):
        renewal.make(str(script), str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()
    script.chmod(0o755)
    renewal.make(str(script), str(tmp_path / "x"))
    assert (tmp_path / "x").exists()
