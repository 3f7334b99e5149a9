"""Show the demo: a live table, or plain lines without a terminal, and the closing tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from glideinwms.demo.jobs import Job, JobClass
from glideinwms.demo.progress import PHASES, Look

JOB_HEADINGS = ("job", "class", "ended", "site", "entry", "pilot", "started", "took")
STATES = ("idle", "running", "done")


def jobs_table(look: Look, classes: Sequence[JobClass]) -> Table:
    """Jobs of each class by state."""
    table = Table("jobs", *STATES, "other", title="user schedd", title_justify="left")
    for one in classes:
        counts = [look.count(one.name, s) for s in STATES]
        fits = ", ".join(one.entries) or "nothing"
        table.add_row(f"{one.name} (fits {fits})", *map(str, counts), str(one.count - sum(counts)))
    return table


def entries_table(look: Look) -> Table:
    """Requests and pilots of each entry."""
    heads = ("entry", "asked idle/max", "waiting", "at the CE", "running", "held")
    table = Table(
        *heads, title=f"Factory; {look.slots} slots in the user pool", title_justify="left"
    )
    for e in look.entries:
        numbers = (e.waiting, e.queued, e.running, e.held)
        table.add_row(e.name, f"{e.asked}/{e.most}", *map(str, numbers))
    return table


def line(look: Look, began: float) -> str:
    """A look as one plain line."""
    states = Counter(j.state for j in look.jobs)
    jobs = ", ".join(f"{states[s]} {s}" for s in STATES)
    entries = "; ".join(
        f"{e.name} asked {e.asked}/{e.most}, pilots {e.waiting} waiting, "
        f"{e.queued} at the CE, {e.running} running"
        for e in look.entries
    )
    return f"{look.now - began:5.0f} s  jobs {jobs}  |  {entries}  |  {look.slots} slots"


class Screen:
    """Shows looks as they come; a context manager. Problems are said once each, as they appear."""

    def __init__(self, console: Console, classes: Sequence[JobClass], began: float) -> None:
        self.console, self.classes, self.began = console, classes, began
        self.live = (
            Live(console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )
        self.last = ""
        self.said: set[str] = set()

    def __enter__(self) -> Screen:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, look: Look) -> None:
        """One look."""
        for problem in look.problems:
            if problem not in self.said:
                self.said.add(problem)
                self.console.print(f"  ! {problem}", markup=False, highlight=False)
        if self.live:
            self.live.update(Group(jobs_table(look, self.classes), entries_table(look)))
            return
        text = line(look, self.began)
        if text[8:] != self.last:
            self.last = text[8:]
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def where_table(rows: Sequence[tuple[Job, dict[str, str]]]) -> Table:
    """Show which job ran where, as it reported; pilots by their id in the WMS schedd."""
    table = Table(*JOB_HEADINGS)
    first = min((j.submitted for j, _ in rows), default=0.0)
    for job, said in rows:
        took = f"{job.ended - job.started:.0f} s" if job.ended and job.started else "-"
        began = f"+{job.started - first:.0f} s" if job.started else "-"
        ended = job.state if job.exit_code in (None, 0) else f"exit code {job.exit_code}"
        place = [said.get(key, "-") for key in ("site", "entry", "pilot")]
        table.add_row(job.id, job.kind, ended, *place, began, took)
    return table


def phases_table(phases: dict[str, float], began: float) -> Table:
    """Show when each phase was reached after the submission of the jobs.

    In whole seconds, which event logs have.
    """
    table = Table("phase", "after submission")
    for name in PHASES:
        table.add_row(name, f"{int(phases[name]) - int(began)} s" if name in phases else "not seen")
    return table


def unmatched_lines(look: Look) -> list[str]:
    """Why a class of jobs matched nothing, as the Frontend gives it."""
    out = []
    for one in look.unmatched:
        values = ", ".join(f"{k}={v}" for k, v in one.values.items())
        out.append(f"{one.jobs} jobs of group {one.group} match no entry ({values}); rejected by:")
        out += [f"    {reason}" for reason in one.reasons]
    return out
