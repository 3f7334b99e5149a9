"""Turn the rows of a schedd's answers into the pilots of the snapshot. What a pilot's ad says is
checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glideinwms.factory.snapshot import PilotGroup, PilotQueue, QueuedPilot
from glideinwms.lib.bounded import MAX_COUNT, count, count_or, moment_or, shown

MAX_PILOT_TEXT = 1000
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedQueue:
    """A queue, and how many of its pilots cannot be read."""

    queue: PilotQueue
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _PilotNames:
    """The attributes by which pilots are counted."""

    entry: str
    client: str
    frontend: str
    security_class: str
    credential: str
    submit_file: str


def parse_queue(groups: Iterable[Row], exceptions: Sequence[Row]) -> ParsedQueue:
    """Parse the counted rows of all pilots, and the ads of held and old ones.

    Groups count whatever their texts are: a pilot that is not counted would be submitted again.
    """
    pilots = []
    for row in exceptions:
        try:
            pilots.append(_pilot(row))
        except Exception:  # noqa: BLE001 - the boundary of one pilot in the queue
            continue
    queue = PilotQueue(tuple(_group(row) for row in groups), tuple(pilots))
    return ParsedQueue(queue=queue, unreadable=len(exceptions) - len(pilots))


def _group(row: Row) -> PilotGroup:
    names = _names(row)
    return PilotGroup(
        entry=names.entry,
        client=names.client,
        frontend=names.frontend,
        security_class=names.security_class,
        credential=names.credential,
        submit_file=names.submit_file,
        status=_int(row, "JobStatus") or 0,
        grid_status=_grid_status(row),
        count=_int(row, "JobCount") or 0,
    )


def _pilot(row: Row) -> QueuedPilot:
    names = _names(row)
    now = moment_or(row.get("ServerTime"), None)
    since = moment_or(row.get("EnteredCurrentStatus"), None)
    return QueuedPilot(
        id=f"{count(row['ClusterId'])}.{count(row['ProcId'])}",
        entry=names.entry,
        client=names.client,
        frontend=names.frontend,
        security_class=names.security_class,
        credential=names.credential,
        submit_file=names.submit_file,
        status=_int(row, "JobStatus") or 0,
        grid_status=_grid_status(row),
        age=int(now - since) if now is not None and since is not None else None,
        hold_code=_int(row, "HoldReasonCode"),
        hold_subcode=_int(row, "HoldReasonSubCode"),
        num_holds=_int(row, "NumSystemHolds"),
        timed=now is not None,
    )


def _text(row: Row, name: str) -> str:
    """Return a text of a pilot's ad. A value that is no text, or too long, names another group."""
    value = row.get(name, "")
    return value if type(value) is str and len(value) <= MAX_PILOT_TEXT else shown(value)


def _names(row: Row) -> _PilotNames:
    return _PilotNames(
        entry=_text(row, "GlideinEntryName"),
        client=_text(row, "GlideinClient"),
        frontend=_text(row, "GlideinFrontendName"),
        security_class=_text(row, "GlideinSecurityClass"),
        credential=_text(row, "GlideinCredentialIdentifier"),
        submit_file=_text(row, "GlideinEntrySubmitFile").rpartition("/")[2],
    )


def _grid_status(row: Row) -> str | None:
    return None if row.get("GridJobStatus") is None else _text(row, "GridJobStatus")


def _int(row: Row, name: str) -> int | None:
    value = row.get(name)
    return None if isinstance(value, bool | str) else count_or(value, None, low=-MAX_COUNT)
