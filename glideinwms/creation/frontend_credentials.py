"""A group's credentials: its own before the global ones, pools of files expanded (config 7, protocol 3.1)."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from glideinwms.creation.frontend_model import Credential, Frontend, Group
from glideinwms.creation.problems import Problems, did_you_mean
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.lib.credentials.tokens import remaining

TYPES = (
    *("grid_proxy", "cert_pair", "key_pair", "username_password", "auth_file", "scitoken", "idtoken"),
    *("vm_id", "vm_type", "project_id", "username"),
)
# names of 3.11, and the one-type kinds that 3.10 does not know (config 16)
ALIASES = {
    "x509_cert": "grid_proxy", "x509_pair": "cert_pair", "text": "auth_file", "rsa_key": "rsa_public_key",
}  # fmt: skip
NEWER = ("token", "rsa_public_key", "rsa_private_key", "symmetric_key")
GENERATED = ("generator", "dynamic")
PARAMETERS = {
    "VMId": "vm_id", "VMType": "vm_type", "RemoteUsername": "remote_username", "ProjectId": "project_id",
    "GlideinProxy": "pilotabsfname",
}  # fmt: skip
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
    given = parameters(frontend, group, problems)
    own = [(c, f"group_{group.name}", f"group[{group.name}]/security") for c in group.security.credentials]
    shared = [(c, "frontend", "security") for c in frontend.security.credentials]
    found: dict[str, CredentialPolicy] = {}
    for written, security_class, subject in (*own, *shared):
        credential = _modern(written, given, problems)
        if credential is None:
            continue
        check(credential, f"{subject}/credential[{credential.absfname or credential.generator}]", problems)
        for file in files_of(credential, subject, problems):
            one = _policy(credential, file, security_class)
            first = found.setdefault(one.name, one)
            if first.security_class == one.security_class and first != one:
                what = "names the same file as another credential, which alone is used"
                problems.warn(written.where, f"{subject}/credential[{one.name}]", what, "give each its own file")
    return tuple(found.values())


def parameters(frontend: Frontend, group: Group, problems: Problems) -> dict[str, str]:
    """3.11 parameters as fields of a credential; the group's override the global ones."""
    found: dict[str, str] = {}
    for one in (*frontend.security.parameters, *group.security.parameters):
        subject = f"parameter[{one.name}]"
        if one.name not in PARAMETERS:
            hint = did_you_mean(one.name, PARAMETERS)
            problems.error(one.where, f"{subject}@name", f"is none of {', '.join(PARAMETERS)}", hint)
        elif one.type in ("dynamic", "generator"):
            problems.warn(one.where, f"{subject}@type", "generated parameters are not made by this version; left out")
        else:
            found[PARAMETERS[one.name]] = one.value
    return found


def _modern(c: Credential, given: Mapping[str, str], problems: Problems) -> Credential | None:
    """A credential with 3.11's spellings turned into 3.10's; None if it is not for pilots' requests."""
    if c.purpose != "request":
        what = f"purpose {c.purpose} is not sent with requests; left out"
        problems.warn(c.where, f"credential[{c.absfname or c.generator}]@purpose", what)
        return None
    changes = {field: value for field, value in given.items() if not getattr(c, field)}
    changes["type"] = "+".join(ALIASES.get(word, word) for word in c.type.split("+"))
    if c.type in GENERATED:
        changes |= {"type": _produced(c, problems), "generator": c.absfname, "absfname": ""}
    return c.model_copy(update=changes)


def _produced(c: Credential, problems: Problems) -> str:
    """The type that a generator's context names."""
    try:
        kind = str(ast.literal_eval(c.context or "{}")["type"])
    except (ValueError, SyntaxError, KeyError, TypeError):
        subject = f"credential[{c.absfname}]@context"
        problems.error(c.where, subject, "must be a Python dict with the type that is produced", "{'type': 'scitoken'}")
        return "scitoken"
    return ALIASES.get(kind, kind)


def check(credential: Credential, subject: str, problems: Problems) -> None:
    """What its type needs."""
    if not credential.absfname and not credential.generator:
        problems.error(credential.where, subject, "needs absfname or generator")
    _file(credential, subject, problems)
    for word in credential.type.split("+"):
        if word not in TYPES and word not in NEWER:
            problems.error(
                credential.where, f"{subject}@type", f"unknown type {word!r}", did_you_mean(word, (*TYPES, *NEWER))
            )
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
    if "-----BEGIN CERTIFICATE-----" in text and (end := _ends(text)) <= time.time():
        what = f"the certificate ended {time.strftime('%F %T', time.gmtime(end))} UTC" if end else "is no certificate"
        problems.warn(c.where, f"{subject}@absfname", what, "renew it")


def _ends(pem: str) -> float:
    """When the first certificate of a file to be over is, in epoch seconds; 0 if one cannot be read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return 0.0
    return min(c.not_valid_after_utc.timestamp() for c in found)


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
