"""From a glideclient or glideclientglobal ad to a row that may be acted on: all checks of protocol
2.4 and 4.3/1 to 4.3/8.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glideinwms.factory.collect.credential_store import MAX_ID, CredentialStore, Owner
from glideinwms.factory.collect.entry_credentials import (
    CLOUDS,
    CredentialChooser,
    CredentialMismatch,
    SubmitCredentials,
    consistent,
    settled,
)
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy, FrontendTrust
from glideinwms.factory.snapshot import Request, Web
from glideinwms.lib import bounded
from glideinwms.lib.errors import CredentialError, WireError
from glideinwms.lib.reasons import Reason, Refusal
from glideinwms.lib.wire import EnvelopeRefused, GlideClient, GlideClientGlobal, Opener, as_text
from glideinwms.lib.wire.crypto import FactoryKey
from glideinwms.lib.wire.names import is_safe, label

# how old Frontends call ReqMaxGlideins (protocol 4.3/9)
LEGACY_MAX = "ReqMaxRunningGlideins"
CLASS_PREFIX = "SecurityClass"
NOT_AN_ARGUMENT = re.compile(r"""[\s\x00-\x1f"'\\`$;]""")
SIGN_TYPES = ("sha1", "sha256")
PASSTHRU = "CONTINUE_IF_NO_PROXY"
PARAMETER = re.compile(r"[A-Za-z0-9_.-]+")
SUBMIT_TEXT = re.compile(r"(?!-)[A-Za-z0-9_.,:@/+=~-]+")
# becomes USER@HOST, an argument of ssh
REMOTE_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
MAX_PARAMETERS, MAX_PARAMETER_NAME, MAX_NUMBER_NAME, MAX_ARGUMENT = 500, 128, 64, 16 * 1024


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """One credential of a global ad, to be written for its owner."""

    owner: Owner
    client: str
    cred_id: str
    data: bytes = field(repr=False)


