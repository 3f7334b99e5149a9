"""Ids, tokens and selection, against what the deployed program made of the same files (protocol 2.6, 3.2, 3.3, 3.8)."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib.credentials import certificates, ids, methods, selection, tokens
from glideinwms.lib.credentials.selection import Candidate, CredentialDemand, select, serves, split
from glideinwms.lib.errors import ConfigError, CredentialError
from tests.support import golden, hostile_values
from tests.support.hostile_values import params

EXPECTED = golden.data("crypto/credentials/expected.json")
HERE = "/etc/gwms-frontend/cred/"
TOKENS = EXPECTED["idtokens"]


def content(path: str) -> bytes:
    return golden.files()["crypto/credentials/" + path.removeprefix(HERE)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/gwms-frontend/proxy", "PITXHEYH"),
        ("/etc/gwms-frontend/proxy/DC=org/CN=pilot", "NC6XJYME"),
    ],
)
def test_vectors_of_ids(text: str, expected: str) -> None:
    assert ids.credential_id(text) == expected


@pytest.mark.parametrize(("path", "expected"), EXPECTED["credential_ids"].items())
def test_ids_of_deployed_credentials(path: str, expected: dict[str, str]) -> None:
    assert ids.credential_id(path) == expected["id_by_name_only"] == ids.file_id(path, "scitoken")
    if "subject" in expected:
        found = ids.subject(content(path), path)
        assert found == expected["subject"]
        assert ids.credential_id(path + found) == expected["id_as_grid_proxy"]


def test_the_id_of_a_proxy_needs_its_file(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="cannot be read: No such file"):
        ids.file_id(str(tmp_path / "no"), "grid_proxy")
    (tmp_path / "bad").write_text("nothing")
    with pytest.raises(CredentialError, match="holds no certificate"):
        ids.file_id(str(tmp_path / "bad"), "grid_proxy+vm_id")
    with pytest.raises(CredentialError, match="only CA"):
        ids.subject(content("ca.pem"), "ca.pem")
    path = tmp_path / "proxy.pem"
    path.write_bytes(content("pilot_proxy.pem"))
    first = ids.file_id(str(path), "grid_proxy")
    path.write_bytes(content("special_proxy.pem"))
    assert ids.file_id(str(path), "grid_proxy") != first, "another subject is another credential"


def test_odd_characters_of_a_subject_stand_as_openssl_writes_them() -> None:
    """What `openssl x509 -subject -nameopt compat` prints for this certificate."""
    key = rsa.generate_private_key(65537, 2048)
    parts = [
        (NameOID.DOMAIN_COMPONENT, "org"),
        (NameOID.COMMON_NAME, "a/b+c=d \u00e9,\\x"),
        (NameOID.EMAIL_ADDRESS, "a@b"),
        (NameOID.USER_ID, "u"),
        (NameOID.SERIAL_NUMBER, "5"),
        (NameOID.GIVEN_NAME, "6"),
        (NameOID.SURNAME, "7"),
        (x509.ObjectIdentifier("1.2.3.4.5"), "z"),
    ]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert ids.subject(certificate.public_bytes(serialization.Encoding.PEM), "x") == (
        "/DC=org/CN=a\\/b\\+c=d \\xC3\\xA9,\\x/emailAddress=a@b/UID=u/serialNumber=5/GN=6/SN=7/1.2.3.4.5=z"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FRONTEND", "3cb79654034b47b295d5d2209829a43f95e4c04ec847e2a903188599e21d2ee2"),
        ("POOL", "59f9d20701deb48b7be1ece9019ba661970c543f04544471e6371f8c3111edb4"),
    ],
)
def test_vectors_of_the_master_key(name: str, expected: str) -> None:
    assert tokens.master_key(b"hello", name).hex() == expected


def test_deployed_tokens_verify_with_our_key_and_ours_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "FRONTEND"
    path.write_bytes(content("password.FRONTEND"))
    signer = tokens.Signer.load(path, "fe.example.org:9618")
    assert signer.key.hex() == TOKENS["master_key_hex"] and signer.key_id == "FRONTEND"
    assert len(TOKENS["tokens"]) >= 3
    for deployed in TOKENS["tokens"].values():
        claims = deployed["claims"]
        checks = {"verify_exp": False, "verify_aud": False}
        assert (
            jwt.decode(deployed["token"], signer.key, algorithms=["HS256"], options=checks)
            == claims
        )
        assert jwt.get_unverified_header(deployed["token"]) == deployed["header"]
        assert tokens.claims_of(deployed["token"]) == claims
        ours = signer.sign(claims["sub"], claims["exp"] - claims["iat"], claims["iat"])
        assert jwt.get_unverified_header(ours) == deployed["header"]
        assert {**tokens.claims_of(ours), "jti": ""} == {**claims, "jti": ""}
        assert len(tokens.claims_of(ours)["jti"]) == 32


@given(st.floats(1, 10**7), st.integers(0, 2**31), st.text(min_size=1, max_size=20))
def test_every_token_ends(lifetime: float, now: int, identity: str) -> None:
    signer = tokens.Signer(b"k" * 32, "POOL", "x")
    claims = tokens.claims_of(signer.sign(identity, lifetime, now))
    assert claims["sub"] == identity and claims["exp"] == now + int(lifetime) and claims["scope"]


@pytest.mark.parametrize("lifetime", [0, -1])
def test_a_token_without_life_is_refused(lifetime: float) -> None:
    with pytest.raises(CredentialError):
        tokens.Signer(b"k" * 32, "POOL", "x").sign("me", lifetime, 0)


def test_a_signing_key_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="cannot be read"):
        tokens.Signer.load(tmp_path / "no", "x")
    (tmp_path / "empty").touch()
    with pytest.raises(CredentialError, match="empty"):
        tokens.Signer.load(tmp_path / "empty", "x")


def test_the_life_that_is_left() -> None:
    now = 1_000_000.0

    def token(**claims: Any) -> str:
        return jwt.encode(claims, b"k" * 32, algorithm="HS256")

    assert tokens.remaining(token(exp=now + 60), now) == 60
    assert tokens.remaining(token(exp=now - 60), now) == 0
    assert tokens.remaining(token(sub="x"), now) == float("inf")
    assert tokens.remaining(token(exp=now + 60, nbf=now + 30), now) == 0
    assert tokens.remaining("", now) == tokens.remaining("no.token.at-all", now) == 0
    assert tokens.remaining(content("expired_scitoken.jwt").decode(), time.time()) == 0
    assert tokens.remaining(content("ce_scitoken.jwt").decode(), time.time()) > 0


@pytest.mark.parametrize(
    ("idle", "wall", "cap", "expected"),
    [
        (0, 3600, 1e9, 86400 + 3600 + 7200),
        (600, 3600, 1e9, 600 + 3600 + 7200),
        (600, 3600, 5000, 5000),
    ],
)
def test_the_life_of_a_pilots_token(idle: float, wall: float, cap: float, expected: float) -> None:
    assert tokens.pilot_lifetime(idle, wall, cap) == expected


def test_a_token_of_a_file_lasts_as_long_as_it_says(tmp_path: Path) -> None:
    now = time.time()
    path = tmp_path / "g.site.idtoken"
    path.write_text(tokens.Signer(b"k" * 32, "POOL", "x").sign("me", 86400, now) + "\n")
    assert tokens.claims_of(tokens.of_file(path, now + 80000))["sub"] == "me"
    with pytest.raises(CredentialError, match="expired"):
        tokens.of_file(path, now + 90000)
    with pytest.raises(CredentialError, match="No such file"):
        tokens.of_file(tmp_path / "none", now)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialError, match="is no text"):
        tokens.of_file(path, now)


def test_secrets_do_not_show_themselves() -> None:
    signer = tokens.Signer(b"0123456789abcdef" * 2, "POOL", "x")
    assert "0123456789" not in repr(signer)
    token = signer.sign("me", 60, 0)
    with pytest.raises(CredentialError) as error:
        tokens.claims_of(token.replace(".", ""))
    assert token.split(".")[1] not in str(error.value)


@pytest.mark.parametrize(
    ("types", "domain", "method", "expected"),
    [
        ("grid_proxy", "OSG", "grid_proxy", True),
        ("grid_proxy", "grid", "grid_proxy", False),
        ("key_pair+vm_id+vm_type", "OSG", "key_pair+vm_id", True),
        ("key_pair", "OSG", "key_pair+vm_id", False),
        ("scitoken", "OSG", "grid_proxy", True),
        ("scitoken", "OSG", "grid_proxy+project_id", True),
        ("scitoken", "OSG", "scitoken", True),
        ("grid_proxy", "OSG", "scitoken", False),
    ],
)
def test_what_serves_an_entry(types: str, domain: str, method: str, expected: bool) -> None:
    assert serves(Candidate("x", types, "OSG"), domain, method) is expected


@pytest.mark.parametrize(
    ("types", "parameters", "method", "expected"),
    [
        ("scitoken", (), "scitoken,grid_proxy", True),
        ("grid_proxy", (), "scitoken, x509_cert", True),
        ("key_pair", (), "scitoken,grid_proxy", False),
        ("grid_proxy", (), "x509_cert", True),
        ("grid_proxy", ("project_id",), "x509_cert+ProjectId", True),
        ("auth_file", (), "x509_cert", False),
        ("scitoken", (), "scitoken,grid_proxy;projectid", False),
        ("scitoken", ("project_id",), "scitoken,grid_proxy;projectid", True),
        ("scitoken", ("vm_id",), "scitoken;ProjectId,VMId", True),
        ("scitoken", (), "grid_proxy;", False),
        ("scitoken", ("project_id",), "scitoken+project_id", True),
        ("scitoken", (), "scitoken+project_id", False),
    ],
)
def test_methods_of_3_11(
    types: str, parameters: tuple[str, ...], method: str, expected: bool
) -> None:
    assert serves(Candidate("x", types, "OSG", frozenset(parameters)), "OSG", method) is expected


WORDS = st.sampled_from(["scitoken", "grid_proxy", "key_pair", "project_id", "vm_id"])


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3), st.sets(WORDS))
def test_a_method_is_settled_by_one_word_of_each_group(
    groups: list[list[str]], supplied: set[str]
) -> None:
    found = methods.settled(";".join(",".join(group) for group in groups) + ";", supplied)
    assert bool(found) == all(supplied.intersection(group) for group in groups)
    for word, group in zip(found.split("+") if found else [], groups, strict=bool(found)):
        assert word in group and word in supplied


CANDIDATES = st.lists(
    st.builds(Candidate, st.uuids().map(str), st.just("key_pair"), st.just("OSG")),
    max_size=7,
    unique_by=lambda c: c.id,
)
COUNTS = st.integers(0, 10_000)


@given(CANDIDATES, COUNTS, COUNTS, st.randoms(use_true_random=False))
def test_a_fair_split_gives_away_what_there_is(
    fit: list[Candidate], idle: int, most: int, rng: Any
) -> None:
    shares = split(fit, idle, most, lambda x: rng.sample(x, len(x)))
    assert [s.credential for s in shares] == fit
    if fit:
        assert sum(s.max_glideins for s in shares) == most
        assert sum(s.idle for s in shares) <= idle
        assert max(s.max_glideins for s in shares) - min(s.max_glideins for s in shares) <= 1
        assert all(0 <= s.idle <= s.max_glideins for s in shares)
        if most >= len(fit) * idle:
            assert sum(s.idle for s in shares) == idle


def test_a_proxy_beside_a_token_gets_everything() -> None:
    proxy, token = Candidate("p", "grid_proxy", "OSG"), Candidate("t", "scitoken", "OSG")
    for fit in ([proxy, token], [token, proxy]):
        shares = {s.credential.id: (s.idle, s.max_glideins) for s in split(fit, 5, 9, lambda x: x)}
        assert shares == {"p": (5, 9), "t": (0, 0)}


def test_plugins() -> None:
    fit = [Candidate(str(n), "scitoken", "OSG") for n in range(3)]

    def chosen(plugin: str, **demand: Any) -> list[tuple[str, int, int, str]]:
        shares = select(
            plugin, fit, "OSG", "scitoken", 10, 20, CredentialDemand(**demand), lambda x: x
        )
        return [(s.credential.id, s.idle, s.max_glideins, s.project) for s in shares]

    assert (
        [c[0] for c in chosen("ProxyAll")]
        == ["0", "1", "2"]
        == [c[0] for c in chosen("CredentialsBasic")]
    )
    assert chosen("ProxyFirst") == [("0", 10, 20, "")]
    assert [c[0] for c in chosen("ProxyUserCardinality", users=2)] == ["0", "1"]
    projects = {"a": 1, "b": 3}
    assert chosen("ProxyProjectName", idle_jobs=4, projects=projects) == [
        ("0", 5, 3, "a"),
        ("0", 15, 8, "b"),
    ]
    assert select("ProxyAll", fit, "grid", "scitoken", 1, 1, CredentialDemand(), lambda x: x) == []
    with pytest.raises(ConfigError, match="NoSuch is not supported"):
        chosen("NoSuch")


def test_projects_without_idle_jobs_divide_by_nothing() -> None:
    fit = [Candidate("0", "scitoken", "OSG")]
    demand = CredentialDemand(idle_jobs=0, projects={"a": 0})
    shares = selection.select("ProxyProjectName", fit, "OSG", "scitoken", 0, 0, demand, lambda x: x)
    assert [(s.idle, s.max_glideins) for s in shares] == [(0, 0)]


@pytest.mark.parametrize("token", params(hostile_values.TOKENS))
def test_a_hostile_token_is_no_token_or_one_without_life(token: str, tmp_path: Path) -> None:
    assert tokens.remaining(token, time.time()) in (0.0, float("inf"))
    (tmp_path / "token").write_bytes(token.encode(errors="surrogateescape"))
    with pytest.raises(CredentialError):
        tokens.of_file(tmp_path / "token", time.time())


@pytest.mark.parametrize("pem", params(hostile_values.certificates()))
def test_a_hostile_certificate_is_over(pem: bytes) -> None:
    assert certificates.ends(pem) == 0.0
