"""Which files make a submission impossible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from glideinwms.demo.pki import Authority
from glideinwms.factory.submit.check import check, over
from glideinwms.factory.submit.description import SubmitSpec, sub_entries
from glideinwms.lib.credentials.tokens import Signer
from glideinwms.lib.files import write_atomic
from glideinwms.lib.reasons import Reason
from tests.unit.factory.builders import NOW, entry, policy, request


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tokens and proxies that are good, have ended, or say nothing of it."""
    folder = tmp_path_factory.mktemp("secrets")
    signer, now = Signer(b"k" * 32, "key", "issuer"), datetime.fromtimestamp(NOW, UTC)
    proxies = {
        name: b"".join(Authority.make(now - days).host("pilot", [], now - days))
        for name, days in (("proxy", timedelta()), ("old proxy", timedelta(days=400)))
    }
    data = {
        "token": signer.sign("vo", 100, NOW).encode(),
        "old token": signer.sign("vo", 100, NOW - 1000).encode(),
        "no token": b"a.b.c",
        "no proxy": b"x",
        **proxies,
    }
    for name, text in data.items():
        write_atomic(folder / name, text, 0o600)
    return {name: str(folder / name) for name in data}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"scitoken": "token", "idtoken": "token"}, None),
        ({"scitoken": "old token"}, Reason.CREDENTIAL_UNUSABLE),
        ({"scitoken": "token", "idtoken": "old token"}, Reason.CREDENTIAL_UNUSABLE),
        ({"scitoken": "no token"}, None),
        ({"x509_proxy": "proxy"}, None),
        ({"x509_proxy": "old proxy"}, Reason.CREDENTIAL_UNUSABLE),
        ({"x509_proxy": "no proxy"}, None),
        ({"x509_proxy": "proxy", "idtoken": "old token", "scitoken": "old token"}, None),
        ({"glidein_proxy": "no proxy", "idtoken": "old token"}, None),
        ({"scitoken": "gone"}, Reason.CREDENTIAL_MISSING),
    ],
)
def test_files(
    files: dict[str, str], reason: Reason | None, secrets: dict[str, str], tmp_path: Path
) -> None:
    """A token of days past does not stop pilots that have a proxy."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work/glidein_startup.0.sh").write_text("")
    e = entry()
    row = request(files={role: secrets.get(name, "/none") for role, name in files.items()})
    found = check(
        SubmitSpec(policy(tmp_path, e), e, sub_entries(e)[0], row, "uuid", "20261124"), NOW
    )
    assert (found.reason if found else None) is reason


def test_the_end_is_told(secrets: dict[str, str]) -> None:
    assert over("scitoken", Path(secrets["token"]), NOW + 99) == ""
    assert (
        over("idtoken", Path(secrets["token"]), NOW + 130) == "ended 30 s ago; a new one must come"
    )
