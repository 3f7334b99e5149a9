"""What generators made is kept, renewed in time, and survives their failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.frontend.credentials.generated import PART, RETRY, GeneratedCredentials
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.condor.calls import Call, CallResult, Workers
from glideinwms.lib.errors import CredentialError, GwmsError, TimedOut
from tests.unit.frontend.build_frontend import NOW, group, policy

MADE = CredentialPolicy("mine", "scitoken", "demo", "frontend", generator="mine")
GROUP = group(credentials=(MADE,))
POLICY = policy(GROUP, generators_dir="/plugin.d")


def entries(n: int, domain: str = "demo") -> list[EntryState]:
    attrs = {
        "GLIDEIN_TrustDomain": domain,
        "GLIDEIN_Gatekeeper": "ce ce:1",
        "AuthenticatedIdentity": "f@w",
    }
    return [EntryState(f"{domain}{k}@i@F", "wms", attrs, {}) for k in range(n)]


class Readers(Workers):
    """A pool whose generator makes tokens of a life, or fails."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.life = 1000.0
        self.now = NOW
        self.error: GwmsError | None = None
        self.took = 30.0
        self.wrong: set[str] = set()

    def run(self, calls: Sequence[Call]) -> list[CallResult]:
        self.calls += calls
        return [
            CallResult(
                c, None if self.error else self._value(c.args), self.error, NOW, NOW + self.took
            )
            for c in calls
        ]

    def _value(self, args: dict[str, Any]) -> dict[str, Any]:
        asked = [e["request"] for e in args["entries"]]
        texts = {}
        for request in asked:
            if request not in self.wrong:
                claims = {"sub": request, "iat": self.now, "exp": self.now + self.life}
                texts[request] = [jwt.encode(claims, "k" * 32), self.life]
        return {
            "texts": texts,
            "wrong": dict.fromkeys(self.wrong & set(asked), "ValueError: no"),
            "said": [],
        }


@pytest.fixture
def readers() -> Readers:
    return Readers()


def refresh(
    minted: GeneratedCredentials, readers: Readers, given: list[EntryState], now: float = NOW
) -> None:
    readers.now = now
    minted.refresh(readers, POLICY, [(GROUP, given)], now)


def test_each_entry_is_asked_for_once_until_half_its_life(readers: Readers) -> None:
    minted, given = GeneratedCredentials(), entries(2)
    refresh(minted, readers, [*given, *entries(1, "other")])
    assert [len(c.args["entries"]) for c in readers.calls] == [2] and readers.calls[
        0
    ].endpoint == "generator mine"
    assert readers.calls[0].args["folder"] == "/plugin.d"
    first = minted.text("main", MADE, given[0].name, NOW)
    assert jwt.decode(first, options={"verify_signature": False})["sub"] == given[0].name
    refresh(minted, readers, given, NOW + 499)
    assert len(readers.calls) == 1
    refresh(minted, readers, given, NOW + 500)
    assert len(readers.calls) == 2 and minted.text("main", MADE, given[0].name, NOW + 500) != first
    assert minted.any("main", "mine", NOW + 500)


def test_many_entries_are_asked_for_in_parts(readers: Readers) -> None:
    refresh(GeneratedCredentials(), readers, entries(2 * PART + 1))
    assert [len(c.args["entries"]) for c in readers.calls] == [PART, PART, 1]


def test_what_is_held_serves_while_the_generator_fails(readers: Readers) -> None:
    minted, given = GeneratedCredentials(), entries(1)
    refresh(minted, readers, given)
    readers.error = TimedOut("no answer within 30 s", where="generator mine")
    refresh(minted, readers, given, NOW + 600)
    assert minted.text("main", MADE, given[0].name, NOW + 999)
    assert minted.why_not("main", MADE, NOW + 601) == "", "what is held can be used"
    refresh(minted, readers, given, NOW + 700)
    assert len(readers.calls) == 2, "it is left alone for a while"
    refresh(minted, readers, given, NOW + 1000)
    assert "no answer within 30 s" in minted.why_not("main", MADE, NOW + 1000)
    with pytest.raises(
        CredentialError, match="made nothing that is valid: generator mine: no answer"
    ):
        minted.text("main", MADE, given[0].name, NOW + 1000)
    readers.error = None
    refresh(minted, readers, given, NOW + 1000 + RETRY)
    assert minted.why_not("main", MADE, NOW + 1000 + RETRY) == ""
    assert minted.text("main", MADE, given[0].name, NOW + 1000 + RETRY)


