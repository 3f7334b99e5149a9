"""Policy files are read only if nobody else can have written them, and tried out in a child process."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.frontend import policy_files
from glideinwms.lib.errors import ConfigError
from tests.unit.frontend.decide.match.test_policy_file import FILE, write


def test_declarations_are_read_in_a_child_process(tmp_path: Path) -> None:
    found = policy_files.try_out(write(tmp_path, FILE))
    assert found == {
        "factory_query_expr": "TRUE",
        "job_query_expr": "Big =?= True",
        "factory_match_attrs": {"Site": "string"},
        "job_match_attrs": {},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = 1 / 0", "policy.py:2: ZeroDivisionError"),
        ("def match(", "policy.py:1: SyntaxError"),
        ("match = 7", "not a function"),
        ("job_match_attrs = [1]", "job_match_attrs"),
        ("job_query_expr = 7", "job_query_expr"),
        ("import os; os._exit(3)", "ended the process with code 3"),
        ("while True: pass", "did not end"),
    ],
)
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        policy_files.try_out(write(tmp_path, text), 3.0)
    assert "policy.py" in caught.value.where


def test_a_file_that_cannot_be_decoded_is_a_problem_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    Path(path).write_bytes(b"# \xff\xfe\ndef match(job, glidein): return True\n")
    assert "save the file as UTF-8" in policy_files.read(path).problem
    assert "cannot be read" in policy_files.read(str(tmp_path / "none.py")).problem
