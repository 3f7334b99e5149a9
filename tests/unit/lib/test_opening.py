"""Who may have an envelope opened, and that a refusal tells nothing about what is inside (protocol 2.4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from glideinwms.lib.reasons import Reason
from glideinwms.lib.wire import EnvelopeRefused, GlideClient, Opener, Seal
from glideinwms.lib.wire.crypto import FactoryKey, SymmetricKey
from glideinwms.lib.wire.opening import MAX_FAILED_KEYS, MAX_NEW_KEYS_PER_CYCLE, NOT_OPENED

VICTIM, EVIL, STRANGER = "frontend@wms.demo", "evil@wms.demo", "stranger@wms.demo"
SECRET = "eyJhbGciOiJIUzI1NiIs.the-token-of-the-victim.signature"
UNIFORM = (Reason.BAD_ENVELOPE, NOT_OPENED)


class CountedKey(FactoryKey):
    """A Factory key that counts RSA decryptions."""

    __slots__ = ()
    decryptions = 0

    def unwrap(self, wrapped: str) -> SymmetricKey:
        type(self).decryptions += 1
        return FactoryKey.unwrap(self, wrapped)


@pytest.fixture(scope="module")
def made() -> FactoryKey:
    return FactoryKey.generate()


@pytest.fixture
def key(made: FactoryKey) -> CountedKey:
    CountedKey.decryptions = 0
    return CountedKey(made.private, made.public)


@pytest.fixture
def opener(key: CountedKey) -> Opener:
    return Opener({key.public.key_id: key}, (VICTIM, EVIL))


def ad_of(seal: Seal, **changes: object) -> GlideClient:
    made = GlideClient(
        name="H_e@i@f@fe.g",
        client_name="fe.g",
        req_name="e@i@f",
        req_glidein="e@i@f",
        idle=1,
        max_glideins=1,
        key_id=seal.key_id,
        key_code=seal.key_code,
        enc_identity=seal.enc_identity,
        enc_params=seal.params({"SecurityName": "fe", "frontend_scitoken": SECRET}),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def answer(opener: Opener, ad: GlideClient, sender: str) -> tuple[Reason, str]:
    with pytest.raises(EnvelopeRefused) as refused:
        opener.open(ad, sender)
    return refused.value.reason, refused.value.message


def test_a_copied_ciphertext_in_place_of_the_identity_tells_nothing(
    opener: Opener, key: CountedKey
) -> None:
    """The victim's token, sent as ReqEncIdentity by somebody else, whether its key was used before
    or not.
    """
    seal = Seal.make(key.public, VICTIM)
    token = ad_of(seal).enc_params["frontend_scitoken"]
    attack = ad_of(seal, enc_identity=token)
    for sender in (EVIL, STRANGER, "", VICTIM):
        assert answer(opener, attack, sender) == UNIFORM
    assert opener.open(ad_of(seal), VICTIM)["SecurityName"] == b"fe"
    for sender in (EVIL, STRANGER, "", VICTIM):
        assert answer(opener, attack, sender) == UNIFORM


def flipped(text: str) -> Iterator[str]:
    """Every byte of a hex text changed."""
    for place in range(0, len(text), 2):
        changed = int(text[place : place + 2], 16) ^ 1
        yield f"{text[:place]}{changed:02x}{text[place + 2 :]}"


def test_changed_bytes_have_one_answer(opener: Opener, key: CountedKey) -> None:
    """No padding oracle: of 256 last bytes 255 give a bad padding and one another identity; all
    look the same.
    """
    seal = Seal.make(key.public, VICTIM)
    token = ad_of(seal).enc_params["frontend_scitoken"]
    last_blocks = [f"{token[-64:-34]}{byte:02x}{token[-32:]}" for byte in range(256)]
    sealed = [
        *last_blocks,
        *flipped(seal.enc_identity),
        token[:-2],
        "zz",
        "00" * 16,
        "00" * 5000,
        "é",
    ]
    answers = {answer(opener, ad_of(seal, enc_identity=text), EVIL) for text in sealed}
    codes = [*list(flipped(seal.key_code))[:40], "00" * 256, "zz", "0", "00" * 9000]
    answers |= {answer(opener, ad_of(seal, key_code=text), EVIL) for text in codes}
    assert answers == {UNIFORM}


def test_only_a_configured_identity_reaches_a_decryption(opener: Opener, key: CountedKey) -> None:
    for sender in (STRANGER, "", EVIL.upper(), f"{EVIL} "):
        assert answer(opener, ad_of(Seal.make(key.public, sender or "x")), sender) == UNIFORM
    assert key.decryptions == 0


def test_a_key_of_another_identity_is_refused_before_a_decryption(
    opener: Opener, key: CountedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = Seal.make(key.public, VICTIM)
    opener.open(ad_of(seal), VICTIM)
    used: list[str] = []
    monkeypatch.setattr(SymmetricKey, "decrypt_hex", lambda self, text: used.append(text) or b"")
    # hex has two spellings, which are one key
    for code in (seal.key_code, seal.key_code.upper()):
        assert answer(opener, ad_of(seal, key_code=code, enc_identity="00" * 16), EVIL) == UNIFORM
    assert (key.decryptions, used) == (1, [])


def test_a_copy_that_comes_first_does_not_take_the_key(opener: Opener, key: CountedKey) -> None:
    """A key belongs to who proved it, not to who sent it first: else a copy would lock its owner
    out.
    """
    seal = Seal.make(key.public, VICTIM)
    assert answer(opener, ad_of(seal), EVIL) == UNIFORM
    assert opener.open(ad_of(seal), VICTIM)["frontend_scitoken"] == SECRET.encode()


def test_a_key_is_unwrapped_once(opener: Opener, key: CountedKey) -> None:
    seal = Seal.make(key.public, VICTIM)
    for _ in range(3):
        opener.open(ad_of(seal), VICTIM)
        opener.begin(opener.keys, (VICTIM, EVIL))
    assert key.decryptions == 1


def test_garbage_is_cheap_the_second_time_and_bounded_the_first(
    opener: Opener, key: CountedKey
) -> None:
    """10,000 ads with garbage key codes cost at most MAX_NEW_KEYS_PER_CYCLE decryptions a cycle,
    and none again; a Frontend of another identity is served all the while.
    """
    codes = [f"{n:08x}" * 64 for n in range(MAX_NEW_KEYS_PER_CYCLE + 100)]
    garbage = [
        ad_of(Seal(SymmetricKey.generate(), key.public.key_id, code, "00" * 16)) for code in codes
    ]
    spent = []
    for _ in range(3):
        opener.begin(opener.keys, (VICTIM, EVIL))
        before = CountedKey.decryptions
        assert {answer(opener, ad, EVIL) for ad in garbage} == {UNIFORM}
        spent.append(CountedKey.decryptions - before)
        assert opener.open(ad_of(Seal.make(key.public, VICTIM)), VICTIM)
    assert spent == [MAX_NEW_KEYS_PER_CYCLE, 100, 0]
    assert len(opener._failed[EVIL]) <= MAX_FAILED_KEYS


def test_memory_of_an_identity_that_is_gone_is_dropped(opener: Opener, key: CountedKey) -> None:
    seal = Seal.make(key.public, VICTIM)
    opener.open(ad_of(seal), VICTIM)
    opener.begin(opener.keys, (EVIL,))
    assert answer(opener, ad_of(seal), VICTIM) == UNIFORM
    assert VICTIM not in opener._proved


def test_an_old_key_opens_nothing_once_it_is_dropped(
    opener: Opener, key: CountedKey, made: FactoryKey
) -> None:
    """What is remembered does not outlive the Factory's key."""
    seal = Seal.make(key.public, VICTIM)
    opener.open(ad_of(seal), VICTIM)
    opener.begin({}, (VICTIM, EVIL))
    assert answer(opener, ad_of(seal), VICTIM)[0] is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("n", [0, 1])
def test_no_message_contains_a_decrypted_byte(opener: Opener, key: CountedKey, n: int) -> None:
    """Also of a value that the right Frontend sealed: a token that it sent under the wrong name."""
    symmetric = Seal.make(key.public, VICTIM)
    bad = [{"X": "00" * 16}, {"X": symmetric.params({"x": SECRET})["x"][:-2]}][n]
    reason, text = answer(opener, ad_of(symmetric, enc_params=bad), VICTIM)
    assert (reason, text) == (Reason.BAD_ENVELOPE, "X cannot be decrypted")
