"""Tests of the package: one version, and what the wheel contains."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import glideinwms
from glideinwms.lib.wire import base

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_written_in_one_place() -> None:
    written = [
        path
        for path in [ROOT / "pyproject.toml", *(ROOT / "glideinwms").rglob("*.py")]
        if glideinwms.__version__ in path.read_text()
    ]
    assert written == [ROOT / "glideinwms/__init__.py"]


def test_the_ads_carry_the_version() -> None:
    version = base.VERSION
    assert version == f"glideinWMS {glideinwms.__version__} "


def test_a_3_11_frontend_takes_the_version() -> None:
    assert not re.match(r"glideinWMS 3\.(8|9|10)", base.VERSION)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    top = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(top)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = top.glob("*.whl")
    assert glideinwms.__version__ in built.name
    return set(zipfile.ZipFile(built).namelist())


@pytest.mark.parametrize(
    "name",
    [
        "glideinwms/py.typed",
        "glideinwms/glidein/glidein_startup.sh",
        "glideinwms/creation/data/condor_vars.lst",
        "glideinwms/demo/etc/factory.xml",
    ],
)
def test_the_wheel_contains(name: str, wheel: set[str]) -> None:
    assert name in wheel


def test_every_script_of_the_package_exists() -> None:
    for target in PROJECT["project"]["scripts"].values():
        module, _, function = target.partition(":")
        path = ROOT / (module.replace(".", "/") + ".py")
        assert re.search(rf"^def {function}\(", path.read_text(), re.MULTILINE), target
