"""Where HTCondor comes from, and what is said where it cannot come."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.demo import debs, portable, render_config
from glideinwms.lib.errors import DemoError


def program(folder: Path, name: str, text: str) -> None:
    """An executable on a PATH of the test's own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_an_htcondor_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "sbin", "condor_master", "exit 0")
    program(tmp_path / "bin", "condor_version", "echo '$CondorVersion: 10.0.9 2023-09-26 $'")
    monkeypatch.setenv("PATH", f"{tmp_path}/sbin")
    with pytest.raises(DemoError, match=r"HTCondor 10.0.9 is too old") as caught:
        portable.ensure_condor(tmp_path / "cache")
    assert str(tmp_path) in caught.value.where and "23.0 or newer" in caught.value.hint


def test_the_hosts_own_is_taken_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "sbin", "condor_master", "exit 0")
    program(tmp_path / "bin", "condor_version", "echo '$CondorVersion: 24.0.1 2024-10-31 $'")
    monkeypatch.setenv("PATH", f"{tmp_path}/sbin")
    assert portable.host_prefix() == tmp_path


def test_without_apt_it_says_what_is_missing_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match="no apt-get, apt-config, dpkg-deb, tar") as caught:
        portable.ensure_condor(tmp_path / "cache")
    assert "HTCondor 23 or newer" in caught.value.hint


def test_without_network_apts_own_words_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(
        tmp_path / "bin",
        "apt-get",
        "echo 'E: Failed to fetch http://m/debian  Could not connect' >&2; exit 100",
    )
    program(tmp_path / "bin", "apt-config", "exit 0")
    for name in ("dpkg-deb", "tar"):
        program(tmp_path / "bin", name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(debs, "KEYRING", tmp_path)
    with pytest.raises(
        DemoError, match=r"apt-get update failed: E: Failed to fetch .* Could not connect"
    ) as caught:
        debs.download(tmp_path / "work", "trixie", ["condor"], mirror="http://m/debian")
    assert "http://m/debian" in caught.value.where and "network" in caught.value.hint


def test_no_mirror_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(DemoError, match="apt knows no Debian mirror"):
        debs.host_mirror()


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DemoError, match="Not a directory") as caught:
        portable.ensure_condor(tmp_path / "file" / "cache")
    assert "GWMS_CACHE" in caught.value.hint


def test_a_version_that_cannot_be_read_is_shown() -> None:
    assert portable.parse_version("$CondorVersion: 23.9.6 2026-07-12 $") == (23, 9, 6)
    with pytest.raises(DemoError, match="cannot tell"):
        portable.parse_version("no version here")


def test_every_word_of_the_configuration_is_filled(tmp_path: Path) -> None:
    words = {
        w
        for n in render_config.NAMES
        for w in render_config.WORD.findall((render_config.templates() / n).read_text())
    }
    values = {w: f"<{w}> & more" for w in words}
    render_config.write(tmp_path, values)
    for name in render_config.NAMES:
        assert not render_config.WORD.search((tmp_path / name).read_text())
    assert "&lt;WEB&gt; &amp; more" in (tmp_path / "factory.xml").read_text()
    with pytest.raises(DemoError, match="nothing stands for @WEB@"):
        render_config.write(tmp_path, {w: v for w, v in values.items() if w != "WEB"})
