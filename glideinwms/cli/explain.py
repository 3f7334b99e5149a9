"""`gwms frontend plan|explain` and `gwms job explain`: the production decision on what a cycle recorded.

Exit codes beside the common ones: `plan --config` 1 if something is decided otherwise; `job explain` 1 if
no entry of any group takes the job.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.factory import Cycle
from glideinwms.cli.frontend import DEFAULT as FRONTEND
from glideinwms.cli.frontend import Group
from glideinwms.cli.output import Json
from glideinwms.cli.recorded import Config, FrontendDir, configured, obeyed
from glideinwms.frontend import recorded
from glideinwms.frontend.decide.explain import Verdict, explain_class
from glideinwms.frontend.decide.plan import EntryPlan, GroupPlan, Plan
from glideinwms.frontend.decide.tables import GroupInput, Value
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.errors import StateError
from glideinwms.lib.jsondata import to_json

SnapshotFile = Annotated[str, typer.Option("--snapshot", help="A recorded cycle's file, or `last`.")]
Class = Annotated[list[str] | None, typer.Option("--class", help="ATTRIBUTE=VALUE of a class of jobs; repeat.")]


def _record(work_dir: Path, cycle: int | None, snapshot: str) -> recorded.Record:
    if snapshot in ("", "last"):
        return recorded.read(work_dir / "state", cycle)
    return recorded.read_file(Path(snapshot))


def _policy(work_dir: Path, kept: recorded.Record, config: Path | None) -> FrontendPolicy:
    """The given policy, else the one the cycle obeyed, else the one in force."""
    return configured(config or obeyed(work_dir, kept.generation), "frontend", recorded.load_policy)


def _plan(kept: recorded.Record, policy: FrontendPolicy, anew: bool) -> Plan:
    return recorded.replay(kept, policy) if anew or not kept.plan.groups else kept.plan


def plan(
    work_dir: FrontendDir = FRONTEND, cycle: Cycle = None, snapshot: SnapshotFile = "", config: Config = None,
    group: Group = "", as_json: Json = False,
) -> None:  # fmt: skip
    """What a cycle decided for each entry; with --config, how requests would change."""
    kept = _record(work_dir, cycle, snapshot)
    if config is not None:
        _changes(kept, configured(config, "frontend", recorded.load_policy), as_json)
    found = kept.plan if kept.plan.groups else recorded.replay(kept, _policy(work_dir, kept, None))
    shown = [g for g in found.groups if group in ("", g.name)]
    if as_json:
        output.print_json({"cycle": kept.cycle, "generation": kept.generation, "groups": shown})
        return
    print(f"cycle {kept.cycle} of {output.clock(kept.began)}, policy {kept.generation}")
    rows = [
        [g.name, e.entry, e.jobs["Idle"].count, e.jobs["Idle"].prop_mc, e.idle, e.max_glideins, e.removal,
         "; ".join([*map(str, e.clips), *map(str, e.refusals)])]
        for g in shown for e in g.entries
    ]  # fmt: skip
    output.table(["GROUP", "ENTRY", "JOBS", "SHARE", "IDLE", "MAX", "REMOVE", "WHY"], rows)


def _changes(kept: recorded.Record, policy: FrontendPolicy, as_json: bool) -> None:
    old, new = kept.plan, recorded.replay(kept, policy)
    found = recorded.differences(old, new)
    if as_json:
        output.print_json({"cycle": kept.cycle, "changes": found})
    else:
        rows = [
            [g, name, *(x for e in pair for x in ((e.idle, e.max_glideins, e.removal) if e else ("-", "-", "-")))]
            for g, entries in found.items() for name, pair in entries.items()
        ]  # fmt: skip
        output.table(["GROUP", "ENTRY", "IDLE", "MAX", "REMOVE", "-> IDLE", "-> MAX", "-> REMOVE"], rows)
    for one in new.groups:
        for problem in one.problems:
            print(f"group {one.name}: {problem}", file=sys.stderr)
    sys.exit(1 if found or any(g.problems for g in new.groups) else 0)


def explain(
    entries: Annotated[list[str] | None, typer.Argument(help="Entries or request names; all by default.")] = None,
    work_dir: FrontendDir = FRONTEND, cycle: Cycle = None, snapshot: SnapshotFile = "", config: Config = None,
    group: Group = "", of_class: Class = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Why entries are asked for what they are, step by step; with --class, for jobs with these attributes."""
    if of_class:
        job("", of_class, work_dir, cycle, snapshot, config, group, "", as_json)
    kept = _record(work_dir, cycle, snapshot)
    made, wanted = _plan(kept, _policy(work_dir, kept, config), config is not None), set(entries or ())
    rows = [(g, e) for g in made.groups if group in ("", g.name) for e in g.entries
            if not wanted or {e.entry, e.entry.split("@")[0]} & wanted]  # fmt: skip
    if not rows:
        raise StateError("no such entry in this cycle", where="explain", hint="see gwms frontend plan")
    given = {g.name: g for g in kept.snapshot.groups}
    if as_json:
        shown = [{"group": g.name, "entry": e, "factory": given[g.name].told.get(e.entry, {})} for g, e in rows]
        output.print_json(shown)
        return
    for g, e in rows:
        print("\n".join(entry_lines(g, e, given[g.name])))


