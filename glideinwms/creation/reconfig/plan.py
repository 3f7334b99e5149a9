"""What a reconfig would change: policy values old -> new, and files to be written. Touches nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glideinwms.creation.build.resolved import Built
from glideinwms.lib import jsondata
from glideinwms.lib.stage import publish

# what every stage change brings along: shown as files, not as changes
DERIVED = frozenset(
    ["generation", "descript", "sign", "sign256", "startup_script", "startup_sha256"]
)
NAMED = {"factory": "entries", "frontend": "groups"}


@dataclass(frozen=True, slots=True)
class Change:
    """One value of the policy: `path` like `entries[Alpha].limits.idle`; None stands for absent."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class ReconfigPlan:
    """`added`, `removed`, `changed` are entries (or groups); `files` will be written, relative to
    stage or work; `removed_active` ones, which are enabled, go only with force.
    """

    side: str
    generation: str
    previous: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    changes: tuple[Change, ...]
    files: tuple[str, ...]
    removed_active: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether a reconfig would do nothing."""
        return self.generation == self.previous and not self.files


def policy_path(work_dir: Path) -> Path:
    """The pointer: the one file that names what is in force."""
    return work_dir / "policy.json"


def previous_policy(work_dir: Path) -> dict[str, Any]:
    """The policy in force as plain data; {} if there is none."""
    path = policy_path(work_dir)
    try:
        seen = path.stat()
    except FileNotFoundError:
        return {}
    return _parsed(path, seen.st_ino, seen.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _parsed(path: Path, inode: int, mtime_ns: int) -> dict[str, Any]:
    """It is asked for several times in a reconfig, and may be large."""
    data: dict[str, Any] = jsondata.read_file(path, hint="move it away and run reconfig again")
    return data


def make_plan(built: Built, data: Mapping[str, Any]) -> ReconfigPlan:
    """Compare a named configuration with what is in force."""
    old = previous_policy(built.work_dir)
    key = NAMED[built.side]
    before, after = _by_name(old.get(key, ())), _by_name(data[key])
    found = tuple(_differences("", old, data)) if old else ()
    changed = [
        n for n in after if n in before and any(c.path.startswith(f"{key}[{n}]") for c in found)
    ]
    return ReconfigPlan(
        built.side,
        str(data["generation"]),
        str(old.get("generation", "")),
        tuple(n for n in after if n not in before),
        tuple(n for n in before if n not in after),
        tuple(changed),
        found,
        tuple(_files(built)),
        tuple(n for n, e in before.items() if n not in after and e.get("enabled", True)),
    )


def _by_name(rows: Any) -> dict[str, Any]:
    return {str(r["name"]): r for r in rows}


def _files(built: Built) -> Iterator[str]:
    yield from publish.names_of(publish.missing(built.stage_dir, built.trees))
    yield from publish.names_of(publish.changed_plain(built.stage_dir, built.trees))
    for name in built.work_files:
        if not (built.work_dir / name).exists():
            yield name


def _differences(path: str, old: Any, new: Any) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            if name not in DERIVED:
                yield from _differences(
                    f"{path}.{name}" if path else name, old.get(name), new.get(name)
                )
    elif _named(old) and _named(new):
        before, after = _by_name(old), _by_name(new)
        for name in dict.fromkeys([*before, *after]):
            yield from _differences(f"{path}[{name}]", before.get(name), after.get(name))
    else:
        yield Change(path, old, new)


def _named(rows: Any) -> bool:
    return (
        isinstance(rows, list | tuple)
        and bool(rows)
        and all(isinstance(r, Mapping) and "name" in r for r in rows)
    )
