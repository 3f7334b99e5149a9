"""`gwms job explain`: which entries a job matches, and what is requested of them.

Exit codes beside the common ones: 1 if no entry of any group matches the job.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from glideinwms.cli import explain_text, output
from glideinwms.cli.job_lookup import QueuedJob, find_job
from glideinwms.cli.options import (
    Cycle,
    ExistingFrontend,
    Group,
    JobClass,
    PolicyFile,
    SnapshotFile,
)
from glideinwms.cli.output import Json
from glideinwms.cli.recorded import RecordedCycle, plan_of
from glideinwms.cli.sides import FRONTEND
from glideinwms.frontend.collect.reader import attribute_names
from glideinwms.frontend.decide.explain import Verdict, explain_class
from glideinwms.frontend.plan import FrontendEntryPlan, GroupPlan
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import GroupInput, Value
from glideinwms.lib.condor import workers
from glideinwms.lib.errors import StateError

BOOLEANS = {"true": True, "false": False}
Name = Annotated[
    str, typer.Argument(metavar="[ID]", help="ClusterId.ProcId, looked up in the schedds.")
]
Schedd = Annotated[str, typer.Option("--schedd", help="Look up the job in this schedd only.")]


def job(
    name: Name = "",
    of_class: JobClass = None,
    work_dir: ExistingFrontend = FRONTEND.work_dir,
    cycle: Cycle = None,
    snapshot: SnapshotFile = "",
    config: PolicyFile = None,
    group: Group = "",
    schedd: Schedd = "",
    as_json: Json = False,
) -> None:
    """Explain which entries a job matches, why it does not match the others, and the requests."""
    explain_jobs(
        RecordedCycle(work_dir=work_dir, cycle=cycle, snapshot=snapshot),
        name=name,
        of_class=of_class,
        config=config,
        group=group,
        schedd=schedd,
        as_json=as_json,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainAnswer:
    """The answer of one group. `not_read`: attributes that its expressions do not use."""

    group: str
    plan: GroupPlan
    verdicts: Sequence[Verdict] = ()
    matching: Sequence[FrontendEntryPlan] = ()
    not_counted: Sequence[str] = ()
    not_read: Sequence[str] = ()

    @staticmethod
    def of(
        group: GroupPolicy,
        given: GroupInput,
        plan: GroupPlan,
        attributes: Mapping[str, Value],
        queued: QueuedJob | None,
    ) -> ExplainAnswer:
        """Compute the answer with the code that decided; nothing if that failed."""
        if plan.problems:
            return ExplainAnswer(group=group.name, plan=plan, not_counted=plan.problems)
        read = set(attribute_names(group))
        verdicts = explain_class(
            given, group, {name: value for name, value in attributes.items() if name in read}
        )
        matching = {verdict.entry for verdict in verdicts if verdict.matches}
        return ExplainAnswer(
            group=group.name,
            plan=plan,
            verdicts=verdicts,
            matching=[entry for entry in plan.entries if entry.entry in matching],
            not_counted=queued.not_counted(group, given) if queued else (),
            not_read=[name for name in attributes if name not in read],
        )

    def lines(self) -> list[str]:
        """Describe it for people, without the entries that match."""
        matched = sum(verdict.matches for verdict in self.verdicts)
        head = f"group {self.group}: matches {matched} of {len(self.verdicts)} entries"
        if len(self.matching) > 1:
            head += f", each of them counts 1/{len(self.matching)} of it"
        return [
            head,
            *(f"  not counted: {why}" for why in self.not_counted),
            *(
                f"  {name} is not used: it is not a match attribute of this group"
                for name in self.not_read
            ),
            *(
                f"  {failing.text}  ({failing.origin}) fails for {failing.classes} classes "
                f"of jobs: {failing.error}"
                for failing in self.plan.failing
            ),
            *explain_text.verdict_lines(self.verdicts),
        ]


def explain_jobs(
    chosen: RecordedCycle,
    *,
    name: str,
    of_class: Sequence[str] | None,
    config: Path | None,
    group: str,
    as_json: bool,
    schedd: str = "",
) -> NoReturn:
    """Explain a job by its id, or a class of jobs by attributes. Ends the program."""
    record = chosen.read()
    policy = chosen.policy(record, config)
    if not name and not of_class:
        raise StateError(
            "needs a job or a class of jobs",
            where="job explain",
            hint="give an ID, or --class ATTRIBUTE=VALUE",
        )
    queued = None
    if name:
        with workers.ProcessWorkers() as processes:
            queued = find_job(name, policy, schedd, processes)
    attributes = queued.values(_names(policy)) if queued else dict(map(_attribute, of_class or ()))
    plan = plan_of(record, policy, decide_again=config is not None, group=group)
    inputs = {given.name: given for given in record.snapshot.groups}
    plans = {planned.name: planned for planned in plan.groups}
    answers = [
        ExplainAnswer.of(wanted, inputs[wanted.name], plans[wanted.name], attributes, queued)
        for wanted in policy.groups
        if group in ("", wanted.name) and wanted.name in inputs and wanted.name in plans
    ]
    counted_by = [answer.group for answer in answers if answer.matching and not answer.not_counted]
    if as_json:
        _print_json(attributes, queued, counted_by, answers)
    else:
        _print_job(name, attributes, queued)
        _print_answers(answers, counted_by, inputs)
    sys.exit(0 if counted_by else 1)


def _names(policy: FrontendPolicy) -> list[str]:
    """Return the attributes that any group reads."""
    return sorted({name for group in policy.groups for name in attribute_names(group)})


def _attribute(text: str) -> tuple[str, Value]:
    """Parse `A=7`. Numbers and booleans are read as such, quotes make a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise StateError(
            f"{text!r} is not ATTRIBUTE=VALUE",
            where="--class",
            hint="for example --class RequestCpus=8",
        )
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, BOOLEANS.get(value.lower(), value.strip("\"'"))


def _print_json(
    attributes: Mapping[str, Value],
    queued: QueuedJob | None,
    counted_by: Sequence[str],
    answers: Sequence[ExplainAnswer],
) -> None:
    place = {"schedd": queued.schedd, "state": queued.state()} if queued else {}
    groups = {
        answer.group: {
            "not_counted": answer.not_counted,
            "not_read": answer.not_read,
            "entries": answer.verdicts,
            "plan": answer.matching,
        }
        for answer in answers
    }
    output.print_json({"job": attributes, **place, "counted_by": counted_by, "groups": groups})


def _print_job(name: str, attributes: Mapping[str, Value], queued: QueuedJob | None) -> None:
    values = explain_text.values(attributes)
    if queued is None:
        output.say(f"job with {values}")
        return
    output.say(f"job {name} of {queued.schedd}, with {values}: {queued.state()}")
    if not queued.is_idle():
        print("only idle jobs request pilots; the rest shows what it would get if it were idle")


def _print_answers(
    answers: Sequence[ExplainAnswer], counted_by: Sequence[str], inputs: Mapping[str, GroupInput]
) -> None:
    for answer in answers:
        for line in answer.lines():
            output.say(line)
        for entry in answer.matching:
            for line in explain_text.entry_lines(answer.plan, entry, inputs[answer.group]):
                output.say(line)
    if len(counted_by) > 1:
        output.say(
            f"groups {', '.join(counted_by)} each count it, "
            "and request pilots independently of each other"
        )