class RequestRefused(Exception):
    """This one request is not served."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


class RequestValidator:
    """Judges ads against the policy. Writes the tokens that a good request brings into the store
    (protocol 3.4).

    `opener` remembers keys between cycles.
    """

    def __init__(
        self,
        policy: FactoryPolicy,
        keys: Mapping[str, FactoryKey],
        now: float,
        store: CredentialStore | None = None,
        opener: Opener | None = None,
    ) -> None:
        self.policy, self.now = policy, now
        self.opener = opener or Opener({}, ())
        self.opener.begin(keys, {f.identity for f in policy.frontends})
        self.frontends = {f.name: f for f in policy.frontends}
        self.entries = {e.name: e for e in policy.entries if e.enabled}
        self.store = store or CredentialStore(Path(policy.client_proxies_dir), policy.glidein_name)
        self.written: list[Path] = []
        self.holders: dict[str, set[str]] = defaultdict(set)
        for frontend in policy.frontends:
            for username in frontend.usernames.values():
                self.holders[username].add(frontend.identity)

    def credentials(self, raw: Mapping[str, Any]) -> Iterator[StoredCredential]:
        """The credentials of one glideclientglobal; Refused (or WireError) if it is not to be
        trusted.
        """
        ad = GlideClientGlobal.from_ad(raw)
        if not is_safe(ad.client_name):
            raise RequestRefused(Reason.BAD_NAME, f"ClientName {ad.client_name!r}")
        self._fresh(raw)
        identity = str(raw.get("AuthenticatedIdentity", ""))
        opened = self.opener.open(ad, identity)
        trust = self._frontend(opened.get("SecurityName", b"").decode(errors="replace"), identity)
        for name, value in opened.items():
            if name.startswith(CLASS_PREFIX) and (data := opened.get(name[len(CLASS_PREFIX) :])):
                username = trust.usernames.get(value.decode(errors="replace"))
                if username is not None:
                    yield StoredCredential(
                        self.owner(trust, username),
                        ad.client_name,
                        name[len(CLASS_PREFIX) :],
                        unescaped(data),
                    )

    def request(self, raw: Mapping[str, Any]) -> Request:
        """The row of one glideclient, with its refusal if it has one. Never raises for what a peer
        wrote.
        """
        bare = bare_request(raw)
        name = bare.name
        try:
            if LEGACY_MAX in raw:
                raw = {"ReqMaxGlideins": raw[LEGACY_MAX], **raw}
            ad = GlideClient.from_ad(raw)
            bare = self._row(ad, raw)
            return self._checked(bare, ad, str(raw.get("AuthenticatedIdentity", "")))
        except (EnvelopeRefused, RequestRefused, CredentialMismatch) as error:
            text = error.message if isinstance(error, EnvelopeRefused) else error.text
            return _refused(bare, Refusal(error.reason, name, text))
        except CredentialError as error:
            reason = Reason.CREDENTIAL_MISSING if error.__cause__ else Reason.BAD_NAME
            return _refused(bare, Refusal(reason, name, str(error)))
        except WireError as error:
            number = Reason.BAD_NUMBER if "whole number" in error.message else Reason.MALFORMED_AD
            return _refused(bare, Refusal(number, name, error.message))

    def owner(self, trust: FrontendTrust, username: str) -> Owner:
        """Whose credentials those of a Frontend's user name are."""
        return Owner(username, trust.name, alone=self.holders[username] == {trust.identity})

    def _row(self, ad: GlideClient, raw: Mapping[str, Any]) -> Request:
        if len(ad.params) > MAX_PARAMETERS or len(ad.monitor) > MAX_PARAMETERS:
            raise RequestRefused(
                Reason.BAD_VALUE, f"more than {MAX_PARAMETERS} parameters or numbers"
            )
        for name, value in ad.params.items():
            _parameter(name, value)
        web = Web(
            url=ad.web_url,
            sign_type=ad.web_sign_type,
            descript=ad.web_descript,
            sign=ad.web_sign,
            sign256=ad.web_sign256,
            group_url=ad.web_group_url,
            group_descript=ad.web_group_descript,
            group_sign=ad.web_group_sign,
            group_sign256=ad.web_group_sign256,
        )
        return Request(
            ad.name,
            ad.req_name.partition("@")[0],
            ad.client_name,
            ad.frontend_name,
            ad.group_name,
            str(raw.get("AuthenticatedIdentity", "")),
            idle=ad.idle,
            max_glideins=ad.max_glideins,
            remove_level=ad.remove_excess,
            remove_margin=ad.remove_margin,
            idle_lifetime=ad.idle_lifetime,
            last_heard=_seconds(raw.get("LastHeardFrom")),
            web=web,
            params=dict(ad.params),
            monitor={
                k: v
                for k, v in ad.monitor.items()
                if bounded.is_count(v) and len(k) < MAX_NUMBER_NAME
            },
        )

    def _checked(self, row: Request, ad: GlideClient, identity: str) -> Request:
        if (
            not is_safe(row.name)
            or not is_safe(row.client)
            or not all(c.isprintable() for c in row.group_name)
        ):
            raise RequestRefused(
                Reason.BAD_NAME, "a name has characters other than A-Z a-z 0-9 . _ - @"
            )
        entry = self.entries.get(row.entry)
        if entry is None:
            raise RequestRefused(Reason.UNKNOWN_ENTRY, f"there is no entry {row.entry}")
        self._fresh({"LastHeardFrom": row.last_heard})
        secrets = as_text(self.opener.open(ad, identity), row.name)
        if "x509_proxy_0" in secrets:
            raise RequestRefused(
                Reason.CREDENTIAL_MISMATCH, "speaks the old protocol 2 (x509_proxy_0)"
            )
        trust = self._frontend(secrets.get("SecurityName", ""), identity)
        whitelisted, username = self._allowed(entry, trust, secrets.get("SecurityClass", ""))
        passthru = str(row.params.get(PASSTHRU, "")) == "True"
        row = replace(
            row,
            security_name=trust.name,
            security_class=secrets["SecurityClass"],
            username=username,
            whitelisted=whitelisted,
        )
        try:
            served = replace(entry, auth_method=settled(entry.auth_method, secrets))
            consistent(served.auth_method, secrets, passthru)
            owner = self.owner(trust, username)
            self._tokens(row, owner, secrets)
            use = CredentialChooser(self.store, served, owner, row.client, secrets, passthru).use()
            _complete(row)
            harmless(use)
        except (CredentialMismatch, RequestRefused) as error:
            return _refused(row, Refusal(error.reason, row.name, error.text))
        return replace(row, credential=use.accounting_id, files=use.files, extra=use.extra)

    def _fresh(self, raw: Mapping[str, Any]) -> None:
        age = self.now - _seconds(raw.get("LastHeardFrom", self.now))
        if age > self.policy.request_max_age:
            raise RequestRefused(Reason.STALE_AD, f"last heard of {age:.0f} s ago")

    def _frontend(self, security_name: str, identity: str) -> FrontendTrust:
        if not security_name:
            raise RequestRefused(Reason.MISSING_PARAMETER, "SecurityName is missing")
        trust = self.frontends.get(security_name)
        if trust is None:
            raise RequestRefused(
                Reason.UNKNOWN_FRONTEND,
                f"{identity} sends a SecurityName that is not configured here",
            )
        if trust.identity != identity:
            raise RequestRefused(
                Reason.IDENTITY_MISMATCH,
                f"{trust.name} must come from {trust.identity}, not {identity}",
            )
        return trust

    def _allowed(
        self, entry: EntryPolicy, trust: FrontendTrust, security_class: str
    ) -> tuple[bool, str]:
        """(whether its Frontend may submit here, user name of its class); protocol 4.3/3, 4.3/6,
        4.3/7.
        """
        if not security_class:
            raise RequestRefused(Reason.MISSING_PARAMETER, "SecurityClass is missing")
        username = trust.usernames.get(security_class)
        if username is None:
            raise RequestRefused(
                Reason.UNKNOWN_CLASS, f"{trust.name} has no security class of this name"
            )
        if not entry.allow_frontends:
            return True, username
        classes = {
            item.partition(":")[2]
            for item in entry.allow_frontends
            if item.partition(":")[0] == trust.name
        }
        if classes and not classes & {"All", security_class}:
            raise RequestRefused(
                Reason.NOT_ALLOWED,
                f"class {security_class} is not in allow_frontends of {entry.name}",
            )
        return bool(classes), username

    def _tokens(self, row: Request, owner: Owner, secrets: Mapping[str, str]) -> None:
        if token := secrets.get(f"{row.entry}.idtoken"):
            path = self.store.token(owner, row.client, row.entry, "idtoken")
            self._keep(path, token.encode())
            if (proxy := secrets.get("GlideinProxy")) and self.entries[
                row.entry
            ].gridtype in CLOUDS:
                self.store.store_cloud_token(owner, row.client, proxy, token)
        if token := secrets.get("frontend_scitoken"):
            path = self.store.token(owner, row.client, row.entry, "scitoken")
            self._keep(path, token.strip().encode() + b"\n")

    def _keep(self, path: Path, data: bytes) -> None:
        if self.store.store(path, data):
            self.written.append(path)


