"""Applying a configuration: add-only stage, one sync, the generation's manifest, then one rename (decisions 10, 33).

A crash or a full disk at any point leaves the published generation whole: the pointer `policy.json` comes last.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glideinwms.creation.build.resolved import Built, named
from glideinwms.creation.reconfig import fingerprint, hooks, takeover, xml_slices
from glideinwms.creation.reconfig.plan import ReconfigPlan, make_plan, policy_path, previous_policy
from glideinwms.creation.xml.problems import Problem, Problems, Where
from glideinwms.creation.xml.source import Read
from glideinwms.lib.daemon import status
from glideinwms.lib.daemon.audit import Audit
from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.lib.files import hint_of, locked, make_directory, write_atomic
from glideinwms.lib.run_as_owner import caller
from glideinwms.lib.stage import generations, publish

SIDES = ("factory", "frontend")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReconfigOutcome:
    """What a reconfig did. `written`: files of the stage and work areas; `reloaded`: the daemon's
    word, "" if none runs; `warnings` of the configuration.
    """

    plan: ReconfigPlan
    written: int
    pruned: int
    reloaded: str
    warnings: tuple[Problem, ...]


def build(path: Path, side: str, problems: Problems, raw: Read = Path.read_bytes) -> Built:
    """Resolve a configuration file; entries keep the schedds that they have."""
    if side == "frontend":
        from glideinwms.creation.build.frontend import build_frontend

        return build_frontend(path, problems)
    if side != "factory":
        raise ConfigError(f"{side!r} is neither factory nor frontend")
    from glideinwms.creation.build.factory import build_factory

    return build_factory(path, problems, previous=_schedds, raw=raw)


def _built(path: Path, side: str, cut: xml_slices.Cut | None, problems: Problems) -> Built:
    """The same by way of what is in force and the entries that have changed, where that is
    possible.
    """
    if cut is None:
        return build(path, side, problems)
    from glideinwms.creation.reconfig import incremental

    return incremental.build(path, cut, problems) or build(path, side, problems, cut.read)


def _record(cut: xml_slices.Cut, problems: Problems) -> dict[str, Any]:
    from glideinwms.creation.reconfig import incremental

    return incremental.record(cut, problems)


def _schedds(work_dir: Path) -> dict[str, str]:
    return {e["name"]: e["schedd_name"] for e in previous_policy(work_dir).get("entries", ())}


def reconfig(
    path: Path,
    side: str,
    progress: Progress | None = None,
    problems: Problems | None = None,
    *,
    force_delete: bool = False,
    wait: bool = True,
    who: str = "",
) -> ReconfigOutcome:
    """Make the file at `path` the configuration in force and tell a running daemon; `who` goes into
    the audit trail (default: who runs this). InvalidConfig, StageError or StateError leave what is
    in force as it is; `problems` then has what else is to be said.
    """
    say = progress or (lambda text: None)
    problems = Problems() if problems is None else problems
    hooks.run(path, "pre")
    say("reading the configuration")
    seen = fingerprint.sources(path)
    cut = xml_slices.read(path) if side == "factory" else None
    built, data = named(_built(path, side, cut, problems))
    if taken := takeover.take_up_again(built.work_dir):
        say(f"taking up again what was put aside: {', '.join(taken)}")
    _make_directories(built)
    with locked(built.work_dir / "state" / "reconfig.lock", "reconfig"):
        plan = make_plan(built, data)
        _check_removed(plan, path, force_delete)
        _check_moved(built, path)
        written = 0
        if not plan.empty:
            say(f"writing {len(plan.files)} files")
            written = _apply(built, data)
            _record_change(plan, path, built.work_dir, who or caller(), problems)
        pruned = _prune(built)
        places = sorted({built.stage_dir / subdir for subdir in built.subdirs})
        inputs = (*built.sources, *built.inputs)
        entries = _record(cut, problems) if cut else {}
        fingerprint.remember(
            path,
            built.work_dir,
            plan.generation,
            inputs=inputs,
            outputs=places,
            entries=entries,
            seen=seen,
            warnings=len(problems.all_warnings),
        )
    say("telling the daemon" if wait else "done")
    told = tell(built.work_dir, built.policy.generation) if wait else ""
    try:
        hooks.run(path, "post")
    except ConfigError as error:
        problems.warn(Where(error.where, 0), "hook", error.message, error.hint)
    return ReconfigOutcome(plan, written, pruned, told, tuple(problems.warnings))


def _make_directories(built: Built) -> None:
    for directory, mode in {built.stage_dir: 0o755, **built.directories}.items():
        try:
            make_directory(directory, mode)
        except OSError as error:
            hint = hint_of(error) or "make it, and give it to the owner of the configuration"
            raise StateError(
                f"cannot be made: {error.strerror}", where=str(directory), hint=hint
            ) from error


def _check_removed(plan: ReconfigPlan, path: Path, force: bool) -> None:
    if plan.removed_active and not force:
        kind = "entries" if plan.side == "factory" else "groups"
        raise ConfigError(
            f"would remove the active {kind} {', '.join(plan.removed_active)}",
            where=str(path),
            hint="set enabled=False instead, or use --force-delete",
        )


def _check_moved(built: Built, path: Path) -> None:
    """Pilots that are queued come to the old place (config 11)."""
    before = str(previous_policy(built.work_dir).get("stage_dir", built.stage_dir))
    if before != str(built.stage_dir):
        what = f"would move the stage from {before} to {built.stage_dir}, where queued pilots do not look"
        raise ConfigError(
            what, where=str(path), hint="start with a new work area, or keep stage@base_dir"
        )


def _apply(built: Built, data: dict[str, Any]) -> int:
    work = built.work_dir
    make_directory(generations.directory(work), 0o750)
    if built.side == "factory":
        takeover.keep_startup(built.stage_dir, work)
    plain = generations.keep_plain(work, built.trees)
    written = publish.publish(built.stage_dir, built.trees)
    for name, blob in built.work_files.items():
        if not (work / name).exists():
            make_directory((work / name).parent, 0o750)
            write_atomic(work / name, blob.read(), 0o755, fsync=True)
            written += 1
    generation = generations.Generation(
        built.policy.generation,
        time.time(),
        data,
        built.files,
        tuple(built.work_files),
        plain,
    )
    generations.save(work, generation, built.text)
    generations.leave(work, str(previous_policy(work).get("generation", "")))
    publish.sync_filesystem(work)
    write_atomic(policy_path(work), built.text, 0o640, fsync=True)
    return written + 2


def _record_change(
    plan: ReconfigPlan, path: Path, work: Path, who: str, problems: Problems
) -> None:
    """A line of the audit trail. The configuration is in force by now, with the line or without."""
    changes = {"added": plan.added, "removed": plan.removed, "changed": plan.changed}
    try:
        Audit(work / "state/audit.jsonl").line(
            "reconfig",
            generation=plan.generation,
            before=plan.previous,
            file=str(path),
            **{name: names for name, names in changes.items() if names},
            who=who,
        )
    except StateError as error:
        problems.warn(
            Where(error.where, 0),
            "audit",
            f"the reconfig is not recorded: {error.message}",
            error.hint,
        )


def _prune(built: Built) -> int:
    """Old generations of a Frontend go by age; a Factory's are named by queued pilots, which its
    daemon knows.
    """
    if built.side == "factory":
        return 0
    gone = generations.prune(
        built.stage_dir,
        built.work_dir,
        current=built.policy.generation,
        named=(),
        now=time.time(),
        keep=built.keep_generations,
    )
    return len(gone)


def tell(work: Path, generation: str) -> str:
    """Send SIGHUP to a running daemon and wait for its word, at most two cycles; "" if none runs
    (decision 37).
    """
    path = work / "state" / "status.json"
    pid, told = status.pid(path), time.time()
    found = _said(path, pid)
    if not pid or (found and found.generation == generation):
        return found.generation if found else ""
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return ""
    except PermissionError as error:
        raise NotTaken(
            "the daemon is another user's", where=str(path), hint="reload it as that one"
        ) from error
    deadline = time.monotonic() + 2 * (found.loop_delay if found else 60.0) + 30
    while time.monotonic() < deadline:
        found = _said(path, pid)
        if found and found.generation == generation:
            return found.generation
        # an error that it had before is none of this configuration
        if found and found.policy_error and found.cycle_began >= told:
            raise NotTaken(f"the daemon did not take it: {found.policy_error}", where=str(path))
        time.sleep(0.1)
    raise NotTaken(
        "the daemon has not taken the new configuration yet", where=str(path), hint="see its log"
    )


def _said(path: Path, pid: int) -> status.Status | None:
    """What this process last said of itself; None if it has not yet ended a cycle."""
    found = status.read(path) if path.exists() else None
    return found if found and found.pid == pid else None


class NotTaken(StateError):
    """The configuration is in force on disk, but the running daemon refused it, or said nothing in
    time.
    """
