"""Credential files: where, how private, and the clouds' compressed form (protocol 3.4)."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from glideinwms.factory.collect.credential_store import CredentialStore, Owner, packed
from glideinwms.lib.errors import CredentialError

OWNER = Owner("u", "fe")


@pytest.fixture
def vault(tmp_path: Path) -> CredentialStore:
    return CredentialStore(tmp_path, "inst")


def test_private_and_where_the_deployed_ones_are(vault: CredentialStore, tmp_path: Path) -> None:
    assert vault.store_credential(OWNER, "fe.main", "AAAAAAAA", b"secret")
    path = tmp_path / "user_u/glidein_inst/frontend_fe/credential_fe.main_AAAAAAAA"
    assert path.read_bytes() == b"secret"
    assert [path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777] == [0o600, 0o700]
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".")]


def test_what_has_not_changed_is_not_written_again(vault: CredentialStore) -> None:
    assert vault.store_credential(OWNER, "c", "A", b"one")
    inode = vault.credential(OWNER, "c", "A").stat().st_ino
    assert not vault.store_credential(OWNER, "c", "A", b"one")
    assert vault.credential(OWNER, "c", "A").stat().st_ino == inode
    assert vault.store_credential(OWNER, "c", "A", b"two")
    assert vault.credential(OWNER, "c", "A").read_bytes() == b"two"


def test_a_file_open_to_others_is_closed(vault: CredentialStore) -> None:
    vault.store_credential(OWNER, "c", "A", b"one")
    vault.credential(OWNER, "c", "A").chmod(0o644)
    assert vault.store_credential(OWNER, "c", "A", b"one")
    assert vault.credential(OWNER, "c", "A").stat().st_mode & 0o777 == 0o600


def test_compressed_form_carries_the_pilots_token(vault: CredentialStore) -> None:
    vault.store_credential(OWNER, "c", "A", b"proxy")
    path = packed(vault.credential(OWNER, "c", "A"))
    plain = path.read_text()
    assert gzip.decompress(base64.b64decode(plain.removeprefix("glidein_credentials="))) == b"proxy"
    vault.store_cloud_token(OWNER, "c", "A", "token")
    assert path.read_text() == f"token####{plain}"
    vault.store_credential(OWNER, "c", "A", b"renewed")
    assert (
        path.read_text().startswith("token####glidein_credentials=")
        and path.read_text() != f"token####{plain}"
    )


def test_a_token_may_come_before_its_proxy(vault: CredentialStore) -> None:
    vault.store_cloud_token(OWNER, "c", "A", "token")
    vault.store_credential(OWNER, "c", "A", b"proxy")
    assert packed(vault.credential(OWNER, "c", "A")).read_text().startswith("token####")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "..", "a\n"])
def test_no_id_leaves_the_directory(name: str, vault: CredentialStore, tmp_path: Path) -> None:
    with pytest.raises(CredentialError):
        vault.store_credential(OWNER, "c", name, b"x")
    assert not list(tmp_path.iterdir())


def test_a_directory_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "user_u").write_text("in the way")
    with pytest.raises(CredentialError, match="cannot be stored") as caught:
        CredentialStore(tmp_path, "inst").store_credential(OWNER, "c", "A", b"x")
    assert str(tmp_path) in caught.value.where
