"""Fuzz targets of the Factory: requests, credentials, its queue, pilots' logs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from glideinwms.factory.collect import count_key
from glideinwms.factory.collect.pilot_queue import parse_queue
from glideinwms.factory.collect.request_validation import (
    RequestRefused,
    RequestValidator,
    bare_request,
)
from glideinwms.factory.pilot_history import completed_jobs_log, event_log, pilot_log
from glideinwms.factory.pilot_history.pilot import FinishedPilot, cause_of, described
from glideinwms.lib.errors import CredentialError, StateError, WireError
from glideinwms.lib.wire import GlideClientGlobal
from tests.fuzz.lib_targets import NOW, octets, texts
from tests.fuzz.mutate import changed_ad, changed_text, value
from tests.fuzz.tape import Choices
from tests.fuzz.target import target
from tests.support import hostile_values
from tests.unit.factory import builders

FOLDER = Path(tempfile.mkdtemp(prefix="gwms-fuzz-"))
POLICY = builders.policy(FOLDER)
VALIDATOR = RequestValidator(POLICY, {builders.key().public.key_id: builders.key()}, builders.NOW)
SEALED = builders.seal()
REQUEST = builders.request_ad(sealed=SEALED)
GLOBAL: dict[str, Any] = {
    **GlideClientGlobal(
        name="inst@fact@fe.main",
        frontend_name="fe",
        group_name="main",
        client_name="fe.main",
        key_id=SEALED.key_id,
        key_code=SEALED.key_code,
        enc_identity=SEALED.enc_identity,
        enc_params=SEALED.params(
            {"SecurityName": "fe", "SecurityClassX": "frontend", "X": "a credential"}
        ),
    ).to_ad(),
    "AuthenticatedIdentity": builders.IDENTITY,
    "LastHeardFrom": builders.NOW - 5,
}


@target(make=lambda c: changed_ad(c, (REQUEST,)), short=100)
def request(ad: Any) -> None:
    VALIDATOR.opener.begin(VALIDATOR.opener.keys, VALIDATOR.opener.identities)
    row = VALIDATOR.request(ad)
    if row.refusal is not None:
        assert len(row.refusal.where) <= 300
        assert len(row.refusal.text) <= 1000
    assert 0 <= row.idle < 2**31
    assert len(bare_request(ad).name) < 300


def _sealed_request(choices: Choices) -> dict[str, Any]:
    secrets = {name: changed_text(choices, (text,)) for name, text in builders.SECRETS.items()}
    secrets[choices.pick(("SubmitProxy", "A.idtoken", "GlideinProxy", "x"))] = changed_text(
        choices, ("a", "TOKENIDX")
    )
    usable = {n: t.encode("utf-8", "replace") for n, t in secrets.items()}
    return {
        **REQUEST,
        **{f"GlideinEncParam{n}": SEALED.key.encrypt_hex(t) for n, t in usable.items() if t},
    }


@target(make=_sealed_request, short=100)
def sealed_request(ad: Any) -> None:
    request(ad)


@target(
    make=lambda c: changed_ad(c, (GLOBAL,)),
    allowed=(WireError, RequestRefused, CredentialError),
    short=100,
)
def global_credentials(ad: Any) -> None:
    for item in VALIDATOR.credentials(ad):
        assert "a credential" not in repr(item)
        VALIDATOR.store.credential(item.owner, item.client, item.cred_id)


_PILOT = {
    "ClusterId": 7,
    "ProcId": 0,
    "JobStatus": 5,
    "GridJobStatus": "HELD",
    "GlideinEntryName": "A",
    "JobCount": 3,
    "GlideinClient": "fe.main",
    "GlideinFrontendName": "fe:frontend",
    "GlideinSecurityClass": "frontend",
    "GlideinCredentialIdentifier": "X",
    "GlideinEntrySubmitFile": "entry_A/job.condor",
    "EnteredCurrentStatus": 1_800_000_000,
    "ServerTime": 1_800_000_100,
    "HoldReasonCode": 13,
    "HoldReasonSubCode": 2,
    "NumSystemHolds": 1,
}


@target(make=lambda c: [changed_ad(c, (_PILOT,)) for _ in range(3)])
def queue_rows(rows: Any) -> None:
    parsed = parse_queue(rows, rows)
    queue = parsed.queue
    assert len(queue.groups) == len(rows)
    assert parsed.unreadable + len(queue.exceptions) == len(rows)
    hash(queue)


@target(
    make=lambda c: (
        changed_text(c, ("fact|inst|A|fe.main|fe:x|frontend|ID|f",)) if c.below(4) else value(c)
    ),
    units=("|", "%7C", "%", "a"),
)
def counted_by(key: Any) -> None:
    fields = count_key.fields_of(key)
    if fields is not None:
        assert count_key.fields_of(count_key.key_of(fields)) == fields


_EVENTS = b"000 (7.0.0) 2026-11-30 10:00:00 Job submitted\n...\n005 (7.0.0) 11/30 10:00:00 Job terminated.\n...\n"
_CLOCK = event_log.EventClock(NOW)


@target(
    make=octets(_EVENTS, *hostile_values.EVENTS.values()),
    units=(b"\n...\n", b"\n...", b"005 (", b"005 (7.0.0) 2026-11-30 10:00:00.", b"9", b"\n"),
)
def events(data: Any) -> None:
    found, used = event_log.parse(data, _CLOCK)
    assert 0 <= used <= len(data)
    assert all(0 < when < NOW + 2 * event_log.DAY for *_, when in found)
    _CLOCK.minutes.clear()


@target(make=octets(_EVENTS), allowed=(StateError,))
def event_file(data: Any) -> None:
    path = FOLDER / "events"
    path.write_bytes(data)
    position = event_log.LogPosition(path)
    for _ in range(3):
        for _ in event_log.read_new(position, event_log.EventClock(NOW), 10_000):
            pass
    assert position.offset <= len(data)


_STDOUT = (
    "=== Glidein starting x ===\n=== Last script starting x after validating for 12 ===\n=== Condor starting x ===\n"
    "=== Condor ended x after 500 ===\n=== Stats of main ===\nTotal jobs 3 utilization 400\n"
    "(Normalized) Total goodZ jobs 2 (avg 1) utilization 300\n=== End Stats of main ===\n"
    "Total number of activations/claims: 4\n=== Glidein ending x with code 0 after 600 ===\n",
    "=== Glidein ending x with code 1 after 5 ===\n=== XML description of glidein activity ===\n<OSGTestResult>"
    '<metric name="TestID" ts="x" uri="local">glexec</metric>'
    '<metric name="failure">WN</metric><detail>\nfailed &amp; \n'
    "</detail></OSGTestResult>\n=== End XML description of glidein activity ===\n",
    *hostile_values.STDOUT.values(),
)
_MARKS = (
    "=== Stats of main ===\n",
    "=== Stats of a ===\n=== End Stats of a ===\n",
    "=== Condor ended ",
    "Total jobs 1 ",
    "=== XML description of glidein activity ===\n",
    '<metric name="TestID"',
    "<detail>",
    "&amp;",
    "<",
    "=",
    "\n",
    "&#1",
    "=== Glidein ending x with code 1 ",
    " after validating for 1",
    "=== Encoded XML description of glidein activity ===\n",
)
_XML = (
    "=== Glidein ending x with code 1 after 5 ===\n=== XML description of glidein activity ===\n<detail>",
    "\n=== End XML description of glidein activity ===\n",
)


@target(make=texts(*_STDOUT), units=_MARKS)
def pilot_stdout(text: Any) -> None:
    facts = pilot_log.facts(text)
    cause = cause_of(facts)
    assert len(cause) <= 700
    assert cause.isprintable()
    assert len(facts.stats) <= 10
    described(FinishedPilot("A", "1.0", "fe.main", "u", 1.0, 2.0, 3.0), facts)


@target(make=texts(_STDOUT[1]), units=_MARKS, around=_XML)
def pilot_result(text: Any) -> None:
    pilot_stdout(text)


_PACKED = (
    "MasterLog\n======== gzip | uuencode =============\nbegin-base64 644 -\n"
    "H4sIAAAAAAAA/8tIzcnJBwCGphA2BQAAAA==\n====\n"
)


@target(
    make=texts(_PACKED, _PACKED * 3, *hostile_values.STDERR.values()),
    units=(
        _PACKED,
        "Log\n=== gzip | uuencode ===\nbegin-base64 644 -\n",
        "A\n",
        "=",
        "x",
        "begin-base64 644 -\n",
        "A\n=== gzip | uuencode ===\n",
        "=== Encoded XML description of glidein activity ===\nbegin-base64 644 -\n",
    ),
)
def pilot_stderr(text: Any) -> None:
    found = pilot_log.sections(text)
    assert len(found) <= pilot_log.MAX_SECTIONS
    assert sum(map(len, found.values())) <= pilot_log.MOST
    assert len(pilot_log.xml_result(text)) <= pilot_log.MOST


_JOB = (
    '<job terminated="2026-11-30T10:00:00+00:00" client="fe.main" username="feuser" id="7.0" duration="600" '
    'condor_started="True" condor_duration="500"><user jobsnr="3" duration="400" goodput="300" terminated="0"/></job>\n'
)


@target(
    make=texts(_JOB, _JOB * 2), allowed=(StateError,), units=(_JOB, "<a>", "<job ", "&lt;", "\n")
)
def completed_jobs(text: Any) -> None:
    path = FOLDER / "log/entry_A/completed_jobs_20261130.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    wanted = completed_jobs_log.WantedAttributes()
    for pilot in completed_jobs_log.read(POLICY, ["A"], ["20261130"], wanted):
        assert ".." not in pilot.out
        assert 0 <= pilot.duration < 2**31