def test_another_group_is_not_left_alone_for_one_that_hangs(readers: Readers) -> None:
    minted, given = GeneratedCredentials(), entries(1)
    readers.error, readers.took = TimedOut("not asked, since it did not answer just now"), 0.0
    refresh(minted, readers, given)
    assert minted.why_not("main", MADE, NOW) == ""
    readers.error = None
    refresh(minted, readers, given, NOW + 60)
    assert minted.text("main", MADE, given[0].name, NOW + 60)


def test_entries_that_are_gone_are_forgotten(readers: Readers) -> None:
    minted, given = GeneratedCredentials(), entries(2)
    refresh(minted, readers, given)
    refresh(minted, readers, given[:1], NOW + 400)
    assert minted.text("main", MADE, given[1].name, NOW + 400), "it may come back"
    refresh(minted, readers, given[:1], NOW + 500)
    assert list(minted.texts["main", "mine"]) == [given[0].name]


def test_one_entry_that_fails_stops_no_other(readers: Readers) -> None:
    minted, given = GeneratedCredentials(), entries(2)
    readers.wrong = {given[0].name}
    refresh(minted, readers, given)
    with pytest.raises(CredentialError, match="ValueError: no"):
        minted.text("main", MADE, given[0].name, NOW)
    assert minted.text("main", MADE, given[1].name, NOW)
    readers.wrong = set()
    refresh(minted, readers, [*given, *entries(3)[2:]], NOW + 60)
    assert [e["request"] for e in readers.calls[1].args["entries"]] == [
        "demo2@i@F",
        given[0].name,
    ], "the last"
    assert minted.text("main", MADE, given[0].name, NOW + 60)


def test_a_token_that_does_not_hold_is_none(readers: Readers) -> None:
    minted, given = GeneratedCredentials(), entries(1)
    readers.life = -5
    refresh(minted, readers, given)
    with pytest.raises(CredentialError, match="expired"):
        minted.text("main", MADE, given[0].name, NOW)
    assert minted.any("main", "mine", NOW) == ""


def test_secrets_are_not_shown(readers: Readers) -> None:
    minted = GeneratedCredentials()
    refresh(minted, readers, entries(1))
    assert "eyJ" not in repr(minted)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.sampled_from([-5, 60, 1000, 9000]),
        st.booleans(),
        st.sets(st.integers(0, 2)),
    ),
    max_size=12,
)


@given(STEPS)
def test_whatever_happens_what_is_given_out_is_of_the_entry_and_holds(
    steps: list[tuple[int, int, bool, set[int]]],
) -> None:
    minted, readers, all_entries, now = GeneratedCredentials(), Readers(), entries(3), NOW
    for wait, life, fails, wrong in steps:
        now += wait
        readers.life, readers.wrong = life, {all_entries[k].name for k in wrong}
        readers.error = TimedOut("no answer", where="generator mine") if fails else None
        before = len(readers.calls)
        refresh(minted, readers, all_entries, now)
        assert len(readers.calls) <= before + 1
        given_out = 0
        for entry in all_entries:
            try:
                text = minted.text("main", MADE, entry.name, now)
            except CredentialError as error:
                assert error.where == entry.name and error.message
                continue
            claims = jwt.decode(text, options={"verify_signature": False})
            assert claims["sub"] == entry.name and claims["exp"] > now
            given_out += 1
        assert bool(minted.any("main", "mine", now)) == bool(given_out)
        if given_out:
            assert minted.why_not("main", MADE, now) == ""
