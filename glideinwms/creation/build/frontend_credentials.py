"""A group's credentials: its own before the global ones, pools of files expanded (config 7, protocol 3.1)."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from glideinwms.creation.xml.frontend_model import Credential, Frontend, Group
from glideinwms.creation.xml.problems import Problems, Where, did_you_mean
from glideinwms.frontend.credentials import generators
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.lib.credentials.certificates import ends
from glideinwms.lib.credentials.tokens import remaining
from glideinwms.lib.errors import CredentialError

# credentials of one range of a pool at most: more is a slip
MOST = 10_000
TYPES = (
    *(
        "grid_proxy",
        "cert_pair",
        "key_pair",
        "username_password",
        "auth_file",
        "scitoken",
        "idtoken",
    ),
    *("vm_id", "vm_type", "project_id", "username"),
)
# names of 3.11, and the one-type kinds that 3.10 does not know (config 16)
ALIASES = {
    "x509_cert": "grid_proxy",
    "x509_pair": "cert_pair",
    "text": "auth_file",
    "rsa_key": "rsa_public_key",
}
NEWER = ("token", "rsa_public_key", "rsa_private_key", "symmetric_key")
GENERATED = ("generator", "dynamic")
PARAMETER_TYPES = {
    "string": "string",
    "str": "string",
    "integer": "integer",
    "int": "integer",
    "expression": "expression",
    "expr": "expression",
    "dynamic": "dynamic",
    "generator": "dynamic",
}
# what the generators of 3.11 make where their context does not say
PRODUCTS = {"scitokengenerator": "scitoken", "idtokengenerator": "idtoken"}
# what is done instead for a purpose that is not sent
INSTEAD = {
    "callback": "pilots get an IDTOKEN made from idtoken_keyname, valid for idtoken_lifetime hours, anyhow",
    "payload": "Factories take those as Python pickles alone, which are never made here; let jobs bring them",
}
PARAMETERS = {
    "VMId": "vm_id",
    "VMType": "vm_type",
    "RemoteUsername": "remote_username",
    "ProjectId": "project_id",
    "GlideinProxy": "pilotabsfname",
}
# 3.11 takes them in any case, three of them also with an underscore
PARAMETER_NAMES = {n.lower(): n for n in PARAMETERS} | {
    "vm_id": "VMId",
    "vm_type": "VMType",
    "project_id": "ProjectId",
}
FILES = ("absfname", "keyabsfname", "pilotabsfname", "vm_id_fname", "vm_type_fname")
WANTS = {
    "vm_id": ("vm_id", "vm_id_fname"),
    "vm_type": ("vm_type", "vm_type_fname"),
    "username": ("remote_username",),
    "project_id": ("project_id",),
    "cert_pair": ("keyabsfname",),
    "key_pair": ("keyabsfname",),
    "username_password": ("keyabsfname",),
}


def credentials_of(
    frontend: Frontend, group: Group, problems: Problems
) -> tuple[CredentialPolicy, ...]:
    """Every credential that the group may use; names are unique."""
    given = parameters(frontend, group, problems)
    own = [
        (c, f"group_{group.name}", f"group[{group.name}]/security")
        for c in group.security.credentials
    ]
    shared = [(c, "frontend", "security") for c in frontend.security.credentials]
    found: dict[str, CredentialPolicy] = {}
    for written, security_class, subject in (*own, *shared):
        credential = _modern(written, given, problems)
        if credential is None:
            continue
        check(
            credential,
            f"{subject}/credential[{credential.absfname or credential.generator}]",
            problems,
        )
        for file in files_of(credential, subject, problems):
            one = _policy(credential, file, security_class)
            first = found.setdefault(one.name, one)
            if first.security_class == one.security_class and first != one:
                what = "names the same file as another credential, which alone is used"
                problems.warn(
                    written.where,
                    f"{subject}/credential[{one.name}]",
                    what,
                    "give each its own file",
                )
    return tuple(found.values())


def parameters(frontend: Frontend, group: Group, problems: Problems) -> dict[str, str]:
    """3.11 parameters as fields of a credential; the group's override the global ones."""
    found: dict[str, str] = {}
    for one in (*frontend.security.parameters, *group.security.parameters):
        subject = f"parameter[{one.name}]"
        name, kind = (
            PARAMETER_NAMES.get(one.name.lower(), ""),
            PARAMETER_TYPES.get(one.type.lower(), ""),
        )
        if not name:
            hint = did_you_mean(one.name, PARAMETERS)
            problems.error(
                one.where, f"{subject}@name", f"is none of {', '.join(PARAMETERS)}", hint
            )
        elif not kind:
            hint = did_you_mean(one.type, PARAMETER_TYPES)
            problems.error(
                one.where, f"{subject}@type", f"is none of {', '.join(PARAMETER_TYPES)}", hint
            )
        elif kind == "dynamic":
            what = "generated parameters are not made by this version; left out"
            problems.warn(
                one.where,
                f"{subject}@type",
                what,
                "write the value, for a group of its own if need be",
            )
        elif kind == "integer" and not re.fullmatch(r"[+-]?\d+", one.value.strip()):
            problems.error(one.where, f"{subject}@value", f"{one.value!r} is no integer")
        else:
            found[PARAMETERS[name]] = one.value
    return found


