"""The rules of protocol 4.3 to 4.7 as docs/differences.md mends them, written down once more, the plainest way, and
held against what is really decided for all requests of an entry in a cycle.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.factory.decide.entry import EntryDecision
from glideinwms.factory.plan import PilotRelease, PilotRemoval, RequestPlan
from glideinwms.factory.policy import Limits
from glideinwms.factory.snapshot import RunningRemovals, TakenRemoval
from tests.unit.factory.decide.test_golden_decide import input_of, request_of
from tests.unit.factory.decide.test_second_calculation import (
    NOW,
    WHO,
    Job,
    cases,
    code,
    lost,
    totals,
)

SPECIAL = Limits(6, 2, 3)


class InOrder(random.Random):
    """Serves requests by name."""

    def shuffle(self, x: Any) -> None:
        pass


class ByTheBook:
    """One entry, request after request."""

    def __init__(self, case: Job, taken: int) -> None:
        self.case, self.jobs, self.f = case, case["queue"], case["factory"]
        self.new: list[Job] = []
        self.left = max(5, totals(self.jobs)[1] // 10) - taken

    def limits(self, who: str) -> tuple[int, int, int]:
        """Pilots, idle and held ones: of the entry, or of a class."""
        if who == "vo1:B":
            return SPECIAL.glideins, SPECIAL.idle, SPECIAL.held
        kind = "class_default" if who else "entry"
        found = [self.case["limits"][f"{kind}_max_{k}"] for k in ("glideins", "idle", "held")]
        return found[0], found[1], found[2]

    def there(self, **same: str) -> list[Job]:
        """Pilots in the queue and those submitted in this cycle."""
        return [j for j in [*self.jobs, *self.new] if all(j[k] == v for k, v in same.items())]

    def request(self, ask: Job) -> Any:
        """What is submitted, removed or released for one request."""
        key = f"{ask['security_name']}:{ask['security_class']}"
        mine = {
            "GlideinClient": ask["client_name"],
            "GlideinSecurityClass": ask["security_class"],
            "GlideinCredentialIdentifier": ask["credential_id"],
        }
        own = [j for j in self.jobs if all(j[k] == v for k, v in mine.items())]
        most, most_idle, most_held = self.limits("")
        c_most, c_idle, c_held = self.limits(key)
        idle, running, held = totals(self.there())
        full = idle >= most_idle or idle + running >= most or held >= most_held
        down = self.case["in_downtime"] or key in self.case["classes_in_downtime"]
        wanted = 0 if ask["refused"] or down or full else ask["ReqIdleGlideins"]
        of_class = totals(self.there(GlideinFrontendName=key))
        if of_class[2] >= c_held:
            return "sanitise", *self.sanitised(own)
        o_idle, o_running, _ = totals(own)
        room = (
            wanted - o_idle,
            ask["ReqMaxGlideins"] - o_idle - o_running,
            most_idle - idle,
            most - idle - running,
            c_idle - of_class[0],
            c_most - of_class[0] - of_class[1],
            self.f["max_submit_per_cycle"],
        )
        if min(room) > 0:
            self.new += [{"JobStatus": 1, "GlideinFrontendName": key}] * min(room)
            return "submit", min(room)
        return "remove", *self.excess(own, ask)

    def excess(self, own: Sequence[Job], ask: Job) -> tuple[int, int]:
        """Protocol 4.6 over the request's own pilots: how many live ones go, how many held ones."""
        level, margin, top = (
            ask["ReqRemoveExcess"],
            ask["ReqRemoveExcessMargin"],
            ask["ReqMaxGlideins"],
        )
        cap = self.f["max_removes_per_call"]
        idle, running, held = totals(own)
        idle_over, over = idle - ask["ReqIdleGlideins"] - margin, idle + running - top - margin
        over = over if level == "ALL" else 0
        if level not in ("WAIT", "IDLE", "ALL") or (idle_over <= 0 and over <= 0):
            return 0, min(held, cap) if level == "ALL" and top == 0 else 0
        n = over if over > 0 and running + ask["ReqIdleGlideins"] > top else idle_over
        waiting = [j for j in own if code(j) == 1001][:n]
        queued = [j for j in own if code(j) in (1002, 1010, 1100)][:n] if level != "WAIT" else []
        if found := waiting or queued:
            return min(len(found), cap), 0
        if over <= 0:
            return 0, 0
        live = min(n, cap, max(self.left, 0), sum(j["JobStatus"] == 2 for j in own))
        self.left -= live
        return live, min(held, cap - live)

    def sanitised(self, jobs: Sequence[Job]) -> tuple[list[int], int, bool]:
        """Protocol 4.7: how many of each step are removed, how many held ones released, whether
        there was anything.
        """
        age = {j["id"]: NOW - j["EnteredCurrentStatus"] for j in jobs}
        held = [j for j in jobs if j["JobStatus"] == 5]
        gone = [j for j in held if lost(j)]
        steps = (
            [j for j in jobs if j["JobStatus"] == 1 and age[j["id"]] > self.f["stale_age_idle"]],
            [j for j in jobs if j["JobStatus"] == 2 and age[j["id"]] > self.f["stale_age_running"]],
            [j for j in gone if j["NumSystemHolds"] > 20],
            [j for j in gone if j["NumSystemHolds"] <= 20],
        )
        left, removed = self.f["max_removes_per_call"], []
        for step in steps:
            removed.append(min(left, len(step)))
            left -= removed[-1]
        ready = [j for j in held if not lost(j) and age[j["id"]] >= 300 * j["NumSystemHolds"]]
        return (
            removed,
            min(len(ready), self.f["max_releases_per_call"]),
            any(steps) or len(held) > len(gone),
        )

    def end(self, done: Sequence[Any]) -> tuple[list[int], int]:
        """Sanitising of the whole entry, where no request did anything but submit."""
        busy = any(sum(d[1:]) if d[0] == "remove" else d[0] == "sanitise" and d[3] for d in done)
        return ([0, 0, 0, 0], 0) if busy else self.sanitised(self.jobs)[:2]


