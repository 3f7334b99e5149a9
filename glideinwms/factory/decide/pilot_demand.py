"""What one request asks for, and the pilots that it has."""

from __future__ import annotations

from dataclasses import dataclass

from glideinwms.factory.plan import StatusCounts


@dataclass(frozen=True, slots=True)
class Candidates:
    """The request's pilots by removal state. `held` has ids, in the order in which they go."""

    wait: int
    queued: int
    running: int
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotDemand:
    """What a request wants, and which pilots it has.

    `key` is its security class. `idle` is the idle number after downtimes and entry limits,
    `asked_idle` before.
    """

    key: str
    idle: int
    asked_idle: int
    max_glideins: int
    level: str
    margin: int
    own: StatusCounts
    candidates: Candidates
    max_submit: int
    max_remove: int
