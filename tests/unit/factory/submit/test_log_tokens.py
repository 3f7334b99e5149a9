"""Log-server tokens: one per entry and URL, renewed daily, handed to the pilots."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import jwt

from glideinwms.factory.submit.description import SubmitSpec, describe, sub_entries
from glideinwms.factory.submit.log_tokens import directory, with_log_tokens
from tests.unit.factory.builders import NOW, entry, policy, request

URLS = "https://logs.a/put.php,https://logs.b"


def test_tokens_travel_with_the_pilots(tmp_path: Path) -> None:
    e = entry(attrs={"GLIDEIN_LOG_RECIPIENTS_FACTORY": URLS})
    p = policy(tmp_path, e)
    row = with_log_tokens(p, e, request(), NOW)
    base = directory(p)
    made = describe(SubmitSpec(p, e, sub_entries(e)[0], row, "id", "20260101"))
    folder = base / "entry_A"
    assert made["transfer_input_files"] == f"{folder}/tokens.tgz,{folder}/url_dirs.desc"
    assert made["encrypt_input_files"] == made["transfer_input_files"]
    assert made["environment"] == (
        f"\"JOB_TOKENS={folder}/tokens.tgz LOG_RECIPIENTS='https://logs.a/put.php https://logs.b'\""
    )
    rows = dict(line.split() for line in (folder / "url_dirs.desc").read_text().splitlines())
    key = (base / "jwt_secret.key").read_bytes()
    with tarfile.open(fileobj=io.BytesIO((folder / "tokens.tgz").read_bytes())) as tar:
        for url, name in rows.items():
            file = tar.extractfile(f"tokens/{name}/default.jwt")
            assert file is not None
            untimed = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
            claims = jwt.decode(
                file.read(), key, algorithms=["HS256"], audience=url, options=untimed
            )
            assert claims["sub"] == "A" and claims["exp"] - NOW == 7 * 86400
    for path in (base / "jwt_secret.key", folder / "tokens.tgz"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_they_are_renewed_daily_with_the_same_key(tmp_path: Path) -> None:
    e = entry(params={"GLIDEIN_LOG_RECIPIENTS_FACTORY": URLS})
    p = policy(tmp_path, e)

    def tokens(now: float) -> bytes:
        with_log_tokens(p, e, request(), now)
        path = directory(p) / "entry_A/tokens.tgz"
        data = path.read_bytes()
        os.utime(path, (now, now)) if data != seen else None
        return data

    seen = b""
    first = seen = tokens(NOW)
    key = (directory(p) / "jwt_secret.key").read_bytes()
    assert tokens(NOW + 3600) == first
    assert tokens(NOW + 2 * 86400) != first
    assert (directory(p) / "jwt_secret.key").read_bytes() == key


def test_an_entry_without_servers_is_left_alone(tmp_path: Path) -> None:
    e = entry()
    row = request()
    assert with_log_tokens(policy(tmp_path, e), e, row, NOW) is row
    assert not (tmp_path / "server-credentials").exists()
