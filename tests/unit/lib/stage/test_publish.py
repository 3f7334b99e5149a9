"""Files of a stage: one content is one inode where the file system can, and whole files where it cannot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from glideinwms.lib.errors import StageError
from glideinwms.lib.stage import publish
from glideinwms.lib.stage.blobs import of_bytes
from glideinwms.lib.stage.tree import Tree


def trees() -> list[Tree]:
    return [
        Tree(name, "", "", "", files={f"x.{name}": of_bytes("same")})
        for name in ("one", "two", "three", "four")
    ]


def inodes(root: Path) -> set[int]:
    return {p.stat().st_ino for p in root.glob("*/x.*")}


def test_equal_contents_share_an_inode(tmp_path: Path) -> None:
    assert publish.publish(tmp_path, trees()) == 4
    assert len(inodes(tmp_path)) == 1


@pytest.mark.parametrize(
    "code", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EINVAL]
)
def test_without_hard_links_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    assert publish.publish(tmp_path, trees()) == 4
    assert [p.read_text() for p in tmp_path.glob("*/x.*")] == ["same"] * 4 and len(
        inodes(tmp_path)
    ) == 4
    assert publish.publish(tmp_path, trees()) == 0


def test_a_new_directory_appears_with_all_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree("one", "", "", "", files={"a": of_bytes("a"), "b": of_bytes("b")})
    seen = []
    real = os.write

    def look(fd: int, data: bytes) -> int:
        seen.append((tmp_path / "one").exists())
        return real(fd, data)

    monkeypatch.setattr(os, "write", look)
    publish.publish(tmp_path, [tree])
    assert seen == [False, False]
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")} == {
        "one",
        "one/a",
        "one/b",
    }


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / publish.NEW / "one"
    left.mkdir(parents=True)
    (left / "x.one").write_text("ha")
    publish.publish(tmp_path, trees())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["four", "one", "three", "two"]
    assert (tmp_path / "one/x.one").read_text() == "same"


def test_a_damaged_file_is_replaced_and_its_twins_stay(tmp_path: Path) -> None:
    publish.publish(tmp_path, trees())
    (tmp_path / "one/x.one").unlink()
    (tmp_path / "one/x.one").write_text("cut")
    assert publish.publish(tmp_path, trees()) == 1
    assert [p.read_text() for p in tmp_path.glob("*/x.*")] == ["same"] * 4


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("in the way")
    with pytest.raises(StageError, match="cannot be") as caught:
        publish.publish(tmp_path, trees())
    assert caught.value.where == str(tmp_path / "one")
    assert not (tmp_path / publish.NEW).exists()
