"""Check before a submission what HTCondor would accept and fail on later (decision 8)."""

from __future__ import annotations

import errno
import math
import stat
from pathlib import Path

from glideinwms.factory.submit.description import SubmitSpec
from glideinwms.lib.bounded import BadValue, number
from glideinwms.lib.credentials import certificates
from glideinwms.lib.credentials.tokens import claims_of
from glideinwms.lib.daemon import storage
from glideinwms.lib.errors import CredentialError
from glideinwms.lib.files import hint_of, make_directory
from glideinwms.lib.reasons import Reason, Refusal

TOKENS, PROXIES = ("scitoken", "idtoken"), ("x509_proxy", "glidein_proxy")
SECRET_ROLES = ("scitoken", "idtoken", "x509_proxy", "private_key", "auth_file", "password")


def check(order: SubmitSpec, now: float) -> Refusal | None:
    """The first thing that makes this submission impossible, or None. Makes the log directory if it
    is missing.
    """
    where = order.request.name
    script = Path(order.policy.work_dir, order.policy.startup_script)
    if not script.is_file():
        return Refusal(
            Reason.NO_EXECUTABLE, where, f"{script} is missing; run gwms factory reconfig"
        )
    directory = Path(order.log_dir)
    try:
        make_directory(directory, 0o750)
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        code = Reason.NO_LOG_DIR if missing else Reason.LOG_DIR_UNWRITABLE
        return Refusal(
            code, where, f"{directory} cannot be made: {error.strerror}; {hint_of(error)}"
        )
    if trouble := storage.problem(directory):
        return Refusal(Reason.LOG_DIR_UNWRITABLE, where, trouble)
    files = order.request.files
    for role, path in files.items():
        problem = file_problem(Path(path), secret=role in SECRET_ROLES)
        if problem:
            return Refusal(Reason.CREDENTIAL_MISSING, where, f"{role} file {path} {problem}")
        # a token of days past may lie beside a proxy that serves
        spare = role in TOKENS and any(p in files for p in PROXIES)
        if not spare and (problem := over(role, Path(path), now)):
            return Refusal(Reason.CREDENTIAL_UNUSABLE, where, f"{role} file {path} {problem}")
    return None


def file_problem(path: Path, *, secret: bool) -> str:
    """Why a credential file cannot be used: missing, empty, or readable by others ("": nothing
    wrong).
    """
    try:
        found = path.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return "is empty or not a file"
    if secret and found.st_mode & 0o077:
        return f"is open to others (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def over(role: str, path: Path, now: float) -> str:
    """How long ago a token or proxy came to its end ("": it is good, or does not say)."""
    try:
        if role in TOKENS:
            ended = number(claims_of(path.read_text())["exp"])
        elif role == "x509_proxy":
            ended = certificates.ends(path.read_bytes()) or math.inf
        else:
            return ""
    except BadValue as error:
        return f"does not say when it ends: {error}"
    except (OSError, CredentialError, KeyError, ValueError):
        return ""
    except Exception as error:  # noqa: BLE001 - the boundary of one credential file
        return f"cannot be read: {type(error).__name__}"
    return "" if ended > now else f"ended {now - ended:.0f} s ago; a new one must come"
