"""All reads of a Factory cycle: requests and credentials from the collector, queues from the
schedds (decision 18).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.factory.collect import queries
from glideinwms.factory.collect.collector_clock import collector_time, difference
from glideinwms.factory.collect.credential_store import CredentialStore, packed
from glideinwms.factory.collect.request_validation import (
    RequestRefused,
    RequestValidator,
    StoredCredential,
    bare_request,
)
from glideinwms.factory.collect.schedd_memory import ScheddMemory, UnknownSubmit
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import PilotGroup, PilotQueue, QueuedPilot, Request, ScheddState
from glideinwms.lib.bounded import MAX_COUNT, count, count_or, moment_or, shown, text_or
from glideinwms.lib.condor.calls import JOB_DEADLINE, CallResult, Workers, call
from glideinwms.lib.condor.htc import ScheddAddress, locate_schedds
from glideinwms.lib.daemon import log
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import (
    CredentialError,
    GwmsError,
    StateError,
    TimedOut,
    Unreachable,
    place_of,
)
from glideinwms.lib.reasons import Reason, Refusal
from glideinwms.lib.wire import Opener
from glideinwms.lib.wire.crypto import FactoryKey
from glideinwms.lib.wire.names import label

SETTLE = 10.0
STALE_EVERY = 600.0
MAX_PILOT_TEXT = 1000
# of one Frontend in a cycle; each is written twice
MAX_NEW_CREDENTIALS = 500
MAX_CREDENTIAL_BYTES = 1024 * 1024
Row = Mapping[str, Any]


class InputReader:
    """Asks everything, keeps what it must between cycles."""

    def __init__(self, pool: Workers, keys: Mapping[str, FactoryKey]) -> None:
        self.pool, self.keys = pool, keys
        self.schedds: dict[str, ScheddMemory] = {}
        self.requests: Reading[tuple[Request, ...]] = Reading("requests", 0.0)
        self.refusals: list[Refusal] = []
        self.stored: list[Path] = []
        self.named: set[str] = set()
        # credentials that were written in this cycle, by Frontend
        self.new: Counter[str] = Counter()
        self.vault: CredentialStore | None = None
        self.opener = Opener(keys, ())
        self.silent = False
        self.clock_difference = ""
        self.log = log.get("collect")

    def read_requests(self, policy: FactoryPolicy, now: float) -> Reading[tuple[Request, ...]]:
        """This cycle's requests. A failed query keeps none: a request that vanished means no change
        (decision 26).
        """
        answer = self.pool.one(
            call(
                policy.collector or "collector",
                queries.read_requests,
                collector=policy.collector,
                glidein=policy.glidein_name,
                factory=policy.factory_name,
                identities=sorted({frontend.identity for frontend in policy.frontends}),
            )
        )
        self.refusals, self.stored, self.named = [], [], set()
        blank: Reading[tuple[Request, ...]] = Reading("requests", 0.0)
        self.silent = isinstance(answer.error, TimedOut | Unreachable)
        if answer.error is not None:
            self.requests = blank.failed(str(answer.error))
            return self.requests
        if self.vault is None or self.vault.base != Path(policy.client_proxies_dir):
            self.vault = CredentialStore(Path(policy.client_proxies_dir), policy.glidein_name)
        clock = collector_time(answer.value.get("clock", ()), now)
        self.clock_difference = difference(now, clock)
        if self.clock_difference:
            self.log.warning("clocks differ", why=self.clock_difference)
        trust = RequestValidator(policy, self.keys, clock, self.vault, self.opener)
        odd = "GlideinMyType is no text that we know"
        self.refusals += [
            Refusal(Reason.MALFORMED_AD, label(n), odd) for n in answer.value.get("odd", ())
        ]
        nameless = "the name of one of its attributes is not UTF-8"
        self.refusals += [
            Refusal(Reason.MALFORMED_AD, label(n), nameless)
            for n in answer.value.get("unreadable", ())
        ]
        for more in answer.value["more"]:
            if more:
                text = f"{more} more ads come from identities that are not configured here"
                self.refusals.append(Refusal(Reason.BAD_ENVELOPE, "requests", text))
        self.new.clear()
        for raw in answer.value["glideclientglobal"]:
            self._store(trust, raw)
        rows = tuple(self._row(trust, raw) for raw in answer.value["glideclient"])
        self.stored += trust.written
        self.requests = blank.fresh(_one_key(rows), answer.began)
        return self.requests

    def _row(self, trust: RequestValidator, raw: Row) -> Request:
        try:
            return trust.request(raw)
        except Exception as error:  # noqa: BLE001 - the boundary of one ad
            bare, text = bare_request(raw), place_of(error)
            self.log.error("request not understood", request=bare.name, error=text)
            return replace(bare, refusal=Refusal(Reason.MALFORMED_AD, bare.name, text))

    def _store(self, trust: RequestValidator, raw: Row) -> None:
        name = label(raw.get("Name", "?"))
        try:
            late = sum(not self._store_one(trust, item, name) for item in trust.credentials(raw))
            if late:
                text = f"{late} new credentials wait for the next cycle"
                self.refusals.append(Refusal(Reason.CREDENTIAL_MISSING, name, text))
        except RequestRefused as error:
            self.refusals.append(Refusal(error.reason, name, error.text))
        except GwmsError as error:
            reason = getattr(error, "reason", Reason.MALFORMED_AD)
            self.refusals.append(Refusal(reason, name, error.message))
        except Exception as error:  # noqa: BLE001 - the boundary of one ad
            self.refusals.append(Refusal(Reason.MALFORMED_AD, name, place_of(error)))

    def _store_one(self, trust: RequestValidator, item: StoredCredential, name: str) -> bool:
        """Store one credential of the ad `name`; False if its Frontend has sent too many new ones."""
        try:
            path = trust.vault.credential(item.owner, item.client, item.cred_id)
            self.named |= {str(path), str(packed(path))}
            if len(item.data) > MAX_CREDENTIAL_BYTES:
                size = f"{len(item.data)} bytes, at most {MAX_CREDENTIAL_BYTES} are allowed"
                raise CredentialError(f"a credential has {size}")
            if self.new[item.owner.frontend] >= MAX_NEW_CREDENTIALS and not path.exists():
                return False
            if trust.vault.store_credential(item.owner, item.client, item.cred_id, item.data):
                self.stored.append(path)
                self.new[item.owner.frontend] += 1
        except CredentialError as error:
            # what cannot be stored is not the fault of the ad
            lost = error.__cause__ is not None
            reason = Reason.CREDENTIAL_MISSING if lost else Reason.MALFORMED_AD
            self.refusals.append(Refusal(reason, name, str(error) if lost else error.message))
        return True

    def read_queues(
        self, policy: FactoryPolicy, now: float, ended: Mapping[str, int]
    ) -> tuple[ScheddState, ...]:
        """Read the queue of every schedd that an enabled entry uses, all at the same time.

        `ended` is how many pilots of each entry have ended by their event logs.
        """
        names = sorted({e.schedd_name for e in policy.entries if e.enabled})
        self.locate(policy, names)
        self._settle(names)
        age = min([min(e.stale_idle, e.stale_running) for e in policy.entries] or [604800])
        files = any(e.sub_entries for e in policy.entries)
        calls = [
            call(
                name,
                queries.read_queue,
                schedd=memory.address,
                factory=policy.factory_name,
                glidein=policy.glidein_name,
                min_age=age,
                files=files,
                stale=_due(memory.stale_at, now),
                keyed=_due(memory.unkeyed_at, now),
            ).within(JOB_DEADLINE)
            for name in names
            if (memory := self.schedds[name]).address
        ]
        answers = {a.call.endpoint: a for a in self.pool.run(calls)}
        gone = dict.fromkeys(names, 0)
        for entry in policy.entries:
            if entry.schedd_name in gone:
                gone[entry.schedd_name] += ended.get(entry.name, 0)
        return tuple(self._state(name, answers.get(name), now, gone[name]) for name in names)

    def locate(self, policy: FactoryPolicy, names: list[str]) -> None:
        """Find schedds that are not known or lost; one that is not found stays as it was. A
        collector that has just
        not answered is not asked.
        """
        for name in names:
            self.schedds.setdefault(name, ScheddMemory())
        lost = [n for n in names if self.schedds[n].address is None or self.schedds[n].lost]
        if not lost or self.silent:
            return
        answer = self.pool.one(
            call(
                policy.collector or "collector",
                locate_schedds,
                collector=policy.collector,
                names=lost,
            )
        )
        for ad in answer.value_or([]):
            found, address = text_or(ad.get("Name"), ""), text_or(ad.get("MyAddress"), "")
            if found in self.schedds and address:
                memory = self.schedds[found]
                memory.address, memory.lost = ScheddAddress(found, address), False

    def _state(
        self, name: str, answer: CallResult[dict[str, Any]] | None, now: float, ended: int
    ) -> ScheddState:
        memory = self.schedds[name]
        reading: Reading[PilotQueue] = Reading(name, 0.0)
        if answer is None:
            return ScheddState(
                name,
                reading.failed("not found in the collector"),
                f"{name} is not in the collector",
            )
        if answer.error is not None:
            memory.lost = True
            return ScheddState(
                name,
                reading.failed(str(answer.error)),
                f"queue of {name} is not known: {answer.error}",
            )
        queue, wrong = queue_of(answer.value)
        if wrong:
            self.refusals.append(
                Refusal(Reason.UNREADABLE, name, f"{wrong} pilots in its queue cannot be read")
            )
        reading = reading.fresh(queue, answer.began)
        memory.counted(sum(group.count for group in queue.groups), ended, answer.began)
        if answer.call.args["stale"] and all(
            row.get("JobStatus") == 5 for row in answer.value["exceptions"]
        ):
            # ages of days need no look each cycle; where one was found the next cycle looks again
            memory.stale_at = now
        if answer.call.args["keyed"] and answer.value["method"] != "keyed":
            memory.unkeyed_at = now
        if answer.began <= memory.touched:
            # or the clock was set back, and the next reading counts
            memory.touched = min(memory.touched, answer.ended)
            return ScheddState(name, reading, "the reading began before our last act there ended")
        if memory.unknown:
            ids = ", ".join(u.submit_id for u in memory.unknown)
            return ScheddState(name, reading, f"outcome of submit {ids} is not known yet")
        return ScheddState(name, reading)

    def _settle(self, names: list[str]) -> None:
        """Drop unknown outcomes that their schedd has answered: the id is in the queue, or it is
        still not there
        SETTLE seconds after the first answer without it, and so not coming. Before the queues are
        read: what comes
        late must be in the reading that is decided on.
        """
        calls = [
            call(name, queries.find_submit, schedd=memory.address, submit_id=item.submit_id)
            for name in names
            if (memory := self.schedds[name]).address
            for item in memory.unknown
        ]
        found = {a.call.args["submit_id"]: a for a in self.pool.run(calls) if a.error is None}
        for memory in (self.schedds[name] for name in names):
            memory.unknown[:] = [
                u for u in memory.unknown if not self._settled(u, found.get(u.submit_id))
            ]

    def _settled(self, item: UnknownSubmit, answer: CallResult[int] | None) -> bool:
        if answer is None:
            return False
        if not answer.value:
            if not 0.0 < item.missed <= answer.began:
                item.missed = answer.began
            if answer.began - item.missed < SETTLE:
                return False
        self.log.info("submit settled", submit=item.submit_id, entry=item.entry, found=answer.value)
        return True


def _due(last: float, now: float) -> bool:
    """Whether STALE_EVERY has passed, or the clock was set back."""
    return not 0.0 <= now - last < STALE_EVERY


def files_in_use(collector: InputReader, policy: FactoryPolicy) -> set[str] | None:
    """What queued pilots name, or None if any schedd of an entry, enabled or not, does not say."""
    names = sorted({e.schedd_name for e in policy.entries})
    collector.locate(policy, names)
    found: set[str] = set()
    for name in names:
        address = collector.schedds[name].address
        if address is None:
            return None
        asking = call(
            name,
            queries.files_in_use,
            schedd=address,
            factory=policy.factory_name,
            glidein=policy.glidein_name,
        )
        answer = collector.pool.one(asking.within(JOB_DEADLINE))
        if answer.error is not None:
            return None
        found |= answer.value
    # a batch pilot's key stands inside its GridResource
    return found | {word for text in found for word in text.split()}


def _one_key(rows: tuple[Request, ...]) -> tuple[Request, ...]:
    return tuple(sorted(rows, key=lambda r: r.name))


def read_downtimes(policy: FactoryPolicy) -> tuple[tuple[Downtime, ...], tuple[Refusal, ...]]:
    """The active and coming lines of the downtimes file, and those that cannot be read. No file: no
    downtime.
    """
    path = Path(policy.work_dir, policy.downtimes_file)
    if not path.exists():
        return (), ()
    lines, wrong = downtime_file.load(path)
    return tuple(lines), tuple(Refusal(Reason.MALFORMED_AD, e.where, e.message) for e in wrong)


def queue_of(value: Mapping[str, Any]) -> tuple[PilotQueue, int]:
    """Rows of `fold.read_queue` as the snapshot has them, and how many pilots cannot be read.
    Groups are counted
    whatever their texts are: a pilot that is not counted would be submitted again.
    """
    groups = tuple(
        PilotGroup(
            *_names(row), _int(row, "JobStatus") or 0, _grid(row), _int(row, "JobCount") or 0
        )
        for row in value["groups"]
    )
    pilots = []
    for row in value["exceptions"]:
        try:
            pilots.append(_pilot(row))
        except Exception:  # noqa: BLE001 - the boundary of one pilot in the queue
            continue
    return PilotQueue(groups, tuple(pilots)), len(value["exceptions"]) - len(pilots)


def _text(row: Row, name: str) -> str:
    """A text of a pilot's ad; one that is none, or endless, is another group."""
    found = row.get(name, "")
    return found if type(found) is str and len(found) <= MAX_PILOT_TEXT else shown(found)


