"""Remember why pilots were held that have since been removed or released."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from glideinwms.factory.apply.applier import ActionResult
from glideinwms.factory.apply.job_actions import Hold
from glideinwms.lib.jsondata import to_json

WINDOW_SECONDS = 3600.0
MAX_SHOWN = 3
MAX_REMEMBERED = 1000


class HoldMemory:
    """Holds of the last hour by entry; at most MAX_REMEMBERED an entry, the newest."""

    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[float, Hold]]] = defaultdict(list)

    def add(self, acted: Iterable[ActionResult], now: float) -> None:
        """Take what a cycle met, and forget what is old."""
        for row in acted:
            self.seen[row.entry] += [(now, hold) for hold in row.holds]
        for entry in list(self.seen):
            kept = [
                (when, hold) for when, hold in self.seen[entry] if abs(now - when) < WINDOW_SECONDS
            ]
            if kept:
                self.seen[entry] = kept[-MAX_REMEMBERED:]
            else:
                del self.seen[entry]

    def shown(self, entry: str) -> list[dict[str, Any]]:
        """The most frequent reasons at an entry: n, code, subcode, reason."""
        counts: Counter[tuple[int, int, str]] = Counter()
        for _, hold in self.seen.get(entry, ()):
            counts[hold.code, hold.subcode, hold.reason] += hold.n
        return [to_json(Hold(n, *key)) for key, n in counts.most_common(MAX_SHOWN)]
