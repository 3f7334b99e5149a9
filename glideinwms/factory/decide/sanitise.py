"""Held, stale and stuck pilots: what is removed and what may try again (protocol 4.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glideinwms.factory.decide.pilot_states import HELD, IDLE, RUN
from glideinwms.factory.plan import PilotRelease, PilotRemoval
from glideinwms.factory.snapshot import QueuedPilot
from glideinwms.lib.errors import ConfigError
from glideinwms.lib.reasons import Reason

MAX_HOLDS = 10
SECONDS_PER_HOLD = 300
FORCE_ABOVE_HOLDS = 20

Codes = dict[int, frozenset[int]]


def recoverable_codes(text: str) -> Codes:
    """`code[ subcode]*` separated by commas -> code: subcodes (none: any). The last entry of a code
    wins (protocol 9.7/8).
    """
    codes: Codes = {}
    for item in text.split(",") if text.strip() else []:
        try:
            numbers = [int(word) for word in item.split()]
            codes[numbers[0]] = frozenset(numbers[1:])
        except (ValueError, IndexError):
            raise ConfigError(
                f"{item!r} in recoverable_exitcodes is not `code[ subcode]*`",
                hint="write e.g. `13 1 2,26`",
            ) from None
    return codes


def recoverable(pilot: QueuedPilot, codes: Codes) -> bool:
    """Whether a held pilot may be released sometime: its code is listed, and it was not held too
    often.
    """
    if pilot.hold_code is None or pilot.hold_code not in codes:
        return False
    subcodes = codes[pilot.hold_code]
    if subcodes and pilot.hold_subcode not in subcodes:
        return False
    return _holds(pilot, 1) <= MAX_HOLDS


def held_in_order(pilots: Iterable[QueuedPilot], codes: Codes) -> tuple[str, ...]:
    """Held pilots as excess removal takes them: unrecoverable first (protocol 4.6)."""
    held = [p for p in pilots if p.status == HELD]
    return tuple(p.id for p in held if not recoverable(p, codes)) + tuple(
        p.id for p in held if recoverable(p, codes)
    )


@dataclass(frozen=True, slots=True)
class Sanitised:
    """`found`: whether there was anything to sanitise, which counts as work even if nothing may be
    done yet (protocol 9.7/7).
    """

    removals: tuple[PilotRemoval, ...]
    releases: tuple[PilotRelease, ...]
    found: bool


def sanitise(
    pilots: Sequence[QueuedPilot],
    codes: Codes,
    stale_idle: int,
    stale_running: int,
    remove_cap: int,
    release_cap: int,
    *,
    strict: bool = False,
) -> Sanitised:
    """One pass. Mended (protocol 9.7/5): `remove_cap` holds for the whole pass, not for each of its
    four steps; (protocol 9.3/35): exactly `release_cap` pilots are released, not one more;
    (protocol 9.7/6): a pilot without NumSystemHolds counts as held 0 times.
    """
    held = [p for p in pilots if p.status == HELD]
    lost = [p for p in held if not recoverable(p, codes)]
    hopeful = [p for p in held if recoverable(p, codes)]
    steps = (
        ("stale_idle", Reason.STALE_IDLE, _stale(pilots, IDLE, stale_idle), False),
        ("stale_running", Reason.STALE_RUNNING, _stale(pilots, RUN, stale_running), False),
        ("held_unrecoverable_forcex", Reason.HELD_FORCEX, _ids(lost, True), True),
        ("held_unrecoverable", Reason.HELD_UNRECOVERABLE, _ids(lost, False), False),
    )
    left, removals = remove_cap, []
    for group, reason, ids, force in steps:
        cap = remove_cap if strict else min(left, len(ids))
        if ids and (strict or cap > 0):
            removals.append(PilotRemoval(group, reason, ids=ids, cap=cap, force=force))
            left -= cap
    ready = tuple(p.id for p in hopeful if _may_release(p))
    releases = (PilotRelease(ready, release_cap + (1 if strict else 0)),) if ready else ()
    return Sanitised(tuple(removals), releases, any(ids for _, _, ids, _ in steps) or bool(hopeful))


def _holds(pilot: QueuedPilot, absent: int) -> int:
    return absent if pilot.num_holds is None else pilot.num_holds


def _stale(pilots: Iterable[QueuedPilot], status: int, limit: int) -> tuple[str, ...]:
    return tuple(p.id for p in pilots if p.status == status and p.age is not None and p.age > limit)


def _ids(pilots: Iterable[QueuedPilot], force: bool) -> tuple[str, ...]:
    return tuple(p.id for p in pilots if (_holds(p, 0) > FORCE_ABOVE_HOLDS) is force)


def _may_release(pilot: QueuedPilot) -> bool:
    holds = _holds(pilot, 1)
    if not pilot.timed:
        return holds <= MAX_HOLDS
    return holds <= MAX_HOLDS and pilot.age is not None and pilot.age >= holds * SECONDS_PER_HOLD
