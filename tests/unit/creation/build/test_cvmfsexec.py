"""cvmfsexec distributions are staged from where the deployed program keeps them, and no network is asked."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from glideinwms.creation.reconfig import fingerprint
from glideinwms.creation.reconfig.run import build, reconfig
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.lib.stage.formats import read_list, read_pairs
from tests.support.configs import place

DISTRO = '<cvmfsexec_distro sources="osg, egi" platforms="rhel9-x86_64"/>'
USE = '<attrs><attr name="GLIDEIN_USE_CVMFSEXEC" value="1" type="int"/>'


def put(directory: Path, source: str, member: str = "./cvmfsexec") -> Path:
    path = directory / "work" / "cvmfsexec" / "tarballs" / f"cvmfsexec_{source}_rhel9_x86_64.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size, info.mode = 10, 0o755
        tar.addfile(info, io.BytesIO(b"#!/bin/sh\n"))
    return path


def config(directory: Path, use: str = USE) -> Path:
    path = place(
        directory, "factory.minimal.xml", ("<condor_tarballs>", f"{DISTRO}<condor_tarballs>")
    )
    path.write_text(path.read_text().replace("<attrs>", use, 1))
    return path


def test_what_is_there_is_staged_for_its_platform(tmp_path: Path) -> None:
    path = config(tmp_path)
    tarball = put(tmp_path, "egi")
    outcome = reconfig(path, "factory")
    (missing,) = outcome.warnings
    assert "cvmfsexec_osg_rhel9_x86_64.tar.gz is not there" in missing.what
    assert "./makedist -m rhel9-x86_64 osg" in missing.hint
    main = build(path, "factory", Problems()).trees[0]
    listed = next(b.read().decode() for n, b in main.files.items() if n.startswith("file_list."))
    rows = {r.outfile: r for r in read_list(listed)}
    row = rows["cvmfsexec_dist_egi-rhel9-x86_64.tgz"]
    assert (row.kind, row.condition, row.config_out) == (
        "untar",
        "CVMFSEXEC_PLATFORM_egi-rhel9-x86_64",
        "CVMFSEXEC_DIR",
    )
    assert (tmp_path / "stage" / row.infile).read_bytes() == tarball.read_bytes()
    order = list(rows)
    assert order.index("cvmfs_platform_select.sh") < order.index(row.outfile)
    untar = next(b.read().decode() for n, b in main.files.items() if n.startswith("untar."))
    assert read_pairs(untar)[row.outfile] == "cvmfsexec"


def test_a_distribution_that_comes_later_is_noticed(tmp_path: Path) -> None:
    path = config(tmp_path, use="<attrs>")
    assert len(reconfig(path, "factory").warnings) == 2
    assert fingerprint.unchanged(path, "factory")
    put(tmp_path, "osg")
    assert not fingerprint.unchanged(path, "factory")
    assert len(reconfig(path, "factory").warnings) == 1


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("", "there is no cvmfsexec distribution to use; put one into its place"),
        ("dist/cvmfsexec", "is no gzip tar with the program cvmfsexec at its top"),
    ],
)
def test_entries_that_would_get_none_are_refused(member: str, says: str, tmp_path: Path) -> None:
    path = config(tmp_path)
    if member:
        put(tmp_path, "osg", member)
    with pytest.raises(InvalidConfig) as caught:
        build(path, "factory", Problems())
    assert [says in str(p) for p in caught.value.problems] == [True]
