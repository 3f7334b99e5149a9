"""Opening requests: what the deployed Factory obtained from its bytes, and lies of every kind (protocol 2.4)."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest

from glideinwms.lib.reasons import Reason
from glideinwms.lib.wire import (
    EnvelopeRefused,
    GlideClient,
    GlideClientGlobal,
    Seal,
    as_text,
    open_envelope,
    parse_long_form,
)
from glideinwms.lib.wire.crypto import FactoryKey, SymmetricKey
from tests.support import golden

FRONTEND = "vofrontend@fe.example.org"
SEALED = [
    (f["file"], number, ad)
    for f in golden.data("ads/expected.json")["files"]
    for number, ad in enumerate(f["ads"])
    if "decrypted" in ad
]
KINDS = {"glideclient": GlideClient, "glideclientglobal": GlideClientGlobal}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FactoryKey]:
    key = FactoryKey.load(golden.unpack("crypto/rsa.key", tmp_path_factory.mktemp("golden")))
    return {key.public.key_id: key}


def request_of(seal: Seal | None, **values: str) -> GlideClient:
    sealed = seal.params(values) if seal else {}
    more: dict[str, Any] = (
        {"key_id": seal.key_id, "key_code": seal.key_code, "enc_identity": seal.enc_identity}
        if seal
        else {}
    )
    return GlideClient(
        name="H_e@i@f@fe.g",
        client_name="fe.g",
        req_name="e@i@f",
        req_glidein="e@i@f",
        idle=1,
        max_glideins=1,
        enc_params=sealed,
        **more,
    )


@pytest.mark.parametrize(
    ("file", "number", "expected"), SEALED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_deployed_requests_open(
    keys: dict[str, FactoryKey], file: str, number: int, expected: dict[str, Any]
) -> None:
    raw = parse_long_form(golden.text(f"ads/{file}"))[number]
    ad = KINDS[expected["MyType"]].from_ad(raw)
    assert keys[ad.key_id].unwrap(ad.key_code).code() == expected["sym_key_code"]
    opened = open_envelope(ad, keys, expected["identity"])
    assert {k: v.decode() for k, v in opened.items()} == expected["decrypted"]


def test_what_the_factory_found_in_the_requests(keys: dict[str, FactoryKey]) -> None:
    """factory-reader.json: clear and sealed parameters, numbers and stage, per entry and request."""
    found = golden.data("ads/factory-reader.json")["findGroupWork"]
    ads = {
        ad["Name"]: GlideClient.from_ad(ad)
        for file in ("03-fe-main-cycle1-requests.ad", "05-fe-special-cycle1-requests.ad")
        for ad in parse_long_form(golden.text(f"ads/{file}"))
        if ad["MyType"] == "glideclient"
    }
    assert sum(len(requests) for requests in found.values()) == len(ads) > 4
    for requests in found.values():
        for name, theirs in requests.items():
            ad = ads[str(name)]
            assert as_text(open_envelope(ad, keys, FRONTEND), name) == theirs["params_decrypted"]
            assert {k: str(v) for k, v in ad.params.items()} == {
                k: str(v) for k, v in theirs["params"].items()
            }
            assert ad.monitor == theirs["monitor"]
            numbers = theirs["requests"]
            assert (
                ad.idle,
                ad.max_glideins,
                ad.idle_lifetime,
                ad.remove_excess,
                ad.remove_margin,
            ) == (
                numbers["IdleGlideins"],
                numbers["MaxGlideins"],
                numbers["IdleLifetime"],
                numbers["RemoveExcess"],
                numbers["RemoveExcessMargin"],
            )
            web = theirs["web"]
            assert (
                ad.web_url,
                ad.web_descript,
                ad.web_sign,
                ad.web_group_url,
                ad.web_group_descript,
            ) == (
                web["URL"],
                web["DescriptFile"],
                web["DescriptSign"],
                web["GroupURL"],
                web["GroupDescriptFile"],
            )


def test_what_the_factory_stored_of_the_credentials(keys: dict[str, FactoryKey]) -> None:
    """factory-reader.json: each stored file is one sealed parameter of the global ads, its twin the
    gzip of it.
    """
    reader = golden.data("ads/factory-reader.json")
    contents: dict[str, bytes] = {}
    for file in ("03-fe-main-cycle1-requests.ad", "05-fe-special-cycle1-requests.ad"):
        for raw in parse_long_form(golden.text(f"ads/{file}")):
            if raw["MyType"] == "glideclientglobal":
                ad = GlideClientGlobal.from_ad(raw)
                opened = open_envelope(ad, keys, FRONTEND)
                assert (
                    opened["SecurityName"].decode()
                    == reader["process_global"][ad.name]["security_name"]
                )
                contents |= {f"credential_{ad.client_name}_{k}": v for k, v in opened.items()}
    checked = 0
    for path, stored in reader["credential_files"].items():
        name = Path(path).name
        if name in contents:
            assert contents[name].decode() == stored["content"]
            checked += 1
        elif name.endswith("_compressed"):
            packed = stored["content"].rsplit("glidein_credentials=", 1)[1]
            assert (
                gzip.decompress(base64.b64decode(packed))
                == contents[name.removesuffix("_compressed")]
            )
            checked += 1
    assert checked >= 10


def test_what_is_sealed_can_be_opened_by_its_factory_only(keys: dict[str, FactoryKey]) -> None:
    ours, other = FactoryKey.generate(), next(iter(keys.values()))
    seal = Seal.make(ours.public, FRONTEND)
    ad = request_of(seal, SecurityName="fe", Token="a.b.c", Nothing="")
    assert set(ad.enc_params) == {"SecurityName", "Token"}, (
        "an empty value kills a deployed Factory"
    )
    assert as_text(open_envelope(ad, {ours.public.key_id: ours}, FRONTEND), "x") == {
        "SecurityName": "fe",
        "Token": "a.b.c",
    }
    with pytest.raises(EnvelopeRefused) as refused:
        open_envelope(ad, keys, FRONTEND)
    assert refused.value.reason is Reason.UNKNOWN_KEY and other.public.key_id in str(refused.value)
    with pytest.raises(EnvelopeRefused) as refused:
        open_envelope(ad, {ours.public.key_id: other}, FRONTEND)
    assert refused.value.reason is Reason.BAD_ENVELOPE


@pytest.mark.parametrize("field", ["key_id", "key_code", "enc_identity"])
def test_half_an_envelope_is_refused(field: str) -> None:
    key = FactoryKey.generate()
    ad = dataclasses.replace(
        request_of(Seal.make(key.public, FRONTEND), SecurityName="fe"), **{field: ""}
    )
    with pytest.raises(EnvelopeRefused) as refused:
        open_envelope(ad, {key.public.key_id: key}, FRONTEND)
    assert refused.value.reason is Reason.BAD_ENVELOPE


@pytest.mark.parametrize("value", ["", "zz", "00", "00" * 16, "0" * 31])
def test_one_bad_value_refuses_the_request_and_names_it(value: str) -> None:
    key = FactoryKey.generate()
    seal = Seal.make(key.public, FRONTEND)
    ad = request_of(seal, SecurityName="fe")
    ad = dataclasses.replace(ad, enc_params={**ad.enc_params, "Bad": value})
    with pytest.raises(EnvelopeRefused, match="Bad cannot be decrypted"):
        open_envelope(ad, {key.public.key_id: key}, FRONTEND)


def test_the_wrong_symmetric_key_is_noticed() -> None:
    """Protocol protocol 9.1/2: it may decrypt to garbage without an error; the identity inside
    tells.
    """
    key = FactoryKey.generate()
    seal = Seal.make(key.public, FRONTEND)
    for n in range(30):
        other = SymmetricKey("aes_256_cbc", hashlib.sha256(bytes([n])).digest(), seal.key.iv)
        ad = dataclasses.replace(request_of(seal, A="x"), key_code=key.public.wrap(other.code()))
        with pytest.raises(EnvelopeRefused) as refused:
            open_envelope(ad, {key.public.key_id: key}, FRONTEND)
        assert refused.value.reason is Reason.BAD_ENVELOPE


def test_a_pickle_is_refused_unread() -> None:
    """Protocol protocol 9.1/4: newer Frontends send pickled objects; loading one would run what it
    says.
    """

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path("/nonexistent/pickle-was-loaded").touch, ()

    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(EnvelopeRefused) as refused:
            as_text({"AuthSet": pickle.dumps(Bomb(), protocol)}, "glideclient x")
        assert refused.value.reason is Reason.PICKLED_PAYLOAD and "AuthSet" in str(refused.value)
    with pytest.raises(EnvelopeRefused, match="is not UTF-8 text"):
        as_text({"A": b"\xff\xfe"}, "glideclient x")


def test_a_seal_does_not_show_its_key() -> None:
    seal = Seal.make(FactoryKey.generate().public, FRONTEND)
    assert seal.key.key.hex() not in repr(seal) and repr(seal.key.key) not in repr(seal)
