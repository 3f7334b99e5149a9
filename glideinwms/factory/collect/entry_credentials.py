"""Which of a request's credentials an entry needs, and which files they are (protocol 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.factory.collect.credential_store import CredentialStore, Owner, packed
from glideinwms.factory.policy import EntryPolicy
from glideinwms.lib.credentials import methods
from glideinwms.lib.reasons import Reason

BASE_WORDS = {
    "grid_proxy",
    "cert_pair",
    "key_pair",
    "auth_file",
    "username_password",
    "idtoken",
    "scitoken",
}
CONTROLLED = {
    "SubmitProxy",
    "GlideinProxy",
    "Username",
    "Password",
    "PublicCert",
    "PrivateCert",
    "PublicKey",
    "PrivateKey",
    "VMId",
    "VMType",
    "AuthFile",
}
NEEDS = {
    "cert_pair": (("PublicCert", "public_cert"), ("PrivateCert", "private_cert")),
    "key_pair": (("PublicKey", "public_key"), ("PrivateKey", "private_key")),
    "auth_file": (("AuthFile", "auth_file"),),
    "username_password": (("Username", "username"), ("Password", "password")),
}
CLOUDS = ("ec2", "gce")
# what a request carries -> the word of the auth method that it supplies
SUPPLIES = {
    "ScitokenId": "scitoken",
    "SubmitProxy": "grid_proxy",
    "PublicCert": "cert_pair",
    "PublicKey": "key_pair",
    "AuthFile": "auth_file",
    "Username": "username_password",
    "VMId": "vm_id",
    "VMType": "vm_type",
    "ProjectId": "project_id",
    "RemoteUsername": "username",
    "GlideinProxy": "glidein_proxy",
}


class CredentialMismatch(Exception):
    """The request's credentials do not serve the entry."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


@dataclass(slots=True)
class SubmitCredentials:
    """Accounting id, credential files by role, and text parameters of the submission."""

    accounting_id: str = ""
    files: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)


def settled(auth_method: str, secrets: Mapping[str, str]) -> str:
    """The method in words of 3.10, by what the request carries; Misfit if it lacks every
    alternative of a group.
    """
    supplied = {word for name, word in SUPPLIES.items() if secrets.get(name)}
    if any(name.endswith(".idtoken") for name in secrets):
        supplied.add("idtoken")
    if method := methods.settled(auth_method, supplied):
        return method
    raise CredentialMismatch(
        Reason.CREDENTIAL_MISMATCH,
        f"the request carries nothing for a part of auth_method {auth_method}",
    )


def consistent(auth_method: str, secrets: Mapping[str, str], passthru: bool) -> None:
    """Raise Misfit unless the controlled names present are those that the method needs (protocol
    3.5, first table).
    """
    words = auth_method.split("+")
    known = BASE_WORDS.intersection(words)
    if not known or "scitoken" in words or ("frontend_scitoken" in secrets and passthru):
        return
    present = CONTROLLED.intersection(secrets)
    if "grid_proxy" in words:
        _require(("SubmitProxy",), {"SubmitProxy"}, present, passthru)
        return
    required = () if passthru else ("GlideinProxy",)
    allowed = {"GlideinProxy", "VMId", "VMType"}
    for word in NEEDS:
        if word in words:
            names = tuple(name for name, _ in NEEDS[word])
            _require((*required, *names), allowed.union(names), present, False)
            return


def _require(
    required: tuple[str, ...], allowed: set[str], present: set[str], passthru: bool
) -> None:
    missing = [] if passthru else [n for n in required if n not in present]
    if missing:
        raise CredentialMismatch(Reason.CREDENTIAL_MISMATCH, f"{', '.join(missing)} missing")
    if strange := sorted(present - allowed):
        raise CredentialMismatch(
            Reason.CREDENTIAL_MISMATCH, f"{', '.join(strange)} not wanted by this entry"
        )


@dataclass(frozen=True, slots=True)
class CredentialChooser:
    """Finds the files for one request among those of its Frontend."""

    vault: CredentialStore
    entry: EntryPolicy
    owner: Owner
    client: str
    secrets: Mapping[str, str]
    passthru: bool

    def use(self) -> SubmitCredentials:
        """Everything the submission needs; Misfit says what is missing (protocol 3.5, second
        table).
        """
        method = self.entry.auth_method
        use = SubmitCredentials()
        if "project_id" in method:
            use.extra["ProjectId"] = self._param("ProjectId")
        for kind in ("idtoken", "scitoken"):
            token = self.vault.token(self.owner, self.client, self.entry.name, kind)
            if stored := self.vault.find(self.owner, token):
                use.files[kind] = str(stored)
        if "scitoken" in method:
            if "scitoken" not in use.files:
                raise CredentialMismatch(
                    Reason.CREDENTIAL_MISSING, f"no scitoken has come for entry {self.entry.name}"
                )
            use.accounting_id = self._param("ScitokenId")
        elif "grid_proxy" in method:
            self._grid_proxy(use)
        else:
            self._others(use, method)
        return use

    def _grid_proxy(self, use: SubmitCredentials) -> None:
        wanted = self.secrets.get("SubmitProxy", "")
        path = self.vault.credential(self.owner, self.client, wanted) if wanted else None
        if path is not None and (stored := self.vault.find(self.owner, path)):
            use.files["x509_proxy"] = str(stored)
        elif not self.passthru:
            raise CredentialMismatch(
                Reason.CREDENTIAL_MISSING, "the proxy that SubmitProxy names has not been sent"
            )
        use.accounting_id = wanted or self._param("ScitokenId")

    def _others(self, use: SubmitCredentials, method: str) -> None:
        cloud = self.entry.gridtype in CLOUDS
        word = next((w for w in NEEDS if w in method), None)
        if word is None:
            raise CredentialMismatch(
                Reason.CREDENTIAL_MISMATCH, f"auth_method {method} alone opens no CE"
            )
        if not self.passthru or "GlideinProxy" in self.secrets:
            proxy = self.vault.credential(self.owner, self.client, self._param("GlideinProxy"))
            use.files["glidein_proxy" if cloud else "x509_proxy"] = self._file(
                "GlideinProxy", packed(proxy) if cloud else proxy
            )
        for index, (name, role) in enumerate(NEEDS[word]):
            cred_id = self._param(name)
            use.files[role] = self._file(
                name, self.vault.credential(self.owner, self.client, cred_id)
            )
            use.accounting_id = cred_id if index == 0 else use.accounting_id
        if cloud:
            use.extra["VMId"] = self._param("VMId") if "vm_id" in method else self.entry.vm_id
            use.extra["VMType"] = (
                self._param("VMType") if "vm_type" in method else self.entry.vm_type
            )
        elif word == "key_pair":
            use.extra["RemoteUsername"] = self._remote_user(method)

    def _remote_user(self, method: str) -> str:
        if user := self.secrets.get("RemoteUsername"):
            return user
        if "username" not in method and "@" in self.entry.gatekeeper:
            return self.entry.gatekeeper.rsplit("@", 1)[0].split()[-1]
        raise CredentialMismatch(Reason.MISSING_PARAMETER, "RemoteUsername is missing")

    def _param(self, name: str) -> str:
        value = self.secrets.get(name, "")
        if not value:
            raise CredentialMismatch(Reason.MISSING_PARAMETER, f"{name} is missing")
        return value

    def _file(self, name: str, path: Path) -> str:
        if stored := self.vault.find(self.owner, path):
            return str(stored)
        raise CredentialMismatch(
            Reason.CREDENTIAL_MISSING, f"the credential that {name} names has not been sent"
        )
