"""Opening the sealed values of requests at the Factory (protocol 2.4).

An envelope has no authentication tag, and its key and IV are the same for all values of a cycle. So
a peer that may send altered copies of another's envelope, and sees how each is refused, could
decrypt it. Three rules prevent that:

* Only an identity that the Factory's configuration names gets as far as a decryption.
* Until the sender has proved that the envelope is its own, every failure has the same reason and the same text.
* A wrapped key belongs to the identity that first proved it. Another identity that sends it is refused before anything
  is decrypted.

Decrypted bytes are never part of a message.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping
from typing import TypeVar

from glideinwms.lib.errors import CryptoError
from glideinwms.lib.reasons import Reason
from glideinwms.lib.wire.crypto import FactoryKey, SymmetricKey
from glideinwms.lib.wire.envelope import EnvelopeRefused
from glideinwms.lib.wire.frontend_ads import GlideClient, GlideClientGlobal

NOT_OPENED = (
    "the envelope cannot be opened: the identity that the collector saw must be configured here, "
    "and must have sealed the envelope for this Factory's key"
)
# An RSA decryption takes a millisecond or two. A Frontend has one wrapped key per group and cycle.
MAX_NEW_KEYS_PER_CYCLE = 500
MAX_PROVED_KEYS = 2_000
MAX_FAILED_KEYS = 20_000
MAX_KEY_CODE, MAX_ENC_IDENTITY = 4096, 2048

Sealed = GlideClient | GlideClientGlobal
T = TypeVar("T")


class Opener:
    """Opens envelopes, and remembers for each configured identity which wrapped keys it proved and
    which failed.

    `begin` starts a cycle. The memory is bounded for each identity, so that one identity cannot
    push out what is known of another.
    """

    def __init__(self, keys: Mapping[str, FactoryKey], identities: Collection[str]) -> None:
        self._proved: dict[str, OrderedDict[bytes, SymmetricKey]] = {}
        self._failed: dict[str, OrderedDict[bytes, SymmetricKey | None]] = {}
        self._tried: Counter[str] = Counter()
        self.begin(keys, identities)

    def begin(self, keys: Mapping[str, FactoryKey], identities: Collection[str]) -> None:
        """Start a cycle with these keys by id, and these configured identities."""
        self.keys = keys
        self.identities = frozenset(i for i in identities if i)
        self._tried.clear()
        for memory in (self._proved, self._failed):
            for gone in memory.keys() - self.identities:
                del memory[gone]

    def open(self, ad: Sealed, authenticated: str) -> dict[str, bytes]:
        """The sealed values of a request; `authenticated` is the identity that the collector saw.

        EnvelopeRefused if it cannot be opened, or if a value of it cannot be decrypted.
        """
        where = f"{ad.KIND.my_type} {ad.name}"
        if authenticated not in self.identities:
            raise EnvelopeRefused(Reason.BAD_ENVELOPE, NOT_OPENED, where)
        if not ad.key_id or not ad.key_code or not ad.enc_identity:
            raise EnvelopeRefused(Reason.BAD_ENVELOPE, "has no sealed key or identity", where)
        if ad.key_id not in self.keys:
            known = ", ".join(self.keys)
            raise EnvelopeRefused(
                Reason.UNKNOWN_KEY, f"is sealed for another key than this Factory's {known}", where
            )
        key = self._proved_key(ad, authenticated)
        if key is None:
            raise EnvelopeRefused(Reason.BAD_ENVELOPE, NOT_OPENED, where)
        opened = {}
        for name, sealed in ad.enc_params.items():
            try:
                opened[name] = key.decrypt_hex(str(sealed))
            except CryptoError:
                raise EnvelopeRefused(
                    Reason.BAD_ENVELOPE, f"{name} cannot be decrypted", where
                ) from None
        return opened

    def _proved_key(self, ad: Sealed, authenticated: str) -> SymmetricKey | None:
        """The envelope's key, if this identity sealed the envelope; None for every kind of failure."""
        if len(ad.key_code) > MAX_KEY_CODE or len(ad.enc_identity) > MAX_ENC_IDENTITY:
            return None
        try:
            wrapped = bytes.fromhex(ad.key_code)
        except ValueError:
            return None
        # over bytes, not over the text: hex has several spellings
        digest = hashlib.sha256(ad.key_id.encode() + b" " + wrapped).digest()
        if any(digest in keys for owner, keys in self._proved.items() if owner != authenticated):
            return None
        proved = self._proved.setdefault(authenticated, OrderedDict())
        key = proved.get(digest) or self._unwrapped(ad, authenticated, digest)
        if key is None or not _seals(key, ad.enc_identity, authenticated):
            return None
        _remember(proved, digest, key, MAX_PROVED_KEYS)
        return key

    def _unwrapped(self, ad: Sealed, authenticated: str, digest: bytes) -> SymmetricKey | None:
        """A key that this identity has not proved yet: from the memory, or by an RSA decryption if
        it may have one.
        """
        failed = self._failed.setdefault(authenticated, OrderedDict())
        if digest in failed:
            return failed[digest]
        if self._tried[authenticated] >= MAX_NEW_KEYS_PER_CYCLE:
            return None
        self._tried[authenticated] += 1
        try:
            key = self.keys[ad.key_id].unwrap(ad.key_code)
        except CryptoError:
            key = None
        _remember(failed, digest, key, MAX_FAILED_KEYS)
        return key


def _seals(key: SymmetricKey, sealed: str, identity: str) -> bool:
    try:
        return hmac.compare_digest(key.decrypt_hex(sealed), identity.encode())
    except (CryptoError, UnicodeEncodeError):
        return False


def _remember(memory: OrderedDict[bytes, T], digest: bytes, value: T, most: int) -> None:
    """Keep the newest `most`."""
    memory[digest] = value
    memory.move_to_end(digest)
    while len(memory) > most:
        memory.popitem(last=False)


def open_envelope(
    ad: Sealed, keys: Mapping[str, FactoryKey], authenticated: str
) -> dict[str, bytes]:
    """As `Opener.open`, for one envelope of a trusted identity, without a memory."""
    return Opener(keys, (authenticated,)).open(ad, authenticated)
