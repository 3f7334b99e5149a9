"""A Factory's configuration made from the one in force and the entries that changed (decision 41).

What is remembered beside the fingerprint only saves time: the sum of each entry's text and of all the rest. The values
themselves come from the policy in force, and where anything else is not as it was, or is not plain, the caller reads
the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.creation.build.factory import build_factory
from glideinwms.creation.build.resolved import Built, UnchangedEntries
from glideinwms.creation.reconfig import fingerprint
from glideinwms.creation.reconfig.plan import previous_policy
from glideinwms.creation.reconfig.xml_slices import Cut
from glideinwms.creation.xml.problems import InvalidConfig, Problem, Problems
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib.errors import StateError
from glideinwms.lib.stage import generations

FILE = re.compile(rb"<file\s")


def build(path: Path, cut: Cut, problems: Problems) -> Built | None:
    """What `build_factory` comes to, with the entries that are as they were taken over; None if all
    must be read.

    Problems of the entries that are read are added to `problems`: the others had none.
    """
    work = fingerprint.work_dir(path, "factory")
    known = fingerprint.known(work, path, skip=cut.texts) if work else {}
    remembered = known.get("entries", {})
    if (
        not work
        or remembered.get("rest") != cut.rest
        or len(remembered["slices"]) != len(cut.slices)
    ):
        return None
    old = previous_policy(work)
    lost = {d for d, when in known["outputs"].items() if fingerprint.mtime(Path(d)) != when}
    names = [name for name, _ in remembered["slices"]]
    stage = Path(old["stage_dir"])
    fresh = {
        n
        for n, (name, digest) in enumerate(remembered["slices"])
        if digest != cut.slices[n].digest or str(stage / f"entry_{name}") in lost
    }
    found = Problems()
    part = cut.only(fresh)
    try:
        kept = {e["name"]: e["schedd_name"] for e in old["entries"]}
        built = build_factory(path, found, previous=lambda _: kept, raw=part.read)
        files = _files(work, str(known["generation"]))
    except (InvalidConfig, StateError):
        return None
    standing = set(names) - {names[n] for n in fresh}
    wanted = {e["name"] for e in old["entries"]} - standing
    assert isinstance(built.policy, FactoryPolicy)
    if {entry.name for entry in built.policy.entries} != wanted:
        return None
    if _outside(cut, found.found) != remembered["outside"]:
        return None
    problems.found += found.found
    there = {f"entry_{name}": tuple(files.get(f"entry_{name}", ())) for name in standing}
    return replace(built, standing=UnchangedEntries(tuple(old["entries"]), there))


def record(cut: Cut, problems: Problems) -> dict[str, Any]:
    """What to remember of a configuration that is now in force; an entry with files, or of which
    something is to be said, is read every time.
    """
    names = [s.name for s in cut.slices]
    if not all(names) or len(set(names)) < len(names):
        return {}
    marked, _ = cut.concerned(problems.found)
    rows = []
    for n, one in enumerate(cut.slices):
        again = n in marked or FILE.search(cut.texts[Path(one.file)], one.start, one.end)
        rows.append([names[n], "" if again else one.digest])
    return {"rest": cut.rest, "slices": rows, "outside": _outside(cut, problems.found)}


def _outside(cut: Cut, problems: Iterable[Problem]) -> list[list[str]]:
    """What is said of the rest of the file, without the numbers of lines."""
    _, outside = cut.concerned(problems)
    return sorted([p.level, p.subject, p.what, p.hint] for p in set(outside))


def _files(work: Path, generation: str) -> dict[str, list[str]]:
    """The names of the immutable files in each directory of the stage."""
    out: dict[str, list[str]] = {}
    for name in generations.load(
        generations.directory(work) / f"{generation}.json", policies=False
    ).files:
        folder, _, file = name.rpartition("/")
        out.setdefault(folder, []).append(file)
    return out
