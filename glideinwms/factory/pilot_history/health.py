"""Judge recent pilots and limit submissions where many fail: the black-hole guard. Pure.

It judges an entry, and at the entry each client: one group of one Frontend.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glideinwms.factory.policy import Guard
from glideinwms.factory.snapshot import Health

# A startd that ends sooner, in seconds, did not work.
SHORT = 60

Who = tuple[str, str]
"""Name of a Frontend, ClientName."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotOutcome:
    """How one pilot ended, for the guard. `cause` says why it failed, or "" if it did not.

    `frontend` is the name of the pilot's Frontend in the Factory's configuration. Anybody may claim
    a ClientName, so `client` only tells the groups of one Frontend apart.
    """

    frontend: str
    client: str = ""
    ended: float
    cause: str = ""


def judge(
    entry: str,
    outcomes: Iterable[PilotOutcome],
    max_submit: int,
    now: float,
    guard: Guard | None = None,
) -> tuple[Health, ...]:
    """Return the health of the entry, then that of each client that fails and fares worse there.

    The last pilots of each client in the window count. Clients of a Frontend with too few pilots to
    judge each alone are judged together, as `client` "". An entry is as good as its best client, so
    the broken script of one does not stop the others: only the failing client gets less. When half
    of the pilots fail, fewer are submitted, down to one a cycle. An entry recovers in the same way:
    good pilots replace bad ones among the last.
    """
    guard = guard or Guard()
    last = _last(outcomes, now, guard)
    everyone = [outcome for recent in last.values() for outcome in recent]
    judged = {who: recent for who, recent in last.items() if len(recent) >= guard.least}
    best = min(map(_share, judged.values()), default=_share(everyone))
    whole_entry = _health(entry, ("", ""), everyone, best, max_submit, guard)
    clients = [
        _health(entry, who, recent, _share(recent), max_submit, guard)
        for who, recent in sorted(judged.items())
        if _share(recent) > best
    ]
    worse = [health for health in clients if health.cap is not None]
    # A client that is judged on its own does not share the limit of its Frontend's small clients.
    pooled = {health.frontend for health in worse if not health.client}
    limited = {(health.frontend, health.client) for health in worse}
    exempt = [
        Health(
            entry=entry,
            finished=len(recent),
            failed=_failed(recent),
            frontend=frontend,
            client=client,
        )
        for (frontend, client), recent in sorted(judged.items())
        if frontend in pooled and (frontend, client) not in limited
    ]
    return (whole_entry, *worse, *exempt)


def _last(
    outcomes: Iterable[PilotOutcome], now: float, guard: Guard
) -> dict[Who, list[PilotOutcome]]:
    """Group the last pilots in the window by client; small clients go to (Frontend, "")."""
    newest_first = sorted(outcomes, key=lambda outcome: -outcome.ended)
    recent = [outcome for outcome in newest_first if now - outcome.ended < guard.window]
    pilots = Counter((outcome.frontend, outcome.client) for outcome in recent)
    last: dict[Who, list[PilotOutcome]] = defaultdict(list)
    for outcome in recent:
        who = (outcome.frontend, outcome.client)
        if pilots[who] < guard.least:
            who = (outcome.frontend, "")
        if len(last[who]) < guard.pilots:
            last[who].append(outcome)
    return last


def _share(outcomes: Sequence[PilotOutcome]) -> float:
    return _failed(outcomes) / len(outcomes) if outcomes else 0.0


def _failed(outcomes: Sequence[PilotOutcome]) -> int:
    return sum(1 for outcome in outcomes if outcome.cause)


def _health(
    entry: str,
    who: Who,
    recent: Sequence[PilotOutcome],
    share: float,
    max_submit: int,
    guard: Guard,
) -> Health:
    frontend, client = who
    failed = _failed(recent)
    if len(recent) < guard.least or share < guard.share or not failed:
        return Health(
            entry=entry, finished=len(recent), failed=failed, frontend=frontend, client=client
        )
    causes = Counter(outcome.cause for outcome in recent if outcome.cause)
    [(worst, times)] = causes.most_common(1)
    return Health(
        entry=entry,
        finished=len(recent),
        failed=failed,
        cap=max(1, int(max_submit * (1 - share) ** 2)),
        text=f"{failed} of the last {len(recent)} pilots{_whose(who)} failed, {times} with: {worst}",
        frontend=frontend,
        client=client,
    )


def _whose(who: Who) -> str:
    frontend, client = who
    if client:
        return f" of {client} (Frontend {frontend})"
    return f" of {frontend}" if frontend else ""
