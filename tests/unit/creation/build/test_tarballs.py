"""What of an unpacked HTCondor becomes the pilots' tarball (config 2.9)."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from glideinwms.creation.build.tarballs import packed


def files(base: Path, *names: str) -> None:
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def members(base: Path, cache: Path) -> set[str]:
    blob = packed(base, cache, {})
    with tarfile.open(fileobj=io.BytesIO(blob.read())) as tar:
        return set(tar.getnames())


OWN = (
    "bin/condor_status",
    "sbin/condor_master",
    "sbin/condor_startd",
    "sbin/condor_starter",
    "lib64/libcondor_utils.so",
    "lib64/libclassad.so.2",
    "lib64/condor/libSciTokens.so.0",
    "libexec/condor/curl_plugin",
    "lib/x86_64-linux-gnu/libcondor_utils_9.so",
)


def test_of_usr_only_htcondor_is_packed(tmp_path: Path) -> None:
    usr = tmp_path / "usr"
    files(usr, *OWN)
    files(
        usr,
        *(f"bin/other{n}" for n in range(20)),
        "lib64/libother.so",
        "lib/python3/x.py",
        "libexec/git/x",
    )
    files(usr, "lib/firmware/blob", "lib/x86_64-linux-gnu/libother.so", "sbin/useradd")
    assert members(usr, tmp_path / "cache") == {*OWN[:-2], "libexec/curl_plugin", OWN[-1]}


def test_an_installation_of_its_own_is_packed_whole(tmp_path: Path) -> None:
    base = tmp_path / "condor"
    files(base, *OWN, "lib/libother.so", "lib64/deep/down.so", "libexec/x")
    assert {
        "lib/libother.so",
        "lib64/deep/down.so",
        "libexec/x",
        "lib64/libclassad.so.2",
    } <= members(base, tmp_path)


def test_libraries_that_the_daemons_load_come_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ldd names them: the name that is asked for, and not those of the C library or from
    elsewhere.
    """
    usr = tmp_path / "usr"
    files(
        usr,
        *OWN,
        *(f"bin/other{n}" for n in range(20)),
        "lib64/libpcre.so.1.2",
        "lib64/libc.so.6",
        "lib64/libz.so",
    )
    (usr / "lib64/libpcre.so.1").symlink_to("libpcre.so.1.2")
    (tmp_path / "lib64").symlink_to(usr / "lib64")
    listed = "".join(
        f"\\t{name} => {tmp_path}/lib64/{name} (0x1)\\n" for name in ("libpcre.so.1", "libc.so.6")
    )
    tool = tmp_path / "tools/ldd"
    files(tmp_path, "tools/ldd")
    tool.write_text(f"#!/bin/sh\nprintf '{listed}\\tlibq.so => /opt/libq.so (0x1)\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    found = members(usr, tmp_path / "cache")
    assert "lib64/libpcre.so.1" in found
    assert not {"lib64/libpcre.so.1.2", "lib64/libc.so.6", "lib64/libz.so"} & found
