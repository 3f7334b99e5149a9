"""What stands in the way of pilots, out of the `status.json` of a Factory or a Frontend, most important first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from glideinwms.cli.output import ago
from glideinwms.lib.daemon.liveness import Liveness
from glideinwms.lib.daemon.status import ReadingStatus, Status
from glideinwms.lib.reasons import Reason

NAMES_SHOWN = 4
# numbers that are cut because there is enough already, or because they grow step by step
FLOWS = {
    Reason.NO_DEMAND,
    Reason.SLOTS_COVER,
    Reason.RESERVE,
    Reason.MIN_RUNNING,
    Reason.RAMP_UP,
    Reason.MAX_IDLE,
    Reason.AT_LEAST_ONE,
    Reason.WHOLE_PILOTS,
    Reason.REQUEST_COVERED,
    Reason.REQUEST_MAX,
    Reason.SUBMIT_RATE,
    Reason.REMOVE_RATE,
}
# said of the entry itself, or of the operator's word that is awaited
TOLD_APART = {
    Reason.FACTORY_DOWNTIME,
    Reason.FROZEN,
    Reason.RUNNING_REMOVAL_PARKED,
    Reason.ENTRY_THROTTLED,
    Reason.CLIENT_THROTTLED,
}


class Rank(IntEnum):
    """What comes first in the answer."""

    DAEMON = 1
    POLICY = 2
    CYCLE = 3
    STORAGE = 4
    INPUT = 5
    PROBLEM = 6
    UNMATCHED = 7
    LIMIT = 8
    REFUSED = 9
    ENTRY = 10
    PILOTS = 11
    PARKED = 12
    NOTE = 13


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stands (or, with `stands` False, is only worth knowing) at `where`; `see`:
    what shows more.
    """

    rank: Rank
    daemon: str
    text: str
    where: tuple[str, ...] = ()
    see: str = ""
    stands: bool = True

    def line(self) -> str:
        """For people: names that are too many are counted."""
        names = ", ".join(self.where[:NAMES_SHOWN])
        more = f" and {len(self.where) - NAMES_SHOWN} more" if len(self.where) > NAMES_SHOWN else ""
        return f"{self.daemon}: {names}{more}{': ' if names else ''}{self.text}" + (
            f"  [{self.see}]" * bool(self.see)
        )


def findings(alive: Liveness, daemon: str, now: float) -> list[Finding]:
    """All that is known of one daemon, equal findings at several entries as one. Of a daemon that
    does not run only
    that, and why its last cycle or policy failed: the rest is history.
    """
    rows, found = list(_daemon(alive, daemon, now)), alive.shown
    if found is None:
        return sorted(rows, key=lambda f: (not f.stands, f.rank))
    if alive.running and found.summary:
        rows += _inputs(found)
        rows += _factory(found.summary) if found.daemon == "factory" else _frontend(found.summary)
    rows = [
        replace(r, text=_without_causes(r.text, found)) if r.rank is not Rank.INPUT else r
        for r in rows
    ]
    together: dict[tuple[Rank, str, str, bool], Finding] = {}
    for row in rows:
        key = row.rank, row.text, row.see, row.stands
        before = together.get(key)
        where = (*before.where, *row.where) if before else row.where
        together[key] = replace(row, where=tuple(dict.fromkeys(where)))
    return sorted(together.values(), key=lambda f: (not f.stands, f.rank))


def _daemon(alive: Liveness, who: str, now: float) -> Iterator[Finding]:
    found = alive.shown
    if found is None and not alive.hangs:
        yield Finding(Rank.NOTE, who, "is in its first cycle", stands=False)
    elif found is not None and not alive.running:
        age = now - found.cycle_ended
        yield Finding(
            Rank.DAEMON,
            who,
            f"does not run; its last cycle ended {ago(age)} ago",
            see=f"gwms {who} run",
        )
    if alive.hangs:
        yield Finding(Rank.DAEMON, who, alive.hangs, see=f"gwms {who} status")
    for text in alive.problems:
        yield Finding(Rank.STORAGE, who, text)
    if found is None:
        return
    if found.policy_error:
        text = f"the new configuration was not taken, {found.generation} is in force: {found.policy_error}"
        yield Finding(Rank.POLICY, who, text, see=f"gwms {who} reconfig")
    if found.error:
        yield Finding(Rank.CYCLE, who, f"cycle {found.cycle} failed: {found.error}")


