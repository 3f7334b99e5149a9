"""Who may have written a file that runs with our rights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glideinwms.lib import file_ownership
from glideinwms.lib.errors import ConfigError


def make(folder: Path, mode: int = 0o644, above: int = 0o755) -> Path:
    path = folder / "own" / "file"
    path.parent.mkdir()
    path.write_text("x")
    path.chmod(mode)
    path.parent.chmod(above)
    return path


@pytest.mark.parametrize("above", [0o755, 0o1777])
def test_ours_is_read(tmp_path: Path, above: int) -> None:
    assert file_ownership.read(make(tmp_path, above=above)) == b"x"


@pytest.mark.parametrize(
    ("mode", "above"), [(0o664, 0o755), (0o646, 0o755), (0o644, 0o775), (0o644, 0o757)]
)
def test_what_others_can_write_is_refused(tmp_path: Path, mode: int, above: int) -> None:
    with pytest.raises(ConfigError, match="can be written by others") as caught:
        file_ownership.read(make(tmp_path, mode, above))
    assert caught.value.hint == f"chmod go-w {caught.value.where}"


def test_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to user"):
        file_ownership.check(path)


def test_what_was_put_in_its_place_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path)
    checked = file_ownership.check

    def swapped(where: Path) -> os.stat_result:
        found = checked(where)
        path.unlink()
        path.write_text("other")
        path.chmod(0o666)
        return found

    monkeypatch.setattr(file_ownership, "check", swapped)
    with pytest.raises(ConfigError, match="can be written by others"):
        file_ownership.read(path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        file_ownership.read(tmp_path / "none")


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_directory_further_up_counts_too(tmp_path: Path, mode: int) -> None:
    """Its writers can rename what is below, and put another directory in its place; also behind a
    link.
    """
    path = make(tmp_path)
    (tmp_path / "deep").mkdir()
    path.parent.rename(tmp_path / "deep/own")
    (tmp_path / "link").symlink_to(tmp_path / "deep/own/file")
    (tmp_path / "deep").chmod(mode)
    for name in (tmp_path / "deep/own/file", tmp_path / "link"):
        with pytest.raises(ConfigError, match="can be written by others") as caught:
            file_ownership.check(name)
        assert caught.value.where == str(tmp_path / "deep")


@pytest.mark.parametrize("words", [["{}"], ["bash", "{}"], ["/usr/bin/env", "FOO=1", "{}", "x"]])
def test_the_program_of_a_command_is_checked(tmp_path: Path, words: list[str]) -> None:
    path = make(tmp_path, 0o755)
    command = [word.format(path) for word in words]
    file_ownership.check_command(command)
    path.chmod(0o775)
    with pytest.raises(ConfigError, match="can be written by others"):
        file_ownership.check_command(command)
