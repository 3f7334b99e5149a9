"""Whether an entry's recent pilots did their work, and how many it may get if not: the black-hole guard. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from glideinwms.factory.snapshot import Health

WINDOW = 4 * 3600.0
LAST = 20
ENOUGH = 5
FAILING = 0.5
SHORT = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one pilot ended, for the guard: `cause` says why it failed ("": it did not)."""

    client: str
    ended: float
    cause: str = ""


def judge(entry: str, outcomes: Iterable[Outcome], max_submit: int, now: float) -> Health:
    """The last pilots of each client in the window. An entry is as good as its best client, so that one Frontend's
    broken script does not stop the others; with half of them failing it gets less, down to one a cycle, which is also
    how it recovers: good pilots replace bad ones among the last."""
    last: dict[str, list[Outcome]] = defaultdict(list)
    for o in sorted(outcomes, key=lambda o: -o.ended):
        if now - o.ended < WINDOW and len(last[o.client]) < LAST:
            last[o.client].append(o)
    everyone = [o for found in last.values() for o in found]
    causes = Counter(o.cause for o in everyone if o.cause)
    failed = sum(causes.values())
    groups = [found for found in last.values() if len(found) >= ENOUGH] or [everyone]
    share = min(sum(1 for o in g if o.cause) / len(g) for g in groups) if everyone else 0.0
    if len(everyone) < ENOUGH or share < FAILING:
        return Health(entry, len(everyone), failed)
    cap = max(1, int(max_submit * (1 - share) ** 2))
    [(worst, n)] = causes.most_common(1)
    text = f"{failed} of the last {len(everyone)} pilots failed, {n} with: {worst}"
    return Health(entry, len(everyone), failed, cap, text)
