"""`gwms frontend plan|explain` and `gwms job explain`: the production decision on what a cycle recorded.

Exit codes beside the common ones: `plan --config` 1 if something is decided otherwise; `job explain` 1 if
no entry of any group takes the job.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.factory import Cycle
from glideinwms.cli.commands.frontend import DEFAULT as FRONTEND
from glideinwms.cli.commands.frontend import Group
from glideinwms.cli.commands.replay import Config, FrontendDir, configured, obeyed
from glideinwms.cli.job_lookup import Queued, find
from glideinwms.cli.output import Json
from glideinwms.frontend.collect.reader import attribute_names
from glideinwms.frontend.decide.explain import Verdict, explain_class
from glideinwms.frontend.inspect import replay
from glideinwms.frontend.plan import FrontendEntryPlan, FrontendPlan, GroupPlan
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import GroupInput, Value
from glideinwms.lib.condor import workers
from glideinwms.lib.errors import StateError

SnapshotFile = Annotated[
    str, typer.Option("--snapshot", help="A recorded cycle's file, or `last`.")
]
Class = Annotated[
    list[str] | None, typer.Option("--class", help="ATTRIBUTE=VALUE of a class of jobs; repeat.")
]


def _record(work_dir: Path, cycle: int | None, snapshot: str) -> replay.Record:
    if snapshot in ("", "last"):
        return replay.read(work_dir / "state", cycle)
    return replay.read_file(Path(snapshot))


def _policy(work_dir: Path, kept: replay.Record, config: Path | None) -> FrontendPolicy:
    """The given policy, else the one the cycle obeyed, else the one in force."""
    return configured(config or obeyed(work_dir, kept.generation), "frontend", replay.load_policy)


def _plan(kept: replay.Record, policy: FrontendPolicy, anew: bool, group: str) -> FrontendPlan:
    """The recorded plan, or the one that the policy makes of the snapshot; a StateError if it lacks
    the group.
    """
    found = replay.replay(kept, policy) if anew or not kept.plan.groups else kept.plan
    names = [g.name for g in found.groups]
    if group and group not in names:
        raise StateError(
            f"no group {group} in this cycle",
            where=f"cycle {kept.cycle}",
            hint=f"groups are {', '.join(names)}",
        )
    return found


def plan(
    work_dir: FrontendDir = FRONTEND,
    cycle: Cycle = None,
    snapshot: SnapshotFile = "",
    config: Config = None,
    group: Group = "",
    as_json: Json = False,
) -> None:
    """What a cycle decided for each entry; with --config, how requests would change."""
    kept = _record(work_dir, cycle, snapshot)
    if config is not None:
        _changes(kept, configured(config, "frontend", replay.load_policy), group, as_json)
    found = _plan(kept, _policy(work_dir, kept, None), False, group)
    shown = [g for g in found.groups if group in ("", g.name)]
    if as_json:
        output.print_json({"cycle": kept.cycle, "generation": kept.generation, "groups": shown})
        return
    print(f"cycle {kept.cycle} of {output.clock(kept.began)}, policy {kept.generation}")
    rows = [
        [
            g.name,
            e.entry,
            e.jobs["Idle"].count,
            e.jobs["Idle"].prop_mc,
            e.idle,
            e.max_glideins,
            e.removal,
            "; ".join([*map(str, e.clips), *map(str, e.refusals)]),
        ]
        for g in shown
        for e in g.entries
    ]
    output.table(["GROUP", "ENTRY", "JOBS", "SHARE", "IDLE", "MAX", "REMOVE", "WHY"], rows)


def _changes(kept: replay.Record, policy: FrontendPolicy, group: str, as_json: bool) -> None:
    old, new = kept.plan, _plan(kept, policy, True, group)
    found = {g: rows for g, rows in replay.differences(old, new).items() if group in ("", g)}
    if as_json:
        output.print_json({"cycle": kept.cycle, "changes": found})
    else:
        rows = [
            [
                g,
                name,
                *(
                    x
                    for e in pair
                    for x in ((e.idle, e.max_glideins, e.removal) if e else ("-", "-", "-"))
                ),
            ]
            for g, entries in found.items()
            for name, pair in entries.items()
        ]
        output.table(
            ["GROUP", "ENTRY", "IDLE", "MAX", "REMOVE", "-> IDLE", "-> MAX", "-> REMOVE"], rows
        )
    shown = [g for g in new.groups if group in ("", g.name)]
    for one in shown:
        for problem in one.problems:
            print(f"group {one.name}: {problem}", file=sys.stderr)
    sys.exit(1 if found or any(g.problems for g in shown) else 0)


def explain(
    entries: Annotated[
        list[str] | None, typer.Argument(help="Entries or request names; all by default.")
    ] = None,
    work_dir: FrontendDir = FRONTEND,
    cycle: Cycle = None,
    snapshot: SnapshotFile = "",
    config: Config = None,
    group: Group = "",
    of_class: Class = None,
    as_json: Json = False,
) -> None:
    """Why entries are asked for what they are, step by step; with --class, for jobs with these
    attributes.
    """
    if of_class and entries:
        raise StateError(
            "takes entries or --class, not both", where="explain", hint="--class shows every entry"
        )
    if of_class:
        job("", of_class, work_dir, cycle, snapshot, config, group, "", as_json)
    kept = _record(work_dir, cycle, snapshot)
    policy, wanted = _policy(work_dir, kept, config), set(entries or ())
    made = _plan(kept, policy, config is not None, group)
    rows = [
        (g, e)
        for g in made.groups
        if group in ("", g.name)
        for e in g.entries
        if not wanted or {e.entry, e.entry.split("@")[0]} & wanted
    ]
    if not rows:
        raise StateError(
            "no such entry in this cycle", where="explain", hint="see gwms frontend plan"
        )
    given = {g.name: g for g in kept.snapshot.groups}
    others = _others(made, policy, given)
    if as_json:
        shown = [
            {
                "group": g.name,
                "entry": e,
                "factory": given[g.name].told.get(e.entry, {}),
                "others": others(g, e),
            }
            for g, e in rows
        ]
        output.print_json(shown)
        return
    for g, e in rows:
        for line in entry_lines(g, e, given[g.name]):
            output.say(line)
        for other in others(g, e):
            same = ", part of them the same jobs" if other["same_jobs"] else ""
            print(
                f"  group {other['group']} asks there too: {other['idle']} idle pilots, at most {other['max']}, "
                f"for its share of {other['jobs']} idle jobs{same}"
            )


def removal_lines(e: FrontendEntryPlan, given: GroupInput) -> list[str]:
    """What the removal level goes by (protocol 5.7)."""
    if given.action:
        return [f"    removal by an operator's word: {given.action}"]
    if doubts := [*given.unknown, *given.held]:
        return [f"    nothing is removed on old answers: {'; '.join(doubts)}"]
    n = e.counters
    if e.removal == "NO" and not n.no_jobs:
        return []
    return [
        f"    cycles in a row without idle jobs for it: {n.no_jobs}, with all its slots idle: {n.all_idle}, "
        f"without slots: {n.no_slots}"
    ]


Others = Callable[[GroupPlan, FrontendEntryPlan], list[dict[str, Any]]]


def _others(made: FrontendPlan, policy: FrontendPolicy, given: Mapping[str, GroupInput]) -> Others:
    """What other groups ask of an entry for jobs that match there; `same_jobs`: they read a schedd
    in common with the
    same job query, so its jobs count in both (no group knows of another's demand, as deployed).
    """
    query = {g.name: g.job_query for g in policy.groups}
    reads = {n: {(t.schedd, query.get(n)) for t in g.jobs if t.good} for n, g in given.items()}
    asked: dict[tuple[str, str], list[tuple[str, FrontendEntryPlan]]] = {}
    for g in made.groups:
        for e in g.entries:
            if e.jobs["Idle"].count:
                asked.setdefault((e.entry, e.pool), []).append((g.name, e))

    def others(g: GroupPlan, e: FrontendEntryPlan) -> list[dict[str, Any]]:
        return [
            {
                "group": n,
                "idle": x.idle,
                "max": x.max_glideins,
                "jobs": x.jobs["Idle"].count,
                "same_jobs": bool(reads[n] & reads[g.name]),
            }
            for n, x in asked.get((e.entry, e.pool), ())
            if n != g.name
        ]

    return others


def entry_lines(g: GroupPlan, e: FrontendEntryPlan, given: GroupInput) -> list[str]:
    """One (group, entry): jobs, clauses that rejected, request with its clips, credentials,
    Factory, pilots.
    """
    idle = e.jobs["Idle"]
    out = [
        f"{g.name} at {e.entry}: {idle.count} idle jobs match, {idle.hereonly} nowhere else; "
        f"its share is {idle.prop} jobs, {idle.prop_mc} pilots",
        *(
            f"  {n} jobs rejected by {g.conjuncts[int(k)][0]}  ({g.conjuncts[int(k)][1]})"
            for k, n in e.rejected.items()
        ),
        f"  request: {e.idle} idle pilots, at most {e.max_glideins}, remove {e.removal}"
        + (f" beyond {e.margin}" if e.margin else ""),
        *(f"    {c}" for c in e.clips),
        *removal_lines(e, given),
        *(
            f"  credential {s.credential}: {s.idle} idle, at most {s.max_glideins}"
            for s in e.shares
        ),
        *(f"  left out {r.where}: {r}" for r in e.refusals),
        *(f"  the Factory says {k}: {v}" for k, v in given.told.get(e.entry, {}).items()),
    ]
    slots = given.slots.get(e.entry)
    c = slots.counts if slots else None
    out.append(
        f"  pilots: {c.total} slots, {c.running} running, {c.idle} idle, {c.failed} failed"
        if c
        else "  pilots: none has joined the pool"
    )
    return out


def job(
    name: Annotated[
        str, typer.Argument(metavar="[ID]", help="ClusterId.ProcId, asked of the schedds.")
    ] = "",
    of_class: Class = None,
    work_dir: FrontendDir = FRONTEND,
    cycle: Cycle = None,
    snapshot: SnapshotFile = "",
    config: Config = None,
    group: Group = "",
    schedd: Annotated[str, typer.Option("--schedd", help="Only this schedd.")] = "",
    as_json: Json = False,
) -> None:
    """Which entries a job fits, which condition stops it at the others, and what is asked of those
    it fits.
    """
    kept = _record(work_dir, cycle, snapshot)
    policy = _policy(work_dir, kept, config)
    if not name and not of_class:
        raise StateError(
            "neither a job nor a class is given",
            where="job explain",
            hint="give an ID, or --class A=v",
        )
    queued = None
    if name:
        with workers.ProcessWorkers() as pool:
            queued = find(name, policy, schedd, pool)
    attrs = queued.values(_names(policy)) if queued else dict(map(_pair, of_class or ()))
    made = _plan(kept, policy, config is not None, group)
    inputs, plans = {g.name: g for g in kept.snapshot.groups}, {g.name: g for g in made.groups}
    found = [
        ExplainAnswer.of(g, inputs[g.name], plans[g.name], attrs, queued)
        for g in policy.groups
        if group in ("", g.name) and g.name in inputs and g.name in plans
    ]
    takers = [a.group for a in found if a.fits and not a.not_counted]
    if as_json:
        place = {"schedd": queued.schedd, "state": queued.state()} if queued else {}
        groups = {
            a.group: {
                "not_counted": a.not_counted,
                "not_read": a.not_read,
                "entries": a.verdicts,
                "plan": a.fits,
            }
            for a in found
        }
        output.print_json({"job": attrs, **place, "counted_by": takers, "groups": groups})
    else:
        _tell(name, attrs, queued, found, takers, inputs)
    sys.exit(0 if takers else 1)


@dataclass(frozen=True, slots=True)
class ExplainAnswer:
    """What one group says of a job. `not_read`: attributes that its expressions do not see."""

    group: str
    plan: GroupPlan
    verdicts: list[Verdict]
    fits: list[FrontendEntryPlan]
    not_counted: list[str]
    not_read: list[str]

    @staticmethod
    def of(
        group: GroupPolicy,
        given: GroupInput,
        plan: GroupPlan,
        attrs: Mapping[str, Value],
        queued: Queued | None,
    ) -> ExplainAnswer:
        """Recomputed by the code that decided; nothing where that failed."""
        if plan.problems:
            return ExplainAnswer(group.name, plan, [], [], list(plan.problems), [])
        seen = set(attribute_names(group))
        rows = explain_class(given, group, {n: v for n, v in attrs.items() if n in seen})
        fitting = {v.entry for v in rows if v.matches}
        return ExplainAnswer(
            group.name,
            plan,
            rows,
            [e for e in plan.entries if e.entry in fitting],
            queued.not_counted(group, given) if queued else [],
            [n for n in attrs if n not in seen],
        )


def _names(policy: FrontendPolicy) -> list[str]:
    """The attributes that any group reads."""
    return sorted({n for g in policy.groups for n in attribute_names(g)})


def _tell(
    name: str,
    attrs: Mapping[str, Value],
    queued: Queued | None,
    found: Sequence[ExplainAnswer],
    takers: Sequence[str],
    inputs: Mapping[str, GroupInput],
) -> None:
    if queued is None:
        output.say(f"job with {_values(attrs)}")
    else:
        output.say(f"job {name} of {queued.schedd}, with {_values(attrs)}: {queued.state()}")
        if not queued.waits():
            print("only idle jobs ask for pilots; what follows is what it would get")
    for answer in found:
        of_entries = (
            x for e in answer.fits for x in entry_lines(answer.plan, e, inputs[answer.group])
        )
        for line in (*_verdict_lines(answer), *of_entries):
            output.say(line)
    if len(takers) > 1:
        output.say(
            f"groups {', '.join(takers)} each count it, and ask for pilots without regard to each other"
        )


def _verdict_lines(answer: ExplainAnswer) -> list[str]:
    rows, fitting = answer.verdicts, len(answer.fits)
    out = [f"group {answer.group}: fits {sum(v.matches for v in rows)} of {len(rows)} entries"]
    if fitting > 1:
        out[0] += f", each of them counts 1/{fitting} of it"
    out += [f"  not counted: {why}" for why in answer.not_counted]
    out += [f"  {n} is not read: it is no match attribute of this group" for n in answer.not_read]
    out += [
        f"  {failing.text}  ({failing.origin}) fails for {failing.classes} classes of jobs: {failing.error}"
        for failing in answer.plan.failing
    ]
    for v in rows:
        if v.matches:
            continue
        if v.returned:
            out.append(f"  {v.entry}: {v.origin} returned {v.returned}")
            continue
        why = v.conjunct or str(v.reason)
        seen = "; ".join(t for t in (_values(v.job_values), _values(v.entry_values), v.error) if t)
        out.append(f"  {v.entry}: {why}  ({v.origin or v.reason}): {seen}")
    return out


def _values(found: Mapping[str, Any] | None) -> str:
    """`A='x', B undefined`."""
    return ", ".join(
        f"{n} undefined" if v is None else f"{n}={v!r}" for n, v in (found or {}).items()
    )


def _pair(text: str) -> tuple[str, Value]:
    """`A=7`: numbers and booleans are read as such, quotes make a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise StateError(
            f"{text!r} is not ATTRIBUTE=VALUE",
            where="--class",
            hint="for example --class RequestCpus=8",
        )
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.lower(), value.strip("\"'"))
