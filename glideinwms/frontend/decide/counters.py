"""Bit-sliced counters: many counts at once, one per entry, added to by masks of entries.

Plane b holds bit b of every count, so adding a weight to the thousand counts of a mask costs a few integer operations.
"""

from __future__ import annotations


class Sliced:
    """Counts of `size` entries, all zero at first."""

    __slots__ = ("_planes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._planes: list[int] = []

    def add(self, mask: int, weight: int) -> None:
        """Add `weight` (>= 0) to every count whose bit is set in `mask`."""
        if not mask:
            return
        planes, bit = self._planes, 0
        while weight:
            if weight & 1:
                carry, at = mask, bit
                while carry:
                    if at >= len(planes):
                        planes.extend([0] * (at + 1 - len(planes)))
                    planes[at], carry = planes[at] ^ carry, planes[at] & carry
                    at += 1
            weight >>= 1
            bit += 1

    def totals(self) -> list[int]:
        """The counts, in the order of the bits."""
        counts = [0] * self.size
        for bit, plane in enumerate(self._planes):
            value = 1 << bit
            while plane:
                low = plane & -plane
                counts[low.bit_length() - 1] += value
                plane ^= low
        return counts
