"""Credential files of the Frontends (protocol 3.4): where they are, and writing them, 0600 in a directory 0700."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path

from glideinwms.factory.submit.arguments import escape
from glideinwms.lib.errors import CredentialError
from glideinwms.lib.files import write_atomic
from glideinwms.lib.names import is_safe


@dataclass(frozen=True, slots=True)
class Vault:
    """`<base>/user_<username>/glidein_<name>/credential_*`."""

    base: Path
    glidein_name: str

    def directory(self, username: str) -> Path:
        """Where one Frontend user's files are."""
        return self.base / f"user_{username}" / f"glidein_{self.glidein_name}"

    def credential(self, username: str, client: str, cred_id: str) -> Path:
        """File of a credential of the global ad."""
        return self.directory(username) / f"credential_{client}_{escape(cred_id)}"

    def token(self, username: str, client: str, entry: str, kind: str) -> Path:
        """File of a request's token; `kind` idtoken or scitoken."""
        return self.directory(username) / f"credential_{client}_{entry}.{kind}"

    def store(self, path: Path, data: bytes) -> bool:
        """Write a file unless it has this content already; whether it was written."""
        if not is_safe(path.name):
            raise CredentialError(f"{path.name!r} is not a safe file name")
        path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if path.exists() and path.read_bytes() == data and path.stat().st_mode & 0o777 == 0o600:
            return False
        write_atomic(path, data, 0o600)
        return True

    def store_credential(self, username: str, client: str, cred_id: str, data: bytes) -> bool:
        """Write a credential and its compressed form, which clouds take."""
        path = self.credential(username, client, cred_id)
        changed = self.store(path, data)
        packed = path.with_name(path.name + "_compressed")
        if changed or not packed.exists():
            text = base64.b64encode(gzip.compress(data, mtime=0)).decode()
            self.store(packed, f"glidein_credentials={text}".encode())
        return changed