def unescaped(data: bytes) -> bytes:
    """PEM text that travelled with literal backslash-n gets its newlines back (protocol 9.2/30)."""
    return (
        data.replace(b"\\n", b"\n")
        if data.startswith(b"-----BEGIN") and b"\n" not in data
        else data
    )


def _seconds(value: object) -> float:
    """A time stamp of the collector's; 0, which is long ago, if it is none."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _complete(row: Request) -> None:
    web = row.web
    if not all(
        (
            web.url,
            web.descript,
            web.sign,
            web.group_url,
            web.group_descript,
            web.group_sign,
            row.group_name,
        )
    ):
        raise RequestRefused(Reason.BAD_WEB, "stage parameters (Web*) are incomplete")
    if web.sign_type not in SIGN_TYPES:
        raise RequestRefused(
            Reason.BAD_WEB, f"WebSignType {bounded.shown(web.sign_type)} is not supported"
        )
    texts = (
        web.url,
        web.group_url,
        web.sign,
        web.sign256,
        web.descript,
        web.group_descript,
        web.group_sign,
        web.group_sign256,
        row.group_name,
    )
    for value in texts:
        if len(value) > MAX_ARGUMENT or NOT_AN_ARGUMENT.search(value):
            raise RequestRefused(
                Reason.BAD_WEB, f"{bounded.shown(value)} cannot be part of a command line"
            )


def bare_request(raw: Mapping[str, Any]) -> Request:
    """What a request says of itself, of which nothing is checked; for a refusal."""
    entry = bounded.text_or(raw.get("ReqName", ""), "?").partition("@")[0]
    return Request(label(raw.get("Name", "?")), label(entry), label(raw.get("ClientName", "")))


def _parameter(name: str, value: object) -> None:
    """Refuse a parameter that cannot be an argument of a pilot. Its value is escaped there, so that
    `$` and quotes are allowed.
    """
    if len(name) > MAX_PARAMETER_NAME or not PARAMETER.fullmatch(name):
        raise RequestRefused(
            Reason.BAD_VALUE, f"{bounded.shown(name)} cannot be the name of a parameter"
        )
    if isinstance(value, int) and abs(value) < 2**63:
        return
    if isinstance(value, bounded.Expr | int) or not isinstance(value, str | float):
        raise RequestRefused(Reason.BAD_VALUE, f"parameter {name} is no plain value")
    text = str(value)
    if len(text) > MAX_ARGUMENT or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in text):
        problem = (
            f"more than {MAX_ARGUMENT} characters"
            if len(text) > MAX_ARGUMENT
            else "control characters"
        )
        raise RequestRefused(Reason.BAD_VALUE, f"parameter {name} has {problem}")


def harmless(use: SubmitCredentials) -> None:
    """What a Frontend wrote becomes part of a submit description, where a new line starts another
    command and `$` a macro ($ENV, $(...)): only parameter values may have it, since they are
    escaped.
    """
    if len(use.accounting_id) > MAX_ID:
        raise RequestRefused(
            Reason.BAD_VALUE, f"the credential's id has more than {MAX_ID} characters"
        )
    for name, text in {"the credential's id": use.accounting_id, **use.extra}.items():
        allowed = REMOTE_USER if name == "RemoteUsername" else SUBMIT_TEXT
        if text and (len(text) > MAX_ARGUMENT or not allowed.fullmatch(text)):
            raise RequestRefused(
                Reason.BAD_VALUE, f"{name} has characters that a submit description may not have"
            )


def _refused(row: Request, refusal: Refusal) -> Request:
    return replace(row, refusal=refusal)
