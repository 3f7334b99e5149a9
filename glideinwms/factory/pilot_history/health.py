"""Whether recent pilots did their work, and how many may follow if not: the black-hole guard of an entry, and of each
Frontend there. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glideinwms.factory.policy import Guard
from glideinwms.factory.snapshot import Health

SHORT = 60


@dataclass(frozen=True, slots=True)
class PilotOutcome:
    """How one pilot ended, for the guard: `cause` says why it failed ("": it did not).

    `frontend` is the name that the Factory's configuration gives to whom the pilot was submitted
    for. A ClientName
    would not do: anybody may claim one, and have its failures counted as another's.
    """

    frontend: str
    ended: float
    cause: str = ""


def judge(
    entry: str,
    outcomes: Iterable[PilotOutcome],
    max_submit: int,
    now: float,
    guard: Guard | None = None,
) -> tuple[Health, ...]:
    """The entry first, then each Frontend that fares worse there and fails.

    The last pilots of each Frontend in the window count. An entry is as good as its best Frontend,
    so that the broken
    script of one does not stop the others; that one alone gets less. With half of the pilots
    failing fewer follow,
    down to one a cycle, which is also how an entry recovers: good pilots replace bad ones among the
    last.
    """
    guard = guard or Guard()
    last: dict[str, list[PilotOutcome]] = defaultdict(list)
    for o in sorted(outcomes, key=lambda o: -o.ended):
        if now - o.ended < guard.window and len(last[o.frontend]) < guard.pilots:
            last[o.frontend].append(o)
    everyone = [o for found in last.values() for o in found]
    judged = {frontend: found for frontend, found in last.items() if len(found) >= guard.least}
    best = min(map(_share, judged.values()), default=_share(everyone))
    rows = [_health(entry, "", everyone, best, max_submit, guard)]
    for frontend, found in sorted(judged.items()):
        if _share(found) > best:
            rows.append(_health(entry, frontend, found, _share(found), max_submit, guard))
    return (rows[0], *(r for r in rows[1:] if r.cap is not None))


def _share(outcomes: Sequence[PilotOutcome]) -> float:
    return sum(1 for o in outcomes if o.cause) / len(outcomes) if outcomes else 0.0


def _health(
    entry: str,
    frontend: str,
    seen: Sequence[PilotOutcome],
    share: float,
    max_submit: int,
    guard: Guard,
) -> Health:
    causes = Counter(o.cause for o in seen if o.cause)
    failed = sum(causes.values())
    if len(seen) < guard.least or share < guard.share or not failed:
        return Health(entry, len(seen), failed, frontend=frontend)
    cap = max(1, int(max_submit * (1 - share) ** 2))
    [(worst, n)] = causes.most_common(1)
    whose = f" of {frontend}" if frontend else ""
    text = f"{failed} of the last {len(seen)} pilots{whose} failed, {n} with: {worst}"
    return Health(entry, len(seen), failed, cap, text, frontend)
