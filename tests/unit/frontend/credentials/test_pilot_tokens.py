"""Pilot tokens: identity, scopes, life, renewal, and which key signs (protocol 3.6, decision 25)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.credentials.pilot_tokens import TokenMaker, first_word
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.credentials.tokens import claims_of, master_key
from glideinwms.lib.errors import CredentialError
from tests.unit.frontend.build_frontend import group

GROUP = group(idtoken_lifetime=10 * 86400)


@pytest.fixture
def maker(tmp_path: Path) -> TokenMaker:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/FRONTEND").write_bytes(b"hello")
    return TokenMaker(tmp_path / "keys", tmp_path / "tokens", "user.demo", "fe.host")


def entry(**attrs: Any) -> EntryState:
    attrs = {"GLIDEIN_Site": "Site-1", "GLIDEIN_Max_Walltime": 36000, **attrs}
    return EntryState("E@i@F", "wms", attrs, {"CONDOR_VERSION": "default"})


def test_claims_and_life(maker: TokenMaker) -> None:
    now = time.time()
    claims = claims_of(maker.token(GROUP, entry(), now))
    assert (claims["sub"], claims["iss"]) == ("Site-1@fe.host", "user.demo")
    assert claims["exp"] - claims["iat"] == 86400 + 36000 + 7200
    idle = replace(GROUP, limits=replace(GROUP.limits, idle_lifetime=1000))
    assert (
        claims_of(maker.token(idle, entry(GLIDEIN_Max_Walltime=10), now))["exp"] - int(now)
        == 1000 + 10 + 7200
    )
    capped = replace(GROUP, name="capped", idtoken_lifetime=600)
    assert claims_of(maker.token(capped, entry(), now))["exp"] - int(now) == 600


def test_it_is_kept_for_an_hour_and_on_no_disk(maker: TokenMaker) -> None:
    now = time.time()
    first = maker.token(GROUP, entry(), now)
    assert maker.token(GROUP, entry(), now + 3500) == first
    assert maker.token(GROUP, entry(), now + 3700) != first
    assert maker.token(replace(GROUP, name="other"), entry(), now + 3700) != first
    assert not maker.tokens_dir.exists()


def test_a_short_one_is_kept_for_half_its_life(maker: TokenMaker) -> None:
    now = time.time()
    short = replace(GROUP, idtoken_lifetime=600)
    first = maker.token(short, entry(), now)
    assert maker.token(short, entry(), now + 290) == first
    assert maker.token(short, entry(), now + 310) != first


def test_a_new_key_is_seen_in_the_next_cycle(maker: TokenMaker) -> None:
    now = time.time()
    (maker.passwords_dir / "FRONTEND").unlink()
    with pytest.raises(CredentialError):
        maker.token(GROUP, entry(), now)
    (maker.passwords_dir / "FRONTEND").write_bytes(b"hello")
    maker.begin()
    assert maker.token(GROUP, entry(), now)


def test_a_sites_own_key_signs_first(maker: TokenMaker) -> None:
    import jwt

    (maker.passwords_dir / "Site-1").write_bytes(b"other")
    text = maker.token(GROUP, entry(), time.time())
    assert jwt.get_unverified_header(text)["kid"] == "Site-1"
    jwt.decode(text, master_key(b"other", "Site-1"), algorithms=["HS256"])


@pytest.mark.parametrize("changes", [{"attrs": {}}, {"params": {}}])
def test_entries_that_publish_no_site_or_version_get_none(
    maker: TokenMaker, changes: dict[str, Any]
) -> None:
    assert maker.token(GROUP, replace(entry(), **changes), time.time()) == ""


def test_without_a_key_the_deployed_file_serves_while_it_lasts(maker: TokenMaker) -> None:
    now = time.time()
    text = maker.token(GROUP, entry(), now)
    (maker.passwords_dir / "FRONTEND").unlink()
    keyless = TokenMaker(maker.passwords_dir, maker.tokens_dir, "user.demo", "fe.host")
    with pytest.raises(CredentialError, match="no signing key"):
        keyless.token(GROUP, entry(), now)
    maker.tokens_dir.mkdir()
    (maker.tokens_dir / "main.Site-1.idtoken").write_text(text)
    assert keyless.token(GROUP, entry(), now + 7200) == text
    with pytest.raises(CredentialError, match=r"no signing key.*expired"):
        keyless.token(GROUP, entry(), now + 10**6)


@pytest.mark.parametrize("site", ["../../etc/x", "a b", ".."])
def test_a_site_never_becomes_a_path(maker: TokenMaker, site: str) -> None:
    with pytest.raises(CredentialError, match="file name"):
        maker.token(GROUP, entry(GLIDEIN_Site=site), time.time())


def test_no_trust_domain_no_token(maker: TokenMaker) -> None:
    with pytest.raises(CredentialError, match="TRUST_DOMAIN"):
        replace(maker, issuer="").token(GROUP, entry(), time.time())


def test_the_first_trust_domain_counts() -> None:
    assert [first_word(t) for t in ("a, b", "a b", "\ta,b", "")] == ["a", "a", "a", ""]
