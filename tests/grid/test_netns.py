"""Hosts in network namespaces: jobs reach their pilots through CCB; a link that is cut loses and doubles nothing."""

from __future__ import annotations

import subprocess
import time
from collections import Counter

import pytest

from glideinwms.demo import jobs, netns
from glideinwms.demo.full_stack import Chain
from glideinwms.demo.jobs import JobClass
from glideinwms.demo.progress import EntryLook, Look, Watch
from tests.grid.conftest import MakeChain
from tests.grid.waiting import until

pytestmark = [pytest.mark.condor, pytest.mark.grid, pytest.mark.netns]
ALPHA = JobClass(name="only SiteA", count=2, sites="SiteA", entries=("Alpha",))
BETA = JobClass(name="only SiteB", count=4, sites="SiteB", entries=("Beta",))
CUT_SECONDS = 30


@pytest.fixture(autouse=True)
def _possible() -> None:
    if why := netns.why_not():
        pytest.skip(why)


def at_the_ce(chain: Chain) -> list[str]:
    """The WMS schedd's id of every pilot that the CE has had, one for each time it was submitted
    there.
    """
    words = ("-af", "SubmitterGlobalJobId")
    queue = chain.grid["ce_b"].tool("condor_q", "-all", *words).split()
    return queue + chain.grid["ce_b"].tool("condor_history", *words).split()


def beta(look: Look) -> EntryLook:
    """What the Factory says of the entry."""
    return next((e for e in look.entries if e.name == "Beta"), EntryLook("Beta"))


def executions(chain: Chain) -> Counter[str]:
    """How often each user job has started, by its event log."""
    lines = (jobs.jobs_dir(chain.grid) / "jobs.log").read_text().splitlines()
    ids = (line.split()[1].strip("()").split(".") for line in lines if line.startswith("001 "))
    return Counter(f"{int(cluster)}.{int(proc)}" for cluster, proc, _ in ids)


def reaches(chain: Chain, pool: str, other: str) -> bool:
    """Whether a pool's host can open a connection to another one's port."""
    argv = ["bash", "-c", f": < /dev/tcp/{chain.grid[other].collector.replace(':', '/')}"]
    try:
        return (
            subprocess.run(
                [*chain.grid.enter(pool), *argv], capture_output=True, timeout=5
            ).returncode
            == 0
        )
    except subprocess.TimeoutExpired:
        return False


def test_a_cut_link_loses_and_doubles_nothing(make_chain: MakeChain) -> None:
    chain = make_chain(netns=True)
    network = chain.grid.network
    assert network is not None
    first = jobs.submit(chain.grid, 3, (ALPHA,))
    watch = Watch(chain, first, time.time(), (ALPHA,))
    until(watch, lambda w: w.slots > 0, "a pilot has joined")
    address = chain.grid.run(jobs.USER, "condor_status", "-limit", "1", "-af", "MyAddress")
    assert "CCBID=" in address and chain.grid.address("ce_a") in address
    until(watch, watch.done, "the jobs are done")

    kinds = jobs.submit(chain.grid, 1, (BETA,))
    second = Watch(chain, kinds, time.time(), (BETA,))
    until(second, lambda w: beta(w).waiting > 0, "pilots are queued")
    network.cut("wms", "site")
    cut = time.time()
    assert (
        not reaches(chain, "wms", "ce_b")
        and reaches(chain, "user", "ce_b")
        and reaches(chain, "wms", "user")
    )
    most = 0

    def cut_long_enough(look: Look) -> bool:
        nonlocal most
        most = max(most, beta(look).waiting + beta(look).queued)
        assert look.count(BETA.name, "idle") == BETA.count
        return look.now > cut + CUT_SECONDS

    until(second, cut_long_enough, "some time has passed")
    assert 0 < most <= BETA.count
    network.restore()
    assert reaches(chain, "wms", "ce_b")
    until(second, second.done, "the link is back, and the jobs are done", 240)
    had = at_the_ce(chain)
    assert 0 < len(had) <= BETA.count and len(set(had)) == len(had)
    assert executions(chain) == Counter([*first, *kinds])


def test_nothing_of_a_network_is_left() -> None:
    made = netns.Network(("one", "two"))
    made.create()
    assert (
        made.namespace("one")
        in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    )
    made.remove()
    assert made.token not in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert (
        made.bridge
        not in subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    )
    assert not list(netns.ETC.glob(f"*{made.token}*"))
