"""Going back: to an earlier generation, or to the deployed program on the same directories (decisions 10, 38)."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path

from glideinwms.creation.build.resolved import text_of
from glideinwms.creation.reconfig import takeover
from glideinwms.creation.reconfig.plan import policy_path, previous_policy
from glideinwms.lib.daemon import status
from glideinwms.lib.daemon.audit import Audit
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import locked, make_directory, write_atomic
from glideinwms.lib.run_as_owner import caller
from glideinwms.lib.stage import generations
from glideinwms.lib.stage.generations import Generation

# what the deployed program reads in a work area at its start (config 12)
DEPLOYED = {"factory": "glidein.descript", "frontend": "frontend.descript"}


@dataclass(frozen=True, slots=True)
class KeptGeneration:
    """A generation that can be gone back to; `missing` are files that are no longer there."""

    name: str
    made: float
    current: bool
    missing: tuple[str, ...]


def listed(work: Path) -> list[KeptGeneration]:
    """Every generation, oldest first."""
    current = str(previous_policy(work).get("generation", ""))
    return [
        KeptGeneration(g.name, g.made, g.name == current, missing(work, g))
        for g in generations.all_of(work)
    ]


def missing(work: Path, generation: Generation) -> tuple[str, ...]:
    """The files of a generation that are gone from the stage or work area, or cannot be restored
    there.
    """
    stage = Path(generation.policy["stage_dir"])
    lost = [n for n in generation.files if not (stage / n).exists()]
    lost += [
        n
        for n, s in _replaced(stage, generation).items()
        if not generations.plain_copy(work, s).exists()
    ]
    return (*lost, *(n for n in generation.work_files if not (work / n).exists()))


def _replaced(stage: Path, generation: Generation) -> dict[str, str]:
    """Its plainly named files (name -> SHA-256) that hold something else by now."""
    return {n: s for n, s in generation.plain.items() if _sum(stage / n) != s}


def _sum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _restore(work: Path, generation: Generation) -> None:
    """Put its plainly named files back in their places, as a reconfig does: before the pointer
    names it.
    """
    stage = Path(generation.policy["stage_dir"])
    for name, sha256 in _replaced(stage, generation).items():
        copy = generations.plain_copy(work, sha256)
        if _sum(copy) != sha256:
            raise StateError(f"is not what {name} held", where=str(copy), hint="reconfig instead")
        make_directory((stage / name).parent, 0o755)
        write_atomic(stage / name, copy.read_bytes(), 0o644, fsync=True)


def rollback(work: Path, name: str = "", who: str = "") -> str:
    """Put generation `name` (default: the one before the current) in force again; returns its name.
    `who` goes into the audit trail (default: who runs this). What cannot be recorded is not done.
    """
    with locked(work / "state" / "reconfig.lock", "rollback"):
        found = generations.all_of(work)
        current = str(previous_policy(work).get("generation", ""))
        if not name:
            names = [g.name for g in found]
            earlier = names[: names.index(current)] if current in names else names
            if not earlier:
                raise StateError(
                    "there is no earlier generation", where=str(generations.directory(work))
                )
            name = earlier[-1]
        chosen = next((g for g in found if g.name == name), None)
        if chosen is None:
            hint = f"there are {', '.join(g.name for g in found) or 'none'}"
            raise StateError(
                f"there is no generation {name}", where=str(generations.directory(work)), hint=hint
            )
        if lost := missing(work, chosen):
            raise StateError(
                f"generation {name} lacks {', '.join(lost[:5])}",
                where=str(work),
                hint="reconfig instead",
            )
        _restore(work, chosen)
        generations.leave(work, current)
        audit = Audit(work / "state/audit.jsonl")
        audit.line("rollback", generation=name, before=current, who=who or caller())
        write_atomic(policy_path(work), text_of(chosen.policy), 0o640, fsync=True)
    return name


def to_deployed(work: Path, side: str, who: str = "") -> list[str]:
    """Take our pointer and state aside, so that the directories are the deployed program's again.

    Keys, credentials, downtimes and its own files were never ours to change; its startup script is
    put back into the stage area; our stage files stay for pilots that are queued. Returns the new
    names, with a number where they are taken from another time. StateError while our daemon runs,
    or if the deployed program was never installed here.
    """
    if status.running(work / "state" / "status.json"):
        raise StateError("the daemon runs", where=str(work), hint="stop it first")
    if not (work / DEPLOYED[side]).exists():
        what = f"the deployed program has no {DEPLOYED[side]} here"
        raise StateError(
            what, where=str(work), hint="run its reconfig after this program is removed"
        )
    if stage := previous_policy(work).get("stage_dir"):
        takeover.put_startup_back(Path(stage), work)
    ours = [name for name in takeover.ASIDE if (work / name).exists()]
    if (work / "state").is_dir():
        Audit(work / "state/audit.jsonl").line(
            "rollback", generation="deployed program", who=who or caller()
        )
    suffixes = itertools.chain([""], (f".{n}" for n in itertools.count(2)))
    suffix = next(
        s
        for s in suffixes
        if not any((work / f"gwms-{name}{s}").exists() for name in takeover.ASIDE)
    )
    for name in ours:
        (work / name).rename(work / f"gwms-{name}{suffix}")
    return [f"gwms-{name}{suffix}" for name in ours]
