"""Generators: the operator's own modules, those of 3.11, and what is wrong with them (protocol 3.7, config 16)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from glideinwms.frontend.credentials import generators
from glideinwms.lib.condor import htc
from glideinwms.lib.credentials.tokens import claims_of, master_key
from glideinwms.lib.errors import CredentialError, TimedOut

ENTRIES = [
    {
        "request": f"{n}@i@F",
        "name": n,
        "gatekeeper": f"ce-{n.lower()}.demo ce-{n.lower()}.demo:9619",
        "factory": "f@w",
    }
    for n in ("A", "B")
]
OLD = """
import json
calls = []
def get_credential(logger, group, entry, trust_domain, tkn_dir=None):
    calls.append(entry["name"])
    logger.log.warning("asked for %s eyJhbGciOiJub25lIn0.eyJ9.x", entry["name"])
    if entry["name"] == "B":
        raise ValueError("no eyJhbGciOiJub25lIn0.eyJ9.x for B")
    return json.dumps([group, entry["gatekeeper"], trust_domain, tkn_dir, len(calls)]), 600
"""


def made(folder: Path, name: str, context: dict[str, Any] | None = None) -> dict[str, Any]:
    return generators.generate(
        str(folder),
        name,
        json.dumps(context) if context else "",
        "main",
        "demo",
        ENTRIES,
        "/tokens.d",
    )


def test_a_module_of_plugin_d(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OLD)
    found = made(tmp_path, "mine")
    text, lifetime = found["texts"]["A@i@F"]
    assert (
        json.loads(text) == ["main", "ce-a.demo ce-a.demo:9619", "demo", "/tokens.d", 1]
        and lifetime == 600
    )
    assert found["wrong"] == {"B@i@F": "ValueError: no (a token) for B"}
    assert found["said"] == ["WARNING: asked for A (a token)", "WARNING: asked for B (a token)"]
    assert json.loads(made(tmp_path, str(tmp_path / "mine.py"))["texts"]["A@i@F"][0])[-1] == 3, (
        "it remembers"
    )
    (tmp_path / "mine.py").write_text(OLD.replace("600", "700  # changed"))
    assert made(tmp_path, "mine.py")["texts"]["A@i@F"][1] == 700


def test_a_module_beside_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "helper_of_mine.py").write_text("TEXT = 'helped'\n")
    (tmp_path / "mine.py").write_text(
        "import helper_of_mine\ndef get_credential(*a):\n    return helper_of_mine.TEXT, 1\n"
    )
    assert made(tmp_path, "mine")["texts"]["A@i@F"] == ["helped", 1.0]


HANGS = """
import subprocess, time
def get_credential(logger, group, entry, trust_domain):
    if entry["name"] == "B":
        subprocess.run(["sleep", "60"])
    return "text"
