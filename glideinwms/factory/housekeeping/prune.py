"""Remove old generations of the Factory's stage that no queued pilot names (decision 10).

Only the queues tell what pilots name. A generation is removed only when every schedd that it ever
submitted to has answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glideinwms.factory.collect import queries
from glideinwms.factory.collect.queue_reader import QueueReader
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib import jsondata
from glideinwms.lib.condor.calls import JOB_DEADLINE, call
from glideinwms.lib.daemon import log, policy_file
from glideinwms.lib.daemon.audit import Audit
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import locked
from glideinwms.lib.stage import generations

EVERY, SOON = 3600.0, 600.0


@dataclass(frozen=True, slots=True)
class OldGeneration:
    """A generation that is old enough to go, and the schedds where its pilots can be."""

    name: str
    schedds: frozenset[str]


def candidates(work_dir: Path, now: float, keep: float) -> Iterator[OldGeneration]:
    """Generations older than `keep` s. One manifest is read at a time, and a young file not at all;
    one that cannot be read is said and left alone.
    """
    for path in sorted(generations.directory(work_dir).glob("*.json")):
        try:
            if now - path.stat().st_mtime <= keep:
                continue
            found = generations.load(path)
            schedds = frozenset(
                str(e["schedd_name"]) for e in found.policy.get("entries", ()) if e["schedd_name"]
            )
        except (OSError, StateError, KeyError, TypeError, AttributeError) as error:
            log.get("prune").warning("generation not understood", file=str(path), error=str(error))
            continue
        if now - found.made > keep:
            yield OldGeneration(found.name, schedds)


def named(
    queue_reader: QueueReader, policy: FactoryPolicy, schedds: frozenset[str]
) -> dict[str, frozenset[str] | None]:
    """Schedd -> generations that its pilots name; None where that is not known: no answer, or a
    submit whose outcome is not known yet.
    """
    names = sorted(schedds)
    queue_reader.locate(policy, names)
    calls = [
        call(
            name,
            queries.generations,
            schedd=memory.address,
            factory=policy.factory_name,
            glidein=policy.glidein_name,
        ).within(JOB_DEADLINE)
        for name in names
        if (memory := queue_reader.schedds[name]).address is not None and not memory.unknown
    ]
    out: dict[str, frozenset[str] | None] = dict.fromkeys(names)
    for answer in queue_reader.workers.run(calls):
        if answer.error is None:
            out[answer.call.endpoint] = frozenset(answer.value)
    return out


class Pruner:
    """Runs hourly; the first run is delayed to keep the start fast."""

    def __init__(self, queue_reader: QueueReader, audit: Audit) -> None:
        self.queue_reader, self.audit = queue_reader, audit
        self.at = 0.0
        self.log = log.get("prune")

    def run(self, policy: FactoryPolicy, now: float, cycle: int) -> list[str]:
        """Prune if it is time; the stage-relative names that went."""
        if not self.at:
            self.at = now - EVERY + SOON
        if now - self.at < EVERY:
            return []
        self.at = now
        work = Path(policy.work_dir)
        found = [
            o for o in candidates(work, now, policy.keep_generations) if o.name != policy.generation
        ]
        if not found:
            return []
        in_use = named(
            self.queue_reader, policy, frozenset[str]().union(*(o.schedds for o in found))
        )
        unsure = {o.name for o in found if any(in_use[s] is None for s in o.schedds)}
        if unsure:
            silent = ", ".join(s for s, names in in_use.items() if names is None)
            self.log.warning(
                "generations kept: a schedd does not say what it names",
                schedds=silent,
                n=len(unsure),
            )
        held = unsure.union(*(names for names in in_use.values() if names is not None))
        return self._prune(policy, now, cycle, {o.name for o in found} - held)

    def _prune(self, policy: FactoryPolicy, now: float, cycle: int, going: set[str]) -> list[str]:
        """Not beside a reconfig or rollback, after which another generation is in force."""
        work = Path(policy.work_dir)
        if not going:
            return []
        try:
            with locked(work / "state" / "reconfig.lock", "pruning of the stage"):
                in_force = str(jsondata.read_file(work / policy_file.NAME)["generation"])
                gone = generations.prune(
                    Path(policy.stage_dir),
                    work,
                    current=policy.generation,
                    named={in_force},
                    only=going,
                    now=now,
                    keep=policy.keep_generations,
                )
        except (OSError, StateError, ValueError, KeyError, TypeError) as error:
            self.log.warning("stage not pruned", error=str(error))
            return []
        went = sorted(n for n in going if not (generations.directory(work) / f"{n}.json").exists())
        self.audit.note(
            "prune",
            cycle=cycle,
            generations=went,
            n=len(gone),
            reasons="old, and named by no pilot",
        )
        self.log.info("stage pruned", generations=len(went), files=len(gone))
        return list(gone)
