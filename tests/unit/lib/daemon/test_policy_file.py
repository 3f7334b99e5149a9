"""Policies on disk: read whole, or refused with what to do."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from glideinwms.lib.daemon import policy_file
from glideinwms.lib.daemon.policy_file import StageTriple
from glideinwms.lib.errors import ConfigError, GwmsError, StateError


@dataclass(frozen=True)
class Toy:
    schema: int
    stage: StageTriple


GOOD = {"schema": 3, "stage": {"url": "u", "descript": "d", "sign": "s"}}


def test_a_policy_is_read(tmp_path: Path) -> None:
    path = tmp_path / policy_file.NAME
    path.write_text(json.dumps(GOOD))
    assert policy_file.load(Toy, path, 3, "factory") == Toy(3, StageTriple("u", "d", "s"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no policy; run gwms frontend reconfig"),
        ("{", "is not JSON"),
        ("[]", "has schema None, this program reads 3; run gwms frontend reconfig"),
        (json.dumps({**GOOD, "schema": 2, "old": 1}), "has schema 2"),
        (json.dumps({**GOOD, "more": 1}), "unknown field more"),
        (
            json.dumps({**GOOD, "factory_name": "f"}),
            "is a factory's; give the work directory of the frontend",
        ),
        (json.dumps({**GOOD, "stage": {"url": 1}}), "stage: missing field"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / policy_file.NAME
    if content is not None:
        path.write_text(content)
    with pytest.raises(GwmsError, match=words) as error:
        policy_file.load(Toy, path, 3, "frontend")
    assert str(path) in str(error.value)
    assert content is not None or isinstance(error.value, ConfigError)


def test_a_copy_is_kept_whole_or_the_policy_is_not_taken(tmp_path: Path) -> None:
    path, state = tmp_path / policy_file.NAME, tmp_path / "state"
    for n in range(12):
        path.write_text(f"{n}")
        policy_file.keep(path, f"g{n}", state)
        os.utime(policy_file.kept(state, f"g{n}"), (n, n))
    assert sorted(p.name for p in (state / "policies").iterdir()) == sorted(
        f"g{n}.json" for n in range(2, 12)
    )
    (tmp_path / "other").write_text("no directory")
    with pytest.raises(StateError, match=r"other/policies/g\.json: cannot be kept"):
        policy_file.keep(path, "g", tmp_path / "other")
