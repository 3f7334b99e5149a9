"""Many sums over masks of entries at once: all numbers of a mask travel as fields of one integer."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

# bits of a field; each sum stays below: 2^40 jobs, of 2^31 cores each, shares in units of 2^-60 job
JOBS, CORES, SHARE = 40, 80, 104
WIDTH = JOBS + CORES + SHARE
# mask -> the numbers of its bits; at most so many are remembered
Places = dict[int, "array[int]"]
PLACES_KEPT = 20_000


def packed(kind: int, jobs: int, cores: int, share: int) -> int:
    """The sums of one job type, in their fields."""
    return (jobs | cores << JOBS | share << (JOBS + CORES)) << (kind * WIDTH)


def unpacked(total: int, kind: int) -> tuple[int, int, int]:
    """(jobs, cores, share) of one job type."""
    own = total >> (kind * WIDTH)
    jobs, cores = own & ((1 << JOBS) - 1), own >> JOBS & ((1 << CORES) - 1)
    return jobs, cores, own >> (JOBS + CORES) & ((1 << SHARE) - 1)


def spread(weights: Mapping[int, int], size: int, known: Places) -> list[int]:
    """For each of `size` entries the sum of the weights of the masks that hold its bit. `known` is
    added to.
    """
    totals, room = [0] * size, PLACES_KEPT - len(known)
    for mask, weight in weights.items():
        places = known.get(mask)
        if places is None:
            places = places_of(mask)
            if room > 0:
                known[mask] = places
                room -= 1
        for at in places:
            totals[at] += weight
    return totals


def places_of(mask: int) -> array[int]:
    """The numbers of the bits that are set, ascending."""
    bits, places = f"{mask:b}"[::-1], array("I")
    at = bits.find("1")
    while at >= 0:
        places.append(at)
        at = bits.find("1", at + 1)
    return places