def _modern(c: Credential, given: Mapping[str, str], problems: Problems) -> Credential | None:
    """A credential with 3.11's spellings turned into 3.10's; None if it is not for pilots'
    requests.
    """
    if c.purpose.lower() != "request":
        what = f"purpose {c.purpose} is not sent with requests; left out"
        hint = INSTEAD.get(c.purpose.lower(), INSTEAD["payload"])
        problems.warn(c.where, f"credential[{c.absfname or c.generator}]@purpose", what, hint)
        return None
    changes = {field: value for field, value in given.items() if not getattr(c, field)}
    changes["type"] = "+".join(_kind(word) for word in c.type.split("+"))
    if c.type.strip().lower() in GENERATED:
        changes |= {"type": _produced(c, problems), "generator": c.absfname, "absfname": ""}
    return c.model_copy(update=changes)


def _kind(word: str) -> str:
    """A type's name as 3.10 writes it; both take any case."""
    lower = word.strip().lower()
    return ALIASES.get(lower, lower)


def _produced(c: Credential, problems: Problems) -> str:
    """The type that a generator's context names, or that this generator makes."""
    generator = Path(c.absfname).name.removesuffix(".py").lower()
    try:
        context = parsed(c.context)
    except ValueError:
        context = {}
    kind = context.get("type") or (PRODUCTS.get(generator) if context else None)
    if kind is None:
        subject = f"credential[{c.absfname}]@context"
        problems.error(
            c.where,
            subject,
            "must be a Python dict with the type that is produced",
            "{'type': 'scitoken'}",
        )
        return "scitoken"
    return _kind(str(kind))


def _generated_name(c: Credential) -> str:
    """One generator may serve several credentials, each with parameters of its own."""
    text = _context(c)
    return (
        f"{c.generator}:{hashlib.sha256(f'{c.trust_domain} {text}'.encode()).hexdigest()[:8]}"
        if text
        else c.generator
    )


def _context(c: Credential) -> str:
    """A generator's parameters as JSON; what is wrong with them was told by `check`."""
    if not c.generator or not c.context:
        return ""
    try:
        return json.dumps(parsed(c.context))
    except ValueError:
        return ""


