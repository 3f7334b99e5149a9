"""The decisions of GlideinWMS 3.10 (golden-factory) by the reference `UpstreamDecision`: no difference but the
order in which equally good pilots are taken. Where a case has commands that fail, the plan is
played as `apply` and `pick_and_act` do. Where the deployed program aborts, ours answers: as for the
same case without what it stumbles over (protocol 9.7/6, 9.7/8, 9.7/11, 9.7/12).
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.decide.entry import EntryDecision, EntryInput
from glideinwms.factory.decide.limits import LimitTotals
from glideinwms.factory.decide.pilot_states import state_code
from glideinwms.factory.decide.sanitise import recoverable_codes
from glideinwms.factory.plan import PilotRelease, PilotRemoval, RequestPlan
from glideinwms.factory.policy import EntryPolicy, Limits, SubEntry
from glideinwms.factory.snapshot import PilotGroup, PilotQueue, QueuedPilot, Request
from glideinwms.factory.submit.batches import sizes
from tests.unit.factory.builders import entry
from tests.unit.factory.decide.upstream import (
    UpstreamDecision,
    UpstreamTotals,
    parse_class_limits,
    removal_state,
)

CASES = Path(__file__).parents[3] / "data" / "golden-factory" / "cases.jsonl"
ALL = [json.loads(line) for line in CASES.read_text().splitlines()]
Case = dict[str, Any]


def of(*kinds: str, aborted: bool = False) -> Any:
    """The cases of some kinds, as parameters: those that the deployed program has an answer to, or
    has none to.
    """
    found = [
        c
        for c in ALL
        if c["kind"] in kinds and (c["output"].get("exception") is not None) is aborted
    ]
    return pytest.mark.parametrize("case", found, ids=[c["id"] for c in found])


class Fixed(random.Random):
    """Deals files in the order that the recording had."""

    def __init__(self, order: Sequence[str]) -> None:
        super().__init__(0)
        self.order = list(order)

    def shuffle(self, x: Any) -> None:
        if sorted(self.order) == sorted(map(str, x)):
            x[:] = self.order


def classes(given: Case) -> list[str]:
    return [f"{name}:{c}" for name, f in given["frontends"].items() for c in f["classes"]]


def aliases(given: Case) -> dict[str, str]:
    """Class of a request -> the class that the deployed program looks at: the first Frontend of the
    identity.
    """
    first: dict[str, str] = {}
    out = {}
    for name, f in given["frontends"].items():
        owner = first.setdefault(f["identity"], name)
        out.update({f"{name}:{c}": f"{owner}:{c}" for c in f["classes"]})
    return out


def entry_of(given: Case) -> EntryPolicy:
    n, f = given["limits"], given["factory"]
    default = Limits(*(n[f"class_default_max_{k}"] for k in ("glideins", "idle", "held")))
    files = f.get("submit_files") or ["job.condor"]
    subs = tuple(SubEntry(x, "g", "condor", x) for x in files) if len(files) > 1 else ()
    return entry(
        limits=Limits(*(n[f"entry_max_{k}"] for k in ("glideins", "idle", "held"))),
        class_default=default,
        class_limits=parse_class_limits(
            default,
            idle=n["class_max_idle"],
            held=n["class_max_held"],
            glideins=n["class_max_glideins"],
            known=classes(given),
        ),
        stale_idle=f["stale_age_idle"],
        stale_running=f["stale_age_running"],
        submit_cluster_size=f["submit_cluster_size"],
        submit_max_per_cycle=f["max_submit_per_cycle"],
        remove_max_per_cycle=f["max_removes_per_call"],
        release_max_per_cycle=f["max_releases_per_call"],
        sub_entries=subs,
        selection_algorithm=f.get("entry_selection_algorithm") or "",
    )


def names(job: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    get = job.get
    return (
        "A",
        get("GlideinClient", ""),
        get("GlideinFrontendName", ""),
        get("GlideinSecurityClass", ""),
        get("GlideinCredentialIdentifier", ""),
        get("GlideinEntrySubmitFile", ""),
    )


def queue_of(given: Case) -> PilotQueue:
    groups = Counter(
        (*names(j), j.get("JobStatus", 0), j.get("GridJobStatus")) for j in given["queue"]
    )
    return PilotQueue(
        tuple(PilotGroup(*key, n) for key, n in groups.items()),
        tuple(pilot(j, given["server_time"]) for j in given["queue"]),
    )


def pilot(job: Mapping[str, Any], now: int) -> QueuedPilot:
    since = job.get("EnteredCurrentStatus")
    code, sub = job.get("HoldReasonCode"), job.get("HoldReasonSubCode")
    return QueuedPilot(
        job["id"],
        *names(job),
        job.get("JobStatus", 0),
        job.get("GridJobStatus"),
        None if since is None else job.get("ServerTime", now) - since,
        int(code) if str(code).isdigit() else None,
        sub if isinstance(sub, int) else None,
        job.get("NumSystemHolds"),
        "ServerTime" in job,
    )


def request_of(row: Mapping[str, Any], number: int, given: Case) -> Request:
    def whole(value: Any) -> int:
        return int(value) if value is not None else 0

    return Request(
        f"R{number}",
        "A",
        row["client_name"],
        security_name=row["security_name"],
        security_class=row["security_class"],
        credential=row["credential_id"],
        idle=whole(row["ReqIdleGlideins"]),
        max_glideins=whole(row["ReqMaxGlideins"]),
        remove_level=row["ReqRemoveExcess"] or "NO",
        remove_margin=whole(row["ReqRemoveExcessMargin"]),
        whitelisted=row["security_name"] not in given.get("security_names_not_allowed", ()),
    )


def input_of(given: Case, requests: Sequence[Request]) -> EntryInput:
    return EntryInput(
        policy=entry_of(given),
        queue=queue_of(given),
        requests=requests,
        classes=classes(given),
        down="down" if given.get("in_downtime") else None,
        class_down=frozenset(given.get("classes_in_downtime", ())),
        codes=recoverable_codes(given["factory"]["recoverable_exitcodes"]),
    )


def draws_of(given: Case) -> Fixed:
    return Fixed(given["factory"].get("submit_files_after_shuffle") or [])


def decision_of(given: Case, requests: Sequence[Request]) -> EntryDecision:
    """The production code on a case."""
    return EntryDecision(input_of(given, requests), given["server_time"], draws_of(given))


def upstream_of(given: Case, requests: Sequence[Request]) -> UpstreamDecision:
    """The reference on a case."""
    return UpstreamDecision(
        input_of(given, requests), given["server_time"], draws_of(given), aliases(given)
    )


def candidates(
    removal: PilotRemoval, mine: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Of one removal: the ids that may be taken, and those that are, as far as its cap goes."""
    live = [
        j["id"]
        for j in mine
        if set(removal.states) & set(removal_state(j.get("JobStatus", 0), j.get("GridJobStatus")))
    ]
    return [*live, *removal.ids], [*live[: removal.n], *removal.ids]


