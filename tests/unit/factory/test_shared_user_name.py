"""Credentials belong to the Frontend that proved itself, whatever ClientName a request claims (protocol 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.collect.request_validation import RequestValidator
from glideinwms.factory.housekeeping.cleanup import credential_files
from glideinwms.factory.policy import FrontendTrust
from glideinwms.lib.reasons import Reason
from tests.unit.factory.builders import IDENTITY, SECRETS, entry, global_ad, request_ad, seal, trust

EVIL = "evil@fe2.example.org"
# as many Factories are configured; validate refuses it, but a policy made before that may be in
# force
SHARED = (
    FrontendTrust("fe", IDENTITY, {"frontend": "frontend"}),
    FrontendTrust("evil", EVIL, {"frontend": "frontend"}),
)
NO_TOKEN = {k: v for k, v in SECRETS.items() if k != "frontend_scitoken"}
THEIRS = {**NO_TOKEN, "SecurityName": "evil"}


def evil_ad(secrets: Mapping[str, str | bytes], **changes: Any) -> dict[str, Any]:
    return request_ad(secrets, seal(EVIL), seen_as=EVIL, **changes)


def shared(tmp_path: Path, method: str = "scitoken") -> RequestValidator:
    return trust(tmp_path, entry(auth_method=method), frontends=SHARED)


def test_a_claimed_client_name_gives_no_token_of_its_owner(tmp_path: Path) -> None:
    judge = shared(tmp_path)
    assert judge.request(request_ad({**SECRETS, "A.idtoken": "x.y.z"})).refusal is None
    row = judge.request(evil_ad(THEIRS))
    assert row.refusal is not None and row.refusal.reason is Reason.CREDENTIAL_MISSING
    assert row.files == {}


def test_a_claimed_client_name_overwrites_nothing(tmp_path: Path) -> None:
    judge = shared(tmp_path)
    row = judge.request(request_ad({**SECRETS, "A.idtoken": "x.y.z"}))
    judge.request(evil_ad({**THEIRS, "A.idtoken": "e.v.il", "frontend_scitoken": "e.v.il"}))
    assert Path(row.files["idtoken"]).read_text() == "x.y.z"
    assert Path(row.files["scitoken"]).read_text() == "a.b.c\n"


def test_a_credential_of_a_global_ad_serves_its_frontend_only(tmp_path: Path) -> None:
    judge = shared(tmp_path, "grid_proxy")
    values = {"SecurityName": "fe", "AAAAAAAA": "proxy", "SecurityClassAAAAAAAA": "frontend"}
    for item in judge.credentials(global_ad(values)):
        judge.store.store_credential(item.owner, item.client, item.cred_id, item.data)
    named = {"SecurityClass": "frontend", "SubmitProxy": "AAAAAAAA"}
    assert judge.request(request_ad({**named, "SecurityName": "fe"})).refusal is None
    row = judge.request(evil_ad({**named, "SecurityName": "evil"}))
    assert row.refusal is not None and row.refusal.reason is Reason.CREDENTIAL_MISSING


@pytest.mark.parametrize(
    ("frontends", "served"),
    [
        (SHARED, False),
        (SHARED[:1], True),
        ((*SHARED[:1], FrontendTrust("twin", IDENTITY, {"frontend": "frontend"})), True),
    ],
    ids=["two identities", "one", "one identity twice"],
)
def test_files_of_the_old_layout_serve_where_their_owner_is_known(
    tmp_path: Path, frontends: tuple[FrontendTrust, ...], served: bool
) -> None:
    old = tmp_path / "proxies/user_frontend/glidein_inst/credential_fe.main_A.scitoken"
    old.parent.mkdir(parents=True)
    old.write_text("old\n")
    judge = trust(tmp_path, frontends=frontends)
    row = judge.request(request_ad(NO_TOKEN))
    assert row.files == ({"scitoken": str(old)} if served else {})
    assert (row.refusal is None) is served
    row = judge.request(request_ad())
    assert Path(row.files["scitoken"]).parent.name == "frontend_fe", "a new one takes its place"
    assert old in set(credential_files(judge.policy)), "the clean-up knows both"
    assert Path(row.files["scitoken"]) in set(credential_files(judge.policy))


@pytest.mark.parametrize("name", ["../../../fe", "a/b", "..", ""])
def test_a_frontend_whose_name_is_no_directory_is_refused(tmp_path: Path, name: str) -> None:
    judge = trust(tmp_path, frontends=(FrontendTrust(name, IDENTITY, {"frontend": "u"}),))
    row = judge.request(request_ad({**SECRETS, "SecurityName": name}))
    assert row.refusal is not None
    assert not list(tmp_path.rglob("credential_*"))
