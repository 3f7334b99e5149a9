"""Read the queues of all schedds, and look up submissions whose outcome is not known."""

from __future__ import annotations

from collections.abc import Mapping

from glideinwms.factory.collect import queries
from glideinwms.factory.collect.queries import CountMethod, QueueAnswer
from glideinwms.factory.collect.schedd_memory import ScheddMemory, UnknownSubmit
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import PilotQueue, ScheddState
from glideinwms.lib.bounded import text_or
from glideinwms.lib.condor.calls import JOB_DEADLINE, Call, CallResult, Workers, call
from glideinwms.lib.condor.htc import ScheddAddress, locate_schedds
from glideinwms.lib.daemon import log
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.reasons import Reason, Refusal

# Seconds after which a submission that the schedd does not know is not coming.
SETTLE = 10.0
# Seconds between two looks for stale pilots, and for jobs without a count key.
STALE_EVERY = 600.0


class QueueReader:
    """Reads queues, and remembers what it must of each schedd between cycles.

    `refusals` are what could not be read in the last cycle. `collector_silent` is set by the
    daemon: a collector that has just not answered is not asked for schedds.
    """

    def __init__(self, workers: Workers, schedds: dict[str, ScheddMemory]) -> None:
        self.workers = workers
        self.schedds = schedds
        self.refusals: list[Refusal] = []
        self.collector_silent = False
        self.log = log.get("collect")

    def read_queues(
        self, policy: FactoryPolicy, now: float, ended: Mapping[str, int]
    ) -> tuple[ScheddState, ...]:
        """Read the queue of every schedd that an enabled entry uses, all at the same time.

        `ended` is how many pilots of each entry have ended by their event logs.
        """
        self.refusals = []
        names = sorted({entry.schedd_name for entry in policy.entries if entry.enabled})
        self.locate(policy, names)
        self._settle(names)
        calls = [self._call(policy, name, now) for name in names if self.schedds[name].address]
        answers = {answer.call.endpoint: answer for answer in self.workers.run(calls)}
        gone = dict.fromkeys(names, 0)
        for entry in policy.entries:
            if entry.schedd_name in gone:
                gone[entry.schedd_name] += ended.get(entry.name, 0)
        return tuple(self._state(name, answers.get(name), now, gone[name]) for name in names)

    def _call(self, policy: FactoryPolicy, name: str, now: float) -> Call[QueueAnswer]:
        memory = self.schedds[name]
        assert memory.address is not None
        ages = [min(entry.stale_idle, entry.stale_running) for entry in policy.entries]
        return call(
            name,
            queries.read_queue,
            schedd=memory.address,
            factory=policy.factory_name,
            glidein=policy.glidein_name,
            min_age=min(ages),
            files=any(entry.sub_entries for entry in policy.entries),
            stale=_due(memory.stale_at, now),
            keyed=_due(memory.unkeyed_at, now),
        ).within(JOB_DEADLINE)

    def locate(self, policy: FactoryPolicy, names: list[str]) -> None:
        """Look up schedds that are not known or lost. One that is not found stays as it was."""
        for name in names:
            self.schedds.setdefault(name, ScheddMemory())
        lost = [n for n in names if self.schedds[n].address is None or self.schedds[n].lost]
        if not lost or self.collector_silent:
            return
        endpoint = policy.collector or "collector"
        answer = self.workers.one(
            call(endpoint, locate_schedds, collector=policy.collector, names=lost)
        )
        for ad in answer.value_or([]):
            name, address = text_or(ad.get("Name"), ""), text_or(ad.get("MyAddress"), "")
            if name in self.schedds and address:
                memory = self.schedds[name]
                memory.address = ScheddAddress(name, address)
                memory.lost = False

    def _state(
        self, name: str, answer: CallResult[QueueAnswer] | None, now: float, ended: int
    ) -> ScheddState:
        memory = self.schedds[name]
        reading: Reading[PilotQueue] = Reading(name, 0.0)
        if answer is None:
            unknown = reading.failed("not found in the collector")
            return ScheddState(name, unknown, f"{name} is not in the collector")
        if answer.error is not None:
            memory.lost = True
            failed = reading.failed(str(answer.error))
            return ScheddState(name, failed, f"queue of {name} is not known: {answer.error}")
        queue = answer.value
        if queue.unreadable:
            text = f"{queue.unreadable} pilots in its queue cannot be read"
            self.refusals.append(Refusal(Reason.UNREADABLE, name, text))
        memory.counted(sum(group.count for group in queue.pilots.groups), ended, answer.began)
        if answer.call.args["stale"] and not queue.any_stale:
            # Ages of days need no look each cycle; where one was found the next cycle looks again.
            memory.stale_at = now
        if answer.call.args["keyed"] and queue.method is not CountMethod.KEYED:
            memory.unkeyed_at = now
        return ScheddState(name, reading.fresh(queue.pilots, answer.began), _frozen(memory, answer))

    def _settle(self, names: list[str]) -> None:
        """Drop unknown outcomes that their schedd has answered.

        Either the id is in the queue, or it is still not there SETTLE seconds after the first
        answer without it. This is done before the queues are read, so that what comes late is in
        the reading that is decided on.
        """
        calls = [
            call(name, queries.find_submit, schedd=memory.address, submit_id=item.submit_id)
            for name in names
            if (memory := self.schedds[name]).address
            for item in memory.unknown
        ]
        answers = {
            answer.call.args["submit_id"]: answer
            for answer in self.workers.run(calls)
            if answer.error is None
        }
        for name in names:
            memory = self.schedds[name]
            memory.unknown[:] = [
                item
                for item in memory.unknown
                if not self._settled(item, answers.get(item.submit_id))
            ]

    def _settled(self, item: UnknownSubmit, answer: CallResult[int] | None) -> bool:
        if answer is None:
            return False
        if not answer.value:
            if not 0.0 < item.missed <= answer.began:
                item.missed = answer.began
            if answer.began - item.missed < SETTLE:
                return False
        self.log.info(
            "submit settled", submit=item.submit_id, entry=item.entry, pilots=answer.value
        )
        return True

    def files_in_use(self, policy: FactoryPolicy) -> set[str] | None:
        """Return the files that queued pilots name, or None if any schedd of an entry, enabled or
        not, does not answer.
        """
        names = sorted({entry.schedd_name for entry in policy.entries})
        self.locate(policy, names)
        files: set[str] = set()
        for name in names:
            address = self.schedds[name].address
            if address is None:
                return None
            answer = self.workers.one(
                call(
                    name,
                    queries.files_in_use,
                    schedd=address,
                    factory=policy.factory_name,
                    glidein=policy.glidein_name,
                ).within(JOB_DEADLINE)
            )
            if answer.error is not None:
                return None
            files |= answer.value
        # A batch pilot's key stands inside its GridResource.
        return files | {word for text in files for word in text.split()}


def _frozen(memory: ScheddMemory, answer: CallResult[QueueAnswer]) -> str:
    """Return why nothing may be decided on a reading, or ""."""
    if answer.began <= memory.touched:
        # If the clock was set back, the next reading counts.
        memory.touched = min(memory.touched, answer.ended)
        return "the reading began before our last act there ended"
    if memory.unknown:
        ids = ", ".join(item.submit_id for item in memory.unknown)
        return f"outcome of submit {ids} is not known yet"
    return ""


def _due(last: float, now: float) -> bool:
    """Return whether STALE_EVERY has passed, or the clock was set back."""
    return not 0.0 <= now - last < STALE_EVERY