STEPS = ("stale_idle", "stale_running", "held_unrecoverable_forcex", "held_unrecoverable")


def numbers(
    removals: Sequence[PilotRemoval], releases: Sequence[PilotRelease]
) -> tuple[list[int], int]:
    """What a planned sanitising comes to, as `ByTheBook` says it."""
    found = {r.group: min(r.cap, len(r.ids)) for r in removals}
    return [found.get(s, 0) for s in STEPS], sum(min(r.cap, len(r.ids)) for r in releases)


def done_by(row: RequestPlan) -> Any:
    """What a planned row comes to, as `ByTheBook` says it."""
    if row.path == ("submit",):
        return "submit", row.submitted
    if row.path == ("sanitise",):
        return "sanitise", *numbers(row.removals, row.releases), row.work > 0
    live = sum(min(r.n, r.cap) for r in row.removals if r.states)
    return "remove", live, sum(min(len(r.ids), r.cap - live) for r in row.removals)


def asks(who: tuple[str, str, str, str]) -> st.SearchStrategy[Job]:
    name, cls, client, credential = who
    return st.fixed_dictionaries(
        {
            "client_name": st.just(client),
            "security_name": st.just(name),
            "security_class": st.just(cls),
            "credential_id": st.just(credential),
            "refused": st.sampled_from((False, False, False, True)),
            "ReqIdleGlideins": st.sampled_from((50, 50, 5, 2, 0)),
            "ReqMaxGlideins": st.sampled_from((100, 100, 30, 5, 0)),
            "ReqRemoveExcess": st.sampled_from(("NO", "WAIT", "IDLE", "ALL", "ALL", "UNREG")),
            "ReqRemoveExcessMargin": st.sampled_from((0, 1, 3)),
        }
    )


LIMITS = [
    f"{who}_max_{k}" for who in ("entry", "class_default") for k in ("glideins", "idle", "held")
]
FEW = st.dictionaries(st.sampled_from(LIMITS), st.integers(0, 30), min_size=1, max_size=2)


@given(
    cases(),
    FEW,
    st.tuples(*(asks(who) for who in WHO)),
    st.sets(st.sampled_from(range(len(WHO))), min_size=1),
    st.integers(0, 7),
)
@settings(deadline=None, max_examples=400)
def test_all_requests_of_a_cycle(
    case: Job, few: dict[str, int], all_asks: Any, chosen: set[int], taken: int
) -> None:
    case["limits"].update({**dict.fromkeys(LIMITS, 1000), **few})
    wanted = [all_asks[k] for k in sorted(chosen)]
    rows = [
        replace(request_of(ask, k, case), whitelisted=not ask["refused"])
        for k, ask in enumerate(wanted)
    ]
    made = input_of(case, rows)
    policy = replace(made.policy, class_limits={**made.policy.class_limits, "vo1:B": SPECIAL})
    rail = RunningRemovals(
        (
            TakenRemoval(NOW - 10, "A", "R9", taken),
            TakenRemoval(NOW - 3600, "A", "R9", 99),
            TakenRemoval(NOW - 10, "B", "R9", 99),
        )
    )
    plan = EntryDecision(replace(made, policy=policy, rail=rail), NOW, InOrder()).plan()
    book = ByTheBook(case, taken)
    done = [book.request(ask) for ask in wanted]
    assert [done_by(row) for row in plan.requests] == done
    assert numbers(plan.removals, plan.releases) == book.end(done)
    assert plan.unless_submitted == any(d[0] == "submit" for d in done)
