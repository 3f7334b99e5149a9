"""Find out why no pilots start, from the status of a Factory or a Frontend. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from glideinwms.cli.diagnosis_factory import factory_findings
from glideinwms.cli.diagnosis_frontend import frontend_findings
from glideinwms.cli.finding import Finding, Rank
from glideinwms.cli.output import ago
from glideinwms.lib.daemon.liveness import Liveness
from glideinwms.lib.daemon.status import ReadingStatus, Status

__all__ = ["Finding", "Rank", "findings"]


def findings(health: Liveness, daemon: str, now: float) -> list[Finding]:
    """Return what is known about one daemon, most important first.

    Equal findings at several entries become one. If the daemon does not run, only that is returned,
    and why its last cycle or policy failed: everything else is out of date.
    """
    found = list(_daemon(health, daemon, now))
    status = health.shown
    if status is None:
        return _sorted(found)
    if health.running and status.summary:
        is_factory = status.daemon == "factory"
        found += _inputs(status)
        found += (
            factory_findings(status.summary) if is_factory else frontend_findings(status.summary)
        )
    found = [
        finding
        if finding.rank is Rank.INPUT
        else replace(finding, text=_without_causes(finding.text, status))
        for finding in found
    ]
    return _sorted(_merged(found))


def _sorted(found: list[Finding]) -> list[Finding]:
    return sorted(found, key=lambda finding: (not finding.is_problem, finding.rank))


def _merged(found: list[Finding]) -> list[Finding]:
    """Merge findings that differ only in where they are."""
    merged: dict[tuple[Rank, str, str, bool], Finding] = {}
    for finding in found:
        key = (finding.rank, finding.text, finding.see, finding.is_problem)
        first = merged.get(key)
        where = (*first.where, *finding.where) if first else finding.where
        merged[key] = replace(finding, where=tuple(dict.fromkeys(where)))
    return list(merged.values())


def _daemon(health: Liveness, daemon: str, now: float) -> Iterator[Finding]:
    status = health.shown
    if status is None and not health.hangs:
        yield Finding(rank=Rank.NOTE, daemon=daemon, text="is in its first cycle", is_problem=False)
    elif status is not None and not health.running:
        age = ago(now - status.cycle_ended)
        yield Finding(
            rank=Rank.DAEMON,
            daemon=daemon,
            text=f"does not run; its last cycle ended {age} ago",
            see=f"gwms {daemon} run",
        )
    if health.hangs:
        yield Finding(
            rank=Rank.DAEMON, daemon=daemon, text=health.hangs, see=f"gwms {daemon} status"
        )
    for problem in health.problems:
        yield Finding(rank=Rank.STORAGE, daemon=daemon, text=problem)
    if status is not None and status.policy_error:
        yield Finding(
            rank=Rank.POLICY,
            daemon=daemon,
            text=f"the new configuration was not loaded, {status.generation} is active: "
            f"{status.policy_error}",
            see=f"gwms {daemon} reconfig",
        )
    if status is not None and status.error:
        yield Finding(
            rank=Rank.CYCLE, daemon=daemon, text=f"cycle {status.cycle} failed: {status.error}"
        )


def _inputs(status: Status) -> Iterator[Finding]:
    for reading in status.readings:
        if reading.error:
            yield Finding(
                rank=Rank.INPUT,
                daemon=status.daemon,
                text=_failed_reading(reading),
                where=(reading.source,),
            )


def _failed_reading(reading: ReadingStatus) -> str:
    error = reading.error.removeprefix(f"{reading.source}: ")
    if reading.age is None:
        return f"never read: {error}"
    return f"retained, {ago(reading.age)} old: {error}"


def _without_causes(text: str, status: Status) -> str:
    """Remove errors of inputs, which are findings of their own."""
    for reading in status.readings:
        if reading.error:
            text = text.replace(f": {reading.error}", "")
    return text
