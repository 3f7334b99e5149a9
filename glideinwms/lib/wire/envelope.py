"""Sealing a request's secrets for one Factory (protocol 2.3). `opening` opens them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glideinwms.lib.errors import WireError
from glideinwms.lib.reasons import Reason
from glideinwms.lib.wire.crypto import PublicKey, SymmetricKey

PICKLE_MARK = 0x80


class EnvelopeRefused(WireError):
    """A request that is not taken, with its reason code."""

    def __init__(self, reason: Reason, message: str, where: str) -> None:
        super().__init__(message, where=where)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Seal:
    """One cycle's key towards one Factory: what the three Req* attributes carry, and the sealing
    itself.
    """

    key: SymmetricKey
    key_id: str
    key_code: str
    enc_identity: str
    # equal values are equal when sealed (one key and IV a cycle), and most requests of a cycle
    # carry the same ones
    _sealed: dict[str | bytes, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def make(cls, factory: PublicKey, identity: str) -> Seal:
        """A fresh symmetric key wrapped for `factory`; `identity` is what its collector stamps on
        our ads.
        """
        key = SymmetricKey.generate()
        return cls(key, factory.key_id, factory.wrap(key.code()), key.encrypt_hex(identity))

    def params(self, values: Mapping[str, str | bytes]) -> dict[str, str]:
        """Sealed values by name; empty ones are left out, a deployed Factory cannot take them
        (protocol 9.1/1).
        """
        return {name: self._seal(value) for name, value in values.items() if value}

    def _seal(self, value: str | bytes) -> str:
        known = self._sealed.get(value)
        if known is None:
            known = self._sealed[value] = self.key.encrypt_hex(value)
        return known


def as_text(opened: Mapping[str, bytes], where: str) -> dict[str, str]:
    """The values of a glideclient, which are text. A pickle (3.11 peers, 3.9) is refused, never
    loaded.
    """
    texts = {}
    for name, raw in opened.items():
        if raw[0] == PICKLE_MARK:
            raise EnvelopeRefused(
                Reason.PICKLED_PAYLOAD, f"{name} is a Python pickle (a 3.11 Frontend's)", where
            )
        try:
            texts[name] = raw.decode()
        except UnicodeDecodeError:
            # the message of this error contains a decrypted byte
            raise EnvelopeRefused(Reason.BAD_ENVELOPE, f"{name} is not UTF-8 text", where) from None
    return texts