def _inputs(found: Status) -> Iterator[Finding]:
    for one in found.readings:
        if one.error:
            yield Finding(Rank.INPUT, found.daemon, _age(one), (one.source,))


def _age(one: ReadingStatus) -> str:
    kept = "nothing is known of it" if one.age is None else f"held, {ago(one.age)} old"
    return f"{kept}: {one.error.removeprefix(f'{one.source}: ')}"


def _without_causes(text: str, found: Status) -> str:
    """The text without errors of inputs, which stand in their own lines."""
    for one in found.readings:
        text = text.replace(f": {one.error}", "") if one.error else text
    return text


def _factory(s: dict[str, Any]) -> Iterator[Finding]:
    for row in s["refusals"]:
        if row["reason"] in TOLD_APART:
            continue
        text = f"{row['reason']}: {row['text']}" if row["text"] else str(row["reason"])
        text += "; does it run, and do the clocks agree?" * (row["reason"] == Reason.STALE_AD)
        yield Finding(
            Rank.REFUSED, "factory", f"refused, {text}", (row["where"],), "gwms factory explain"
        )
    for warning in s.get("warnings", ()):
        where = (warning["where"],) if warning["where"] else ()
        yield Finding(Rank.INPUT, "factory", warning["text"], where)
    for submit in s.get("unknown_submits", ()):
        yield Finding(
            Rank.INPUT,
            "factory",
            "what became of this submission is not known",
            (f"submit {submit}",),
        )
    for lost in s.get("lost_queues", ()):
        text = (
            f"its job queue seems to be lost, perhaps with its spool: {lost['sign']}; "
            "the schedd no longer knows these pilots, which may run until they end by themselves"
        )
        yield Finding(Rank.PILOTS, "factory", text, (f"schedd {lost['schedd']}",))
    for name, row in s["entries"].items():
        yield from _entry(name, row, {r["reason"] for r in s["refusals"]})
    for row in s["parked"]:
        asked = row.get("asked", True)
        text = (
            f"the removal of {row['n']} running pilots waits for approval"
            + ", asked for earlier" * (not asked)
        )
        yield Finding(
            Rank.PARKED,
            "factory",
            text,
            (row["entry"],),
            f"gwms factory approve {row['id']}",
            stands=asked,
        )
    if not s["refusals"] and not any(row["asked"] for row in s["entries"].values()):
        yield Finding(Rank.NOTE, "factory", "no Frontend asks for pilots", stands=False)


def _entry(name: str, row: dict[str, Any], refused: set[str]) -> Iterator[Finding]:
    see = f"gwms factory explain {name}"
    if "frozen" in row:
        yield Finding(Rank.ENTRY, "factory", f"frozen: {row['frozen']}", (name,))
    if "downtime" in row:
        text = "in downtime" if row["downtime"] == "yes" else f"in downtime: {row['downtime']}"
        yield Finding(Rank.ENTRY, "factory", text, (name,), "gwms downtime list")
    if "failing" in row:
        yield Finding(
            Rank.ENTRY,
            "factory",
            f"throttled: {row['failing']}",
            (name,),
            f"gwms pilot report {name}",
        )
    short = row["asked"] > row["wait"] + row["idle"] and not row["submitted"]
    for code in row.get("reasons", {}):
        if code in refused or code in TOLD_APART:
            continue
        if code not in FLOWS:
            what = "nothing submitted" if short else "less submitted"
            yield Finding(Rank.LIMIT, "factory", f"{what}: {code}", (name,), see, stands=short)
    for hold in row.get("held_lately", ()):
        text = f"{hold['n']} pilots were held in the last hour, code {hold['code']}/{hold['subcode']}: {hold['reason']}"
        yield Finding(
            Rank.PILOTS, "factory", text, (name,), f"gwms audit --entry {name} --since 1h"
        )
    if row["held"]:
        yield Finding(
            Rank.PILOTS, "factory", f"{row['held']} held pilots", (name,), f"gwms entry q {name}"
        )
    if row["asked"] and row["idle"] + row["wait"] and not row["running"]:
        text = f"{row['idle'] + row['wait']} pilots wait at the site, none runs"
        yield Finding(Rank.NOTE, "factory", text, (name,), f"gwms entry q {name}", stands=False)


