"""Find out why a Factory submits no pilots, from the summary in its status. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glideinwms.cli.finding import HARMLESS, SHOWN_SEPARATELY, Finding, Rank
from glideinwms.lib.reasons import Reason

FACTORY = "factory"


def factory_findings(summary: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings about requests, submissions, entries and parked removals."""
    for refusal in summary["refusals"]:
        if refusal["reason"] not in SHOWN_SEPARATELY:
            yield _refusal(refusal)
    for warning in summary.get("warnings", ()):
        yield Finding(
            rank=Rank.INPUT,
            daemon=FACTORY,
            text=warning["text"],
            where=(warning["where"],) if warning["where"] else (),
        )
    for submit in summary.get("unknown_submits", ()):
        yield Finding(
            rank=Rank.INPUT,
            daemon=FACTORY,
            text="the outcome of this submission is unknown",
            where=(f"submit {submit}",),
        )
    for lost in summary.get("lost_queues", ()):
        yield Finding(
            rank=Rank.PILOTS,
            daemon=FACTORY,
            text=f"its job queue seems to be lost, perhaps with its spool: {lost['sign']}; "
            "the schedd no longer knows these pilots, which may run until they end by themselves",
            where=(f"schedd {lost['schedd']}",),
        )
    refused = {refusal["reason"] for refusal in summary["refusals"]}
    for name, entry in summary["entries"].items():
        yield from _entry(name, entry, refused)
    for parked in summary["parked"]:
        yield _parked(parked)
    requested = any(entry["asked"] for entry in summary["entries"].values())
    if not summary["refusals"] and not requested:
        yield Finding(
            rank=Rank.NOTE,
            daemon=FACTORY,
            text="no Frontend requests pilots",
            is_problem=False,
        )


def _refusal(refusal: dict[str, Any]) -> Finding:
    text = str(refusal["reason"])
    if refusal["text"]:
        text += f": {refusal['text']}"
    if refusal["reason"] == Reason.STALE_AD:
        text += "; check that it runs and that the clocks agree"
    return Finding(
        rank=Rank.REFUSED,
        daemon=FACTORY,
        text=f"refused, {text}",
        where=(refusal["where"],),
        see="gwms factory explain",
    )


def _parked(parked: dict[str, Any]) -> Finding:
    requested_now = parked.get("asked", True)
    earlier = "" if requested_now else ", requested earlier"
    return Finding(
        rank=Rank.PARKED,
        daemon=FACTORY,
        text=f"the removal of {parked['n']} running pilots waits for approval{earlier}",
        where=(parked["entry"],),
        see=f"gwms factory approve {parked['id']}",
        is_problem=requested_now,
    )


def _entry(name: str, entry: dict[str, Any], refused: set[str]) -> Iterator[Finding]:
    if "frozen" in entry:
        yield _at(name, Rank.ENTRY, f"frozen: {entry['frozen']}")
    if "downtime" in entry:
        comment = "" if entry["downtime"] == "yes" else f": {entry['downtime']}"
        yield _at(name, Rank.ENTRY, f"in downtime{comment}", see="gwms downtime list")
    if "failing" in entry:
        see = f"gwms pilot report {name}"
        yield _at(name, Rank.ENTRY, f"throttled: {entry['failing']}", see=see)
    too_few = entry["asked"] > entry["wait"] + entry["idle"] and not entry["submitted"]
    for code in entry.get("reasons", {}):
        if code not in refused and code not in SHOWN_SEPARATELY and code not in HARMLESS:
            submitted = "nothing submitted" if too_few else "less submitted"
            yield _at(
                name,
                Rank.LIMIT,
                f"{submitted}: {code}",
                see=f"gwms factory explain {name}",
                is_problem=too_few,
            )
    for hold in entry.get("held_lately", ()):
        yield _at(
            name,
            Rank.PILOTS,
            f"{hold['n']} pilots were held in the last hour, "
            f"code {hold['code']}/{hold['subcode']}: {hold['reason']}",
            see=f"gwms audit --entry {name} --since 1h",
        )
    queue = f"gwms entry q {name}"
    if entry["held"]:
        yield _at(name, Rank.PILOTS, f"{entry['held']} held pilots", see=queue)
    waiting = entry["idle"] + entry["wait"]
    if entry["asked"] and waiting and not entry["running"]:
        text = f"{waiting} pilots wait at the site, none runs"
        yield _at(name, Rank.NOTE, text, see=queue, is_problem=False)


def _at(entry: str, rank: Rank, text: str, *, see: str = "", is_problem: bool = True) -> Finding:
    return Finding(
        rank=rank, daemon=FACTORY, text=text, where=(entry,), see=see, is_problem=is_problem
    )
