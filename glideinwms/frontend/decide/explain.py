"""Why a class of jobs matches, or does not match, each entry: recomputed from a recorded snapshot by the same code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glideinwms.frontend.decide.match.expression import GLIDEIN_PARTS, Conjunct
from glideinwms.frontend.decide.match.matcher import match_rules, must_be_true
from glideinwms.frontend.policy import GroupPolicy
from glideinwms.frontend.snapshot import EntryState, GroupInput, Value
from glideinwms.lib.reasons import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """One entry's answer to one class. Where it does not match: the first conjunct that says so,
    where that stands, and the values it saw on both sides (or the error it met, or what a policy
    file `returned`).
    """

    entry: str
    matches: bool
    reason: Reason | None = None
    conjunct: str = ""
    origin: str = ""
    job_values: dict[str, Value | None] | None = None
    entry_values: dict[str, Value | None] | None = None
    error: str = ""
    returned: str = ""


def explain_class(
    inputs: GroupInput, group: GroupPolicy, job: Mapping[str, Value]
) -> list[Verdict]:
    """A verdict for every entry, in the order of their names."""
    rules = match_rules(group, inputs.policy_files)
    return [
        explain_entry(e, group, rules, job) for e in sorted(inputs.entries, key=lambda e: e.name)
    ]


def explain_entry(
    entry: EntryState, group: GroupPolicy, rules: list[Conjunct], job: Mapping[str, Value]
) -> Verdict:
    """The verdict of one entry."""
    if group.ignore_down_entries and entry.in_downtime:
        return Verdict(entry.name, False, Reason.ENTRY_DOWNTIME)
    glidein: dict[str, Mapping[str, Any]] = {p: getattr(entry, p) for p in GLIDEIN_PARTS}
    for index, one in enumerate(rules):
        error = returned = ""
        try:
            result = one.test(job, glidein, group.attrs)
            passed = result == True if must_be_true(rules, index) else bool(result)  # noqa: E712 - as GlideinWMS 3.10 does
            returned = repr(result)[:200] if one.seen else ""
        except Exception as failure:  # noqa: BLE001 - an expression that fails matches nothing (protocol 5.3)
            passed, error = False, f"{type(failure).__name__}: {failure}"
        if not passed:
            mine = {n: job.get(n) for n in one.reads.job or ()}
            theirs = {n: glidein[p].get(n) for p, n in one.reads.glidein or ()}
            return Verdict(
                entry=entry.name,
                matches=False,
                reason=Reason.REJECTED_BY_EXPRESSION,
                conjunct=one.text,
                origin=one.origin,
                job_values=mine,
                entry_values=theirs,
                error=error,
                returned=returned,
            )
    return Verdict(entry.name, True)
