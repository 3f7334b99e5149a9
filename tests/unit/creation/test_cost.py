"""What a reconfig of a large file must not cost: libraries that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.configs import place

EXPENSIVE = ("structlog", "rich", "classad2", "htcondor2", "asyncio")
MODEL = "glideinwms.creation.xml.factory_model"
CODE = f"""
import sys
from glideinwms.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in sys.modules if name in {(*EXPENSIVE, MODEL)}])
"""


def loaded(*words: str) -> str:
    """Return the last line of a command's output: which expensive libraries it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    path = place(tmp_path, "factory.minimal.xml")
    loaded("factory", "reconfig", str(path))
    return path


def test_an_unchanged_reconfig_loads_no_model_and_no_log(factory: Path) -> None:
    assert loaded("factory", "reconfig", str(factory)) == "[]"


def test_a_changed_reconfig_loads_the_model_only(factory: Path) -> None:
    factory.write_text(factory.read_text().replace("86400", "43200"))
    assert loaded("factory", "reconfig", str(factory)) == f"['{MODEL}']"
