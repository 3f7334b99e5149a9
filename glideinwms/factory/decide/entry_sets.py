"""Distribute the pilots of an entry set over its CEs (protocol 4.5, config 2.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glideinwms.factory.plan import Placement
from glideinwms.factory.policy import Limits


@dataclass(frozen=True, slots=True)
class FileCount:
    """Pilots in the queue that were submitted through one submit file."""

    idle: int = 0
    running: int = 0


def deal(
    n: int,
    *,
    files: Sequence[str],
    order: Sequence[str],
    algorithm: str,
    pilots: Mapping[str, FileCount],
    limits: Limits,
) -> tuple[Placement, ...]:
    """Place `n` pilots one by one in the shuffled `order`; return placements in the order of
    `files`.

    Each file's share of the limits is limit // number of files. Pilots that no file may take are
    not placed.
    """
    if algorithm != "Default" or len(files) == 1:
        return (Placement(files[0], n),) if n > 0 else ()
    dealt = dict.fromkeys(files, 0)
    idle_share = limits.idle // len(files)
    total_share = limits.glideins // len(files)
    open_files = list(order)
    left = n
    while left > 0 and open_files:
        for file in list(open_files):
            if left == 0:
                break
            queued = pilots.get(file, FileCount())
            idle = queued.idle + dealt[file]
            if idle >= idle_share or idle + queued.running >= total_share:
                open_files.remove(file)
            else:
                dealt[file] += 1
                left -= 1
    return tuple(Placement(file, count) for file, count in dealt.items() if count)
