"""How pilots of an entry set are dealt to its CEs (protocol 4.5, config 2.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glideinwms.factory.plan import Placement


@dataclass(frozen=True, slots=True)
class FileCount:
    """Pilots already there through one submit file."""

    idle: int = 0
    running: int = 0


def deal(
    n: int,
    files: Sequence[str],
    order: Sequence[str],
    algorithm: str,
    have: Mapping[str, FileCount],
    max_idle: int,
    max_glideins: int,
    *,
    strict: bool = False,
) -> tuple[Placement, ...]:
    """Placements in directory order (`files`), dealt one by one in the shuffled `order`. Each
    file's share of the
    limits is limit // number of files; what no file may take is not placed. Strict: the turn of a
    full file is lost, so
    that fewer may be placed than there is room for.
    """
    if algorithm != "Default" or len(files) == 1:
        return (Placement(files[0], n),) if n > 0 else ()
    dealt = dict.fromkeys(files, 0)
    idle_share, total_share = max_idle // len(files), max_glideins // len(files)
    open_files, left = list(order), n
    while left > 0 and open_files:
        for file in list(open_files):
            seen = have.get(file, FileCount())
            idle = seen.idle + dealt[file]
            if left > 0 and (idle >= idle_share or idle + seen.running >= total_share):
                if strict:
                    left -= 1
                else:
                    open_files.remove(file)
            elif left > 0:
                dealt[file] += 1
                left -= 1
    return tuple(Placement(file, count) for file, count in dealt.items() if count)
