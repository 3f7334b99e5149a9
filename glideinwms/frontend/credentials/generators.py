"""What runs in a reader process to make credentials: the operator's modules and the generators of 3.11 (protocol 3.7).

A module lies in `plugin.d` beside the XML, or is installed. Its `get_credential(logger, group, entry, trust_domain)`
returns (text, seconds of life); `tkn_dir` is passed to one that takes it. It runs with the Frontend's rights, in a
process that the daemon can kill, never in the daemon.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import inspect
import io
import itertools
import logging
import re
import secrets
import signal
import socket
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt

from glideinwms.frontend.credentials.pilot_tokens import first_word
from glideinwms.lib import file_ownership, jsondata
from glideinwms.lib.credentials.tokens import PILOT_SCOPES, Signer
from glideinwms.lib.errors import ConfigError, CredentialError, TimedOut

GET = "get_credential"
NO_GET = f"write def {GET}(logger, group, entry, trust_domain)"
SAID = 20
# seconds for one entry; the call as a whole has a deadline of its own
PATIENCE = 10.0
TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*)*|-----BEGIN.*|[\w+=-]{40,}", re.DOTALL)
Made = tuple[str, float]
Maker = Callable[[str, Mapping[str, str], str], Made]
# names of 3.11 -> parameters that they need
SHIPPED: Mapping[str, tuple[str, ...]] = {
    "RoundRobinGenerator": ("items",),
    "LegacyGenerator": ("callout",),
    "EntryConditionGenerator": ("discriminator",),
    "SciTokenGenerator": ("key_file", "key_id", "issuer", "scope"),
    "IdTokenGenerator": ("password",),
}
DISCRIMINATORS = ("name", "gatekeeper", "factory", "factory.name", "trust_domain")
SHORTEST = 600
# parameters of them that can be checked beforehand, and what they must be
FITS: Mapping[str, Callable[[Any], bool]] = {
    "discriminator": lambda v: v in DISCRIMINATORS,
    "items": lambda v: isinstance(v, list | tuple) and len(v) > 0,
    "kwargs": lambda v: isinstance(v, dict),
    "password": lambda v: str(v).startswith("/"),
    "duration": lambda v: _seconds(v) >= SHORTEST,
    "tkn_lifetime": lambda v: _seconds(v) >= SHORTEST,
    "issuer": lambda v: str(v).startswith("https://"),
}
HINTS = {
    "discriminator": f"use one of {', '.join(DISCRIMINATORS)}",
    "items": "write a list with one item or more",
    "kwargs": "write a dict of further arguments",
    "password": "name the signing key's file with its directory",
    "duration": f"it is in seconds, at least {SHORTEST}",
    "tkn_lifetime": f"it is in seconds, at least {SHORTEST}",
    "issuer": "it must begin with https://",
}


def generate(
    folder: str,
    name: str,
    context: str,
    group: str,
    trust_domain: str,
    entries: Sequence[Mapping[str, str]],
    tokens_dir: str,
) -> dict[str, Any]:
    """Runs in a reader: {"texts": {request: [text, lifetime]}, "wrong": {request: why}, "said": log
    lines}. `entries`: {"request", "name", "gatekeeper", "factory"}. A CredentialError if the
    generator cannot be had at all, TimedOut if it hangs; where it made something before, that
    counts, and the rest is left for another call.
    """
    listener = Listener()
    texts, wrong = {}, {}
    with contextlib.redirect_stdout(listener), contextlib.redirect_stderr(listener):
        maker = maker_of(folder, name, context, tokens_dir, listener)
        for entry in entries:
            try:
                with _limited(PATIENCE, entry["request"]):
                    texts[entry["request"]] = list(_made(maker(group, dict(entry), trust_domain)))
            except TimedOut as error:
                if not texts:
                    raise
                wrong[entry["request"]] = error.message
                break
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary of one entry
                wrong[entry["request"]] = safe(f"{type(error).__name__}: {error}")
    return {"texts": texts, "wrong": wrong, "said": listener.lines}


@contextlib.contextmanager
def _limited(seconds: float, where: str) -> Iterator[None]:
    """TimedOut, raised in what the main thread does when it takes longer."""

    def over(*_: object) -> None:
        raise TimedOut(f"no answer within {seconds:g} s", where=where)

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Listener(logging.Handler, io.TextIOBase):
    """Stands for the logging module that a generator is given: `.log` is a logger; keeps the first
    lines of what is logged there and of what is printed.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.lines: list[str] = []
        self.log = logging.Logger("generator")
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._keep(f"{record.levelname}: {record.getMessage()}")

    def write(self, text: str) -> int:
        """What is printed."""
        if text.strip():
            self._keep(f"printed: {text.strip()}")
        return len(text)

    def _keep(self, line: str) -> None:
        if len(self.lines) < SAID:
            self.lines.append(safe(line))


