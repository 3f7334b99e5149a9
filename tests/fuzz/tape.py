"""Choices of a generator, from a random number generator or from bytes.

A generator of inputs asks for choices only. So the same generator serves a seeded loop (fast), hypothesis (which
shrinks) and atheris (which is guided by coverage).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Choices(Protocol):
    """A source of choices."""

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        ...

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        ...


class RandomChoices:
    """Choices of a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self._random() * limit)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self._random() * len(items))]


class TapeChoices:
    """Choices read from bytes; 0 after their end."""

    def __init__(self, tape: bytes) -> None:
        self._tape, self._at = tape, 0

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        size = 1 if limit <= 256 else 4
        part = self._tape[self._at : self._at + size]
        self._at += size
        return int.from_bytes(part, "big") % max(limit, 1)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]
