"""Find out why a Frontend requests no pilots, from the summary in its status. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glideinwms.cli.finding import HARMLESS, Finding, Rank

FRONTEND = "frontend"


def frontend_findings(summary: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings about high availability, downtime, requests and groups."""
    ha = summary.get("ha", {})
    if ha.get("seen") and not ha["working"]:
        yield Finding(
            rank=Rank.NOTE,
            daemon=FRONTEND,
            text=f"is a standby: the active Frontend works ({ha['seen']})",
            is_problem=False,
        )
    if summary.get("downtime"):
        yield Finding(
            rank=Rank.PROBLEM,
            daemon=FRONTEND,
            text="in downtime, requests no pilots",
            see="gwms frontend downtime list",
        )
    for failure in summary["failed"]:
        yield Finding(rank=Rank.PROBLEM, daemon=FRONTEND, text=f"not sent: {failure}")
    for name, group in summary["groups"].items():
        yield from _group(f"group {name}", group)


def _group(where: str, group: dict[str, Any]) -> Iterator[Finding]:
    for unknown in group["frozen"]:
        yield _at(where, Rank.INPUT, f"no number changes until this is known: {unknown}")
    if group["silent"]:
        yield _at(
            where,
            Rank.INPUT,
            "inputs have been unknown for too long, so requests may expire",
        )
    for problem in group["problems"]:
        yield _at(where, Rank.PROBLEM, problem)
    for schedd, why in group["schedds"].items():
        yield _at(where, Rank.PROBLEM, f"idle jobs of {schedd} do not count: {why}")
    idle = group["jobs"]["idle"]
    if not idle:
        yield _at(where, Rank.NOTE, "no idle jobs", is_problem=False)
    elif not group["entries"]:
        yield _at(where, Rank.UNMATCHED, f"{idle} idle jobs, but no entries are known")
    elif group["jobs"]["unmatched"]:
        yield _at(where, Rank.UNMATCHED, _unmatched(group), see="gwms job explain ID")
    for entry in group["entries"]:
        yield from _request(f"{where} at {entry['entry']}", entry)


def _unmatched(group: dict[str, Any]) -> str:
    """Describe the largest class of jobs that no entry takes, and what rejects it."""
    text = f"{group['jobs']['unmatched']} of {group['jobs']['idle']} idle jobs match no entry"
    if not group["unmatched"]:
        return text
    largest = group["unmatched"][0]
    values = ", ".join(f"{name}={value!r}" for name, value in largest["values"].items())
    text += f", first {largest['idle']} with {values}"
    rejections = "; ".join(
        f"{rejection['conjunct']} at {rejection['entries']} ({rejection['origin']})"
        for rejection in largest["rejected_by"]
    )
    return f"{text}, rejected by {rejections}" if rejections else text


def _request(where: str, entry: dict[str, Any]) -> Iterator[Finding]:
    see = f"gwms frontend explain {entry['entry']}"
    for refusal in entry["refusals"]:
        detail = f": {refusal['text']}" if refusal["text"] else ""
        yield _at(
            where,
            Rank.REFUSED,
            f"not requested, {refusal['reason']}{detail}",
            see=see,
            is_problem=bool(entry["jobs"]),
        )
    for step in entry["clips"]:
        if step["reason"] in HARMLESS or step["after"] >= step["before"]:
            continue
        numbers = ""
        if step["count"] is not None and step["limit"] is not None:
            numbers = f" ({step['count']:g} of {step['limit']:g})"
        requests = "requests less" if step["after"] else "requests no pilots"
        yield _at(
            where,
            Rank.LIMIT,
            f"{requests}: {step['reason']}{numbers}",
            see=see,
            is_problem=not step["after"],
        )
    code = entry["factory"].get("Status_Reason", "")
    if code and code not in HARMLESS:
        explanation = entry["factory"].get("Status_ReasonText", "")
        detail = f": {explanation}" if explanation else ""
        yield _at(where, Rank.REFUSED, f"the Factory reports {code}{detail}", see=see)


def _at(where: str, rank: Rank, text: str, *, see: str = "", is_problem: bool = True) -> Finding:
    return Finding(
        rank=rank, daemon=FRONTEND, text=text, where=(where,), see=see, is_problem=is_problem
    )