def parsed(context: str) -> dict[str, Any]:
    """A generator's parameters, written as a Python dict, JSON or YAML; a ValueError if they are
    none.
    """
    try:
        value = ast.literal_eval(context or "{}")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        import yaml  # seldom needed, and slow to load

        try:
            value = yaml.safe_load(context)
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(" ".join(str(error).split())) from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError("it is no dict")
    try:
        json.dumps(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return value


def generators_dir(where: Where) -> str:
    """Where generators lie: plugin.d beside the XML (config 7)."""
    return str(Path(where.file).absolute().parent / "plugin.d")


def _generator(c: Credential, subject: str, problems: Problems) -> None:
    """Its module must be there, and its parameters such as it needs."""
    subject = f"{subject}@generator"
    try:
        context = parsed(c.context)
    except ValueError as error:
        problems.error(c.where, f"{subject} context", f"is no Python dict of plain values: {error}")
        return
    try:
        generators.look(generators_dir(c.where), c.generator, context)
    except CredentialError as error:
        problems.error(
            c.where, subject, f"{error.where or c.generator}: {error.message}", error.hint
        )


def _script(c: Credential, subject: str, problems: Problems) -> None:
    """The program that makes the file must be there."""
    if not c.creation_script:
        if c.update_frequency is not None and c.update_frequency >= 0 and not c.generator:
            problems.warn(
                c.where, f"{subject}@update_frequency", "does nothing without creation_script"
            )
        return
    try:
        words = shlex.split(c.creation_script)
    except ValueError as error:
        problems.error(
            c.where, f"{subject}@creation_script", f"cannot be split into words: {error}"
        )
        return
    if not c.absfname:
        problems.error(c.where, f"{subject}@creation_script", "makes no file: absfname is missing")
    if not words or shutil.which(words[0]) is None:
        what = f"{words[0] if words else c.creation_script!r} is no program that can be run"
        problems.warn(
            c.where, f"{subject}@creation_script", what, "it is run as it stands, without a shell"
        )


def check(credential: Credential, subject: str, problems: Problems) -> None:
    """What its type needs."""
    if not credential.absfname and not credential.generator:
        problems.error(credential.where, subject, "needs absfname or generator")
    if credential.generator:
        _generator(credential, subject, problems)
    _script(credential, subject, problems)
    for name in FILES:
        if (path := getattr(credential, name)) and not path.startswith("/"):
            what = f"{path!r} is looked for where the daemon was started"
            problems.warn(credential.where, f"{subject}@{name}", what, "write the whole path")
    _file(credential, subject, problems)
    for word in credential.type.split("+"):
        if word not in TYPES and word not in NEWER:
            problems.error(
                credential.where,
                f"{subject}@type",
                f"unknown type {word!r}",
                did_you_mean(word, (*TYPES, *NEWER)),
            )
        elif word in WANTS and not any(getattr(credential, f) for f in WANTS[word]):
            problems.error(
                credential.where, subject, f"type {word} needs {' or '.join(WANTS[word])}"
            )


def _file(c: Credential, subject: str, problems: Problems) -> None:
    """A file that nobody makes must be there, and a token not be over: else the group asks for
    nothing.
    """
    if not c.absfname or c.generator or c.creation_script or c.pool_idx_list:
        return
    try:
        data = Path(c.absfname).read_bytes()
    except OSError as error:
        problems.warn(
            c.where, f"{subject}@absfname", f"the file cannot be read now: {error.strerror}"
        )
        return
    if (
        c.type in ("scitoken", "idtoken")
        and remaining(data.decode(errors="replace").strip(), time.time()) <= 0
    ):
        problems.warn(
            c.where, f"{subject}@absfname", "the token is expired, or is none", "renew it"
        )
    if (end := ends(data)) is not None and end <= time.time():
        what = (
            f"the certificate ended {time.strftime('%F %T', time.gmtime(end))} UTC"
            if end
            else "is no certificate"
        )
        problems.warn(c.where, f"{subject}@absfname", what, "renew it")


def files_of(credential: Credential, subject: str, problems: Problems) -> list[str]:
    """The files of a credential: `pool_idx_list` makes one of each index of `2,4-6,10`."""
    if not credential.pool_idx_list:
        return [credential.absfname]
    try:
        numbers = list(_indexes(credential.pool_idx_list))
    except ValueError:
        what = (
            f"{credential.pool_idx_list!r} is not a list like 2,4-6,10, each range of 1 to {MOST}"
        )
        problems.error(credential.where, f"{subject}/credential@pool_idx_list", what)
        return [credential.absfname]
    return [f"{credential.absfname}{str(n).zfill(credential.pool_idx_len or 0)}" for n in numbers]


def _indexes(text: str) -> Iterator[int]:
    for item in text.split(","):
        low, dash, high = item.strip().partition("-")
        if not re.fullmatch(r"\d+", low) or (dash and not re.fullmatch(r"\d+", high)):
            raise ValueError(item)
        if not 0 <= int(high or low) - int(low) < MOST:
            raise ValueError(item)
        yield from range(int(low), int(high or low) + 1)


def _policy(c: Credential, file: str, security_class: str) -> CredentialPolicy:
    return CredentialPolicy(
        name=file or _generated_name(c),
        type=c.type,
        trust_domain=c.trust_domain,
        security_class=c.security_class or security_class,
        absfname=file,
        keyabsfname=c.keyabsfname,
        pilotabsfname=c.pilotabsfname,
        generator=c.generator,
        context=_context(c),
        creation_script=c.creation_script,
        update_frequency=-1 if c.update_frequency is None else c.update_frequency,
        vm_id=c.vm_id,
        vm_type=c.vm_type,
        vm_id_fname=c.vm_id_fname,
        vm_type_fname=c.vm_type_fname,
        remote_username=c.remote_username,
        project_id=c.project_id,
    )
