"""Store the credential files of Frontends, with mode 0600 in directories 0700 (protocol 3.4)."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.lib.errors import CredentialError, StateError
from glideinwms.lib.files import write_atomic
from glideinwms.lib.wire.names import MAX_FILE_NAME, is_safe

# Ids have 8 characters. A token that was sent as an id by mistake must not become a file name.
MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose credentials: a Frontend's name as its proved SecurityName says, and the user name of
    its security class.

    `alone`: no Frontend of another identity has this user name. Only then the files of GlideinWMS
    3.10, which has one
    directory per user name, may serve this Frontend.
    """

    username: str
    frontend: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class CredentialStore:
    """`<base>/user_<username>/glidein_<name>/frontend_<SecurityName>/credential_<ClientName>_*`.

    A ClientName is anybody's to claim, so it only tells the files of one Frontend apart.
    """

    base: Path
    glidein_name: str
    stored: dict[Path, tuple[bytes, tuple[int, int, int]]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _places: dict[Owner, Path] = field(default_factory=dict, repr=False, compare=False)

    def directory(self, owner: Owner) -> Path:
        """Where one Frontend's files are; a CredentialError if its name cannot be part of a file
        name.
        """
        if not is_safe(owner.frontend):
            raise CredentialError(
                "the name of the Frontend is not safe as the name of a directory",
                where=owner.frontend,
            )
        return (
            self.base
            / f"user_{owner.username}"
            / f"glidein_{self.glidein_name}"
            / f"frontend_{owner.frontend}"
        )

    def find(self, owner: Owner, path: Path) -> Path | None:
        """A stored file: `path`, or the one that GlideinWMS 3.10 left for this Frontend; None if
        there is none.
        """
        if path.exists():
            return path
        old = path.parent.parent / path.name
        return old if owner.alone and old.exists() else None

    def credential(self, owner: Owner, client: str, cred_id: str) -> Path:
        """File of a credential of the global ad; a CredentialError if the id cannot be part of a
        file name.
        """
        if not is_safe(cred_id) or len(cred_id) > MAX_ID:
            raise CredentialError("the id of a credential is not a safe name", where=client)
        return self._place(owner) / f"credential_{client}_{cred_id}"

    def token(self, owner: Owner, client: str, entry: str, kind: str) -> Path:
        """File of a request's token; `kind` idtoken or scitoken."""
        return self._place(owner) / f"credential_{client}_{entry}.{kind}"

    def _place(self, owner: Owner) -> Path:
        if owner not in self._places:
            self._places[owner] = self.directory(owner)
        return self._places[owner]

    def store(self, path: Path, data: bytes) -> bool:
        """Write a file unless it has this content already; whether it was written. What was found
        or written is remembered in `stored` by its sum, and read again only if the file has
        changed.
        """
        digest = hashlib.sha256(data).digest()
        known = self.stored.get(path)
        if known is not None and known[0] == digest and known[1] == _stamp(path):
            return False
        try:
            written = self._store(path, data)
        except (OSError, StateError) as error:
            why = error.strerror if isinstance(error, OSError) else error.message
            raise CredentialError(f"cannot be stored: {why}", where=str(path)) from error
        if (stamp := _stamp(path)) is not None:
            self.stored[path] = (digest, stamp)
        return written

    def _store(self, path: Path, data: bytes) -> bool:
        if not is_safe(path.name, MAX_FILE_NAME):
            raise CredentialError("the name of a credential file is not safe")
        path.parents[2].mkdir(parents=True, exist_ok=True, mode=0o755)
        path.parents[1].mkdir(exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if path.exists() and path.read_bytes() == data and path.stat().st_mode & 0o777 == 0o600:
            return False
        write_atomic(path, data, 0o600)
        return True

    def store_credential(self, owner: Owner, client: str, cred_id: str, data: bytes) -> bool:
        """Write a credential and its compressed form, which clouds take."""
        path = self.credential(owner, client, cred_id)
        changed = self.store(path, data)
        if changed or not packed(path).exists():
            self.pack(path)
        return changed

    def store_cloud_token(self, owner: Owner, client: str, cred_id: str, token: str) -> None:
        """Keep an IDTOKEN beside the pilot's proxy of a cloud entry: it travels inside the
        compressed form.
        """
        path = self.credential(owner, client, cred_id)
        if self.store(path.with_name(path.name + "_idtoken"), token.encode()) and path.exists():
            self.pack(path)

    def pack(self, path: Path) -> None:
        """Write `<path>_compressed`: `glidein_credentials=<base64 of gzip>`, behind the token if
        there is one.
        """
        text = f"glidein_credentials={base64.b64encode(gzip.compress(path.read_bytes(), mtime=0)).decode()}"
        token = path.with_name(path.name + "_idtoken")
        if token.exists():
            text = f"{token.read_text()}####{text}"
        self.store(packed(path), text.encode())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when somebody touches a file: inode, mode, and mtime with size folded in."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mode, found.st_mtime_ns ^ found.st_size


def packed(path: Path) -> Path:
    """The compressed form of a credential."""
    return path.with_name(path.name + "_compressed")
