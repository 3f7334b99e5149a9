"""Act on the commands of operators to a running Factory (decision 37).

They approve a parked removal, remove pilots of an entry, or submit some for a Frontend's request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from glideinwms.factory.apply import job_actions
from glideinwms.factory.apply.applier import FactoryReport
from glideinwms.factory.apply.job_actions import JobAction, Outcome, Selection
from glideinwms.factory.plan import QUEUED, RUNNING, WAIT, Placement, RequestPlan
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.factory.submit.batches import batch_of
from glideinwms.factory.submit.description import sub_entries
from glideinwms.lib.condor.htc import quoted
from glideinwms.lib.daemon import operator_commands, storage
from glideinwms.lib.daemon.operator_commands import OperatorCommand
from glideinwms.lib.errors import StateError
from glideinwms.lib.reasons import Adjustment, Reason, Refusal

if TYPE_CHECKING:
    from glideinwms.factory.daemon import FactoryDaemon

HELD = "held"
STATES = (WAIT, QUEUED, RUNNING, HELD)
EVERYTHING = 1_000_000


def handle(daemon: FactoryDaemon, word: OperatorCommand, policy: FactoryPolicy) -> str:
    """Act on the word; the text is its answer, an error of ours too. What cannot be recorded is not
    done.
    """
    if trouble := storage.problem(daemon.state):
        raise StateError(f"not done, since it could not be recorded: {trouble}", where=word.verb)
    if word.verb == "approve":
        return _approve(daemon, word)
    if word.verb == "remove":
        return _remove(daemon, word, policy)
    if word.verb == "submit":
        return _submit(daemon, word, policy)
    operator_commands.unhandled(word)
    return ""


def _entry(word: OperatorCommand, policy: FactoryPolicy) -> EntryPolicy:
    entry = next((e for e in policy.entries if e.name == word.args.get("entry")), None)
    if entry is None:
        raise StateError(
            f"there is no entry {word.args.get('entry')!r}",
            where=word.verb,
            hint="see gwms entry list",
        )
    return entry


def _number(word: OperatorCommand, unsaid: int) -> int:
    text = word.args.get("n", "")
    if text and not re.fullmatch("[0-9]{1,6}", text):
        raise StateError(f"{text!r} is not a number of pilots", where=word.verb)
    return int(text or unsaid)


def _approve(daemon: FactoryDaemon, word: OperatorCommand) -> str:
    name = word.args.get("id", "")
    rows = [
        r.parked
        for e in (daemon.plan.entries if daemon.plan else ())
        for r in e.requests
        if r.parked
    ]
    parked = next((p for p in rows if p.id == name), None)
    if parked is None:
        waiting = ", ".join(p.id for p in rows) or "none"
        raise StateError(
            f"no removal {name or '(no id)'} is parked",
            where="approve",
            hint=f"parked now: {waiting}",
        )
    approval = daemon.rail.approve(parked, word.who, word.time)
    daemon.audit.note(
        "approve",
        cycle=daemon.cycle,
        entry=parked.entry,
        request=parked.request,
        n=parked.n,
        id=name,
        who=word.who,
        expires=approval.expires,
    )
    return (
        f"{parked.n} running pilots of {parked.request} at {parked.entry} are removed with the next cycles, "
        f"also if the request no longer asks for it; the approval expires in 24 h"
    )


def _remove(daemon: FactoryDaemon, word: OperatorCommand, policy: FactoryPolicy) -> str:
    entry = _entry(word, policy)
    memory = daemon.queue_reader.schedds.get(entry.schedd_name)
    if memory is None or memory.address is None:
        raise StateError(
            f"schedd {entry.schedd_name} is not known yet", where=f"entry {entry.name}"
        )
    states = [s for s in word.args.get("states", WAIT).split(",") if s]
    if wrong := [s for s in states if s not in STATES]:
        raise StateError(
            f"unknown state {', '.join(wrong)}", where="remove", hint=f"one of {', '.join(STATES)}"
        )
    limit = _number(word, EVERYTHING)
    base = job_actions.entry_constraint(policy, entry.name)
    if client := word.args.get("client"):
        base += f" && GlideinClient =?= {quoted(client)}"
    texts = [job_actions.state_constraint([s]) if s != HELD else "(JobStatus == 5)" for s in states]
    deed = JobAction(
        schedd=entry.schedd_name,
        entry=entry.name,
        request="",
        action="Remove",
        picks=(Selection(f"{base} && ({' || '.join(texts)})", limit),),
        cap=limit,
        reason=Reason.OPERATOR_REMOVAL,
        force=word.args.get("force") == "yes",
    )
    answer = daemon.applier.act(deed, f"gwms entry rm by {word.who}")
    if answer.error is not None:
        raise answer.error
    outcome: Outcome = answer.value
    ids, done = [i for tried in outcome.tried for i in tried], outcome.done
    daemon.audit.note(
        "remove",
        cycle=daemon.cycle,
        entry=entry.name,
        request="",
        n=done,
        ids=ids,
        reasons=[Reason.OPERATOR_REMOVAL],
        who=word.who,
        **({"held": outcome.holds} if outcome.holds else {}),
    )
    return f"{done} pilots of {entry.name} removed" + _others(daemon, entry, states)


def _others(daemon: FactoryDaemon, entry: EntryPolicy, states: list[str]) -> str:
    """Return what the last cycle counted in other states, and how to remove those pilots."""
    row = next(
        (e for e in (daemon.plan.entries if daemon.plan else ()) if e.entry == entry.name), None
    )
    if row is None:
        return ""
    counts = {
        WAIT: row.counts.wait,
        QUEUED: row.counts.idle - row.counts.wait,
        RUNNING: row.counts.running,
        HELD: row.counts.held,
    }
    left = {state: n for state, n in counts.items() if n and state not in states}
    if not left:
        return ""
    numbers = ", ".join(f"{n} {state}" for state, n in left.items())
    return f"; the last cycle counted {numbers} beside them: remove those with {' '.join(f'--state {s}' for s in left)}"


def _request_of(daemon: FactoryDaemon, entry: EntryPolicy, client: str) -> Request:
    """Return a client's last request at an entry; a StateError if it has none that is served, or if
    several Frontends use its ClientName.
    """
    asked = (daemon.snapshot.requests.value if daemon.snapshot else None) or ()
    served = [r for r in asked if r.entry == entry.name and r.refusal is None]
    requests = [r for r in served if r.client == client]
    if not requests:
        known = ", ".join(sorted({r.client for r in served})) or "none"
        raise StateError(
            f"{client!r} has no good request at {entry.name}",
            where="submit",
            hint=f"it has: {known}",
        )
    frontends = sorted({r.security_name for r in requests})
    if len(frontends) > 1:
        raise StateError(
            f"several Frontends use the ClientName {client!r}: {', '.join(frontends)}",
            where="submit",
            hint="give their groups different names",
        )
    return requests[-1]


def _check_submittable(daemon: FactoryDaemon, entry: EntryPolicy) -> None:
    """Raise a StateError if nothing may be submitted to the entry's schedd now."""
    where = f"schedd {entry.schedd_name}"
    schedds = daemon.snapshot.schedds if daemon.snapshot else ()
    state = next((s for s in schedds if s.name == entry.schedd_name), None)
    if state is None or state.frozen:
        raise StateError(state.frozen if state else "nothing is known yet", where=where)
    if daemon.queue_reader.schedds[entry.schedd_name].unknown:
        raise StateError("the outcome of a submit is not known yet", where=where)


