"""Generations: what each reconfig published, kept for rollback and for pruning by manifest only (decision 10)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glideinwms.lib.errors import StateError
from glideinwms.lib.files import read_text, write_atomic
from glideinwms.lib.stage.tree import Tree

SCHEMA = 1
KEEP_SECONDS = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class Generation:
    """One published configuration; `files` are stage-relative immutable names, `work_files` those of the work area."""

    name: str
    made: float
    policy: dict[str, Any]
    files: tuple[str, ...]
    work_files: tuple[str, ...] = ()


def file_names(trees: Iterable[Tree]) -> tuple[str, ...]:
    """Stage-relative names of all immutable files."""
    return tuple(f"{t.subdir}/{n}" if t.subdir else n for t in trees for n in t.files)


def directory(work_dir: Path) -> Path:
    """Where the manifests are."""
    return work_dir / "generations"


def save(work_dir: Path, generation: Generation) -> Path:
    """Write a manifest; written once, before the pointer."""
    directory(work_dir).mkdir(mode=0o750, parents=True, exist_ok=True)
    path = directory(work_dir) / f"{generation.name}.json"
    data = {
        "schema": SCHEMA,
        "name": generation.name,
        "made": generation.made,
        "files": generation.files,
        "work_files": generation.work_files,
        "policy": generation.policy,
    }
    write_atomic(path, json.dumps(data, separators=(",", ":")), 0o640)
    return path


def load(path: Path) -> Generation:
    """Read a manifest; StateError if it is not one."""
    try:
        data = json.loads(read_text(path))
        return Generation(
            data["name"], float(data["made"]), data["policy"], tuple(data["files"]), tuple(data["work_files"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"is not a generation manifest: {error}", where=str(path)) from error


def all_of(work_dir: Path, *, policies: bool = True) -> list[Generation]:
    """Every generation, oldest first; without `policies`, which are large, those are left empty."""
    found = []
    for path in directory(work_dir).glob("*.json"):
        one = load(path)
        found.append(one if policies else replace(one, policy={}))
    return sorted(found, key=lambda g: (g.made, g.name))


def prune(
    stage_dir: Path, work_dir: Path, *, current: str, named: Collection[str], now: float, keep: float = KEEP_SECONDS,
    only: Collection[str] | None = None,
) -> Sequence[str]:  # fmt: skip
    """Remove generations (of `only`, if given) older than `keep` seconds that neither run nor are named by a queued
    pilot.

    Only files a manifest of ours names are removed, and only those no remaining generation names: a deployed stage
    may live in the same directory. Returns the removed stage-relative names.
    """
    generations = all_of(work_dir, policies=False)
    old = [g for g in generations if g.name != current and g.name not in named and now - g.made > keep]
    old = [g for g in old if only is None or g.name in only]
    kept = [g for g in generations if g not in old]
    held, held_work = {f for g in kept for f in g.files}, {f for g in kept for f in g.work_files}
    gone: list[str] = []
    for generation in old:
        for name in generation.files:
            if name not in held and ".." not in name.split("/") and not name.startswith("/"):
                _unlink(stage_dir / name, gone, name)
        for name in generation.work_files:
            if name not in held_work and "/" not in name:
                _unlink(work_dir / name, [], name)
        (directory(work_dir) / f"{generation.name}.json").unlink(missing_ok=True)
    return gone


def _unlink(path: Path, gone: list[str], name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        gone.append(name)
