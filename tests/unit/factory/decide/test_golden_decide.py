"""The deployed Factory's own decisions (golden-factory), in strict mode: no difference but the order in which equally
good pilots are taken. Failing commands of the recording have no part in a decision and are left out."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.decide.cycle import EntryCycle, EntryInput
from glideinwms.factory.decide.limits import Totals, parse_class_limits
from glideinwms.factory.decide.sanitise import recoverable_codes
from glideinwms.factory.decide.states import removal_state, state_code
from glideinwms.factory.plan import Removal, RequestPlan
from glideinwms.factory.policy import EntryPolicy, Limits, SubEntry
from glideinwms.factory.snapshot import Pilot, PilotGroup, Queue, Request
from tests.unit.factory.makes import entry

CASES = Path(__file__).parents[3] / "data" / "golden-factory" / "cases.jsonl"
ALL = [json.loads(line) for line in CASES.read_text().splitlines()]
Case = dict[str, Any]
# decisions that the deployed program could not come to, or that hang on commands that fail
LEFT_OUT = {c["id"] for c in ALL if c["output"].get("exception")} | {
    c["id"] for c in ALL if any(c["input"].get(k) for k in ("submit_failure", "remove_failures", "release_failures"))
}


def of(kind: str) -> Any:
    """The cases of a kind, as parameters."""
    found = [c for c in ALL if c["kind"] == kind and c["id"] not in LEFT_OUT]
    return pytest.mark.parametrize("case", found, ids=[c["id"] for c in found])


class Fixed(random.Random):
    """Deals files in the order that the recording had."""

    def __init__(self, order: Sequence[str]) -> None:
        super().__init__(0)
        self.order = list(order)

    def shuffle(self, x: Any) -> None:
        if set(self.order) == set(x):
            x[:] = self.order


def classes(given: Case) -> list[str]:
    return [f"{name}:{c}" for name, f in given["frontends"].items() for c in f["classes"]]


def aliases(given: Case) -> dict[str, str]:
    """Class of a request -> the class that the deployed program looks at: the first Frontend of the identity."""
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
            default, n["class_max_idle"], n["class_max_held"], n["class_max_glideins"], classes(given)
        ),
        stale_idle=f["stale_age_idle"], stale_running=f["stale_age_running"],
        submit_cluster_size=f["submit_cluster_size"], submit_max_per_cycle=f["max_submit_per_cycle"],
        remove_max_per_cycle=f["max_removes_per_call"], release_max_per_cycle=f["max_releases_per_call"],
        sub_entries=subs, selection_algorithm=f.get("entry_selection_algorithm") or "",
    )  # fmt: skip


def names(job: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    get = job.get
    return (
        "A", get("GlideinClient", ""), get("GlideinFrontendName", ""), get("GlideinSecurityClass", ""),
        get("GlideinCredentialIdentifier", ""), get("GlideinEntrySubmitFile", ""),
    )  # fmt: skip


def queue_of(given: Case) -> Queue:
    groups = Counter((*names(j), j.get("JobStatus", 0), j.get("GridJobStatus")) for j in given["queue"])
    return Queue(
        tuple(PilotGroup(*key, n) for key, n in groups.items()),
        tuple(pilot(j, given["server_time"]) for j in given["queue"]),
    )


def pilot(job: Mapping[str, Any], now: int) -> Pilot:
    since = job.get("EnteredCurrentStatus")
    code, sub = job.get("HoldReasonCode"), job.get("HoldReasonSubCode")
    return Pilot(
        job["id"], *names(job), job.get("JobStatus", 0), job.get("GridJobStatus"),
        None if since is None else job.get("ServerTime", now) - since,
        int(code) if str(code).isdigit() else None, sub if isinstance(sub, int) else None, job.get("NumSystemHolds"),
        "ServerTime" in job,
    )  # fmt: skip


def request_of(row: Mapping[str, Any], number: int, given: Case) -> Request:
    def whole(value: Any) -> int:
        return int(value) if value is not None else 0

    return Request(
        f"R{number}", "A", row["client_name"], security_name=row["security_name"],
        security_class=row["security_class"], credential=row["credential_id"], idle=whole(row["ReqIdleGlideins"]),
        max_glideins=whole(row["ReqMaxGlideins"]), remove_level=row["ReqRemoveExcess"] or "NO",
        remove_margin=whole(row["ReqRemoveExcessMargin"]),
        whitelisted=row["security_name"] not in given.get("security_names_not_allowed", ()),
    )  # fmt: skip


def cycle_of(given: Case, requests: Sequence[Request]) -> EntryCycle:
    order = given["factory"].get("submit_files_after_shuffle") or []
    return EntryCycle(
        EntryInput(
            entry_of(given), queue_of(given), requests, classes(given), "down" if given.get("in_downtime") else None,
            frozenset(given.get("classes_in_downtime", ())),
            recoverable_codes(given["factory"]["recoverable_exitcodes"]), aliases=aliases(given),
        ),
        given["server_time"], Fixed(order), strict=True,
    )  # fmt: skip


def taken(removal: Removal, mine: Sequence[Mapping[str, Any]]) -> tuple[str, list[str], int]:
    """Of one removal: its group, the ids that may be taken, how many are."""
    live = [
        j["id"] for j in mine
        if set(removal.states) & set(removal_state(j.get("JobStatus", 0), j.get("GridJobStatus")))
    ]  # fmt: skip
    fit = [*(live if removal.states and removal.n >= len(live) else live[: removal.n]), *removal.ids]
    return removal.group, [*live, *removal.ids], min(removal.cap, len(fit))


def removed(removals: Sequence[Removal], mine: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """(group, pilots taken) of each removal."""
    return [(g, n) for g, _, n in (taken(r, mine) for r in removals)]


def told(output: Case) -> list[tuple[str, int]]:
    """The same of the recording: a forced removal is one pilot, not two commands; a call without pilots is none."""
    groups = output["remove_groups"]
    forced = sum(1 for c in output["remove"] if c["forcex"])
    return [
        (g["group"], g["commands"] - (forced if g["group"] == "held_unrecoverable_forcex" else 0))
        for g in groups
        if g["candidates"]
    ]


def offered(output: Case) -> list[Case]:
    """Removal calls that had pilots to take."""
    return [g for g in output["remove_groups"] if g["candidates"]]


def of_request(given: Case, request: Request) -> list[Mapping[str, Any]]:
    key = (request.client, request.security_class, request.credential)
    return [
        j for j in given["queue"]
        if (j.get("GlideinClient"), j.get("GlideinSecurityClass"), j.get("GlideinCredentialIdentifier")) == key
    ]  # fmt: skip


def same_submission(row: RequestPlan, clusters: Sequence[Case], planned: int) -> None:
    asked: Counter[str] = Counter()
    for c in clusters:
        asked[c["file"]] += c["asked"]
    assert {p.file: p.n for p in row.placements} == dict(asked)
    assert row.planned == planned


@of("state_class")
def test_state_class(case: Case) -> None:
    job = case["input"]["job"]
    assert state_code(job["JobStatus"], job.get("GridJobStatus")) == case["output"]["state_code"]


@of("limits")
def test_limits(case: Case) -> None:
    given, out = case["input"], case["output"]
    totals = Totals(entry_of(given), queue_of(given).groups, classes(given))
    assert (not totals.blocked()) == out["can_submit"]
    t = totals.entry
    assert {"idle": t.idle, "running": t.running, "held": t.held} == out["entry_totals"]
    for key, theirs in out["class_totals"].items():
        c = totals.classes[key]
        mine = {
            "max_glideins": c.limits.glideins, "max_held": c.limits.held, "max_idle": c.limits.idle,
            "running": c.running, "held": c.held, "idle": c.idle,
        }  # fmt: skip
        assert mine == theirs, key
        assert totals.held_reached(key) == out["class_held_limit_reached"][key]
    for row in out["allowed_additional"]:
        assert totals.clamp(row["class"], row["wanted"])[0] == row["allowed"]
    if "earlier_queue" not in given:
        assert totals.triggered(strict=True) == out["limits_triggered"]


@of("keep_idle")
def test_keep_idle(case: Case) -> None:
    given, out = case["input"], case["output"]
    request = request_of(given["request"], 0, given)
    [row] = cycle_of(given, [request]).requests()
    assert row.effective_idle == out["effective_idle"]
    same_submission(row, out["submit"]["clusters"], out["submit"]["pilots_asked_of_submit"])
    mine = of_request(given, request)
    assert removed(row.removals, mine) == told(out)
    for removal, group in zip(row.removals, offered(out), strict=True):
        assert set(group["candidates"]) <= set(taken(removal, mine)[1])
    ready = [i for r in row.releases for i in r.ids]
    assert sorted(ready) == sorted(out["release_candidates"])
    assert sum(min(r.cap, len(r.ids)) for r in row.releases) == len(out["release"])
    assert list(row.path) == out["path"]
    assert row.work == out["return"]
    if "limits_triggered" in out:
        assert cycle_of(given, [request]).limits == out["limits_triggered"]


@of("sanitize")
def test_sanitise(case: Case) -> None:
    given, out = case["input"], case["output"]
    found = cycle_of(given, []).sanitise()
    assert removed(found.removals, []) == told(out)
    for removal, group in zip(found.removals, offered(out), strict=True):
        assert sorted(removal.ids) == sorted(group["candidates"])
        assert removal.force == group["force"]
        if group["candidate_order"] == "queue":
            assert list(removal.ids) == group["candidates"]
    assert [i for r in found.releases for i in r.ids] == out["release_candidates"]
    assert sum(min(r.cap, len(r.ids)) for r in found.releases) == len(out["release"])
    assert int(found.found) == out["return"]


@of("excess")
def test_excess(case: Case) -> None:
    given, out = case["input"], case["output"]
    request = request_of(given["request"], 0, given)
    cycle = cycle_of(given, [request])
    # as if nothing was to be submitted: no pilot may be added
    cycle.totals.clamp = lambda key, wanted: (0, [])  # type: ignore[method-assign]
    cycle.totals.held_reached = lambda key: False  # type: ignore[method-assign]
    [row] = cycle.requests()
    mine = of_request(given, request)
    assert removed(row.removals, mine) == told(out)
    for removal, group in zip(row.removals, offered(out), strict=True):
        assert set(group["candidates"]) <= set(taken(removal, mine)[1])


@of("cycle")
def test_cycle(case: Case) -> None:
    given, out = case["input"], case["output"]
    requests = [request_of(r, i, given) for i, r in enumerate(given["requests"])]
    plan = cycle_of(given, requests).plan()
    assert len(plan.requests) == len(out["per_request"])
    for row, theirs, request in zip(plan.requests, out["per_request"], requests, strict=True):
        assert row.effective_idle == theirs["effective_idle"]
        same_submission(row, theirs["submit"], theirs["pilots_asked_of_submit"] or 0)
        n = sum(k for _, k in removed(row.removals, of_request(given, request)))
        assert n == sum(1 for c in theirs["remove"] if not c["forcex"])
        assert sum(min(r.cap, len(r.ids)) for r in row.releases) == len(theirs["release"])
        assert list(row.path) == theirs["path"]
        assert row.work == theirs["keep_idle_return"]
    end = out["entry_sanitise"]
    n = sum(k for _, k in removed(plan.removals, []))
    assert n == sum(1 for c in end["remove"] if not c["forcex"])
    assert sum(min(r.cap, len(r.ids)) for r in plan.releases) == len(end["release"])
    assert plan.limits == out["limits_triggered"]