def _names(row: Row) -> tuple[str, str, str, str, str, str]:
    return (
        _text(row, "GlideinEntryName"),
        _text(row, "GlideinClient"),
        _text(row, "GlideinFrontendName"),
        _text(row, "GlideinSecurityClass"),
        _text(row, "GlideinCredentialIdentifier"),
        _text(row, "GlideinEntrySubmitFile").rpartition("/")[2],
    )


def _grid(row: Row) -> str | None:
    return None if row.get("GridJobStatus") is None else _text(row, "GridJobStatus")


def _int(row: Row, name: str) -> int | None:
    found = row.get(name)
    return None if isinstance(found, bool | str) else count_or(found, None, low=-MAX_COUNT)


def _pilot(row: Row) -> QueuedPilot:
    now, since = (
        moment_or(row.get("ServerTime"), None),
        moment_or(row.get("EnteredCurrentStatus"), None),
    )
    age = int(now - since) if now is not None and since is not None else None
    return QueuedPilot(
        f"{count(row['ClusterId'])}.{count(row['ProcId'])}",
        *_names(row),
        _int(row, "JobStatus") or 0,
        _grid(row),
        age,
        _int(row, "HoldReasonCode"),
        _int(row, "HoldReasonSubCode"),
        _int(row, "NumSystemHolds"),
        now is not None,
    )


def unreadable(error: StateError) -> Refusal:
    """A file of ours that could not be read, as the plan shows it."""
    return Refusal(Reason.INPUT_UNKNOWN, error.where, error.message)
