"""Held, stale and stuck pilots: what is removed and what may try again (protocol 4.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glideinwms.factory.decide.pilot_states import HELD, IDLE, RUN
from glideinwms.factory.plan import PilotRelease, PilotRemoval
from glideinwms.factory.policy import EntryPolicy
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
    """What one pass removes and releases. `found` tells whether there was anything to sanitise,
    which counts as work even if nothing may be done yet (protocol A7).
    """

    removals: tuple[PilotRemoval, ...]
    releases: tuple[PilotRelease, ...]
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SanitiseStep:
    """The pilots that one of the four steps may remove."""

    group: str
    reason: Reason
    ids: tuple[str, ...]
    force: bool = False


def sanitise(pilots: Sequence[QueuedPilot], codes: Codes, entry: EntryPolicy) -> Sanitised:
    """Do one pass over `pilots`.

    Unlike GlideinWMS 3.10, the removal rate holds for the whole pass, not for each of its four
    steps (protocol A5); exactly as many pilots are released as the release rate says, not one more
    (protocol 9.3/35); a pilot without NumSystemHolds counts as held 0 times (protocol A6).
    """
    steps = sanitise_steps(pilots, codes, entry)
    left = entry.remove_max_per_cycle
    removals = []
    for step in steps:
        cap = min(left, len(step.ids))
        if cap > 0:
            removals.append(
                PilotRemoval(step.group, step.reason, ids=step.ids, cap=cap, force=step.force)
            )
            left -= cap
    ready = ready_to_release(pilots, codes)
    releases = (PilotRelease(ready, entry.release_max_per_cycle),) if ready else ()
    return Sanitised(tuple(removals), releases, anything_to_do(pilots, codes, steps))


def sanitise_steps(
    pilots: Sequence[QueuedPilot], codes: Codes, entry: EntryPolicy
) -> tuple[SanitiseStep, ...]:
    """Return the four steps in their order."""
    unrecoverable = [
        pilot for pilot in pilots if pilot.status == HELD and not recoverable(pilot, codes)
    ]
    return (
        SanitiseStep(
            group="stale_idle",
            reason=Reason.STALE_IDLE,
            ids=_stale(pilots, IDLE, entry.stale_idle),
        ),
        SanitiseStep(
            group="stale_running",
            reason=Reason.STALE_RUNNING,
            ids=_stale(pilots, RUN, entry.stale_running),
        ),
        SanitiseStep(
            group="held_unrecoverable_forcex",
            reason=Reason.HELD_FORCEX,
            ids=_ids(unrecoverable, True),
            force=True,
        ),
        SanitiseStep(
            group="held_unrecoverable",
            reason=Reason.HELD_UNRECOVERABLE,
            ids=_ids(unrecoverable, False),
        ),
    )


def anything_to_do(
    pilots: Iterable[QueuedPilot], codes: Codes, steps: Iterable[SanitiseStep]
) -> bool:
    """Return whether any pilot may be removed or, sometime, released."""
    if any(step.ids for step in steps):
        return True
    return any(pilot.status == HELD and recoverable(pilot, codes) for pilot in pilots)


def ready_to_release(pilots: Iterable[QueuedPilot], codes: Codes) -> tuple[str, ...]:
    """Return the held pilots that may be released now."""
    return tuple(
        pilot.id
        for pilot in pilots
        if pilot.status == HELD and recoverable(pilot, codes) and _may_release(pilot)
    )


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
