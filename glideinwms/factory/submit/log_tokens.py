"""Tokens with which pilots of an entry may write to its log servers (features A27, D13; contract
1).

`<server-credentials>/jwt_secret.key`, shared with the servers by the operator, and per entry `tokens.tgz` with
`tokens/<quoted URL>/default.jwt` and `url_dirs.desc`, lines `URL DIRECTORY`.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import jwt

from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib.files import write_atomic

ATTRIBUTE = "GLIDEIN_LOG_RECIPIENTS_FACTORY"
LIFE, RENEW_AFTER = 7 * 86400, 86400.0
KEY_BYTES = 32


def recipients(entry: EntryPolicy) -> list[str]:
    """URLs that the entry's pilots send their logs to."""
    value = entry.attrs.get(ATTRIBUTE) or entry.params.get(ATTRIBUTE) or ""
    return str(value).replace(",", " ").split()


def directory(policy: FactoryPolicy) -> Path:
    """Where keys and tokens are: beside the work directory, as deployed."""
    return Path(policy.work_dir).parent / "server-credentials"


def with_log_tokens(
    policy: FactoryPolicy, entry: EntryPolicy, request: Request, now: float
) -> Request:
    """The request with what its pilots need for the log servers; the same one if the entry has
    none.
    """
    urls = recipients(entry)
    if not urls:
        return request
    folder = refresh(directory(policy), policy.factory_name, entry.name, urls, now)
    extra = {
        "LogTokens": str(folder / "tokens.tgz"),
        "LogUrlDirs": str(folder / "url_dirs.desc"),
        "LogRecipients": " ".join(urls),
    }
    return replace(request, extra={**request.extra, **extra})


def refresh(base: Path, factory: str, entry: str, urls: list[str], now: float) -> Path:
    """An entry's directory with tokens that are good for at least six days; they are renewed once a
    day.
    """
    folder = base / f"entry_{entry}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    table = "".join(f"{url} {quote(url, safe='')}\n" for url in urls)
    tokens, dirs = folder / "tokens.tgz", folder / "url_dirs.desc"
    if (
        tokens.exists()
        and dirs.exists()
        and dirs.read_text() == table
        and now - tokens.stat().st_mtime < RENEW_AFTER
    ):
        return folder
    key = secret(base / "jwt_secret.key")
    made = {url: token(key, factory, entry, url, now) for url in urls}
    write_atomic(
        tokens,
        packed({f"tokens/{quote(url, safe='')}/default.jwt": t for url, t in made.items()}),
        0o600,
    )
    write_atomic(dirs, table, 0o600)
    return folder


def secret(path: Path) -> bytes:
    """The key shared with the servers; made once."""
    if not path.exists():
        write_atomic(path, secrets.token_bytes(KEY_BYTES), 0o600)
    return path.read_bytes()


def token(key: bytes, factory: str, entry: str, url: str, now: float) -> str:
    """A token of one entry for one server."""
    issued = int(now)
    claims = {
        "iss": factory,
        "sub": entry,
        "aud": url,
        "iat": issued,
        "nbf": issued,
        "exp": issued + LIFE,
    }
    return jwt.encode(claims, key, algorithm="HS256")


def packed(files: Mapping[str, str]) -> bytes:
    """A gzipped tar of small private files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o600
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()
