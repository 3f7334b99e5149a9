"""Generations: what each reconfig published, kept for rollback and for pruning by manifest only
(decision 10).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glideinwms.lib import jsondata
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import make_directory, read_text, write_atomic
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree

SCHEMA = 1
# the last key; the quotes of a value are escaped
POLICY = ',"policy":'
KEEP_SECONDS = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class Generation:
    """One published configuration; `files` are stage-relative immutable names, `work_files` those
    of the work area, `plain` the files that are replaced in their place: stage-relative name ->
    SHA-256 of what they held.
    """

    name: str
    made: float
    policy: dict[str, Any]
    files: tuple[str, ...]
    work_files: tuple[str, ...] = ()
    plain: dict[str, str] = field(default_factory=dict)


def file_names(trees: Iterable[Tree]) -> tuple[str, ...]:
    """Stage-relative names of all immutable files."""
    return tuple(f"{t.subdir}/{n}" if t.subdir else n for t in trees for n in t.files)


def plain_names(trees: Iterable[Tree]) -> dict[str, Blob]:
    """Stage-relative names of all files that are replaced in their place."""
    return {f"{t.subdir}/{n}" if t.subdir else n: b for t in trees for n, b in t.plain.items()}


def plain_copy(work_dir: Path, sha256: str) -> Path:
    """Where the content of such a file is kept, once for all generations."""
    return directory(work_dir) / "plain" / sha256


def keep_plain(work_dir: Path, trees: Iterable[Tree]) -> dict[str, str]:
    """Keep the content of the plainly named files, before they are replaced; what a manifest says
    of them.
    """
    found = plain_names(trees)
    for blob in found.values():
        copy = plain_copy(work_dir, blob.sha256)
        if not copy.exists():
            make_directory(copy.parent, 0o750)
            write_atomic(copy, blob.read(), 0o640)
    return {name: blob.sha256 for name, blob in found.items()}


def directory(work_dir: Path) -> Path:
    """Where the manifests are."""
    return work_dir / "generations"


def save(work_dir: Path, generation: Generation, policy: str = "") -> Path:
    """Write a manifest; written once, before the pointer. `policy` is the text of its policy, if
    there is one.
    """
    make_directory(directory(work_dir), 0o750)
    path = directory(work_dir) / f"{generation.name}.json"
    data = {
        "schema": SCHEMA,
        "name": generation.name,
        "made": generation.made,
        "files": generation.files,
        "work_files": generation.work_files,
        "plain": generation.plain,
    }
    text = policy or json.dumps(generation.policy, separators=(",", ":"))
    write_atomic(path, json.dumps(data, separators=(",", ":"))[:-1] + POLICY + text + "}", 0o640)
    return path


def leave(work_dir: Path, name: str) -> None:
    """A generation goes out of force: from now on its age counts, which is that of its manifest."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(directory(work_dir) / f"{name}.json")


def load(path: Path, *, policies: bool = True) -> Generation:
    """Read a manifest; StateError if it is not one. Without `policies` that, which is large, is
    left empty.
    """
    try:
        text = read_text(path)
        head, found, _ = text.partition(POLICY)
        data = jsondata.parse(text if policies or not found else head + "}", str(path))
        policy = data["policy"] if policies else {}
        files, work_files = tuple(data["files"]), tuple(data["work_files"])
        return Generation(
            data["name"],
            float(data["made"]),
            policy,
            files,
            work_files,
            dict(data.get("plain", {})),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"is not a generation manifest: {error}", where=str(path)) from error


def all_of(work_dir: Path, *, policies: bool = True) -> list[Generation]:
    """Every generation, oldest first; without `policies`, which are large, those are left empty."""
    found = [load(path, policies=policies) for path in directory(work_dir).glob("*.json")]
    return sorted(found, key=lambda g: (g.made, g.name))


def prune(
    stage_dir: Path,
    work_dir: Path,
    *,
    current: str,
    named: Collection[str],
    now: float,
    keep: float = KEEP_SECONDS,
    only: Collection[str] | None = None,
) -> Sequence[str]:
    """Remove generations (of `only`, if given) that went out of force `keep` seconds ago, and that
    no queued pilot names.

    Only files a manifest of ours names are removed, and only those no remaining generation names: a
    deployed stage may live in the same directory. Returns the removed stage-relative names.
    """
    generations = all_of(work_dir, policies=False)
    old = [
        g
        for g in generations
        if g.name != current and g.name not in named and now - _left(work_dir, g) > keep
    ]
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
    for sha256 in {s for g in old for s in g.plain.values()} - {
        s for g in kept for s in g.plain.values()
    }:
        if "/" not in sha256:
            plain_copy(work_dir, sha256).unlink(missing_ok=True)
    return gone


def _left(work_dir: Path, generation: Generation) -> float:
    return (directory(work_dir) / f"{generation.name}.json").stat().st_mtime


def _unlink(path: Path, gone: list[str], name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        gone.append(name)