def entry_lines(g: GroupPlan, e: EntryPlan, given: GroupInput) -> list[str]:
    """One (group, entry): jobs, clauses that rejected, request with its clips, credentials, Factory, pilots."""
    idle = e.jobs["Idle"]
    out = [
        f"{g.name} at {e.entry}: {idle.count} idle jobs match, {idle.hereonly} nowhere else; "
        f"its share is {idle.prop} jobs, {idle.prop_mc} pilots",
        *(
            f"  {n} jobs rejected by {g.conjuncts[int(k)][0]}  ({g.conjuncts[int(k)][1]})"
            for k, n in e.rejected.items()
        ),
        f"  request: {e.idle} idle pilots, at most {e.max_glideins}, remove {e.removal}",
        *(f"    {c}" for c in e.clips),
        *(f"  credential {s.credential}: {s.idle} idle, at most {s.max_glideins}" for s in e.shares),
        *(f"  left out {r.where}: {r}" for r in e.refusals),
        *(f"  the Factory says {k}: {v}" for k, v in given.told.get(e.entry, {}).items()),
    ]
    slots = given.slots.get(e.entry)
    c = slots.counts if slots else None
    out.append(f"  pilots: {c.total} slots, {c.running} running, {c.idle} idle, {c.failed} failed" if c
               else "  pilots: none has joined the pool")  # fmt: skip
    return out


def job(
    name: Annotated[str, typer.Argument(metavar="[ID]", help="ClusterId.ProcId, asked of the schedds.")] = "",
    of_class: Class = None, work_dir: FrontendDir = FRONTEND, cycle: Cycle = None, snapshot: SnapshotFile = "",
    config: Config = None, group: Group = "",
    schedd: Annotated[str, typer.Option("--schedd", help="Only this schedd.")] = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Which entries a job fits, which condition stops it at the others, and what is asked of those it fits."""
    kept = _record(work_dir, cycle, snapshot)
    policy = _policy(work_dir, kept, config)
    names = sorted({a.name for g in policy.groups for a in g.job_attrs} | {"RequestCpus"})
    if not name and not of_class:
        raise StateError("neither a job nor a class is given", where="job explain", hint="give an ID, or --class A=v")
    attrs = look_up(name, names, policy, schedd) if name else dict(map(_pair, of_class or ()))
    made = _plan(kept, policy, config is not None)
    inputs, plans = {g.name: g for g in kept.snapshot.groups}, {g.name: g for g in made.groups}
    verdicts = {
        g.name: explain_class(inputs[g.name], g, attrs)
        for g in policy.groups
        if group in ("", g.name) and g.name in inputs and g.name in plans
    }
    fits = {n: [e for e in plans[n].entries if e.entry in {v.entry for v in rows if v.matches}]
            for n, rows in verdicts.items()}  # fmt: skip
    if as_json:
        shown = {n: {"entries": rows, "plan": fits[n]} for n, rows in verdicts.items()}
        output.print_json({"job": attrs, "groups": shown})
    else:
        print(f"job with {_values(attrs)}")
        for n, rows in verdicts.items():
            print("\n".join(_verdict_lines(n, rows)))
            for e in fits[n]:
                print("\n".join(entry_lines(plans[n], e, inputs[n])))
    sys.exit(0 if any(fits.values()) else 1)


def _verdict_lines(group: str, rows: Sequence[Verdict]) -> list[str]:
    out = [f"group {group}: fits {sum(v.matches for v in rows)} of {len(rows)} entries"]
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
    return ", ".join(f"{n} undefined" if v is None else f"{n}={v!r}" for n, v in (found or {}).items())


def _pair(text: str) -> tuple[str, Value]:
    """`A=7`: numbers and booleans are read as such, quotes make a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise StateError(f"{text!r} is not ATTRIBUTE=VALUE", where="--class", hint="for example --class RequestCpus=8")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.lower(), value.strip("\"'"))


def look_up(name: str, names: Sequence[str], policy: FrontendPolicy, schedd: str) -> dict[str, Value]:
    """The match attributes of a job in one of the schedds; a StateError if it is in none that answers."""
    from glideinwms.lib.htc import ScheddAddress, quoted
    from glideinwms.lib.readers import Call, ReaderPool

    cluster, _, proc = name.partition(".")
    if not cluster.isdigit() or not (proc or "0").isdigit():
        raise StateError(f"{name!r} is not ClusterId.ProcId", where="job explain", hint="for example 12.0")
    where = f"ClusterId == {cluster} && ProcId == {proc or 0}"
    with ReaderPool() as pool:
        found = pool.one(Call("user pool", "glideinwms.lib.htc:locate_schedds", {"collector": policy.user_collector}))
        if found.error is not None:
            raise found.error
        for ad in found.value or ():
            if schedd and ad["Name"] != schedd:
                continue
            address = ScheddAddress(str(ad["Name"]), str(ad["MyAddress"]))
            args = {"schedd": address, "constraint": where, "projection": [*names]}
            answer = pool.one(Call(address.name, "glideinwms.lib.htc:query_jobs", args))
            if answer.error is None and answer.value:
                return {n: v for n, v in to_json(answer.value[0]).items() if n in names}
    raise StateError(f"job {name} is in no schedd that answers", where=quoted(policy.user_collector),
                     hint="name its attributes with --class")  # fmt: skip
