"""What an operator may say to a running Factory (decision 37): approve a parked removal, remove pilots of an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideinwms.factory import act
from glideinwms.factory.act import Deed, Pick
from glideinwms.factory.plan import QUEUED, RUNNING, WAIT
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib import operator
from glideinwms.lib.errors import StateError
from glideinwms.lib.htc import quoted
from glideinwms.lib.operator import Word
from glideinwms.lib.reasons import Reason

if TYPE_CHECKING:
    from glideinwms.factory.daemon import FactoryDaemon

HELD = "held"
STATES = (WAIT, QUEUED, RUNNING, HELD)
EVERYTHING = 1_000_000


def handle(daemon: FactoryDaemon, word: Word, policy: FactoryPolicy) -> str:
    """Act on the word; the text is its answer, an error of ours too."""
    if word.verb == "approve":
        return _approve(daemon, word)
    if word.verb == "remove":
        return _remove(daemon, word, policy)
    operator.unhandled(word)
    return ""


def _approve(daemon: FactoryDaemon, word: Word) -> str:
    name = word.args.get("id", "")
    rows = [r.parked for e in (daemon.plan.entries if daemon.plan else ()) for r in e.requests if r.parked]
    parked = next((p for p in rows if p.id == name), None)
    if parked is None:
        waiting = ", ".join(p.id for p in rows) or "none"
        raise StateError(f"no removal {name or '(no id)'} is parked", where="approve", hint=f"parked now: {waiting}")
    approval = daemon.rail.approve(name, word.who, word.time)
    daemon.audit.line(
        "approve", cycle=daemon.cycle, entry=parked.entry, request=parked.request, n=parked.n, id=name, who=word.who,
        expires=approval.expires,
    )  # fmt: skip
    return f"{parked.n} running pilots of {parked.request} at {parked.entry} may be removed for the next 24 h"


def _remove(daemon: FactoryDaemon, word: Word, policy: FactoryPolicy) -> str:
    entry = next((e for e in policy.entries if e.name == word.args.get("entry")), None)
    if entry is None:
        raise StateError(f"there is no entry {word.args.get('entry')!r}", where="remove", hint="see gwms entry list")
    memory = daemon.collector.schedds.get(entry.schedd_name)
    if memory is None or memory.address is None:
        raise StateError(f"schedd {entry.schedd_name} is not known yet", where=f"entry {entry.name}")
    states = [s for s in word.args.get("states", WAIT).split(",") if s]
    if wrong := [s for s in states if s not in STATES]:
        raise StateError(f"unknown state {', '.join(wrong)}", where="remove", hint=f"one of {', '.join(STATES)}")
    limit = int(word.args["n"]) if word.args.get("n", "").isdigit() else EVERYTHING
    base = act.entry_constraint(policy, entry.name)
    if client := word.args.get("client"):
        base += f" && GlideinClient =?= {quoted(client)}"
    texts = [act.state_constraint([s]) if s != HELD else "(JobStatus == 5)" for s in states]
    deed = Deed(
        entry.schedd_name, entry.name, "", "Remove", (Pick(f"{base} && ({' || '.join(texts)})", limit),), limit,
        Reason.OPERATOR_REMOVAL, word.args.get("force") == "yes",
    )  # fmt: skip
    answer = daemon.applier.act(deed, f"gwms entry rm by {word.who}")
    if answer.error is not None:
        raise answer.error
    parts, done = answer.value
    ids = [i for part in parts for i in part]
    daemon.audit.line(
        "remove", cycle=daemon.cycle, entry=entry.name, request="", n=done, ids=ids,
        reasons=[Reason.OPERATOR_REMOVAL], who=word.who,
    )  # fmt: skip
    return f"{done} pilots of {entry.name} removed"
