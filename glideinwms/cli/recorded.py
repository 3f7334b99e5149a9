"""Recorded cycles as commands read them, and the policy to decide them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from glideinwms.cli import output
from glideinwms.lib.daemon import policy_file
from glideinwms.lib.errors import StateError

if TYPE_CHECKING:
    from glideinwms.frontend.inspect.replay import Record
    from glideinwms.frontend.plan import FrontendPlan
    from glideinwms.frontend.policy import FrontendPolicy

Policy = TypeVar("Policy")
NEWEST = ("", "last")


def policy_of(path: Path, side: str, load: Callable[[Path], Policy]) -> Policy:
    """Load a policy file, or build the policy of an XML configuration.

    Raise InvalidConfig if a reconfig would refuse the configuration.
    """
    if path.suffix != ".xml":
        return load(path)
    from glideinwms.creation.build.resolved import named
    from glideinwms.creation.reconfig.run import build
    from glideinwms.creation.xml.problems import Problems

    problems = Problems()
    built, _ = named(build(path, side, problems))
    for problem in problems.warnings:
        output.warn(str(problem))
    return cast(Policy, built.policy)


def policy_of_cycle(work_dir: Path, generation: str) -> Path:
    """Return the file of the policy that a cycle used, else of the active one."""
    copy = policy_file.kept(work_dir / "state", generation)
    return copy if copy.exists() else work_dir / policy_file.NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCycle:
    """The choice of a recorded Frontend cycle: by number or file, the newest by default."""

    work_dir: Path
    cycle: int | None = None
    snapshot: str = ""

    def read(self) -> Record:
        """Read the record."""
        from glideinwms.frontend.inspect import replay

        if self.snapshot in NEWEST:
            return replay.read(self.work_dir / "state", self.cycle)
        return replay.read_file(Path(self.snapshot))

    def policy(self, record: Record, config: Path | None) -> FrontendPolicy:
        """Return the policy of `config`, else the one that the cycle used."""
        from glideinwms.frontend.inspect import replay

        path = config or policy_of_cycle(self.work_dir, record.generation)
        return policy_of(path, "frontend", replay.load_policy)


def plan_of(
    record: Record, policy: FrontendPolicy, *, decide_again: bool, group: str
) -> FrontendPlan:
    """Return the recorded plan, or the plan that the policy makes of the recorded snapshot.

    Raise StateError if it lacks the group.
    """
    from glideinwms.frontend.inspect import replay

    decide_again = decide_again or not record.plan.groups
    plan = replay.replay(record, policy) if decide_again else record.plan
    names = [planned.name for planned in plan.groups]
    if group and group not in names:
        raise StateError(
            f"no group {group} in this cycle",
            where=f"cycle {record.cycle}",
            hint=f"the groups are {', '.join(names)}",
        )
    return plan
