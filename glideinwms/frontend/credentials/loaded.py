"""A group's credentials, loaded from their files once a cycle: how they travel, and why one cannot (protocol 3.1-3.3).

Nothing of a wallet may reach a snapshot, a log or the status, save the reasons in `unusable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.frontend.apply.request_ads import PublishedAds
from glideinwms.frontend.policy import CredentialPolicy, GroupPolicy
from glideinwms.lib.credentials import certificates
from glideinwms.lib.credentials.ids import credential_id, file_id
from glideinwms.lib.credentials.tokens import remaining
from glideinwms.lib.errors import CredentialError, place_of

SCITOKEN = "scitoken"
CERTIFIED = {"grid_proxy", "cert_pair"}
MAX_FILE = 1024 * 1024
RENEW = "renew it; requests go on by themselves"
# type word -> sealed names of the main file and of the key file
PAIRS = {
    "cert_pair": ("PublicCert", "PrivateCert"),
    "key_pair": ("PublicKey", "PrivateKey"),
    "username_password": ("Username", "Password"),
}
SINGLE = {"grid_proxy": "SubmitProxy", "auth_file": "AuthFile", SCITOKEN: "ScitokenId"}
# type word -> the policy field without which it cannot be used
REQUIRED = {
    "vm_id": ("vm_id", "vm_id_fname"),
    "vm_type": ("vm_type", "vm_type_fname"),
    "username": ("remote_username",),
    "project_id": ("project_id",),
}
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class GroupCredentials:
    """`usable` by the credential's name in the policy, `unusable` name -> why, `names` CredID ->
    name, `scitokens` trust domain -> the text that is forwarded to its entries (protocol 3.6),
    `ends` name -> epoch seconds, where it says.
    """

    usable: Mapping[str, PublishedAds] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    scitokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    ends: Mapping[str, float] = field(default_factory=dict)


def read_file(path: str) -> bytes:
    """A credential file's bytes; a CredentialError says why there are none."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CredentialError(f"cannot be read: {error.strerror}", where=path) from error
    if not data.strip():
        raise CredentialError("is empty", where=path)
    if len(data) > MAX_FILE:
        raise CredentialError(f"has more than {MAX_FILE} bytes, so it is no credential", where=path)
    return data


def load(
    group: GroupPolicy,
    now: float,
    read: Read = read_file,
    broken: Callable[[CredentialPolicy], str] = lambda c: "",
) -> GroupCredentials:
    """All credentials of a group; one that cannot be loaded is named in `unusable` and stops no
    other, nor does one whose generator is `broken` (why, or ""). Of several tokens for one trust
    domain the first is forwarded (a group's own stand before the global ones).
    """
    usable: dict[str, PublishedAds] = {}
    unusable: dict[str, str] = {}
    names: dict[str, str] = {}
    scitokens: dict[str, str] = {}
    ends: dict[str, float] = {}
    for credential in group.credentials:
        try:
            published = load_one(credential, read)
            names[published.id] = credential.name
            if published.files and (
                seconds := lifetime(credential.type, published.files[0][1], now)
            ) < float("inf"):
                ends[credential.name] = now + seconds
                _lasting(credential, seconds)
            if why := broken(credential):
                raise CredentialError(why, where=credential.name)
            if SCITOKEN in credential.type.split("+") and not credential.generator:
                text = _alive(credential, published, now)
                if credential.type == SCITOKEN:
                    scitokens.setdefault(credential.trust_domain, text)
            usable[credential.name] = published
        except CredentialError as error:
            unusable[credential.name] = str(error)
        except Exception as error:  # noqa: BLE001 - the boundary of one credential, whose text must not be told
            unusable[credential.name] = f"{credential.name}: cannot be used: {place_of(error)}"
    return GroupCredentials(usable, unusable, names, scitokens, ends)


def lifetime(kind: str, data: bytes, now: float) -> float:
    """Seconds that a credential of this type is good for; infinite where it does not say."""
    if "token" in kind:
        return remaining(data.decode(errors="replace"), now)
    end = certificates.ends(data)
    return float("inf") if end is None else end - now


def load_one(credential: CredentialPolicy, read: Read = read_file) -> PublishedAds:
    """One credential as it travels: files with their ids, and what each of its requests says of it
    (protocol 3.3).
    """
    if credential.generator:
        return _generated(credential)
    paths = [
        p for p in (credential.absfname, credential.keyabsfname, credential.pilotabsfname) if p
    ]
    if not paths:
        raise CredentialError("names no file", where=credential.name, hint="set absfname")
    contents = {p: read(p) for p in paths}
    ids = {p: file_id(p, credential.type) for p in paths}
    files = tuple((ids[p], contents[p]) for p in paths)
    return PublishedAds(
        ids[paths[0]],
        credential_id(paths[0]),
        credential.security_class,
        files,
        _sealed(credential, ids),
    )


def _generated(c: CredentialPolicy) -> PublishedAds:
    """Its texts are made for each entry when requests are written (protocol 3.7); its id is the
    generator's name.
    """
    one = credential_id(c.name)
    return PublishedAds(one, one, c.security_class, (), _sealed(c, {"": one, c.absfname: one}))


def _sealed(c: CredentialPolicy, ids: Mapping[str, str]) -> dict[str, str]:
    words = c.type.split("+")
    sealed: dict[str, str] = {}
    for word in words:
        if word in PAIRS:
            if not c.keyabsfname:
                raise CredentialError(f"type {word} needs keyabsfname", where=c.name)
            public, private = PAIRS[word]
            sealed |= {public: ids[c.absfname], private: ids[c.keyabsfname]}
        elif word in SINGLE:
            sealed[SINGLE[word]] = ids[c.absfname]
        elif word in REQUIRED and not any(getattr(c, f) for f in REQUIRED[word]):
            raise CredentialError(f"type {word} needs {' or '.join(REQUIRED[word])}", where=c.name)
    if c.pilotabsfname and "grid_proxy" not in words:
        # an entry of GlideinWMS 3.10 with auth_method grid_proxy refuses a request that carries it
        # (protocol protocol 9.2/23)
        sealed["GlideinProxy"] = ids[c.pilotabsfname]
    texts = {
        "VMId": c.vm_id or _line(c.vm_id_fname, "VM_ID"),
        "VMType": c.vm_type or _line(c.vm_type_fname, "VM_TYPE"),
        "RemoteUsername": c.remote_username,
        "ProjectId": c.project_id,
    }
    return sealed | {name: text for name, text in texts.items() if text}


def _line(path: str, key: str) -> str:
    """The value of the single `KEY=value` line of a file (protocol 3.1)."""
    if not path:
        return ""
    found = re.findall(
        rf"(?im)^\s*{key}\s*=\s*(\S.*?)\s*$", read_file(path).decode(errors="replace")
    )
    if len(found) != 1:
        raise CredentialError(f"has {len(found)} lines {key}=..., not one", where=path)
    return str(found[0])


def _lasting(credential: CredentialPolicy, seconds: float) -> None:
    if seconds <= 0 and CERTIFIED.intersection(credential.type.split("+")):
        raise CredentialError(
            "its certificate has ended, or cannot be read", where=credential.name, hint=RENEW
        )


def _alive(credential: CredentialPolicy, published: PublishedAds, now: float) -> str:
    text = published.files[0][1].decode(errors="replace").strip()
    if remaining(text, now) <= 0:
        raise CredentialError(
            "the token is expired, not yet valid, or no token", where=credential.name, hint=RENEW
        )
    return text
