"""A `batch slurm` entry: pilots go through blahp to a real Slurm and run there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glideinwms.demo.portable import Condor
from glideinwms.demo.process import Account, account
from glideinwms.lib.errors import DemoError
from tests.grid.factory.grid_factory import GridFactory
from tests.grid.waiting import wait_for
from tests.support.slurm import Slurm, unpacked

pytestmark = pytest.mark.slurm


@pytest.fixture
def slurm(run_dir: Path) -> Iterator[Slurm]:
    who: Account = account()
    try:
        cluster = Slurm(run_dir / "slurm", unpacked(), who)
        cluster.up()
    except DemoError as error:
        pytest.skip(f"no Slurm here: {error}")
    yield cluster
    cluster.down()


def blahp(home: Path, condor: Condor, slurm: Slurm, who: Account) -> Path:
    """A blahp of our own: HTCondor's programs, a copy of its scripts and configuration for this
    cluster.
    """
    home.mkdir()
    for name in ("bin", "sbin", "lib"):
        (home / name).symlink_to(condor.prefix / name)
    shutil.copytree(condor.prefix / "libexec/blahp", home / "libexec/blahp", symlinks=True)
    (home / "etc").mkdir()
    lines = (condor.prefix / "etc/blah.config").read_text().splitlines()
    kept = [t for t in lines if not t.startswith(("slurm_binpath", "supported_lrms"))]
    (home / "etc/blah.config").write_text(
        "\n".join([*kept, "supported_lrms=slurm", f"slurm_binpath={slurm.bin}\n"])
    )
    status = home / "libexec/blahp/slurm_status.py"
    status.write_text(status.read_text().replace("cache_timeout = 60", "cache_timeout = 2"))
    who.own(home)
    return home


def test_pilots_run_in_slurm(
    make_rig: Callable[..., GridFactory], slurm: Slurm, condor: Condor, run_dir: Path
) -> None:
    home = blahp(run_dir / "blahp", condor, slurm, account())
    rig = make_rig(
        ("wms",),
        options={
            "wms": {
                "BLAHPD_LOCATION": str(home),
                "BATCH_GAHP": f"{home}/bin/blahpd",
                "SHOULD_USE_BOSCO": "False",
            }
        },
    )
    rig.write(entries=(rig.entry("A", "", gridtype="batch slurm"),))
    rig.start()
    rig.ask(idle=2, top=2)
    wait_for("pilots in the queue", lambda: len(rig.queue()) == 2)
    wait_for("pilots running in Slurm", lambda: len(rig.queue("JobStatus == 2")) == 2, 120)
    jobs = rig.queue()
    assert all("slurm/" in j["GridJobId"] for j in jobs), jobs
    rig.ask(idle=0, top=0)
    rig.gwms("entry", "rm", "A", "--state", "running")
    wait_for("all gone", lambda: not rig.queue(), 120)