def commands(ids: Sequence[str], cap: int, failing: Sequence[str]) -> int:
    """How many are tried until `cap` have not failed."""
    return next(
        (k for k in range(len(ids)) if sum(i not in failing for i in ids[:k]) >= cap), len(ids)
    )


def removed(
    removals: Sequence[PilotRemoval], mine: Sequence[Mapping[str, Any]], given: Case
) -> list[tuple[str, int]]:
    """(group, pilots tried) of each removal."""
    failing = given.get("remove_failures", ())
    return [(r.group, commands(candidates(r, mine)[1], r.cap, failing)) for r in removals]


def released(releases: Sequence[PilotRelease], given: Case) -> int:
    """Pilots tried in all."""
    return sum(commands(r.ids, r.cap, given.get("release_failures", ())) for r in releases)


def told(output: Case) -> list[tuple[str, int]]:
    """The same of the recording: a forced removal is one pilot, not two commands; a call without
    pilots is none.
    """
    given = iter(output["remove"])
    plain = [
        (g, sum(not c["forcex"] for c in itertools.islice(given, g["commands"])))
        for g in output["remove_groups"]
    ]
    return [(g["group"], n) for g, n in plain if g["candidates"]]


def offered(output: Case) -> list[Case]:
    """Removal calls that had pilots to take."""
    return [g for g in output["remove_groups"] if g["candidates"]]


def of_request(given: Case, request: Request) -> list[Mapping[str, Any]]:
    key = (request.client, request.security_class, request.credential)
    return [
        j
        for j in given["queue"]
        if (
            j.get("GlideinClient"),
            j.get("GlideinSecurityClass"),
            j.get("GlideinCredentialIdentifier"),
        )
        == key
    ]


def clusters_of(row: RequestPlan, given: Case) -> list[tuple[str, int]]:
    """(file, pilots) of each submit command that `apply` gives: after one that fails, none. A
    cluster is taken whole or not at all, so that a short one of the recording (protocol 9.7/2) has
    no counterpart.
    """
    size = given["factory"]["submit_cluster_size"]
    found = [(p.file, n) for p in row.placements for n in sizes(p.n, size)]
    failure = given.get("submit_failure") or {}
    return found[: failure["submit_call"]] if failure.get("type") == "error" else found