def safe(text: str) -> str:
    """A foreign message for logs and reasons: short, and without what may be secret."""
    return TOKEN.sub("(a token)", text)[:200]


def maker_of(folder: str, name: str, context: str, tokens_dir: str, listener: Listener) -> Maker:
    """The function that makes one credential; a CredentialError says why there is none."""
    given = parsed(context)
    if name in SHIPPED:
        look(folder, name, given)
        if name == "LegacyGenerator":
            return _legacy(
                folder, str(given["callout"]), tokens_dir, listener, given.get("kwargs") or {}
            )
        return _shipped(name, context)
    return _legacy(folder, name, tokens_dir, listener, given)


def look(folder: str, name: str, given: Mapping[str, Any]) -> None:
    """What can be said of a generator without running it; a CredentialError names what is wrong."""
    if name in SHIPPED:
        if lacking := [n for n in SHIPPED[name] if n not in given]:
            raise CredentialError(f"its context lacks {', '.join(lacking)}", where=name)
        for key, fits in FITS.items():
            if key in given and not fits(given[key]):
                raise CredentialError(
                    f"its context has {key} {given[key]!r}", where=name, hint=HINTS[key]
                )
        if name == "LegacyGenerator":
            look(folder, str(given["callout"]), {})
        return
    path = path_of(folder, name)
    if path is None:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            hint = f"put it into {folder}; there are {', '.join(SHIPPED)}, too"
            raise CredentialError(f"there is no module {name}.py", where=folder, hint=hint)
        return
    try:
        tree = ast.parse(file_ownership.read(path), str(path))
    except ConfigError as error:
        raise CredentialError(error.message, where=error.where, hint=error.hint) from error
    except SyntaxError as error:
        raise CredentialError(
            f"is no Python: {error.msg}", where=f"{path}:{error.lineno}"
        ) from error
    if not any(GET in _binds(statement) for statement in tree.body):
        raise CredentialError(f"has no {GET}", where=str(path), hint=NO_GET)


