"""What HTCondor makes of our configuration for containers: image, binds, options, by job and slot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import classad2
import pytest

from glideinwms.demo.portable import Condor
from tests.support import pilot_files

pytestmark = [pytest.mark.condor]
DICT = "rhel9:/img/nine,rhel8:/cvmfs/repo/eight,default:docker://any/one"
SLOT = {"GPUs": 0}


class Native:
    """The generated configuration; `ask` evaluates one of its expressions as the starter does."""

    def __init__(
        self,
        condor: Condor,
        base: Path,
        environment: dict[str, str] | None = None,
        call: str = "write_native PREFERRED",
        **values: str,
    ) -> None:
        self.condor, self.file = condor, base / "condor_config"
        given = {
            "GWMS_SINGULARITY_PATH": "/usr/bin/apptainer",
            "GWMS_CONTAINER_OPTIONS": "--pid --userns",
            "SINGULARITY_IMAGES_DICT": DICT,
            "SINGULARITY_IMAGE_RESTRICTIONS": "any",
            **values,
        }
        files = pilot_files.write(base / "files")
        script = "".join(f"cfg[{name}]='{value}'\n" for name, value in given.items())
        done = subprocess.run(
            [
                "bash",
                "-c",
                f". {files}/singularity_lib.sh; . {files}/singularity_native.source\n"
                f"declare -A cfg\n{script}{call}",
            ],
            env={"PATH": "/usr/bin:/bin", **(environment or {})},
            text=True,
            capture_output=True,
            check=True,
        )
        self.file.write_text(done.stdout)

    def ask(
        self, name: str, job: dict[str, object], slot: dict[str, object] | None = None
    ) -> object:
        """Value of a knob for a job on a slot."""
        done = subprocess.run(
            [self.condor.prefix / "bin/condor_config_val", name],
            env={"CONDOR_CONFIG": str(self.file), "PATH": "/usr/bin:/bin"},
            text=True,
            capture_output=True,
            check=True,
        )
        my, target = classad2.ClassAd({**SLOT, **(slot or {})}), classad2.ClassAd(job)
        return classad2.ExprTree(done.stdout.strip()).eval(my, target)


IMAGES = [
    ({}, "docker://any/one"),
    ({"REQUIRED_OS": "any"}, "docker://any/one"),
    ({"REQUIRED_OS": "rhel8"}, "/cvmfs/repo/eight"),
    ({"REQUIRED_OS": "rhel6, rhel8,rhel9"}, "/cvmfs/repo/eight"),
    ({"REQUIRED_OS": "a,b,c,rhel9"}, "/img/nine"),
    ({"SingularityImage": "/own", "REQUIRED_OS": "rhel8"}, "/own"),
]


@pytest.mark.parametrize(("job", "image"), IMAGES)
def test_image(condor: Condor, tmp_path: Path, job: dict[str, object], image: str) -> None:
    native = Native(condor, tmp_path)
    assert native.ask("SINGULARITY_IMAGE_EXPR", job) == image
    assert native.ask("SINGULARITY_JOB", job) is True


def test_no_image_and_images_that_are_not_allowed(condor: Condor, tmp_path: Path) -> None:
    assert Native(condor, tmp_path).ask("SINGULARITY_JOB", {"REQUIRED_OS": "suse15"}) is False
    native = Native(
        condor, tmp_path, SINGULARITY_IMAGE_RESTRICTIONS="cvmfs", GLIDEIN_REQUIRED_OS="rhel8"
    )
    assert native.ask("SINGULARITY_JOB", {"SingularityImage": "docker://own"}) is False
    assert native.ask("SINGULARITY_JOB", {"REQUIRED_OS": "rhel9"}) is False
    assert native.ask("SINGULARITY_IMAGE_EXPR", {}) == "/cvmfs/repo/eight"
    native = Native(condor, tmp_path, {"CVMFS_MOUNT_DIR": "/else/where/"})
    assert (
        native.ask("SINGULARITY_IMAGE_EXPR", {"REQUIRED_OS": "rhel8"}) == "/else/where/repo/eight"
    )
    assert native.ask("SINGULARITY_IMAGE_EXPR", {"REQUIRED_OS": "rhel9"}) == "/img/nine"


@pytest.mark.parametrize(
    ("job", "slot", "words"),
    [
        ({}, {}, "--userns --cleanenv --pwd /srv"),
        ({"GPU_USE": 1}, {}, "--userns --cleanenv --nv --pwd /srv"),
        ({}, {"GPUs": 2}, "--userns --cleanenv --nv --pwd /srv"),
    ],
)
def test_options(
    condor: Condor, tmp_path: Path, job: dict[str, object], slot: dict[str, object], words: str
) -> None:
    native = Native(condor, tmp_path, GLIDEIN_SINGULARITY_OPTS="--cleanenv")
    assert native.ask("SINGULARITY_EXTRA_ARGUMENTS", job, slot) == words
    assert native.ask("SINGULARITY_USE_PID_NAMESPACES", {}) is True
    assert (
        Native(condor, tmp_path, GWMS_CONTAINER_OPTIONS="").ask(
            "SINGULARITY_USE_PID_NAMESPACES", {}
        )
        is False
    )


def test_binds(condor: Condor, tmp_path: Path) -> None:
    (tmp_path / "cvmfs").mkdir()
    more = {
        "GLIDEIN_SINGULARITY_BINDPATH": "/usr:/there:ro,/nonexistent",
        "GLIDEIN_SINGULARITY_BINDPATH_DEFAULT": "/etc",
    }
    native = Native(condor, tmp_path, {"CVMFS_MOUNT_DIR": str(tmp_path / "cvmfs")}, **more)
    binds = str(native.ask("SINGULARITY_BIND_EXPR", {})).split()
    assert binds[:2] == ["/usr:/there:ro", "/etc"] and binds[-1] == f"{tmp_path}/cvmfs:/cvmfs"
    for no in (False, 0):
        assert (
            str(native.ask("SINGULARITY_BIND_EXPR", {"SingularityBindCVMFS": no})).split()
            == binds[:-1]
        )


@pytest.mark.parametrize(
    ("job", "launch", "matches"),
    [
        ({}, "wrapper", True),
        ({"Environment": "A=1 B='x LDAP'"}, "wrapper", True),
        ({"Environment": "A=1 LD_PRELOAD=./x.so"}, "wrapper", False),
        ({"Environment": "A=1 L'D_'PRELOAD=./x.so"}, "vo", False),
        ({"Env": "A=1;LD_LIBRARY_PATH=."}, "wrapper", False),
        ({"Environment": "LD_PRELOAD=./x.so"}, "native", True),
        ({"PreCmd": "x"}, "native", False),
        ({"PostCmd": "x"}, "wrapper", False),
        ({"TransferPlugins": "x=y"}, "vo", False),
    ],
)
def test_jobs_that_bring_programs_for_outside_do_not_match(
    condor: Condor, tmp_path: Path, job: dict[str, object], launch: str, matches: bool
) -> None:
    native = Native(condor, tmp_path, call=f"echo START = True; write_refusals {launch}")
    assert native.ask("START", job) is matches