def same_submission(row: RequestPlan, clusters: Sequence[Case], planned: int, given: Case) -> None:
    if (given.get("submit_failure") or {}).get("type") == "short":
        assert row.submitted == sum(c["accepted"] for c in clusters)
    else:
        assert Counter(clusters_of(row, given)) == Counter(
            (c["file"], c["asked"]) for c in clusters
        )
    assert row.planned == planned


def work_of(row: RequestPlan, clusters: Sequence[Case]) -> int:
    """What keep-idle returns once the submission is known: nothing if a command failed (protocol
    protocol 9.7/1).
    """
    return 0 if any(c["accepted"] == 0 for c in clusters) else row.work


def same_removals(
    removals: Sequence[PilotRemoval], out: Case, mine: Sequence[Mapping[str, Any]], given: Case
) -> None:
    """The removal calls of one request or of a sanitising pass."""
    assert removed(removals, mine, given) == told(out)
    for removal, group in zip(removals, offered(out), strict=True):
        assert removal.force == group["force"]
        fit, chosen = candidates(removal, mine)
        if group["candidate_order"] == "arbitrary" or group["group"] == "excess":
            assert set(group["candidates"]) <= set(fit) and len(group["candidates"]) == len(chosen)
        else:
            assert chosen == group["candidates"]


@of("state_class")
def test_state_class(case: Case) -> None:
    job = case["input"]["job"]
    assert state_code(job["JobStatus"], job.get("GridJobStatus")) == case["output"]["state_code"]


@of("limits")
def test_limits(case: Case) -> None:
    given, out = case["input"], case["output"]
    totals = LimitTotals(entry_of(given), queue_of(given).groups, classes(given))
    assert (not totals.blocked()) == out["can_submit"]
    t = totals.entry
    assert {"idle": t.idle, "running": t.running, "held": t.held} == out["entry_totals"]
    for key, theirs in out["class_totals"].items():
        c = totals.classes[key]
        mine = {
            "max_glideins": c.limits.glideins,
            "max_held": c.limits.held,
            "max_idle": c.limits.idle,
            "running": c.running,
            "held": c.held,
            "idle": c.idle,
        }
        assert mine == theirs, key
        assert totals.held_reached(key) == out["class_held_limit_reached"][key]
    for row in out["allowed_additional"]:
        assert totals.clamp(row["class"], row["wanted"])[0] == row["allowed"]
    # what was once recorded stays with its last numbers (protocol 9.7/9)
    before = {**given, "queue": given.get("earlier_queue", given["queue"])}
    seen = UpstreamTotals(input_of(before, ()), {}).triggered()
    now = UpstreamTotals(input_of(given, ()), {}).triggered()
    assert {**seen, **now} == out["limits_triggered"]


@of("keep_idle")
def test_keep_idle(case: Case) -> None:
    given, out = case["input"], case["output"]
    request = request_of(given["request"], 0, given)
    [row] = upstream_of(given, [request]).requests()
    assert row.effective_idle == out["effective_idle"]
    same_submission(row, out["submit"]["clusters"], out["submit"]["pilots_asked_of_submit"], given)
    same_removals(row.removals, out, of_request(given, request), given)
    assert [i for r in row.releases for i in r.ids] == out["release_candidates"]
    assert released(row.releases, given) == len(out["release"])
    assert list(row.path) == out["path"]
    assert work_of(row, out["submit"]["clusters"]) == out["return"]
    assert upstream_of(given, [request]).limits == out["limits_triggered"]


@of("sanitize")
def test_sanitise(case: Case) -> None:
    given, out = case["input"], case["output"]
    found = upstream_of(given, []).sanitise()
    same_removals(found.removals, out, [], given)
    assert [i for r in found.releases for i in r.ids] == out["release_candidates"]
    assert released(found.releases, given) == len(out["release"])
    assert int(found.found) == out["return"]


@of("excess")
def test_excess(case: Case) -> None:
    given, out = case["input"], case["output"]
    request = request_of(given["request"], 0, given)
    cycle = upstream_of(given, [request])
    # as if nothing was to be submitted: no pilot may be added
    cycle.totals.clamp = lambda key, wanted: (0, [])  # type: ignore[method-assign]
    cycle.totals.held_reached = lambda key: False  # type: ignore[method-assign]
    tally = cycle.totals.classes[aliases(given)[request.security_key]]
    assert {"idle": tally.idle, "running": tally.running, "held": tally.held} == out["class_totals"]
    [row] = cycle.requests()
    same_removals(row.removals, out, of_request(given, request), given)
    assert row.work == out["return"]
    assert list(row.path) == out["path"]


