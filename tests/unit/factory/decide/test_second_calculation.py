"""The rules of protocol 4.2-4.7 with the corrections of protocol 9.7, calculated a second time,
plainly, pilot by pilot: the reference `UpstreamDecision` gives the same on random queues and requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.factory.decide.test_golden_decide import (
    candidates,
    of_request,
    request_of,
    upstream_of,
)

Job = dict[str, Any]
NOW = 1_750_000_000
PENDING = (
    "PENDING",
    "INLRMS: Q",
    "INLRMS:Q",
    "PREPARED",
    "SUBMITTING",
    "IDLE",
    "SUSPENDED",
    "REGISTERED",
    "QUEUING",
)
STAGE_IN = ("STAGE_IN", "PREPARING", "ACCEPTING", "ACCEPTED")
RUNNING = ("ACTIVE", "REALLY-RUNNING", "INLRMS: R", "INLRMS:R", "RUNNING")
STAGE_OUT = (
    "STAGE_OUT",
    "INLRMS: E",
    "INLRMS:E",
    "EXECUTED",
    "FINISHING",
    "FINISHED",
    "DONE",
    "COMPLETED",
)
CODES: Mapping[int, tuple[int, ...]] = {13: (), 3: (2, 28)}


def code(job: Job) -> int:
    """4.2."""
    status, word = job["JobStatus"], job.get("GridJobStatus")
    word = None if word is None else word.upper()
    if status == 1:
        return (
            1001
            if word is None
            else 1002
            if word in PENDING
            else 1010
            if word in STAGE_IN
            else 1100
        )
    if status == 2:
        return 2 if word in (None, *RUNNING) else 4010 if word in STAGE_OUT else 1100
    return int(status)


def totals(jobs: Sequence[Job]) -> tuple[int, int, int]:
    """Idle, running, held."""
    found = [code(j) for j in jobs]
    return sum(1000 <= c <= 1100 for c in found), found.count(2), found.count(5)


def lost(job: Job) -> bool:
    """Protocol 4.7: held, and unrecoverable."""
    number = job.get("HoldReasonCode")
    if number not in CODES or (CODES[number] and job.get("HoldReasonSubCode") not in CODES[number]):
        return True
    return bool(job["NumSystemHolds"] > 10)


def sanitised(jobs: Sequence[Job], factory: Job) -> Any:
    """Protocol 4.7: (removals by group with their number), pilots that may be released, how many
    are, whether it is work.
    """
    age = {j["id"]: NOW - j["EnteredCurrentStatus"] for j in jobs}
    held = [j for j in jobs if j["JobStatus"] == 5]
    gone, hopeful = [j for j in held if lost(j)], [j for j in held if not lost(j)]
    groups = {
        "stale_idle": [
            j for j in jobs if j["JobStatus"] == 1 and age[j["id"]] > factory["stale_age_idle"]
        ],
        "stale_running": [
            j for j in jobs if j["JobStatus"] == 2 and age[j["id"]] > factory["stale_age_running"]
        ],
        "held_unrecoverable_forcex": [j for j in gone if j["NumSystemHolds"] > 20],
        "held_unrecoverable": [j for j in gone if j["NumSystemHolds"] <= 20],
    }
    removed = [
        (g, ids(found), min(factory["max_removes_per_call"], len(found)))
        for g, found in groups.items()
        if found
    ]
    ready = [j for j in hopeful if age[j["id"]] >= 300 * j["NumSystemHolds"]]
    return (
        removed,
        ids(ready),
        min(len(ready), factory["max_releases_per_call"] + 1),
        bool(removed or hopeful),
    )


def ids(jobs: Sequence[Job]) -> list[str]:
    return [j["id"] for j in jobs]


def supply(case: Job) -> Any:
    """Protocol 4.3 steps 5 to 12: (effective idle, what is done, whether it is work)."""
    jobs, limits, factory, ask = case["queue"], case["limits"], case["factory"], case["request"]
    key = f"{ask['security_name']}:{ask['security_class']}"
    same = [j for j in jobs if j["GlideinFrontendName"] == key]
    own = of_request(case, request_of(ask, 0, case))
    idle, running, held = totals(jobs)
    blocked = (
        idle >= limits["entry_max_idle"]
        or idle + running >= limits["entry_max_glideins"]
        or held >= limits["entry_max_held"]
    )
    wanted = (
        0
        if blocked or case["in_downtime"] or key in case["classes_in_downtime"]
        else ask["ReqIdleGlideins"]
    )
    c_idle, c_running, c_held = totals(same)
    if c_held >= limits["class_default_max_held"]:
        found = sanitised([dict(j) for j in own], factory)
        return wanted, ("sanitise", *found[:3]), found[3]
    o_idle, o_running, _ = totals(own)
    need = wanted - o_idle
    if need > 0 and o_idle + o_running + need >= ask["ReqMaxGlideins"]:
        need = ask["ReqMaxGlideins"] - o_idle - o_running
    if need > 0:
        need = min(
            need,
            limits["entry_max_idle"] - idle,
            limits["entry_max_glideins"] - idle - running,
            limits["class_default_max_idle"] - c_idle,
            limits["class_default_max_glideins"] - c_idle - c_running,
        )
    if need > 0:
        return wanted, ("submit", min(need, factory["max_submit_per_cycle"])), True
    chosen = excess(own, ask, c_idle, c_running, c_held)
    done = (
        ("remove", min(factory["max_removes_per_call"], len(chosen)), chosen)
        if chosen
        else ("nothing",)
    )
    return wanted, done, bool(chosen)


def excess(own: Sequence[Job], ask: Job, idle: int, running: int, held: int) -> list[str]:
    """Protocol 4.6: the pilots that may be taken."""
    level, margin, most = (
        ask["ReqRemoveExcess"],
        ask["ReqRemoveExcessMargin"],
        ask["ReqMaxGlideins"],
    )
    stuck = [j for j in own if j["JobStatus"] == 5]
    stuck = [j for j in stuck if lost(j)] + [j for j in stuck if not lost(j)]
    over = level == "ALL" and running + idle > most + margin
    if level not in ("WAIT", "IDLE", "ALL"):
        return []
    if not over and idle <= ask["ReqIdleGlideins"] + margin:
        return ids(stuck) if level == "ALL" and most == 0 and held > 0 else []
    n = idle - ask["ReqIdleGlideins"] - margin
    if over and running + ask["ReqIdleGlideins"] > most:
        n = running + idle - most - margin
    n = max(n, 0)
    waiting = [j for j in own if code(j) == 1001][:n]
    queued = [j for j in own if code(j) in (1002, 1010, 1100)][:n] if level != "WAIT" else []
    live = [*[j for j in own if j["JobStatus"] == 2][:n], *stuck] if level == "ALL" else []
    return ids(waiting or queued or live)


WHO = (
    ("vo1", "A", "vo1.main", "c1"),
    ("vo1", "A", "vo1.two", "c1"),
    ("vo1", "A", "vo1.main", "c2"),
    ("vo1", "B", "vo1.main", "c1"),
    ("vo2", "A", "vo2.main", "c1"),
)
AGES = (1, 299, 300, 3000, 3300, 604800, 604801, 2678400, 2678401)
WORDS = (
    None,
    None,
    None,
    "PENDING",
    "running",
    "ACTIVE",
    "DONE",
    "weird",
    "",
    "ACCEPTED",
    "inlrms: e",
)


@st.composite
def jobs(draw: Any) -> Job:
    """A pilot of one of five kinds of requests."""
    name, cls, client, credential = draw(st.sampled_from(WHO))
    job: Job = {
        "JobStatus": draw(st.sampled_from((1, 1, 2, 2, 5, 5, 3, 4))),
        "ServerTime": NOW,
        "EnteredCurrentStatus": NOW - draw(st.sampled_from(AGES)),
        "GlideinFrontendName": f"{name}:{cls}",
        "GlideinClient": client,
        "GlideinSecurityClass": cls,
        "GlideinCredentialIdentifier": credential,
        "GlideinEntrySubmitFile": "job.condor",
        "NumSystemHolds": draw(st.sampled_from((0, 1, 10, 11, 20, 21))),
    }
    if (word := draw(st.sampled_from(WORDS))) is not None:
        job["GridJobStatus"] = word
    if job["JobStatus"] == 5:
        job["HoldReasonCode"] = draw(st.sampled_from((13, 3, 3, 6)))
        job["HoldReasonSubCode"] = draw(st.sampled_from((0, 2, 28)))
    return job


@st.composite
def cases(draw: Any) -> Job:
    """A keep_idle case of golden-factory."""
    limit = st.sampled_from((0, 1, 3, 8, 15, 1000, 1000, 1000))
    limits: Job = {f"class_max_{k}": "" for k in ("glideins", "idle", "held")}
    limits |= {
        f"{who}_max_{k}": draw(limit)
        for who in ("entry", "class_default")
        for k in ("glideins", "idle", "held")
    }
    name, cls, client, credential = draw(st.sampled_from(WHO))
    return {
        "server_time": NOW,
        "queue": [
            {"id": f"{100 + k}.0", **job}
            for k, job in enumerate(draw(st.lists(jobs(), max_size=25)))
        ],
        "frontends": {
            "vo1": {"identity": "1", "classes": ["A", "B"]},
            "vo2": {"identity": "2", "classes": ["A"]},
        },
        "limits": limits,
        "factory": {
            "max_submit_per_cycle": draw(st.sampled_from((1, 5, 100))),
            "submit_cluster_size": 10,
            "max_removes_per_call": draw(st.sampled_from((1, 3, 1000))),
            "max_releases_per_call": draw(st.sampled_from((0, 1, 20))),
            "stale_age_idle": 604800,
            "stale_age_running": 2678400,
            "recoverable_exitcodes": "13,3 28 2",
        },
        "in_downtime": draw(st.integers(0, 9)) == 0,
        "classes_in_downtime": ["vo1:A"] if draw(st.integers(0, 9)) == 0 else [],
        "request": {
            "client_name": client,
            "security_name": name,
            "security_class": cls,
            "credential_id": credential,
            "ReqIdleGlideins": draw(st.sampled_from((0, 1, 2, 5, 50))),
            "ReqMaxGlideins": draw(st.sampled_from((0, 1, 5, 30, 100))),
            "ReqRemoveExcess": draw(st.sampled_from(("NO", "WAIT", "IDLE", "ALL", "ALL", "UNREG"))),
            "ReqRemoveExcessMargin": draw(st.sampled_from((0, 1, 3))),
        },
    }


@given(cases())
@settings(deadline=None, max_examples=400)
def test_one_request(case: Job) -> None:
    request = request_of(case["request"], 0, case)
    [row] = upstream_of(case, [request]).requests()
    own = of_request(case, request)
    done: Any = ("nothing",)
    if row.path == ("submit",):
        done = ("submit", row.planned)
    elif row.path == ("sanitise",):
        removed = [(r.group, list(r.ids), min(r.cap, len(r.ids))) for r in row.removals]
        ready = [i for r in row.releases for i in r.ids]
        done = ("sanitise", removed, ready, sum(min(r.cap, len(r.ids)) for r in row.releases))
    elif row.removals:
        chosen = candidates(row.removals[0], own)[1]
        done = ("remove", min(row.removals[0].cap, len(chosen)), chosen)
    assert (row.effective_idle, done, row.work > 0) == supply(case)


@given(cases())
@settings(deadline=None, max_examples=300)
def test_sanitising(case: Job) -> None:
    found = upstream_of(case, []).sanitise()
    removed = [(r.group, list(r.ids), min(r.cap, len(r.ids))) for r in found.removals]
    ready, n = (
        [i for r in found.releases for i in r.ids],
        sum(min(r.cap, len(r.ids)) for r in found.releases),
    )
    assert (removed, ready, n, found.found) == sanitised(case["queue"], case["factory"])
