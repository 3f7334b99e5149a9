"""Answers of match expressions that are kept between cycles. Dropping them changes nothing but speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.decide.match.expression import Conjunct
from glideinwms.frontend.decide.packed_sums import PLACES_KEPT, Places

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class KnownEntries:
    """What one conjunct answered, by the values of a class: the entries that pass (`masks`), the
    entries for which it fails, where there are any (`failing`), and the steps that it took
    (`costs`, only of conjuncts that take steps; an upper bound for cheap classes, a lower bound
    where there is no mask).

    `before` holds the answers of the last cycle. They are valid except for the entries in
    `changed`.
    """

    masks: dict[Key, int] = field(default_factory=dict)
    failing: dict[Key, int] = field(default_factory=dict)
    costs: dict[Key, int] = field(default_factory=dict)
    before: KnownEntries | None = None
    changed: int = 0

    def alone(self) -> KnownEntries:
        """The same answers without those of the last cycle."""
        return KnownEntries(self.masks, self.failing, self.costs)


@dataclass(slots=True)
class MatchCache:
    """The answers of all conjuncts: (group, conjunct, strict) -> (context, values read of each
    entry, answers). Keeps at most `limit` classes per conjunct.
    """

    limit: int = 200_000
    known: dict[tuple[str, str, bool], tuple[Any, list[Key], KnownEntries]] = field(
        default_factory=dict
    )
    kept_places: Places = field(default_factory=dict)

    def places(self) -> Places:
        """The bits of masks that were met. Masks change with the entries, so a full table is
        emptied.
        """
        if len(self.kept_places) >= PLACES_KEPT:
            self.kept_places.clear()
        return self.kept_places

    def masks(
        self, group: str, conjunct: Conjunct, last: bool, context: Any, keys: Sequence[Key]
    ) -> KnownEntries:
        """The answers of a conjunct that are still valid. `context`: all that it reads beside jobs
        and entries. `keys`: what it reads of each entry. Where some entries changed, its answers
        for the others are kept.
        """
        name = (group, f"{conjunct.origin}|{conjunct.text}", last)
        old_context, old_keys, old = self.known.get(name, (None, [], KnownEntries()))
        same_context = old_context == context
        if same_context and old_keys == keys and max(len(old.masks), len(old.costs)) <= self.limit:
            return old.alone()
        known = KnownEntries()
        if same_context and len(old_keys) == len(keys) and old.masks:
            changed = sum(
                1 << i
                for i, (was, now) in enumerate(zip(old_keys, keys, strict=True))
                if was != now
            )
            known = KnownEntries(before=old.alone(), changed=changed)
        self.known[name] = (context, list(keys), known.alone())
        return known
