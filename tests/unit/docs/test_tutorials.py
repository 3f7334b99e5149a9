"""Tests that the script of docs/tutorials/first-script.md does what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.docs.test_script_api import pilot

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/tutorials/first-script.md").read_text()
SCRIPT = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]
OUTPUT = re.search(r"```output\n(.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return pilot(tmp_path)


def run(top: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", script, "check_scratch.sh", "glidein_config", "client"]
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=top, env=environment, text=True, capture_output=True, check=False
    )


def test_on_a_node_with_space_it_prints_what_the_page_shows(top: Path) -> None:
    done = run(top, SCRIPT)
    assert (done.stdout, done.returncode) == (OUTPUT, 0), done.stderr


def test_the_machine_ad_gets_the_attribute(top: Path) -> None:
    run(top, SCRIPT)
    assert "HAS_SCRATCH\tC\t-\t+\tN\tY\t-" in (top / "vars").read_text()


def test_on_a_node_without_space_it_fails_with_the_reason(top: Path) -> None:
    done = run(top, SCRIPT.replace("-lt 10 ]", "-lt 1000000000 ]"))
    assert done.returncode == 1
    assert "MB are free" in (top / "otrb_output.xml").read_text()
