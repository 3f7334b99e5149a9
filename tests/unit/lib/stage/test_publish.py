"""Files of a stage: one content is one inode where the file system can, and whole files where it cannot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from glideinwms.lib.stage import publish
from glideinwms.lib.stage.blobs import of_bytes
from glideinwms.lib.stage.tree import Tree


def trees() -> list[Tree]:
    return [Tree(name, "", "", "", files={f"x.{n}": of_bytes("same") for n in "ab"}) for name in ("one", "two")]


def inodes(root: Path) -> set[int]:
    return {p.stat().st_ino for p in root.glob("*/x.*")}


def test_equal_contents_share_an_inode(tmp_path: Path) -> None:
    assert publish.publish(tmp_path, trees()) == 4
    assert len(inodes(tmp_path)) == 1


@pytest.mark.parametrize("code", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EINVAL])
def test_without_hard_links_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    assert publish.publish(tmp_path, trees()) == 4
    assert [p.read_text() for p in tmp_path.glob("*/x.*")] == ["same"] * 4 and len(inodes(tmp_path)) == 4
    assert publish.publish(tmp_path, trees()) == 0
