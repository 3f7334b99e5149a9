"""The deployed program's own cases, as this program's policies and snapshots."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.frontend.plan import JobCounts
from glideinwms.frontend.policy import (
    CredentialPolicy,
    Expression,
    FrontendPolicy,
    GroupLimits,
    GroupPolicy,
    MaxCurb,
    RemovalPolicy,
)
from glideinwms.frontend.snapshot import (
    Counters,
    EntrySlotCounts,
    EntryState,
    GroupInput,
    SlotCounts,
)
from tests.unit.frontend.build_frontend import group, policy

DATA = Path(__file__).parents[3] / "data"
SLOTS = ("Total", "Idle", "Running", "Failed", "TotalCores", "IdleCores", "RunningCores")


def cases(*kinds: str) -> list[dict[str, Any]]:
    """The request cases of some kinds."""
    lines = (DATA / "golden-request/cases.jsonl").read_text().splitlines()
    return [c for c in map(json.loads, lines) if c["kind"] in kinds]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [c["id"] for c in found]


def lines(path: Path) -> list[dict[str, Any]]:
    """A gzipped file of JSON lines."""
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def max_curb(config: dict[str, Any], name: str) -> MaxCurb:
    return MaxCurb(config[f"{name}.max"], config[f"{name}.curb"])


def limits(c: dict[str, Any]) -> GroupLimits:
    """group_config."""
    per, idle, gone = "running_glideins_per_entry", "idle_glideins_per_entry", "glideins_removal"
    return GroupLimits(
        max_running=c[f"{per}.max"],
        min_running=c[f"{per}.min"],
        relative_to_queue=float(c[f"{per}.relative_to_queue"]),
        max_idle=c[f"{idle}.max"],
        reserve_idle=c[f"{idle}.reserve"],
        idle_lifetime=c["idle_glideins_lifetime.max_seconds"],
        idle_vms_per_entry=max_curb(c, "idle_vms_per_entry"),
        running_total=max_curb(c, "running_glideins_total"),
        idle_vms_total=max_curb(c, "idle_vms_total"),
        ramp_up_attenuation=float(c["ramp_up_attenuation"]),
        removal=RemovalPolicy(
            c[f"{gone}.type"],
            c[f"{gone}.wait_cycles"],
            c[f"{gone}.requests_tracking"] != "",
            c[f"{gone}.margin"],
        ),
    )


def frontend(c: dict[str, Any], own: GroupPolicy, strict: bool = True) -> FrontendPolicy:
    """frontend_config."""
    return policy(
        own,
        strict_deployed_numbers=strict,
        running_total=max_curb(c, "running_glideins_total"),
        idle_vms_total=max_curb(c, "idle_vms_total"),
        running_total_global=max_curb(c, "running_glideins_total_global"),
        idle_vms_total_global=max_curb(c, "idle_vms_total_global"),
    )


def slot_counts(found: dict[str, int]) -> SlotCounts:
    return SlotCounts(*(found[n] for n in SLOTS))


def slots(entry: dict[str, Any]) -> EntrySlotCounts:
    """An entry's slots."""
    by = {n: slot_counts(s) for n, s in entry.get("slots_per_credential", {}).items()}
    running, here = entry["glideins_running_matching_jobs"], entry["jobs_running_here"]
    return EntrySlotCounts(slot_counts(entry["slots"]), by, running, here)


def job_counts(entry: dict[str, Any]) -> dict[str, JobCounts]:
    return {t: JobCounts(**n) for t, n in entry["jobs"].items()}


def counters(found: dict[str, int]) -> Counters:
    return Counters(
        found["cycles_without_idle_jobs"],
        found["cycles_all_slots_idle"],
        found["cycles_without_slots"],
    )


def own_group(given: dict[str, Any]) -> GroupPolicy:
    """The group of a request case."""
    config = given.get("credentials_in_config_order")
    found = config or [
        {"id": n, "type": "grid_proxy", "trust_domain": "Grid"}
        for n in given.get("credential_ids", ["only"])
    ]
    credentials = tuple(
        CredentialPolicy(c["id"], c["type"], c["trust_domain"], "frontend") for c in found
    )
    plugin = given.get("selection_plugin", "ProxyAll")
    return group(
        limits=limits(given["group_config"]), credentials=credentials, selection_plugin=plugin
    )


def entry_of(found: dict[str, Any], key: bool) -> EntryState:
    attrs = {
        "GLIDEIN_TrustDomain": found.get("trust_domain", "Grid"),
        "GLIDEIN_SupportedAuthenticationMethod": found.get("auth_method", "grid_proxy"),
    }
    if "GLIDEIN_In_Downtime" in found:
        attrs["GLIDEIN_In_Downtime"] = found["GLIDEIN_In_Downtime"]
    return EntryState(
        f"{found['name']}@gfactory_instance@gfactory_service", "wms", attrs, has_key=key
    )


def projects_of(jobs: list[dict[str, Any]]) -> dict[str, int]:
    """Idle jobs by project, "" without one."""
    found: dict[str, int] = {}
    for job in jobs:
        if job["job_status"] == 1:
            found[job["project"] or ""] = found.get(job["project"] or "", 0) + 1
    return found


def inputs_of(given: dict[str, Any], entry: dict[str, Any], name: str) -> GroupInput:
    """The group's slots and counters at one entry."""
    bad = {
        c["id"]: "unusable"
        for c in given.get("credentials_in_config_order", ())
        if not c["usable"] or c["token_expired"]
    }
    before = (
        {name: counters(entry["removal_counters_before"])}
        if "removal_counters_before" in entry
        else {}
    )
    totals = given["slot_totals"]
    action = "" if given["action"] == "run" else given["action"]
    return GroupInput(
        "main",
        slots={name: slots(entry)},
        total=totals["group_total"],
        idle=totals["group_idle"],
        counters=before,
        action=action,
        users=len({j["user"] for j in given.get("jobs", ())}),
        projects=projects_of(given.get("jobs", [])),
        unusable_credentials=bad,
    )


class Fixed(random.Random):
    """A shuffle with a known outcome: new position k takes what was at `order[k]`."""

    def __init__(self, order: list[int] | None) -> None:
        super().__init__(0)
        self.order = order

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        return [population[i] for i in self.order] if self.order is not None else list(population)


def order_of(given: dict[str, Any]) -> list[int] | None:
    found: list[int] | None = given.get("shuffle", {}).get(
        "permutation_new_position_takes_old_position"
    )
    return found


def expression(text: str) -> tuple[Expression, ...]:
    return (Expression(text, "frontend.xml:1"),)


def with_match(own: GroupPolicy, text: str) -> GroupPolicy:
    return replace(own, match=expression(text))