def _frontend(s: dict[str, Any]) -> Iterator[Finding]:
    ha = s.get("ha", {})
    if ha.get("seen") and not ha["working"]:
        yield Finding(
            Rank.NOTE, "frontend", f"hibernates: the master works ({ha['seen']})", stands=False
        )
    if s.get("downtime"):
        yield Finding(
            Rank.PROBLEM,
            "frontend",
            "in downtime, asks for nothing",
            see="gwms frontend downtime list",
        )
    for text in s["failed"]:
        yield Finding(Rank.PROBLEM, "frontend", f"not sent: {text}")
    for name, g in s["groups"].items():
        yield from _group(f"group {name}", g)


def _group(where: str, g: dict[str, Any]) -> Iterator[Finding]:
    for text in g["frozen"]:
        yield Finding(
            Rank.INPUT, "frontend", f"no number changes until this is known: {text}", (where,)
        )
    if g["silent"]:
        yield Finding(
            Rank.INPUT,
            "frontend",
            "too little is known for too long: requests are left to expire",
            (where,),
        )
    for text in g["problems"]:
        yield Finding(Rank.PROBLEM, "frontend", text, (where,))
    for schedd, why in g["schedds"].items():
        yield Finding(
            Rank.PROBLEM, "frontend", f"idle jobs of {schedd} do not count: {why}", (where,)
        )
    if not g["jobs"]["idle"]:
        yield Finding(Rank.NOTE, "frontend", "no idle jobs", (where,), stands=False)
    elif not g["entries"]:
        yield Finding(
            Rank.UNMATCHED,
            "frontend",
            f"{g['jobs']['idle']} idle jobs and no entry is seen",
            (where,),
        )
    elif g["jobs"]["unmatched"]:
        yield Finding(Rank.UNMATCHED, "frontend", _unmatched(g), (where,), "gwms job explain ID")
    for entry in g["entries"]:
        yield from _request(f"{where} at {entry['entry']}", entry)


def _unmatched(g: dict[str, Any]) -> str:
    """The largest class of jobs that no entry takes, with the conditions that reject it."""
    text = f"{g['jobs']['unmatched']} of {g['jobs']['idle']} idle jobs match no entry"
    if not g["unmatched"]:
        return text
    one = g["unmatched"][0]
    values = ", ".join(f"{k}={v!r}" for k, v in one["values"].items())
    by = "; ".join(f"{r['conjunct']} at {r['entries']} ({r['origin']})" for r in one["rejected_by"])
    return f"{text}, first {one['idle']} with {values}" + (f", rejected by {by}" if by else "")


def _request(where: str, entry: dict[str, Any]) -> Iterator[Finding]:
    see = f"gwms frontend explain {entry['entry']}"
    for row in entry["refusals"]:
        text = f"{row['reason']}: {row['text']}" if row["text"] else str(row["reason"])
        yield Finding(
            Rank.REFUSED,
            "frontend",
            f"not asked, {text}",
            (where,),
            see,
            stands=bool(entry["jobs"]),
        )
    for clip in entry["clips"]:
        if clip["reason"] in FLOWS or clip["after"] >= clip["before"]:
            continue
        numbers = (
            f" ({clip['count']:g} of {clip['limit']:g})"
            if None not in (clip["count"], clip["limit"])
            else ""
        )
        what = "asks for nothing" if not clip["after"] else "asks for less"
        text = f"{what}: {clip['reason']}{numbers}"
        yield Finding(Rank.LIMIT, "frontend", text, (where,), see, stands=not clip["after"])
    code = entry["factory"].get("Status_Reason", "")
    if code and code not in FLOWS:
        said = entry["factory"].get("Status_ReasonText", "")
        text = f"the Factory says {code}: {said}" if said else f"the Factory says {code}"
        yield Finding(Rank.REFUSED, "frontend", text, (where,), see)
