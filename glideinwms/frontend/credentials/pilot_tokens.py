"""The IDTOKENs with which pilots join the user pool, one per group and entry (protocol 3.6, decision 25)."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.frontend.policy import GroupPolicy
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.bounded import BadValue, number, shown
from glideinwms.lib.credentials import tokens
from glideinwms.lib.credentials.tokens import Signer
from glideinwms.lib.errors import CredentialError
from glideinwms.lib.wire.names import is_safe

HOUR = 3600.0
MAX_HELD = 100_000  # tokens; entries come and go
MAX_WALLTIME = 10 * 365 * 24 * HOUR


def first_word(text: str) -> str:
    """TRUST_DOMAIN is a list; its first word is the issuer of our tokens."""
    return next((w for w in re.split(r"[,\s]+", text) if w), "")


@dataclass
class TokenMaker:
    """Makes and keeps pilot tokens, in memory: each lasts here for an hour or half its life.
    `issuer` is the user pool's TRUST_DOMAIN, `host` what stands after the site in the pilot's
    identity. Keys are read once until `begin`.
    """

    passwords_dir: Path
    tokens_dir: Path
    issuer: str
    host: str = field(default_factory=socket.gethostname)
    _signers: dict[str, Signer | None] = field(default_factory=dict, repr=False)
    _held: dict[tuple[str, str], tuple[str, float, tuple[str, str, float]]] = field(
        default_factory=dict, repr=False
    )

    def begin(self) -> None:
        """A new cycle: look at the signing keys again."""
        self._signers.clear()

    def token(self, group: GroupPolicy, entry: EntryState, now: float) -> str:
        """The token for pilots of an entry; "" if it publishes no site or is no pilot entry. A
        CredentialError says why there is none.
        """
        site = str(entry.attrs.get("GLIDEIN_Site", ""))
        if not site or "CONDOR_VERSION" not in entry.params:
            return ""
        if not is_safe(site) or "@" in site:
            raise CredentialError(
                f"GLIDEIN_Site {shown(site)} may not become part of a file name",
                where=entry.name,
                hint="the Factory should use at most 200 letters, digits, dots, _ and -",
            )
        signer = self._signer(site, group.idtoken_keyname)
        if signer is None:
            return self._given(self.tokens_dir / f"{group.name}.{site}.idtoken", now)
        lifetime = tokens.pilot_lifetime(
            float(group.limits.idle_lifetime), walltime(entry.attrs), float(group.idtoken_lifetime)
        )
        wanted = (signer.key_id, f"{site}@{self.host}", lifetime)
        if len(self._held) > MAX_HELD:
            self._held.clear()
        text, until, why = self._held.get((group.name, entry.name), ("", 0.0, None))
        if now >= until or why != wanted:
            text = signer.sign(wanted[1], lifetime, now)
            self._held[group.name, entry.name] = (text, now + min(HOUR, lifetime / 2), wanted)
        return text

    def _given(self, path: Path, now: float) -> str:
        try:
            return tokens.of_file(path, now)
        except CredentialError as error:
            raise CredentialError(
                f"there is no signing key in {self.passwords_dir}, and no token in its place: "
                f"{error.message}",
                where=error.where,
            ) from error

    def _signer(self, site: str, keyname: str) -> Signer | None:
        """The key of the site, else that of the Frontend; None if there is neither."""
        for name in (site, keyname):
            if name not in self._signers:
                path = self.passwords_dir / name
                if path.exists() and not self.issuer:
                    raise CredentialError(
                        "TRUST_DOMAIN is not set, so tokens have no issuer",
                        where=str(path),
                        hint="set it in the Frontend's HTCondor configuration",
                    )
                self._signers[name] = Signer.load(path, self.issuer) if path.exists() else None
            if self._signers[name] is not None:
                return self._signers[name]
        return None


def walltime(attrs: Mapping[str, object]) -> float:
    """GLIDEIN_Max_Walltime in seconds; a day where the entry does not say, or says no such time."""
    try:
        return number(attrs.get("GLIDEIN_Max_Walltime", 24 * HOUR), low=0.0, high=MAX_WALLTIME)
    except BadValue:
        return 24 * HOUR
