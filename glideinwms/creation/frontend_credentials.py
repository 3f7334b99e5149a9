"""A group's credentials: its own before the global ones, pools of files expanded (config 7, protocol 3.1)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from glideinwms.creation.frontend_model import Credential, Frontend, Group
from glideinwms.creation.problems import Problems, did_you_mean
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.lib.credentials.tokens import remaining

TYPES = (
    *("grid_proxy", "cert_pair", "key_pair", "username_password", "auth_file", "scitoken", "idtoken"),
    *("vm_id", "vm_type", "project_id", "username"),
)
WANTS = {
    "vm_id": ("vm_id", "vm_id_fname"),
    "vm_type": ("vm_type", "vm_type_fname"),
    "username": ("remote_username",),
    "project_id": ("project_id",),
    "cert_pair": ("keyabsfname",),
    "key_pair": ("keyabsfname",),
    "username_password": ("keyabsfname",),
}


def credentials_of(frontend: Frontend, group: Group, problems: Problems) -> tuple[CredentialPolicy, ...]:
    """Every credential that the group may use; names are unique."""
    own = [(c, f"group_{group.name}", f"group[{group.name}]/security") for c in group.security.credentials]
    shared = [(c, "frontend", "security") for c in frontend.security.credentials]
    found: dict[str, CredentialPolicy] = {}
    for credential, security_class, subject in (*own, *shared):
        check(credential, f"{subject}/credential[{credential.absfname or credential.generator}]", problems)
        for file in files_of(credential, subject, problems):
            one = _policy(credential, file, security_class)
            found.setdefault(one.name, one)
    return tuple(found.values())


def check(credential: Credential, subject: str, problems: Problems) -> None:
    """What its type needs."""
    if not credential.absfname and not credential.generator:
        problems.error(credential.where, subject, "needs absfname or generator")
    _file(credential, subject, problems)
    for word in credential.type.split("+"):
        if word not in TYPES:
            problems.error(credential.where, f"{subject}@type", f"unknown type {word!r}", did_you_mean(word, TYPES))
        elif word in WANTS and not any(getattr(credential, f) for f in WANTS[word]):
            problems.error(credential.where, subject, f"type {word} needs {' or '.join(WANTS[word])}")


def _file(c: Credential, subject: str, problems: Problems) -> None:
    """A file that nobody makes must be there, and a token not be over: else the group asks for nothing."""
    if not c.absfname or c.generator or c.creation_script or c.pool_idx_list:
        return
    try:
        text = Path(c.absfname).read_text(errors="replace")
    except OSError as error:
        problems.warn(c.where, f"{subject}@absfname", f"the file cannot be read now: {error.strerror}")
        return
    if c.type in ("scitoken", "idtoken") and remaining(text.strip(), time.time()) <= 0:
        problems.warn(c.where, f"{subject}@absfname", "the token is expired, or is none", "renew it")


def files_of(credential: Credential, subject: str, problems: Problems) -> list[str]:
    """The files of a credential: `pool_idx_list` makes one of each index of `2,4-6,10`."""
    if not credential.pool_idx_list:
        return [credential.absfname]
    try:
        numbers = list(_indexes(credential.pool_idx_list))
    except ValueError:
        what = f"{credential.pool_idx_list!r} is not a list like 2,4-6,10"
        problems.error(credential.where, f"{subject}/credential@pool_idx_list", what)
        return [credential.absfname]
    return [f"{credential.absfname}{str(n).zfill(credential.pool_idx_len or 0)}" for n in numbers]


def _indexes(text: str) -> Iterator[int]:
    for item in text.split(","):
        low, dash, high = item.strip().partition("-")
        if not re.fullmatch(r"\d+", low) or (dash and not re.fullmatch(r"\d+", high)):
            raise ValueError(item)
        yield from range(int(low), int(high or low) + 1)


def _policy(c: Credential, file: str, security_class: str) -> CredentialPolicy:
    return CredentialPolicy(
        name=file or c.generator,
        type=c.type,
        trust_domain=c.trust_domain,
        security_class=c.security_class or security_class,
        absfname=file,
        keyabsfname=c.keyabsfname,
        pilotabsfname=c.pilotabsfname,
        generator=c.generator,
        creation_script=c.creation_script,
        update_frequency=-1 if c.update_frequency is None else c.update_frequency,
        vm_id=c.vm_id,
        vm_type=c.vm_type,
        vm_id_fname=c.vm_id_fname,
        vm_type_fname=c.vm_type_fname,
        remote_username=c.remote_username,
        project_id=c.project_id,
    )
