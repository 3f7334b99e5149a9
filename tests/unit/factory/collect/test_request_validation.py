"""Every refusal of a request or of a global ad, and what a good one comes to (protocol 2.4, 4.3)."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideinwms.factory.collect.request_validation import RequestRefused
from glideinwms.factory.snapshot import Request
from glideinwms.lib.errors import WireError
from glideinwms.lib.reasons import Reason
from glideinwms.lib.wire import EnvelopeRefused
from tests.unit.factory.builders import (
    CLIENT,
    IDENTITY,
    NOW,
    SECRETS,
    entry,
    global_ad,
    other_key,
    request_ad,
    seal,
    trust,
)


def without(ad: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in ad.items() if k not in names}


def secrets(**changes: str | bytes) -> dict[str, str | bytes]:
    return {k: v for k, v in {**SECRETS, **changes}.items() if v}


def refusal(row: Request) -> Reason | None:
    return row.refusal.reason if row.refusal else None


def test_a_good_request(tmp_path: Path) -> None:
    row = trust(tmp_path).request(request_ad(secrets(**{"A.idtoken": "x.y.z"})))
    assert row.refusal is None
    assert (row.entry, row.client, row.idle, row.max_glideins) == ("A", CLIENT, 3, 10)
    assert (row.security_key, row.username, row.credential) == ("fe:frontend", "feuser", "TOKENIDX")
    folder = tmp_path / "proxies/user_feuser/glidein_inst/frontend_fe"
    token = folder / "credential_fe.main_A.scitoken"
    assert row.files == {
        "scitoken": str(token),
        "idtoken": str(folder / "credential_fe.main_A.idtoken"),
    }
    assert token.read_bytes() == b"a.b.c\n"
    assert token.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "a.b.c" not in repr(row)


CASES: dict[str, tuple[dict[str, Any], Reason]] = {
    "unsafe name": (request_ad(name="H_A@inst@fact@fe main"), Reason.BAD_NAME),
    "path in the client's name": (request_ad(client_name="../../x"), Reason.BAD_NAME),
    "unprintable group": (request_ad(group_name="a\x07b"), Reason.BAD_NAME),
    "no client name": (without(request_ad(), "ClientName"), Reason.MALFORMED_AD),
    "no request name": (without(request_ad(), "ReqName"), Reason.MALFORMED_AD),
    "no idle number": (without(request_ad(), "ReqIdleGlideins"), Reason.MALFORMED_AD),
    "idle is no number": ({**request_ad(), "ReqIdleGlideins": "many"}, Reason.BAD_NUMBER),
    "maximum is no number": ({**request_ad(), "ReqMaxGlideins": "1.5"}, Reason.BAD_NUMBER),
    "negative": (request_ad(idle=-1), Reason.BAD_NUMBER),
    "an entry we do not have": (request_ad(req_name="Z@inst@fact"), Reason.UNKNOWN_ENTRY),
    "old": (request_ad(heard=NOW - 901), Reason.STALE_AD),
    "sealed for another key": (request_ad(sealed=seal(factory=other_key())), Reason.UNKNOWN_KEY),
    "no key": (request_ad(key_id=""), Reason.BAD_ENVELOPE),
    "no key code": (request_ad(key_code=""), Reason.BAD_ENVELOPE),
    "no identity": (request_ad(enc_identity=""), Reason.BAD_ENVELOPE),
    "key code of garbage": (request_ad(key_code="00ff" * 64), Reason.BAD_ENVELOPE),
    "identity of garbage": (request_ad(enc_identity="zz"), Reason.BAD_ENVELOPE),
    "a value of garbage": ({**request_ad(), "GlideinEncParamVMId": "00"}, Reason.BAD_ENVELOPE),
    "copied by another client": (request_ad(seen_as="thief@fe2.example.org"), Reason.BAD_ENVELOPE),
    "identity not that of its name": (
        request_ad(sealed=seal("other@fe2.example.org"), seen_as="other@fe2.example.org"),
        Reason.IDENTITY_MISMATCH,
    ),
    "not authenticated": (request_ad(seen_as=""), Reason.BAD_ENVELOPE),
    "unknown security name": (
        request_ad(secrets(SecurityName="stranger")),
        Reason.UNKNOWN_FRONTEND,
    ),
    "no security name": (request_ad(secrets(SecurityName="")), Reason.MISSING_PARAMETER),
    "unknown class": (request_ad(secrets(SecurityClass="gold")), Reason.UNKNOWN_CLASS),
    "no class": (request_ad(secrets(SecurityClass="")), Reason.MISSING_PARAMETER),
    "protocol 2": (request_ad(secrets(x509_proxy_0="p")), Reason.CREDENTIAL_MISMATCH),
    "a pickle": (request_ad(secrets(AuthSet=pickle.dumps({1}))), Reason.PICKLED_PAYLOAD),
    "bytes that are no text": (request_ad(secrets(VMId=b"\xff\xfe")), Reason.BAD_ENVELOPE),
    "no token yet": (request_ad(secrets(frontend_scitoken="")), Reason.CREDENTIAL_MISSING),
    "no token id": (request_ad(secrets(ScitokenId="")), Reason.MISSING_PARAMETER),
    "a path as credential id": (request_ad(secrets(SubmitProxy="../../x")), Reason.BAD_NAME),
    "no stage url": (request_ad(web_url=""), Reason.BAD_WEB),
    "no group signature": (request_ad(web_group_sign=""), Reason.BAD_WEB),
    "no group": (request_ad(group_name=""), Reason.BAD_WEB),
    "unknown sums": (request_ad(web_sign_type="md5"), Reason.BAD_WEB),
    "a blank in the url": (request_ad(web_url="http://v/a -v check"), Reason.BAD_WEB),
    "a quote in the description": (request_ad(web_descript='a"b'), Reason.BAD_WEB),
}


@pytest.mark.parametrize(("ad", "reason"), CASES.values(), ids=CASES)
def test_refusals(ad: dict[str, Any], reason: Reason, tmp_path: Path) -> None:
    method = "grid_proxy" if "GlideinEncParamSubmitProxy" in ad else "scitoken"
    row = trust(tmp_path, entry(auth_method=method)).request(ad)
    assert refusal(row) is reason, row.refusal
    assert row.refusal is not None and row.refusal.text


def test_numbers_as_old_frontends_write_them(tmp_path: Path) -> None:
    """As text (protocol 9.7/12), and the maximum under its old name, which counts only where there
    is no new one.
    """
    ad = {
        **request_ad(),
        "ReqIdleGlideins": "7",
        "ReqMaxGlideins": "20",
        "ReqRemoveExcessMargin": "2",
    }
    row = trust(tmp_path).request(ad)
    assert (row.idle, row.max_glideins, row.remove_margin, row.refusal) == (7, 20, 2, None)
    assert trust(tmp_path).request({**ad, "ReqMaxRunningGlideins": 9}).max_glideins == 20
    row = trust(tmp_path).request({**without(ad, "ReqMaxGlideins"), "ReqMaxRunningGlideins": "9"})
    assert (row.max_glideins, row.refusal) == (9, None)


def test_a_refused_request_leaves_no_file(tmp_path: Path) -> None:
    for ad, reason in CASES.values():
        if reason not in (Reason.BAD_WEB, Reason.MISSING_PARAMETER, Reason.BAD_NUMBER):
            trust(tmp_path, entry(auth_method="grid_proxy")).request(
                without(ad, "GlideinEncParamfrontend_scitoken")
            )
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    ("allowed", "whitelisted", "reason"),
    [
        ((), True, None),
        (("fe:frontend",), True, None),
        (("fe:All",), True, None),
        (("other:frontend",), False, None),
        (("fe:special",), True, Reason.NOT_ALLOWED),
    ],
)
def test_allow_frontends(
    allowed: tuple[str, ...], whitelisted: bool, reason: Reason | None, tmp_path: Path
) -> None:
    """Protocol 4.3 steps 3 and 6: a Frontend not listed is as in downtime, a class not listed is
    refused.
    """
    row = trust(tmp_path, entry(allow_frontends=allowed)).request(request_ad())
    assert refusal(row) is reason
    assert reason is not None or row.whitelisted is whitelisted


def test_a_token_that_came_before_still_serves(tmp_path: Path) -> None:
    judge = trust(tmp_path)
    judge.request(request_ad())
    row = judge.request(request_ad(secrets(frontend_scitoken="")))
    assert row.refusal is None and row.files["scitoken"]


def test_a_disabled_entry_is_unknown(tmp_path: Path) -> None:
    assert (
        refusal(trust(tmp_path, entry(enabled=False)).request(request_ad())) is Reason.UNKNOWN_ENTRY
    )


@given(
    st.dictionaries(
        st.sampled_from([*request_ad(), "Extra"]),
        st.none() | st.text() | st.integers() | st.binary(),
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
def test_nothing_a_peer_writes_raises(tmp_path: Path, changes: dict[str, Any]) -> None:
    ad = {k: v for k, v in {**request_ad(), **changes}.items() if v is not None}
    row = trust(tmp_path).request(ad)
    assert isinstance(row, Request)
    assert all(p.is_relative_to(tmp_path / "proxies") for p in tmp_path.rglob("credential_*"))


def test_credentials_of_a_global_ad(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\\nAA\\n-----END CERTIFICATE-----\\n"
    values: dict[str, str | bytes] = {
        "SecurityName": "fe",
        "NumberOfCredentials": "3",
        "AAAAAAAA": pem,
        "SecurityClassAAAAAAAA": "frontend",
        "BBBBBBBB": b"\x00\xff",
        "SecurityClassBBBBBBBB": "special",
        "CCCCCCCC": "x",
        "SecurityClassCCCCCCCC": "none",
    }
    found = list(trust(tmp_path).credentials(global_ad(values)))
    assert [(c.owner.username, c.cred_id, c.data) for c in found] == [
        ("feuser", "AAAAAAAA", pem.replace("\\n", "\n").encode()),
        ("spuser", "BBBBBBBB", b"\x00\xff"),
    ]
    assert "AA" not in repr(found[0]).replace("AAAAAAAA", "")


GOOD = {"SecurityName": "fe", "AAAAAAAA": "x", "SecurityClassAAAAAAAA": "frontend"}
GLOBALS: dict[str, tuple[dict[str, Any], Reason]] = {
    "unsafe client": (global_ad(GOOD, client_name="a/b"), Reason.BAD_NAME),
    "old": (global_ad(GOOD, heard=NOW - 1000), Reason.STALE_AD),
    "copied": (global_ad(GOOD, seen_as="thief@x"), Reason.BAD_ENVELOPE),
    "another's key": (global_ad(GOOD, sealed=seal(factory=other_key())), Reason.UNKNOWN_KEY),
    "sealed by another": (
        global_ad(GOOD, sealed=seal("other@fe2.example.org"), seen_as="other@fe2.example.org"),
        Reason.IDENTITY_MISMATCH,
    ),
    "unknown": (global_ad({**GOOD, "SecurityName": "stranger"}), Reason.UNKNOWN_FRONTEND),
    "nameless": (global_ad({**GOOD, "SecurityName": ""}), Reason.MISSING_PARAMETER),
}


@pytest.mark.parametrize(("ad", "reason"), GLOBALS.values(), ids=GLOBALS)
def test_refused_global_ads(ad: dict[str, Any], reason: Reason, tmp_path: Path) -> None:
    with pytest.raises((RequestRefused, EnvelopeRefused)) as caught:
        list(trust(tmp_path).credentials(ad))
    assert caught.value.reason is reason  # type: ignore[attr-defined]


def test_a_malformed_global_ad_is_a_wire_error(tmp_path: Path) -> None:
    with pytest.raises(WireError):
        list(trust(tmp_path).credentials({"Name": "x", "AuthenticatedIdentity": IDENTITY}))


def test_a_token_that_cannot_be_stored_refuses_that_request_alone(tmp_path: Path) -> None:
    (tmp_path / "proxies").mkdir()
    (tmp_path / "proxies/user_feuser").write_text("in the way")
    judge = trust(tmp_path)
    row = judge.request(request_ad())
    assert refusal(row) is Reason.CREDENTIAL_MISSING
    assert row.refusal is not None and "user_feuser" in row.refusal.text
    other = judge.request(request_ad(secrets(SecurityClass="special")))
    assert other.refusal is None