def _binds(statement: ast.stmt) -> list[str]:
    """Names that a statement of a module gives a meaning."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [a.asname or a.name for a in statement.names]
    if isinstance(statement, ast.Assign):
        return [t.id for t in statement.targets if isinstance(t, ast.Name)]
    return [getattr(statement, "name", "")]


def parsed(context: str) -> dict[str, Any]:
    """A context, which the policy keeps as JSON."""
    value = jsondata.parse(context or "{}", "the context of a generator")
    if not isinstance(value, dict):
        raise CredentialError("the context of a generator is no dict")
    return value


def _made(answer: Any) -> Made:
    text, lifetime = (
        answer if isinstance(answer, tuple | list) and len(answer) == 2 else (answer, 0)
    )
    if isinstance(text, bytes):
        text = text.decode()
    if not isinstance(text, str) or not text.strip():
        raise CredentialError("it returned no text")
    return text.strip(), float(lifetime or 0)


def _legacy(
    folder: str, name: str, tokens_dir: str, listener: Listener, kwargs: Mapping[str, Any]
) -> Maker:
    get = getattr(module_of(folder, name), GET)
    takes = inspect.signature(get).parameters
    more = {k: v for k, v in kwargs.items() if k != "type"}
    if "tkn_dir" in takes:
        more.setdefault("tkn_dir", tokens_dir)
    return lambda group, entry, trust_domain: get(listener, group, entry, trust_domain, **more)


def module_of(folder: str, name: str) -> types.ModuleType:
    """A module of plugin.d, or an installed one; a CredentialError if it is not there or has no
    get_credential.
    """
    if folder and folder not in sys.path and Path(folder).is_dir():
        try:
            file_ownership.check(Path(folder))
        except ConfigError as error:
            raise CredentialError(error.message, where=error.where, hint=error.hint) from error
        sys.path.append(folder)  # what lies beside a module is found by it
    path = path_of(folder, name)
    if path is not None:
        try:
            found = file_ownership.check(path)
            module = _loaded(str(path), found.st_mtime_ns, found.st_ino)
        except ConfigError as error:
            raise CredentialError(error.message, where=error.where, hint=error.hint) from error
    else:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            what = f"no module {name}.py, and none that is installed: {safe(f'{type(error).__name__}: {error}')}"
            raise CredentialError(what, where=folder) from error
    if not callable(getattr(module, GET, None)):
        raise CredentialError(f"has no {GET}", where=str(path or name), hint=NO_GET)
    return module


def path_of(folder: str, name: str) -> Path | None:
    """A module's file: an absolute path, or a name with or without `.py` in plugin.d; None if there
    is none.
    """
    for path in (Path(folder, name), Path(folder, f"{name}.py")):
        if path.suffix == ".py" and path.is_file():
            return path
    return None


@functools.lru_cache(maxsize=20)
def _loaded(path: str, mtime_ns: int, inode: int) -> types.ModuleType:
    """A file is run again when it has changed; what it remembers otherwise stays."""
    module = types.ModuleType(Path(path).stem)
    module.__file__ = path
    try:
        exec(compile(file_ownership.read(Path(path)), path, "exec"), module.__dict__)  # noqa: S102 - the operator's program
    except Exception as error:
        raise CredentialError(
            safe(f"{type(error).__name__}: {error}"), where=path, hint="mend the file"
        ) from error
    return module


@functools.lru_cache(maxsize=100)
def _shipped(name: str, context: str) -> Maker:
    """One instance for each context."""
    given = parsed(context)
    if name == "RoundRobinGenerator":
        items: Iterator[str] = itertools.cycle(given["items"])
        return lambda group, entry, trust_domain: (_text(next(items)), 0.0)
    if name == "EntryConditionGenerator":
        return functools.partial(_by_entry, given)
    if name == "IdTokenGenerator":
        return functools.partial(_idtoken, given)
    return functools.partial(_scitoken, given)


def _by_entry(
    given: Mapping[str, Any], group: str, entry: Mapping[str, str], trust_domain: str
) -> Made:
    kind = given["discriminator"]
    known = {
        **entry,
        "factory.name": f"{entry['factory']}.{entry['name']}",
        "trust_domain": trust_domain,
    }
    value = known[kind]
    chosen = given.get("dict", {}).get(value)
    if chosen is None and value in given.get("list", ()):
        chosen = given.get("list_output")
    if chosen is None:
        chosen = given.get("default")
    if chosen is None:
        raise CredentialError(f"nothing is said of {kind} {value}, and there is no default")
    return _text(chosen), 0.0


def _text(item: Any) -> str:
    """An absolute path stands for what the file holds."""
    return Path(item).read_text() if isinstance(item, str) and item.startswith("/") else str(item)


def _seconds(value: Any) -> float:
    """A number of seconds, however it is written; 0 if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _idtoken(
    given: Mapping[str, Any], group: str, entry: Mapping[str, str], trust_domain: str
) -> Made:
    """An IDTOKEN of HTCondor, for a CE that knows the key by the name of its file."""
    from glideinwms.lib.condor import htc

    lifetime = _seconds(given.get("duration", 86400))
    signer = Signer.load(Path(given["password"]), first_word(htc.param("TRUST_DOMAIN")))
    identity = str(given.get("identity") or f"{entry['name']}@{socket.gethostname()}")
    scopes = str(given["scope"]).split() if "scope" in given else PILOT_SCOPES
    return signer.sign(identity, lifetime, time.time(), scopes), lifetime


def _scitoken(
    given: Mapping[str, Any], group: str, entry: Mapping[str, str], trust_domain: str
) -> Made:
    lifetime, now = int(given.get("tkn_lifetime", 7200)), int(time.time())
    gatekeeper = entry["gatekeeper"].split()
    claims = {
        "sub": f"vofrontend-{entry['name']}",
        "aud": gatekeeper[-1] if gatekeeper else "",
        "iss": given["issuer"],
        "scope": given["scope"],
        "wlcg.ver": str(given.get("wlcg_ver", "1.0")),
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "jti": secrets.token_hex(16),
    }
    key: Any = Path(given["key_file"]).read_bytes()
    if given.get("key_pass"):
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(key, str(given["key_pass"]).encode())
    headers = {"kid": str(given["key_id"])}
    return jwt.encode(
        claims, key, algorithm=str(given.get("algorithm", "RS256")), headers=headers
    ), float(lifetime)
