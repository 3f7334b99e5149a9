"""What a cycle of the Frontend sent, and what it could not send."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FrontendReport:
    """What was sent (ads by kind), what was not and why, and which entries' requests arrived, by
    group.
    """

    sent: dict[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    requested: dict[str, tuple[str, ...]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
