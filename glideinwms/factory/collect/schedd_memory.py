"""What the Factory remembers of each schedd between cycles, and how it notices a lost job queue.

Pilots are never remembered one by one: the schedd's queue is their only record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.daemon import log, state_file
from glideinwms.lib.errors import Unreachable
from glideinwms.lib.files import write_atomic
from glideinwms.lib.jsondata import to_json


@dataclass(slots=True)
class UnknownSubmit:
    """A submission of `n` pilots at `when` whose outcome is not known. It freezes its schedd until
    its id is looked up. `missed` is when the schedd first said that it does not have the id (0: not
    yet).
    """

    submit_id: str
    entry: str
    n: int
    when: float
    missed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LostQueue:
    """A schedd's job queue that seems to have been created again, as after its spool was lost.
    `when` is the time it was noticed; `sign` says what shows it.
    """

    when: float
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRecord:
    """What of a schedd outlives the daemon. `last_cluster` is the newest cluster id that this
    Factory was given; `pilots` is how many pilots the last reading counted.
    """

    last_cluster: int = 0
    pilots: int = 0
    lost: LostQueue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptiedQueue:
    """A queue that had `pilots` pilots and has none in the next reading. `ended` is how many ends
    of pilots their event logs showed before.
    """

    pilots: int
    ended: int


@dataclass(slots=True)
class ScheddMemory:
    """Where a schedd is, what is pending there, and what its queue held.

    `lost` means that it did not answer: it is located again, and asked at its old address until it
    is found. `stale_at` is when no stale pilot was found, `unkeyed_at` when jobs without a count
    key were seen; both hold for STALE_EVERY seconds. `ended` is how many pilots had ended by the
    event logs at the last reading.
    """

    address: ScheddAddress | None = None
    lost: bool = False
    touched: float = 0.0
    stale_at: float = 0.0
    unkeyed_at: float = 0.0
    unknown: list[UnknownSubmit] = field(default_factory=list)
    record: QueueRecord = field(default_factory=QueueRecord)
    ended: int = 0
    emptied: EmptiedQueue | None = None

    def known_address(self, name: str) -> ScheddAddress:
        """Where schedd `name` answers. Unreachable if it was never found."""
        if self.address is None:
            raise Unreachable("its address is not known", where=name)
        return self.address

    def submitted(self, cluster: int, when: float) -> None:
        """Note the id of a new cluster. Ids only rise while the job queue is the same one."""
        before = self.record.last_cluster
        lost = self.record.lost
        if cluster <= before:
            lost = LostQueue(when=when, sign=f"new pilots got cluster id {cluster} after {before}")
        self.record = replace(self.record, last_cluster=cluster, lost=lost)

    def counted(self, pilots: int, ended: int, when: float) -> None:
        """Compare a reading of the queue with the one before.

        Pilots that leave the queue leave an end in their event logs. `ended` is how many ends the
        logs have shown so far. The logs are read before the queue, so that a queue which has become
        empty is judged one reading later.
        """
        lost = self.record.lost
        emptied, self.emptied = self.emptied, None
        if emptied is not None and not pilots and 2 * (ended - emptied.ended) < emptied.pilots:
            sign = f"all {emptied.pilots} pilots left the queue, and their event logs show no end"
            lost = LostQueue(when=when, sign=sign)
        if self.record.pilots and not pilots:
            self.emptied = EmptiedQueue(pilots=self.record.pilots, ended=self.ended)
        self.ended = ended
        self.record = replace(self.record, pilots=pilots, lost=lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRecords:
    """The content of the file, by name of the schedd."""

    schedds: dict[str, QueueRecord] = field(default_factory=dict)


class QueueRecords:
    """`<state>/schedds.json`: the queue records of all schedds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.saved: dict[str, QueueRecord] = self._load()

    def _load(self) -> dict[str, QueueRecord]:
        # without the records a lost queue is noticed only by what happens from now on
        lost = "how full the queues of the schedds were"
        return state_file.load(self.path, SavedRecords, SavedRecords(), lost=lost).schedds

    def restore(self) -> dict[str, ScheddMemory]:
        """Return a memory of each recorded schedd, for a daemon that starts."""
        return {name: ScheddMemory(record=record) for name, record in self.saved.items()}

    def save(self, schedds: dict[str, ScheddMemory]) -> None:
        """Write the records if they changed, and log each queue that was newly found lost."""
        records = {name: memory.record for name, memory in schedds.items()}
        if records == self.saved:
            return
        for name, record in records.items():
            before = self.saved[name].lost if name in self.saved else None
            if record.lost is not None and record.lost != before:
                log.get("collect").error("job queue lost", schedd=name, why=record.lost.sign)
        write_atomic(self.path, json.dumps(to_json(SavedRecords(schedds=records))), 0o640)
        self.saved = records
