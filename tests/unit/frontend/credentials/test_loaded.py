"""Credentials from files: what travels of each type, and the reasons why one cannot (protocol 3.1-3.3)."""

from __future__ import annotations

import datetime
from pathlib import Path

import jwt
import pytest

from glideinwms.frontend.credentials import loaded
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.lib.credentials.ids import credential_id
from glideinwms.lib.errors import CredentialError
from tests.unit.frontend.build_frontend import NOW, group


def token(**claims: float | str) -> bytes:
    return jwt.encode({"sub": "x", **claims}, "k" * 32, algorithm="HS256").encode()


FILES = {
    "/tok": token(exp=NOW + 100),
    "/old": token(exp=NOW - 1),
    "/early": token(exp=NOW + 9, nbf=NOW + 5),
    "/endless": token(),
    "/pub": b"public",
    "/key": b"private",
    "/pilot": b"pilot",
    "/auth": b"auth",
}


def read(path: str) -> bytes:
    if path not in FILES:
        raise CredentialError("cannot be read: No such file", where=path)
    return FILES[path]


def credential(kind: str, path: str = "/tok", **more: str) -> CredentialPolicy:
    return CredentialPolicy(path, kind, "demo", "frontend", absfname=path, **more)  # type: ignore[arg-type]


def load(*credentials: CredentialPolicy) -> loaded.GroupCredentials:
    return loaded.load(group(credentials=credentials), NOW, read)


def test_a_scitoken_travels_and_is_forwarded() -> None:
    found = load(credential("scitoken"))
    one = found.usable["/tok"]
    assert one.id == one.name_hash == credential_id("/tok") and found.names == {one.id: "/tok"}
    assert one.files == ((one.id, FILES["/tok"]),) and dict(one.sealed) == {"ScitokenId": one.id}
    assert found.scitokens == {"demo": FILES["/tok"].decode()} and found.unusable == {}


@pytest.mark.parametrize("path", ["/old", "/early", "/pub"])
def test_a_token_that_does_not_hold_now_is_unusable(path: str) -> None:
    found = load(credential("scitoken", path), credential("scitoken", "/endless"))
    assert "token" in found.unusable[path] and list(found.usable) == ["/endless"]
    assert found.scitokens == {"demo": FILES["/endless"].decode()}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("key_pair", ("PublicKey", "PrivateKey")),
        ("cert_pair", ("PublicCert", "PrivateCert")),
        ("username_password", ("Username", "Password")),
    ],
)
def test_pairs(kind: str, names: tuple[str, str]) -> None:
    found = load(credential(kind, "/pub", keyabsfname="/key", pilotabsfname="/pilot"))
    one = found.usable["/pub"]
    ids = [credential_id(p) for p in ("/pub", "/key", "/pilot")]
    assert dict(one.sealed) == {names[0]: ids[0], names[1]: ids[1], "GlideinProxy": ids[2]}
    assert [i for i, _ in one.files] == ids
    assert "keyabsfname" in load(credential(kind, "/pub")).unusable["/pub"]


def test_extra_words_need_their_values(tmp_path: Path) -> None:
    assert "vm_id" in load(credential("auth_file+vm_id", "/auth")).unusable["/auth"]
    given = tmp_path / "vm"
    given.write_text("# a comment\nvm_id = ami-1\n")
    one = load(
        credential("auth_file+vm_id+project_id", "/auth", vm_id_fname=str(given), project_id="P")
    ).usable["/auth"]
    assert dict(one.sealed) == {"AuthFile": one.id, "VMId": "ami-1", "ProjectId": "P"}
    given.write_text("vm_id = a\nVM_ID = b\n")
    bad = load(credential("auth_file+vm_id", "/auth", vm_id_fname=str(given)))
    assert "2 lines" in bad.unusable["/auth"]


def test_one_bad_credential_stops_no_other() -> None:
    found = load(credential("auth_file", "/missing"), credential("scitoken"))
    assert list(found.usable) == ["/tok"] and "/missing" in found.unusable["/missing"]


def test_real_files(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b" \n")
    with pytest.raises(CredentialError, match="is empty"):
        loaded.read_file(str(path))
    with pytest.raises(CredentialError, match="cannot be read"):
        loaded.read_file(str(tmp_path / "none"))


def test_a_proxy_travels_without_a_pilot_proxy(tmp_path: Path) -> None:
    from glideinwms.demo.pki import Authority

    now = datetime.datetime.now(datetime.UTC)
    authority = Authority.make(now)
    certificate, key = authority.host("pilot.demo", (), now)
    path = tmp_path / "proxy"
    path.write_bytes(certificate + key)
    (tmp_path / "pilot").write_bytes(b"pilot")
    given = credential("grid_proxy", str(path), pilotabsfname="")
    one = loaded.load(group(credentials=(given,)), NOW).usable[str(path)]
    assert dict(one.sealed) == {"SubmitProxy": one.id} and one.id != one.name_hash, (
        "the id is of name and subject"
    )
    with_pilot = credential("grid_proxy", str(path), pilotabsfname=str(path))
    assert dict(loaded.load(group(credentials=(with_pilot,)), NOW).usable[str(path)].sealed) == {
        "SubmitProxy": one.id
    }


def test_when_credentials_end() -> None:
    found = load(
        credential("scitoken"), credential("scitoken", "/endless"), credential("auth_file", "/auth")
    )
    assert found.ends == {"/tok": NOW + 100}
    assert load(credential("scitoken", "/old")).ends == {"/old": NOW}


def test_a_proxy_that_has_ended_cannot_be_used(tmp_path: Path) -> None:
    from glideinwms.demo.pki import Authority

    now = datetime.datetime.now(datetime.UTC)
    path = tmp_path / "proxy"
    path.write_bytes(Authority.make(now).host("pilot.demo", (), now)[0])
    given = group(credentials=(credential("grid_proxy", str(path)),))
    end = loaded.load(given, NOW).ends[str(path)]
    assert str(path) in loaded.load(given, end - 1).usable
    over = loaded.load(given, end)
    assert (
        over.usable == {} and "has ended, or cannot be read; renew it" in over.unusable[str(path)]
    )