@of("cycle")
def test_cycle(case: Case) -> None:
    given, out = case["input"], case["output"]
    requests = [request_of(r, i, given) for i, r in enumerate(given["requests"])]
    plan = upstream_of(given, requests).plan()
    assert len(plan.requests) == len(out["per_request"])
    calls: list[tuple[str, int]] = []
    for row, theirs, request in zip(plan.requests, out["per_request"], requests, strict=True):
        assert row.effective_idle == theirs["effective_idle"]
        same_submission(row, theirs["submit"], theirs["pilots_asked_of_submit"] or 0, given)
        mine = removed(row.removals, of_request(given, request), given)
        calls += mine
        assert sum(k for _, k in mine) == sum(1 for c in theirs["remove"] if not c["forcex"])
        assert released(row.releases, given) == len(theirs["release"])
        assert list(row.path) == theirs["path"]
        assert work_of(row, theirs["submit"]) == theirs["keep_idle_return"]
    assert sum(r["keep_idle_return"] > 0 for r in out["per_request"]) == out["return"]
    end = out["entry_sanitise"]
    served = plan.unless_submitted and any(r["keep_idle_return"] for r in out["per_request"])
    last = [] if served else plan.removals
    calls += removed(last, [], given)
    assert sum(k for _, k in removed(last, [], given)) == sum(
        1 for c in end["remove"] if not c["forcex"]
    )
    assert calls == told(out)
    assert (0 if served else released(plan.releases, given)) == len(end["release"])
    assert plan.limits == out["limits_triggered"]


def mended(case: Case) -> Case:
    """The same case without what the deployed program stumbles over."""
    given: Case = json.loads(json.dumps(case["input"]))
    for job in given["queue"]:
        job.setdefault("NumSystemHolds", 0 if job.get("JobStatus") == 5 else None)
        job.setdefault("GlideinFrontendName", "")
    for row in [*given.get("requests", ()), *([given["request"]] if "request" in given else ())]:
        for key in ("ReqIdleGlideins", "ReqMaxGlideins", "ReqRemoveExcessMargin"):
            row[key] = None if row[key] is None else int(row[key])
    codes = given["factory"]["recoverable_exitcodes"]
    given["factory"]["recoverable_exitcodes"] = ",".join(
        " ".join(c.split()) for c in codes.split(",")
    )
    return given


@of("limits", "keep_idle", "excess", "sanitize", "cycle", aborted=True)
def test_where_the_deployed_factory_aborts(case: Case) -> None:
    """Every request is answered, as in the same case mended, and what was done before the abort is
    done.
    """
    given, out = case["input"], case["output"]
    rows = given.get("requests") or ([given["request"]] if "request" in given else [])
    requests = [request_of(r, i, given) for i, r in enumerate(rows)]
    plan = upstream_of(given, requests).plan()
    assert plan == upstream_of(mended(case), requests).plan()
    assert len(plan.requests) == len(rows)
    tried = Counter(dict(r for row in plan.requests for r in clusters_of(row, given)))
    assert tried >= Counter(
        {c["file"]: c["asked"] for c in out.get("submit", {}).get("clusters", ())}
    )
    known = {
        i for r in [*plan.removals, *(r for p in plan.requests for r in p.removals)] for i in r.ids
    }
    known |= {j["id"] for j in given["queue"] if j.get("JobStatus") != 5}
    assert {c["id"] for c in out.get("remove", ())} <= known


@of("keep_idle", "excess", "sanitize", "cycle")
def test_mended_does_never_more(case: Case) -> None:
    """The production code (docs/differences.md): no removal, release or submission beyond the
    deployed one's, but where a downtime leaks into other requests (protocol 9.3/37) or a full CE
    loses its turn (protocol 9.7/3).
    """
    given = case["input"]
    rows = given.get("requests") or ([given["request"]] if "request" in given else [])
    requests = [request_of(r, i, given) for i, r in enumerate(rows)]
    ours, theirs = decision_of(given, requests).plan(), upstream_of(given, requests).plan()
    more = "security_names_not_allowed" in given or given["factory"].get(
        "entry_selection_algorithm"
    )
    named = {r.name: r for r in requests}
    for row, same in zip(
        ours.requests, sorted(theirs.requests, key=lambda r: r.request), strict=True
    ):
        assert more or row.submitted <= same.submitted
        mine = of_request(given, named[row.request])
        most = sum(n for _, n in removed(same.removals, mine, {}))
        assert sum(n for _, n in removed(row.removals, mine, {})) <= most
        if len(rows) == 1 and not more:
            assert row.placements == same.placements
    assert rows or [r.ids for r in ours.releases] == [r.ids for r in theirs.releases[:1]]
    assert sum(r.cap for r in ours.removals) <= given["factory"]["max_removes_per_call"]
    assert released(ours.releases, {}) <= given["factory"]["max_releases_per_call"]
