"""Whatever fails, in whatever order: limits hold, nothing is doubled, and all is well once it heals."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from glideinwms.factory.policy import Limits
from glideinwms.lib.daemon import audit, status
from tests.scenario.coupled_daemons import CoupledDaemons

TOTAL, IDLE = 12, 5
# Pilots without a slot in the pool may be removed once no job has been idle for some cycles
# (protocol 5.7); a request that asks for it is served for 15 minutes at most.
TURNS_WITHOUT_JOBS, TURNS_OF_A_REQUEST = 5, 16
FAULTS = (
    "queue.down",
    "queue.hung",
    "queue.hung_after",
    "jobs.down",
    "jobs.hung",
    "wms.down",
    "wms.hung",
    "user.down",
    "user.hung",
)
STEP = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
    st.tuples(st.just("heal"), st.just("")),
    st.tuples(st.sampled_from(["jobs", "done", "run", "end", "hold"]), st.integers(1, 8)),
    st.tuples(st.just("nothing"), st.just("")),
)


def heal(pair: CoupledDaemons) -> None:
    for fault in FAULTS:
        name, _, kind = fault.partition(".")
        setattr(getattr(pair, name), kind, False)


def act(pair: CoupledDaemons, what: str, how: str | int) -> None:
    if what == "fault":
        name, _, kind = str(how).partition(".")
        setattr(getattr(pair, name), kind, True)
    elif what == "heal":
        heal(pair)
    elif what == "jobs":
        pair.jobs.add(int(how), Wants="x")
    elif what == "done":
        pair.jobs.forget("JobStatus == 1", int(how))
    elif what == "run":
        pair.queue.set("JobStatus == 1", int(how), JobStatus=2, GridJobStatus="RUNNING")
    elif what == "end":
        pair.queue.forget("JobStatus == 2", int(how))
    elif what == "hold":
        pair.queue.set(
            "JobStatus == 1", int(how), JobStatus=5, HoldReasonCode=16, HoldReasonSubCode=0
        )


def within_limits(pair: CoupledDaemons, history: list[object]) -> None:
    idle, total = (
        pair.queue.count("JobStatus == 1"),
        pair.queue.count("JobStatus == 1 || JobStatus == 2"),
    )
    assert idle <= IDLE and total <= TOTAL, f"{idle} idle of {total} after {history}"
    ids = [job["GlideinSubmitId"] for job in pair.queue.jobs.values()]
    clusters = {(job["GlideinSubmitId"], job["ClusterId"]) for job in pair.queue.jobs.values()}
    assert len(clusters) == len(set(ids)), "no submit was made twice"


QUIET_FOR_LONG = [
    *[("heal", "")] * 5,
    ("done", 6),
    *[("heal", "")] * 9,
    ("run", 3),
    ("nothing", ""),
]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(QUIET_FOR_LONG)
@given(st.lists(STEP, min_size=5, max_size=30))
def test_limits_hold_and_nothing_is_doubled(steps: list[tuple[str, str | int]]) -> None:
    logging.getLogger().setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        pair = CoupledDaemons(Path(folder), Limits(TOTAL, IDLE, 100))
        pair.jobs.add(6, Wants="x")
        done: list[object] = []
        without_jobs = 0
        removal_until = -1
        for turn, (what, how) in enumerate(steps):
            act(pair, what, how)
            done.append((what, how))
            before = pair.queue.count("JobStatus == 2")
            without_jobs = 0 if pair.jobs.count("JobStatus == 1") else without_jobs + 1
            if without_jobs > TURNS_WITHOUT_JOBS:
                removal_until = turn + TURNS_OF_A_REQUEST
            pair.turn()
            within_limits(pair, done)
            if turn > removal_until:
                assert pair.queue.count("JobStatus == 2") == before, (
                    f"a running pilot was removed after {done}"
                )
        heal(pair)
        pair.jobs.add(3, Wants="x")
        pair.queue.forget("true")
        for _ in range(12):
            pair.turn()
            within_limits(pair, done)
        for who in ("factory", "frontend"):
            told = status.read(pair.base / who / "state/status.json")
            assert told.error == "" and all(not r.error for r in told.readings), (
                who,
                told.error,
                told.readings,
                done,
            )
        assert pair.queue.count() > 0, f"with idle jobs there are pilots again after {done}"
        for line in audit.read(pair.base / "factory/state/audit.jsonl"):
            assert line["act"] in ("submit", "remove", "release", "credential"), line
