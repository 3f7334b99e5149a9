"""Which credentials an entry's auth method asks for, and which files they become (protocol 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from glideinwms.factory.collect.credential_store import CredentialStore, Owner
from glideinwms.factory.collect.entry_credentials import (
    CredentialChooser,
    CredentialMismatch,
    SubmitCredentials,
    consistent,
    settled,
)
from glideinwms.lib.reasons import Reason
from tests.unit.factory.builders import CLIENT, entry

PAIR = {"PublicCert": "PUBCERTX", "PrivateCert": "PRICERTX"}
KEYS = {"PublicKey": "PUBKEYXX", "PrivateKey": "PRIKEYXX"}
USER = {"Username": "USERNAME", "Password": "PASSWORD"}
PROXY = {"GlideinProxy": "GLPROXYX"}
VM = {"VMId": "ami-1", "VMType": "big"}


OWNER = Owner("u", "fe")


@pytest.fixture
def vault(tmp_path: Path) -> CredentialStore:
    vault = CredentialStore(tmp_path, "inst")
    ids = [*PAIR.values(), *KEYS.values(), *USER.values(), *PROXY.values(), "SUBPROXY", "AUTHFILE"]
    for name in ids:
        vault.store_credential(OWNER, CLIENT, name, name.encode())
    return vault


def use(
    vault: CredentialStore,
    method: str,
    secrets: Mapping[str, str],
    passthru: bool = False,
    **changes: str,
) -> SubmitCredentials:
    method = settled(method, secrets)
    e = entry(auth_method=method, **changes)
    consistent(method, secrets, passthru)
    return CredentialChooser(vault, e, OWNER, CLIENT, secrets, passthru).use()


def roles(found: SubmitCredentials) -> dict[str, str]:
    """role -> credential id that its file is named by."""
    return {
        role: Path(path).name.removeprefix(f"credential_{CLIENT}_")
        for role, path in found.files.items()
    }


GOOD: dict[str, tuple[str, dict[str, str], dict[str, str], dict[str, str], str, dict[str, str]]] = {
    # method, secrets, changes of the entry -> files, accounting id, text parameters
    "proxy": (
        "grid_proxy",
        {"SubmitProxy": "SUBPROXY"},
        {},
        {"x509_proxy": "SUBPROXY"},
        "SUBPROXY",
        {},
    ),
    "proxy, in the words of 3.11": (
        "x509_cert+ProjectId",
        {"SubmitProxy": "SUBPROXY", "ProjectId": "p1"},
        {},
        {"x509_proxy": "SUBPROXY"},
        "SUBPROXY",
        {"ProjectId": "p1"},
    ),
    "proxy and project": (
        "grid_proxy+project_id",
        {"SubmitProxy": "SUBPROXY", "ProjectId": "p1"},
        {},
        {"x509_proxy": "SUBPROXY"},
        "SUBPROXY",
        {"ProjectId": "p1"},
    ),
    "key pair for a batch system": (
        "key_pair",
        {**KEYS, **PROXY, "RemoteUsername": "joe"},
        {"gridtype": "batch slurm", "gatekeeper": "hpc"},
        {"x509_proxy": "GLPROXYX", "public_key": "PUBKEYXX", "private_key": "PRIKEYXX"},
        "PUBKEYXX",
        {"RemoteUsername": "joe"},
    ),
    "user of the gatekeeper": (
        "key_pair",
        {**KEYS, **PROXY},
        {"gridtype": "batch slurm", "gatekeeper": "ann@hpc"},
        {"x509_proxy": "GLPROXYX", "public_key": "PUBKEYXX", "private_key": "PRIKEYXX"},
        "PUBKEYXX",
        {"RemoteUsername": "ann"},
    ),
    "key pair for a cloud": (
        "key_pair+vm_id+vm_type",
        {**KEYS, **PROXY, **VM},
        {"gridtype": "ec2"},
        {
            "glidein_proxy": "GLPROXYX_compressed",
            "public_key": "PUBKEYXX",
            "private_key": "PRIKEYXX",
        },
        "PUBKEYXX",
        {"VMId": "ami-1", "VMType": "big"},
    ),
    "the entry's own machine": (
        "key_pair",
        {**KEYS, **PROXY},
        {"gridtype": "ec2", "vm_id": "ami-9", "vm_type": "small"},
        {
            "glidein_proxy": "GLPROXYX_compressed",
            "public_key": "PUBKEYXX",
            "private_key": "PRIKEYXX",
        },
        "PUBKEYXX",
        {"VMId": "ami-9", "VMType": "small"},
    ),
    "auth file": (
        "auth_file+vm_id+vm_type",
        {"AuthFile": "AUTHFILE", **PROXY, **VM},
        {"gridtype": "gce"},
        {"glidein_proxy": "GLPROXYX_compressed", "auth_file": "AUTHFILE"},
        "AUTHFILE",
        {"VMId": "ami-1", "VMType": "big"},
    ),
    "certificates": (
        "cert_pair",
        {**PAIR, **PROXY},
        {"gridtype": "arc"},
        {"x509_proxy": "GLPROXYX", "public_cert": "PUBCERTX", "private_cert": "PRICERTX"},
        "PUBCERTX",
        {},
    ),
    "user name and password": (
        "username_password",
        {**USER, **PROXY},
        {"gridtype": "batch pbs"},
        {"x509_proxy": "GLPROXYX", "username": "USERNAME", "password": "PASSWORD"},
        "USERNAME",
        {},
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_files_and_accounting(case: str, vault: CredentialStore) -> None:
    method, secrets, changes, files, accounting, extra = GOOD[case]
    found = use(vault, method, secrets, **changes)
    assert (roles(found), found.accounting_id, found.extra) == (files, accounting, extra)


def test_scitoken_serves_with_what_else_there_is(vault: CredentialStore) -> None:
    vault.store(vault.token(OWNER, CLIENT, "A", "scitoken"), b"t\n")
    vault.store(vault.token(OWNER, CLIENT, "A", "idtoken"), b"i")
    found = use(vault, "scitoken", {"ScitokenId": "TOKENIDX"})
    assert roles(found) == {"scitoken": "A.scitoken", "idtoken": "A.idtoken"}
    assert found.accounting_id == "TOKENIDX"


def test_passthru_goes_on_without_a_proxy(vault: CredentialStore) -> None:
    found = use(
        vault, "grid_proxy", {"ScitokenId": "TOKENIDX", "frontend_scitoken": "t"}, passthru=True
    )
    assert (roles(found), found.accounting_id) == ({}, "TOKENIDX")


MISFITS: dict[str, tuple[str, dict[str, str], dict[str, str], Reason]] = {
    "proxy missing": ("grid_proxy", {}, {}, Reason.CREDENTIAL_MISMATCH),
    "proxy and something": (
        "grid_proxy",
        {"SubmitProxy": "SUBPROXY", **KEYS},
        {},
        Reason.CREDENTIAL_MISMATCH,
    ),
    "proxy has not come": (
        "grid_proxy",
        {"SubmitProxy": "LATEPROX"},
        {},
        Reason.CREDENTIAL_MISSING,
    ),
    "no pilot proxy": ("key_pair", KEYS, {}, Reason.CREDENTIAL_MISMATCH),
    "half a pair": (
        "cert_pair",
        {"PublicCert": "PUBCERTX", **PROXY},
        {},
        Reason.CREDENTIAL_MISMATCH,
    ),
    "another kind": ("auth_file", {**USER, **PROXY}, {}, Reason.CREDENTIAL_MISMATCH),
    "a file has not come": (
        "key_pair",
        {**KEYS, **PROXY, "PrivateKey": "LATEKEYX", "RemoteUsername": "j"},
        {"gridtype": "batch slurm"},
        Reason.CREDENTIAL_MISSING,
    ),
    "no remote user": (
        "key_pair",
        {**KEYS, **PROXY},
        {"gridtype": "batch slurm"},
        Reason.MISSING_PARAMETER,
    ),
    "remote user is asked for": (
        "key_pair+username",
        {**KEYS, **PROXY},
        {"gridtype": "batch slurm", "gatekeeper": "a@h"},
        Reason.MISSING_PARAMETER,
    ),
    "no machine": (
        "key_pair+vm_id",
        {**KEYS, **PROXY},
        {"gridtype": "ec2"},
        Reason.MISSING_PARAMETER,
    ),
    "no project": (
        "grid_proxy+project_id",
        {"SubmitProxy": "SUBPROXY"},
        {},
        Reason.MISSING_PARAMETER,
    ),
    "no scitoken": ("scitoken", {"ScitokenId": "TOKENIDX"}, {}, Reason.CREDENTIAL_MISSING),
    "idtoken alone": ("idtoken", PROXY, {}, Reason.CREDENTIAL_MISMATCH),
    "no known word": ("magic", PROXY, {}, Reason.CREDENTIAL_MISMATCH),
}


@pytest.mark.parametrize("case", MISFITS)
def test_misfits(case: str, vault: CredentialStore) -> None:
    method, secrets, changes, reason = MISFITS[case]
    with pytest.raises(CredentialMismatch) as caught:
        use(vault, method, secrets, **changes)
    assert caught.value.reason is reason
    assert caught.value.text


def test_a_token_without_an_id_is_refused(vault: CredentialStore) -> None:
    """Its pilots could not be told from those of other requests."""
    vault.store(vault.token(OWNER, CLIENT, "A", "scitoken"), b"t\n")
    with pytest.raises(CredentialMismatch, match="ScitokenId is missing"):
        use(vault, "scitoken", {"frontend_scitoken": "t"})


def test_a_machine_of_a_cloud_waits_for_its_credential(vault: CredentialStore) -> None:
    method, absent = "key_pair+vm_id+vm_type", {**KEYS, **VM, "GlideinProxy": "NOTTHERE"}
    with pytest.raises(
        CredentialMismatch, match="the credential that GlideinProxy names has not been sent"
    ):
        use(vault, method, absent, gridtype="ec2")


def test_a_method_of_3_11_takes_what_the_request_brings(vault: CredentialStore) -> None:
    method = "scitoken,grid_proxy;projectid"
    found = use(vault, method, {"SubmitProxy": "SUBPROXY", "ProjectId": "TG-1"})
    assert roles(found) == {"x509_proxy": "SUBPROXY"} and found.extra == {"ProjectId": "TG-1"}
    vault.store(vault.token(OWNER, CLIENT, "A", "scitoken"), b"t\n")
    token = use(vault, method, {"ScitokenId": "TOKENXXX", "ProjectId": "TG-1"})
    assert token.accounting_id == "TOKENXXX" and "scitoken" in token.files
    for lacking in (
        {"SubmitProxy": "SUBPROXY"},
        {"ProjectId": "TG-1"},
        {"AuthFile": "AUTHFILE", "ProjectId": "TG-1"},
    ):
        with pytest.raises(
            CredentialMismatch,
            match="carries nothing for a part of auth_method scitoken,grid_proxy;projectid",
        ):
            use(vault, method, lacking)