def _submit(daemon: FactoryDaemon, word: OperatorCommand, policy: FactoryPolicy) -> str:
    """Pilots for a client's request as it came last, whatever it asks for and whatever limits and
    downtimes say.
    """
    entry, client = _entry(word, policy), word.args.get("client", "")
    request = _request_of(daemon, entry, client)
    _check_submittable(daemon, entry)
    n = _number(word, 1)
    why = Adjustment(Reason.OPERATOR_SUBMISSION, 0, n, detail=f"by {word.who}")
    row = RequestPlan(
        request.name,
        entry.name,
        client,
        request.security_key,
        request.credential,
        request.idle,
        placements=(Placement(sub_entries(entry)[0].submit_file, n),),
        clips=(why,),
    )
    batch = batch_of(
        policy=policy,
        entry=entry,
        row=row,
        request=request,
        now=word.time,
        new_id=daemon.applier.new_id,
        rng=daemon.rng,
    )
    if isinstance(batch, Refusal):
        raise StateError(batch.text, where=f"entry {entry.name}")
    report = FactoryReport()
    daemon.applier.submit([batch], report, set())
    made = [s for s in report.submitted if not s.error]
    if report.refusals:
        raise StateError(report.refusals[0].text, where=f"entry {entry.name}")
    daemon.audit.note(
        "operator_submit",
        cycle=daemon.cycle,
        entry=entry.name,
        request=request.name,
        n=sum(s.n for s in made),
        who=word.who,
    )
    clusters = ", ".join(str(s.cluster) for s in made)
    return (
        f"{sum(s.n for s in made)} pilots of {client} submitted to {entry.name}, cluster {clusters}"
    )
