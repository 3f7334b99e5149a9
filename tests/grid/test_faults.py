"""The main job with parts that fail: the others go on, nothing is lost, and it is said what is wrong."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from glideinwms.demo import jobs
from glideinwms.demo.full_stack import Chain
from glideinwms.demo.jobs import JobClass
from glideinwms.demo.pool import CondorPool
from glideinwms.demo.process import account
from glideinwms.demo.progress import EntryLook, Look, Watch
from glideinwms.lib.errors import DemoError
from tests.grid.conftest import MakeChain
from tests.grid.waiting import until
from tests.support.small_disk import small_disk

pytestmark = [pytest.mark.condor, pytest.mark.grid]
ALPHA = JobClass(name="only SiteA", count=2, sites="SiteA", entries=("Alpha",))
BETA = JobClass(name="only SiteB", count=2, sites="SiteB", entries=("Beta",))


def submitted(chain: Chain, *classes: JobClass) -> Watch:
    """A watch of freshly submitted jobs."""
    return Watch(chain, jobs.submit(chain.grid, 1, classes), time.time(), classes)


def running(pool: CondorPool, old: int) -> bool:
    """Whether a schedd other than `old` runs."""
    try:
        return pool.pid("SCHEDD") != old
    except DemoError:
        return False


def beta(look: Look) -> EntryLook:
    """The entry whose CE is down."""
    return next((e for e in look.entries if e.name == "Beta"), EntryLook("Beta"))


def outputs(chain: Chain) -> str:
    """What the pilots on the workers have written until now, on both streams."""
    found = [
        p
        for s in ("stdout", "stderr")
        for p in chain.grid.base.glob(f"ce_*/execute/dir_*/_condor_{s}")
    ]
    return "\n".join(p.read_text(errors="replace") for p in found if p.exists())


def test_a_ce_that_is_down_at_the_start_holds_up_only_its_own_jobs(make_chain: MakeChain) -> None:
    chain = make_chain(pools=("user", "wms", "ce_a"))
    watch = submitted(chain, ALPHA, BETA)
    look = until(
        watch,
        lambda w: w.count("only SiteA", "done") == 2,
        "the jobs of the CE that is up are done",
    )
    assert look.count("only SiteB", "idle") == 2
    look = until(watch, lambda w: beta(w).waiting > 0, "pilots wait for the CE that is down")
    assert beta(look).held == 0
    chain.grid.up(["ce_b"])
    until(watch, watch.done, "the CE is up, and its jobs are done")
    assert {jobs.output_of(chain.grid, j.id)["site"] for j in watch.look(0).jobs} == {
        "SiteA",
        "SiteB",
    }


def test_a_user_schedd_that_dies_and_hangs_on_the_way_loses_nothing(make_chain: MakeChain) -> None:
    chain = make_chain()
    watch = submitted(chain, ALPHA, BETA)
    until(watch, lambda w: w.pilots > 0, "there are pilots")
    user = chain.grid["user"]
    old = user.pid("SCHEDD")
    user.signal("SCHEDD", signal.SIGKILL)
    until(watch, lambda _: running(user, old), "the master has started it again", 60)
    user.signal("SCHEDD", signal.SIGSTOP)

    def noticed(_: Look) -> bool:
        status = chain.status("frontend")
        return status is not None and any(
            "user@user.demo" in r.source and r.error for r in status.readings
        )

    until(watch, noticed, "the Frontend sees that the schedd does not answer")
    until(watch, lambda w: w.pilots > 0, "pilots are asked for all the same")
    user.signal("SCHEDD", signal.SIGCONT)
    until(watch, watch.done, "all jobs are done")


def test_a_stage_file_changed_after_signing_is_refused_by_name(make_chain: MakeChain) -> None:
    chain = make_chain()
    changed = sorted((chain.home("factory") / "stage").glob("validate_node.*.sh"))[0]
    changed.write_text(changed.read_text() + "\n# not what was signed\n")
    watch = submitted(chain, ALPHA)
    refused = f"{changed.name} does not have its signed sum, refused"
    until(watch, lambda _: refused in outputs(chain), "the pilot says so")
    assert watch.look(time.time()).slots == 0
    assert "Condor starting" not in outputs(chain)


def test_malformed_and_lying_requests_stop_no_other(make_chain: MakeChain) -> None:
    chain = make_chain()
    head = 'MyType = "DaemonMaster"\nGlideinMyType = "glideclient"\nMyAddress = "<127.0.0.1:0>"\n'
    target = 'ReqName = "Alpha@v1@demo_factory"\nReqGlidein = "Alpha@v1@demo_factory"\n'
    bad = f'{head}{target}Name = "junk"\nClientName = 7\nReqIdleGlideins = "many"\n'
    lie = (
        f'{head}{target}Name = "Alpha@v1@demo_factory@evil"\nClientName = "demo_frontend.analysis"\n'
        'FrontendName = "demo_frontend"\nGroupName = "analysis"\nReqIdleGlideins = 1000\nReqMaxGlideins = 1000\n'
    )
    config = chain.grid.client_config("factory@wms.demo", for_account=True)
    for number, text in enumerate((bad, lie)):
        path = config.parent / f"{number}.ad"
        path.write_text(text)
        path.chmod(0o644)
        chain.grid.run_with(config, "condor_advertise", "UPDATE_MASTER_AD", str(path))
    watch = submitted(chain, ALPHA)
    until(
        watch,
        lambda w: len([p for p in w.problems if p.startswith("Factory: ")]) >= 2,
        "both are refused, by name",
    )
    look = until(watch, watch.done, "the jobs are done")
    assert all(e.waiting + e.queued + e.running <= 3 for e in look.entries)
    refused = "\n".join(look.problems)
    assert "junk" in refused and "evil" in refused


@pytest.mark.slow
def test_a_full_execute_disk_is_learned_by_the_running_factory(
    make_chain: MakeChain, run_dir: Path
) -> None:
    """Pilots say which file had no place, end as a failure of the node, and the entry gets less,
    with that reason.
    """
    with small_disk(run_dir / "small", "40m") as disk:
        execute = disk / "execute"
        execute.mkdir()
        account().own(execute)
        # a CE asks for 1 GB for each pilot, which such a node would not even offer
        small = {"JOB_TRANSFORM_NAMES": "Small", "JOB_TRANSFORM_Small": "SET RequestDisk 1"}
        node = {
            "EXECUTE": str(execute),
            "STARTER_JOB_ENVIRONMENT": '"GLIDEIN_HOLD_DOWN=1"',
            **small,
        }
        chain = make_chain(options={"ce_a": node})
        watch = submitted(chain, ALPHA, BETA)

        def throttled(_: object) -> bool:
            status = chain.status("factory")
            return status is not None and "failing" in status.summary["entries"]["Alpha"]

        until(watch, throttled, "the Factory throttles the entry", 200)
        why = chain.gwms(
            "factory", "factory", "explain", "Alpha", "--work-dir", str(chain.work("factory"))
        )
        assert re.search(
            r"of the last \d+ pilots failed, \d+ with: validation failed in .* \(WN_Resource\)", why
        ), why
        until(watch, lambda w: w.count("only SiteB", "done") == 2, "the other site's jobs are done")
        assert watch.look(time.time()).count("only SiteA", "idle") == 2
