"""Following logs, reading outputs, judging entries: on files, with a clock of the test's."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.pilot_history import follow, pilot_log
from glideinwms.factory.pilot_history.follow import (
    KEEP,
    OUTPUT_WAIT,
    QUIET,
    TIDY,
    LogPlace,
    PilotFollower,
)
from glideinwms.factory.pilot_history.health import PilotOutcome, judge
from glideinwms.factory.policy import Guard
from tests.support import golden
from tests.unit.factory.builders import entry, policy

NOW = 1_800_000_000.0
GUARD = Guard()
GOOD, BAD = golden.text("pilot-output/job.4711.0.out"), golden.text("pilot-output/job.4711.1.out")
TEXT = {
    0: "Job submitted from host: <10.0.0.1:9618>",
    1: "Job executing on host: ce",
    5: "Job terminated.",
    9: "aborted",
}


class Site:
    """An entry's log directory."""

    def __init__(
        self, base: Path, client: str = "fe.main", name: str = "A", day: str = "20270115"
    ) -> None:
        self.dir = base / "client/user_feuser/glidein_inst" / f"entry_{name}"
        self.dir.mkdir(parents=True, exist_ok=True)
        self.log = self.dir / f"condor_activity_{day}_{client}.log"

    def event(self, code: int, cluster: int, when: float, proc: int = 0) -> None:
        """One event."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
        with self.log.open("a") as out:
            out.write(f"{code:03d} ({cluster:03d}.{proc:03d}.000) {stamp} {TEXT[code]}\n...\n")
        os.utime(self.log, (when, when))

    def pilot(self, cluster: int, ended: float, output: str | None = GOOD) -> None:
        """A whole life."""
        self.event(0, cluster, ended - 300)
        self.event(1, cluster, ended - 200)
        if output is not None:
            (self.dir / f"job.{cluster}.0.out").write_text(output)
        self.event(5, cluster, ended)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def learner(base: Path) -> PilotFollower:
    return PilotFollower(base / "state")


def test_lives_are_put_together_across_cycles_and_restarts(base: Path) -> None:
    site, p = Site(base), policy(base)
    site.event(0, 7, NOW - 500)
    learner(base).update(p, NOW)
    site.event(1, 7, NOW - 400)
    learner(base).update(p, NOW)
    (site.dir / "job.7.0.out").write_text(GOOD)
    site.event(5, 7, NOW - 100)
    mine = learner(base)
    mine.update(p, NOW)
    [done] = mine.db.finished("A", 0)
    assert (done.submitted, done.started, done.ended) == (NOW - 500, NOW - 400, NOW - 100)
    assert (done.client, done.username, done.id, done.jobs, done.lifetime) == (
        "fe.main",
        "feuser",
        "7.0",
        1,
        14,
    )
    [line] = next((base / "log/entry_A").glob("completed_jobs_*.log")).read_text().splitlines()
    assert line == done.line()


def test_a_log_is_followed_across_midnight_until_its_last_pilot_has_ended(base: Path) -> None:
    old, p = Site(base, day="20270114"), policy(base)
    old.event(0, 7, NOW - 3 * 86400)
    mine = learner(base)
    mine.update(p, NOW)
    mine.update(p, NOW + TIDY + 1)
    assert mine.followed() == {str(old.log)}
    old.pilot(8, NOW)
    old.event(9, 7, NOW)
    mine.update(p, NOW + TIDY + 2)
    mine.update(p, NOW + QUIET + 2 * TIDY)
    assert mine.followed() == set()
    assert {f.id for f in mine.db.finished("A", 0)} == {"7.0", "8.0"}
    again = learner(base)
    again.update(p, NOW + QUIET + 2 * TIDY)
    assert again.followed() == set(), "what is over is not read anew"


def test_an_output_that_comes_late_is_waited_for(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(7, NOW, None)
    site.pilot(8, NOW, None)
    mine.update(p, NOW + 1)
    assert mine.db.finished("A", 0) == []
    (site.dir / "job.7.0.out").write_text(BAD)
    mine.update(p, NOW + 60)
    assert [(f.id, f.cause) for f in mine.db.finished("A", 0)] == [
        ("7.0", "validation failed in client/fail.sh (VO_Config)")
    ]
    mine.update(p, NOW + OUTPUT_WAIT + 1)
    assert {(f.id, f.output, f.cause) for f in mine.db.finished("A", 0)} >= {("8.0", False, "")}


def test_a_failing_entry_is_throttled_and_recovers_by_itself(base: Path) -> None:
    site, p, mine = Site(base), policy(base, entry(submit_max_per_cycle=100)), learner(base)
    for i in range(10):
        site.pilot(100 + i, NOW - 100 + i, BAD)
    [found] = mine.update(p, NOW)
    assert found.cap == 1 and "10 of the last 10" in found.text and "client/fail.sh" in found.text
    assert learner(base).update(p, NOW) == (found,), "also after a restart"
    for i in range(12):
        site.pilot(200 + i, NOW + i)
    [found] = mine.update(p, NOW + 60)
    assert found.cap is None and found.finished == 20


def test_old_evidence_does_not_throttle_for_ever(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    for i in range(10):
        site.pilot(100 + i, NOW - 100, BAD)
    assert mine.update(p, NOW)[0].cap == 1
    assert mine.update(p, NOW + GUARD.window)[0].cap is None


def test_removed_pilots_and_lost_outputs_are_no_failures(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    for i in range(20):
        site.event(0, i, NOW - 50)
        site.event(9, i, NOW - 40)
    mine.update(p, NOW)
    assert len(mine.db.finished("A", 0)) == 20
    assert [h.cap for h in mine.update(p, NOW)] in ([], [None])


BAD_CLIENT = [
    PilotOutcome(frontend="fe.bad", ended=NOW - i, cause="validation failed in client/x.sh")
    for i in range(20)
]
GOOD_CLIENT = [PilotOutcome(frontend="fe.good", ended=NOW - i) for i in range(GUARD.least)]


def caps(outcomes: list[PilotOutcome], guard: Guard = GUARD) -> dict[str, int | None]:
    return {h.frontend: h.cap for h in judge("A", outcomes, 100, NOW, guard)}


def test_one_frontends_broken_script_does_not_stop_the_others() -> None:
    assert caps(BAD_CLIENT) == {"": 1}
    assert caps(BAD_CLIENT + GOOD_CLIENT) == {"": None, "fe.bad": 1}
    assert (
        "of fe.bad failed, 20 with: validation"
        in judge("A", BAD_CLIENT + GOOD_CLIENT, 100, NOW)[1].text
    )
    assert caps(BAD_CLIENT[: GUARD.least - 1]) == {"": None}, "too few to tell"
    half = [
        PilotOutcome(frontend="fe.half", ended=NOW - i, cause="x" if i % 2 else "")
        for i in range(20)
    ]
    assert caps(BAD_CLIENT + half) == {"": 25, "fe.bad": 1}


def of_client(client: str, n: int, cause: str = "", frontend: str = "fe") -> list[PilotOutcome]:
    return [
        PilotOutcome(frontend=frontend, client=client, ended=NOW - i, cause=cause) for i in range(n)
    ]


def clients(outcomes: list[PilotOutcome]) -> dict[tuple[str, str], int | None]:
    return {(h.frontend, h.client): h.cap for h in judge("A", outcomes, 100, NOW, GUARD)}


def test_one_groups_broken_script_does_not_stop_its_frontends_other_groups() -> None:
    outcomes = of_client("fe.bad", 20, "x") + of_client("fe.good", 20)
    assert clients(outcomes) == {("", ""): None, ("fe", "fe.bad"): 1}
    text = judge("A", outcomes, 100, NOW, GUARD)[1].text
    assert "of fe.bad (Frontend fe) failed" in text


def test_a_forged_client_name_hurts_only_the_frontend_that_claims_it() -> None:
    outcomes = of_client("fe.main", 20) + of_client("fe.main", 99, "x", frontend="other")
    assert clients(outcomes) == {("", ""): None, ("other", "fe.main"): 1}


def test_clients_with_few_pilots_each_are_judged_together() -> None:
    """A Frontend cannot escape the guard by changing its ClientName."""
    small = [o for n in range(20) for o in of_client(f"fe.{n}", 1, "x")]
    outcomes = small + of_client("fe.good", 20) + of_client("ok", 20, frontend="other")
    assert clients(outcomes) == {("", ""): None, ("fe", ""): 1, ("fe", "fe.good"): None}


def test_the_guard_is_as_configured() -> None:
    assert caps(BAD_CLIENT, Guard(pilots=0)) == {"": None}
    assert caps(BAD_CLIENT[:4], Guard(least=4)) == {"": 1}
    assert caps([replace(o, ended=NOW - 50) for o in BAD_CLIENT], Guard(window=40)) == {"": None}
    third = [
        PilotOutcome(frontend="c", ended=NOW - i, cause="" if i % 3 else "x") for i in range(18)
    ]
    assert caps(third) == {"": None} and caps(third, Guard(share=0.3)) == {"": 44}


@pytest.mark.parametrize("share", range(0, 21))
def test_the_more_fail_the_fewer_are_sent_but_always_one(share: int) -> None:
    def cap(n: int) -> float:
        found = caps(
            [PilotOutcome(frontend="c", ended=NOW, cause="x" if i < n else "") for i in range(20)]
        )[""]
        return float("inf") if found is None else found

    assert 1 <= cap(share) <= (cap(share - 1) if share else float("inf"))


def test_a_backlog_is_read_in_parts(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "BYTES", 10_000)
    monkeypatch.setattr(follow, "OUTPUTS", 50)
    site, p, mine = Site(base), policy(base), learner(base)
    for i in range(300):
        site.pilot(i, NOW - 400 + i)
    seen = []
    for _ in range(12):
        mine.update(p, NOW)
        seen.append(len(mine.db.finished("A", 0)))
    assert seen[0] == 50 and seen[-1] == 300
    assert all(b - a <= 50 for a, b in pairwise(seen))


def test_what_is_gone_is_forgotten(base: Path) -> None:
    site, p, mine = Site(base), policy(base), learner(base)
    site.pilot(1, NOW)
    site.event(0, 2, NOW)
    mine.update(p, NOW)
    site.log.unlink()
    mine.update(p, NOW + KEEP + TIDY + 1)
    assert mine.followed() == set() and mine.db.finished("A", 0) == []


def test_a_damaged_memory_is_begun_anew(base: Path) -> None:
    site, p = Site(base), policy(base)
    site.pilot(1, NOW)
    (base / "state/learned.db").write_bytes(b"not a database" * 100)
    mine = learner(base)
    mine.update(p, NOW)
    assert len(mine.db.finished("A", 0)) == 1
    assert (base / "state/learned.db.bad").exists()


def test_one_file_is_open_at_a_time(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(100):
        Site(base, name=f"E{n}").pilot(1, NOW)
    most = 0
    real = pilot_log.tail

    def count(path: Path) -> Any:
        nonlocal most
        most = max(most, len(list(Path("/proc/self/fd").iterdir())))
        return real(path)

    monkeypatch.setattr(follow, "tail", count)
    before = len(list(Path("/proc/self/fd").iterdir()))
    mine = learner(base)
    mine.update(policy(base, *(replace(entry(), name=f"E{n}") for n in range(100))), NOW)
    assert most - before < 10 and len(mine.followed()) == 100


def test_what_a_path_says() -> None:
    path = Path("/c/user_feuser/glidein_inst/entry_CMS_A/condor_activity_20270115_fe_x.main.log")
    assert LogPlace.of(path) == LogPlace("CMS_A", "feuser", "fe_x.main")