"""


def test_one_that_hangs_for_an_entry_serves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generators, "PATIENCE", 0.2)
    (tmp_path / "slow.py").write_text(HANGS)
    found = made(tmp_path, "slow")
    assert set(found["texts"]) == {"A@i@F"} and found["wrong"] == {
        "B@i@F": "no answer within 0.2 s"
    }
    (tmp_path / "slow.py").write_text(HANGS.replace('"B"', '"A"') + "# now the first")
    with pytest.raises(TimedOut, match=r"no answer within 0\.2 s"):
        made(tmp_path, "slow")


def test_what_it_prints_is_kept_without_secrets(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loud.py").write_text(
        "import sys\n"
        "def get_credential(logger, group, entry, trust_domain):\n"
        "    print('made eyJhbGciOiJub25lIn0.eyJ9.x')\n"
        "    print('-----BEGIN PRIVATE KEY-----\\nMIIB', file=sys.stderr)\n"
        "    sys.exit('the key is ' + 'k' * 44)\n"
    )
    found = made(tmp_path, "loud")
    assert found["wrong"]["B@i@F"] == "SystemExit: the key is (a token)"
    assert found["said"][:2] == ["printed: made (a token)", "printed: (a token)"]
    assert capfd.readouterr() == ("", "")


def test_one_without_tkn_dir_and_with_parameters(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(
        "def get_credential(logger, group, entry, trust_domain, scope):\n    return scope\n"
    )
    context = {"callout": "old", "type": "scitoken", "kwargs": {"scope": "compute.create"}}
    assert made(tmp_path, "LegacyGenerator", context)["texts"]["B@i@F"] == ["compute.create", 0.0]


@pytest.mark.parametrize("answer", ["None", "('', 5)", "5", "('x', 'long')"])
def test_an_answer_that_is_none(tmp_path: Path, answer: str) -> None:
    (tmp_path / "bad.py").write_text(f"def get_credential(*args):\n    return {answer}\n")
    found = made(tmp_path, "bad")
    assert found["texts"] == {} and set(found["wrong"]) == {"A@i@F", "B@i@F"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\n", "has no get_credential"),
        ("def get_credential(:\n", "is no Python: .*"),
        ("", "has no"),
    ],
)
def test_a_module_that_is_none_is_named_before_it_runs(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(CredentialError, match=why) as caught:
        generators.look(str(tmp_path), "bad", {})
    assert str(tmp_path / "bad.py") in caught.value.where
    with pytest.raises(CredentialError):
        made(tmp_path, "bad")


def test_what_is_nowhere_or_anybodys(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="there is no module nowhere"):
        generators.look(str(tmp_path), "nowhere", {})
    with pytest.raises(CredentialError, match=r"no module nowhere\.py, and none that is installed"):
        made(tmp_path, "nowhere")
    (tmp_path / "open.py").write_text(OLD)
    (tmp_path / "open.py").chmod(0o666)
    for call in (
        lambda: generators.look(str(tmp_path), "open", {}),
        lambda: made(tmp_path, "open"),
    ):
        with pytest.raises(CredentialError, match="written by others"):
            call()


@pytest.mark.parametrize("name", list(generators.SHIPPED))
def test_parameters_that_are_lacking(tmp_path: Path, name: str) -> None:
    with pytest.raises(CredentialError, match=f"lacks {generators.SHIPPED[name][0]}"):
        generators.look(str(tmp_path), name, {})


def test_round_robin(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of a file\n")
    context = {"items": ["one", str(tmp_path / "file")], "type": "text"}
    assert made(tmp_path, "RoundRobinGenerator", context)["texts"] == {
        "A@i@F": ["one", 0.0],
        "B@i@F": ["of a file", 0.0],
    }
    assert made(tmp_path, "RoundRobinGenerator", context)["texts"]["A@i@F"] == ["one", 0.0]


@pytest.mark.parametrize(
    ("context", "texts"),
    [
        ({"discriminator": "name", "dict": {"A": "x"}, "default": "y"}, ["x", "y"]),
        ({"discriminator": "name", "list": ["B"], "list_output": "z", "default": "y"}, ["y", "z"]),
        ({"discriminator": "factory", "dict": {"f@w": "x"}}, ["x", "x"]),
        ({"discriminator": "factory.name", "dict": {"f@w.B": "x"}, "default": ""}, [None, "x"]),
        ({"discriminator": "trust_domain", "dict": {"demo": 7}}, ["7", "7"]),
        ({"discriminator": "gatekeeper", "dict": {"no": "x"}}, [None, None]),
    ],
)
def test_by_entry(tmp_path: Path, context: dict[str, Any], texts: list[str | None]) -> None:
    found = made(tmp_path, "EntryConditionGenerator", context)
    assert [found["texts"].get(e["request"], [None])[0] for e in ENTRIES] == texts


@pytest.mark.parametrize(
    ("name", "context", "why"),
    [
        (
            "EntryConditionGenerator",
            {"discriminator": "weather"},
            "has discriminator 'weather'; use one of name",
        ),
        ("RoundRobinGenerator", {"items": []}, r"has items \[\]; write a list"),
        ("LegacyGenerator", {"callout": "x", "kwargs": 5}, "has kwargs 5; write a dict"),
        (
            "IdTokenGenerator",
            {"password": "FRONTEND"},
            "has password 'FRONTEND'; name the signing key's file",
        ),
        (
            "IdTokenGenerator",
            {"password": "/k", "duration": "a day"},
            "has duration 'a day'; it is in seconds",
        ),
        (
            "SciTokenGenerator",
            {"key_file": "/k", "key_id": "k", "issuer": "i", "scope": "s"},
            "begin with https://",
        ),
    ],
)
def test_parameters_that_do_not_fit(
    tmp_path: Path, name: str, context: dict[str, Any], why: str
) -> None:
    with pytest.raises(CredentialError, match=why):
        generators.look(str(tmp_path), name, context)


def test_idtokens_for_each_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htc, "param", {"TRUST_DOMAIN": "pool.demo, other"}.__getitem__)
    (tmp_path / "KEY").write_bytes(b"a signing key")
    context = {
        "password": str(tmp_path / "KEY"),
        "duration": 900,
        "scope": "condor:/WRITE",
        "type": "idtoken",
    }
    found = made(tmp_path, "IdTokenGenerator", context)
    assert found["wrong"] == {} and found["texts"]["A@i@F"][1] == 900
    text = found["texts"]["B@i@F"][0]
    claims = jwt.decode(text, master_key(b"a signing key", "KEY"), ["HS256"], issuer="pool.demo")
    assert claims["sub"].startswith("B@") and claims["scope"] == "condor:/WRITE"
    assert jwt.get_unverified_header(text)["kid"] == "KEY"
    as_given = made(
        tmp_path, "IdTokenGenerator", {"password": str(tmp_path / "KEY"), "identity": "vo@demo"}
    )
    claims = claims_of(as_given["texts"]["A@i@F"][0])
    assert claims["sub"] == "vo@demo" and "condor:/ADVERTISE_STARTD" in claims["scope"]


@pytest.mark.parametrize("password", [None, "secret"])
def test_scitokens_for_each_ce(tmp_path: Path, password: str | None) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(key.private_bytes(encoding, form, kind))
    context = {
        "key_file": str(tmp_path / "key.pem"),
        "key_id": "k1",
        "issuer": "https://issuer.demo",
        "type": "scitoken",
        "scope": "compute.read compute.create",
        "tkn_lifetime": 900,
        **({"key_pass": password} if password else {}),
    }
    found = made(tmp_path, "SciTokenGenerator", context)
    assert found["wrong"] == {}
    for entry in ENTRIES:
        text, lifetime = found["texts"][entry["request"]]
        claims = jwt.decode(
            text, key.public_key(), ["RS256"], audience=entry["gatekeeper"].split()[-1]
        )
        assert (claims["sub"], claims["wlcg.ver"]) == (
            f"vofrontend-{entry['name']}",
            "1.0",
        ) and lifetime == 900
        assert (
            claims["exp"] - claims["iat"] == 900 and jwt.get_unverified_header(text)["kid"] == "k1"
        )


def test_a_package_that_others_can_replace_is_not_imported(tmp_path: Path) -> None:
    """A package is found through the directory of plug-ins, which is checked before it is searched."""
    folder = tmp_path / "plugin.d"
    package = folder / "some_generator_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    folder.chmod(0o775)
    with pytest.raises(CredentialError, match="can be written by others"):
        generators.module_of(str(folder), "some_generator_package")
    assert not (tmp_path / "ran").exists()
    assert str(folder) not in sys.path


def test_a_module_that_fails_does_not_show_a_token(tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2aWN0aW0ifQ.c2VjcmV0LXNpZ25hdHVyZQ"
    (tmp_path / "broken.py").write_text(f"raise ValueError({token!r})\n")
    with pytest.raises(CredentialError) as caught:
        generators.module_of(str(tmp_path), "broken")
    assert token not in str(caught.value)
