"""One hostile item among good ones, for every field of every kind of item: the good ones are served in the same cycle.

All hostile values of a field come in one cycle, each in an item of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import classad2
import pytest

from glideinwms.factory import decide
from glideinwms.factory.decide.entry import EntryDecision
from glideinwms.factory.pilot_history.follow import OUTPUT_WAIT
from glideinwms.lib.bounded import Expr, Missing
from glideinwms.lib.condor.htc import to_classad
from glideinwms.lib.daemon import operator_commands
from glideinwms.lib.reasons import Reason
from tests.scenario.factory.factory_harness import SECRETS, FactoryHarness, entry
from tests.scenario.factory.test_learning import end
from tests.support import golden, hostile_values
from tests.unit.factory.builders import IDENTITY, global_ad, request_ad

WHERE = "A@inst@fact"
NUMBER_FIELDS = (
    "ReqIdleGlideins",
    "ReqMaxGlideins",
    "ReqRemoveExcessMargin",
    "UpdateSequenceNumber",
    "GlideinMonitorIdle",
    "GlideinMonitorRunning",
)
NAME_FIELDS = (
    "Name",
    "ClientName",
    "ReqName",
    "ReqGlidein",
    "GroupName",
    "FrontendName",
    "FrontendHAMode",
)
TEXT_FIELDS = (
    "GlideinWMSVersion",
    "WebURL",
    "WebSignType",
    "WebDescriptFile",
    "WebDescriptSign",
    "WebDescriptSign256",
    "WebGroupURL",
    "WebGroupDescriptFile",
    "WebGroupDescriptSign",
    "WebGroupDescriptSign256",
    "WebMonitoringURL",
    "ReqPubKeyID",
    "ReqEncKeyCode",
    "ReqEncIdentity",
    "ReqRemoveExcess",
    "ReqIdleLifetime",
    "GlideinParamX",
    "GlideinParamGLIDEIN_OVERLOAD_ENABLED",
    "GlideinEncParamSecurityName",
    "GlideinEncParamX",
    "GlideinConfigX",
    "GlideinMyType",
)
FIELDS: dict[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "numbers": (NUMBER_FIELDS, hostile_values.NUMBERS),
    "names": (NAME_FIELDS, hostile_values.NAMES),
    "texts": (TEXT_FIELDS, {**hostile_values.TEXTS, "text-20-digits": "9" * 20, "empty": ""}),
}


def on_the_wire(value: Any) -> Any:
    """As an ad carries it."""
    return {
        Missing.UNDEFINED: Expr("undefined"),
        Missing.ERROR: Expr("error"),
        None: Expr("undefined"),
    }.get(value if isinstance(value, Missing | None) else "", value)


def put(scene: FactoryHarness, ad: Mapping[str, Any]) -> int:
    """Send an ad; whether any ClassAd can be like this."""
    own = {
        k: on_the_wire(v)
        for k, v in ad.items()
        if k not in ("AuthenticatedIdentity", "LastHeardFrom")
    }
    with contextlib.suppress(Exception):  # no ad can hold an integer of 65 bits, or a surrogate
        scene.wms.put(own, "UPDATE_MASTER_AD", IDENTITY)
        return 1
    return 0


def hostile_request(
    scene: FactoryHarness, number: int, secrets: Mapping[str, Any] | None = None, **changes: Any
) -> Any:
    """A good request of another group, to be spoilt."""
    client = f"fe.evil{number}"
    made = request_ad(
        secrets or SECRETS,
        scene.seal,
        name=f"HASHHASH_{WHERE}@{client}",
        client_name=client,
        req_name=WHERE,
        req_glidein=WHERE,
        idle=1,
        **changes,
    )
    return made


@pytest.fixture
def scene(tmp_path: Path) -> FactoryHarness:
    """A Factory with two entries; a good Frontend asks at both."""
    made = FactoryHarness(tmp_path, entry("A"), entry("B"))
    made.ask(5, entry="A")
    made.ask(5, entry="B")
    return made


def served(scene: FactoryHarness, pilots: int = 10) -> None:
    """The good requests got their pilots, and their ads; what is told of the others is short."""
    assert scene.schedd.count('GlideinClient =?= "fe.main"') == pilots
    names = {ad["Name"] for ad in scene.wms.ads()}
    assert {
        "A@inst@fact",
        "B@inst@fact",
        "inst@fact",
        "A@inst@fact@fe.main",
        "B@inst@fact@fe.main",
    } <= names
    for refusal in scene.status()["refusals"]:
        assert (
            len(refusal["text"]) <= 200
            and refusal["text"].isprintable()
            and len(refusal["where"]) <= 200
        )
    problems = [reading for reading in scene.readings() if reading["error"]]
    assert problems == []


@pytest.mark.parametrize("kind", FIELDS)
def test_any_field_of_a_request(scene: FactoryHarness, kind: str) -> None:
    fields, values = FIELDS[kind]
    sent = 0
    for number, (field, value) in enumerate(itertools.product(fields, values.values())):
        sent += put(scene, {**hostile_request(scene, number), field: value})
    assert sent > 0.8 * len(fields) * len(values)
    scene.cycle()
    served(scene)
    assert scene.status()["refused"]
    scene.cycle()
    served(scene)


def test_any_sealed_text_of_a_request(scene: FactoryHarness) -> None:
    names = ("SecurityName", "SecurityClass", "ScitokenId", "RemoteUsername", "ProjectId", "X")
    texts = {
        **hostile_values.NAMES,
        "option": "-oProxyCommand=id",
        "macro": "$(A)",
        "binary": b"\x80\x04K\x01.",
    }
    cases = [
        *itertools.product(names, (t for t in texts.values() if isinstance(t, str | bytes))),
        *itertools.product(("frontend_scitoken", "A.idtoken"), hostile_values.TOKENS.values()),
    ]
    for number, (name, text) in enumerate(cases):
        with contextlib.suppress(UnicodeEncodeError):
            put(scene, hostile_request(scene, number, {**SECRETS, name: text}))
    scene.cycle()
    served(scene)
    assert Reason.CREDENTIAL_UNUSABLE in scene.status()["refused"]


def test_any_field_of_a_global_ad(scene: FactoryHarness) -> None:
    fields = (
        "Name",
        "ClientName",
        "ReqEncKeyCode",
        "ReqEncIdentity",
        "GlideinEncParamX",
        "UpdateSequenceNumber",
        "X",
    )
    values = {**hostile_values.NAMES, **hostile_values.NUMBERS}.values()
    good = {"SecurityName": "fe", "SecurityClassID": "frontend", "ID": "DATA"}
    for number, (field, value) in enumerate(itertools.product(fields, values)):
        put(scene, {**global_ad(good, scene.seal, name=f"inst@fact@fe.evil{number}"), field: value})
    data = [v for v in hostile_values.NAMES.values() if isinstance(v, str)] + list(
        hostile_values.certificates().values()
    )
    names = ("SecurityName", "SecurityClassID", "ID", "SecurityClass../../x")
    for number, (name, value) in enumerate(itertools.product(names, data)):
        with contextlib.suppress(UnicodeEncodeError):
            put(
                scene,
                global_ad({**good, name: value}, scene.seal, name=f"inst@fact@fe.worse{number}"),
            )
    scene.cycle()
    served(scene)
    assert not [path for path in scene.base.rglob("*") if path.name in ("passwd", "x")]


def test_an_ad_whose_type_is_an_expression_hides_no_request(scene: FactoryHarness) -> None:
    put(scene, {**hostile_request(scene, 1), "GlideinMyType": Expr('strcat("glide", "client")')})
    scene.cycle()
    served(scene)
    assert "GlideinMyType is neither glideclient nor glideclientglobal" in [
        r["text"] for r in scene.status()["refusals"]
    ]


def test_an_error_value_is_neither_absent_nor_a_number(scene: FactoryHarness) -> None:
    """Left out, it would be a request for no pilots, which removes those there are."""
    for number, (name, value) in enumerate(
        itertools.product(
            ("ReqIdleLifetime", "ReqRemoveExcess"), (Missing.ERROR, Missing.UNDEFINED)
        )
    ):
        put(scene, {**hostile_request(scene, number), name: value})
    scene.cycle()
    served(scene)
    assert {refusal["text"] for refusal in scene.status()["refusals"]} == {
        "ReqIdleLifetime: is an error value",
        "ReqIdleLifetime: is undefined",
        "ReqRemoveExcess: is an error value",
        "ReqRemoveExcess: is undefined",
    }


def test_a_request_with_an_attribute_name_that_is_not_utf8_is_refused_by_name(
    scene: FactoryHarness,
) -> None:
    request = hostile_request(scene, 1)
    spoilt = classad2.ClassAd("[ 'caf\\351' = 1 ]")
    spoilt.update(to_classad(request))
    assert put(scene, request) == 1
    scene.wms.put(spoilt, "UPDATE_MASTER_AD", IDENTITY)
    scene.cycle()
    served(scene)
    [refusal] = [r for r in scene.status()["refusals"] if "not UTF-8" in r["text"]]
    assert request["Name"] in refusal["where"]


ROW: dict[str, Mapping[str, Any]] = {
    **dict.fromkeys(
        ("EnteredCurrentStatus", "HoldReasonCode", "HoldReasonSubCode", "NumSystemHolds"),
        hostile_values.TIMES,
    ),
    **dict.fromkeys(
        (
            "GridJobStatus",
            "GlideinEntryName",
            "GlideinClient",
            "GlideinFrontendName",
            "GlideinSecurityClass",
            "GlideinEntrySubmitFile",
            "GlideinCountKey",
            "HoldReason",
        ),
        hostile_values.NAMES,
    ),
}


@pytest.mark.parametrize("status", [1, 5], ids=["idle", "held"])
def test_any_attribute_of_a_pilot_in_the_queue(scene: FactoryHarness, status: int) -> None:
    cases = [
        (field, value)
        for field, values in ROW.items()
        for value in values.values()
        if is_text(value)
    ]
    scene.ask(len(cases), entry="B", client="fe.more")
    scene.cycle(10)
    more = 'GlideinClient =?= "fe.more"'
    assert scene.schedd.count(more) > 0.8 * len(cases)
    for job in scene.schedd.query(more, ["ClusterId", "ProcId"], -1, "Default", "factory@wms.demo"):
        field, value = cases.pop()
        one = f"ClusterId == {job['ClusterId']} && ProcId == {job['ProcId']}"
        scene.schedd.set(one, JobStatus=status, HoldReasonCode=1)
        with contextlib.suppress(Exception):  # no ad can hold it
            scene.schedd.set(one, **{field: on_the_wire(value)})
    scene.ask(8, entry="A")
    scene.cycle()
    served(scene, 13)


def is_text(value: Any) -> bool:
    """Whether the bindings survive a value: of a surrogate they crash."""
    with contextlib.suppress(UnicodeEncodeError):
        return not isinstance(value, str) or bool(value.encode()) or not value
    return False


def test_any_output_and_event_of_a_pilot(scene: FactoryHarness) -> None:
    for number, stdout in enumerate(
        (*hostile_values.STDOUT.values(), *hostile_values.STDERR.values())
    ):
        end(scene, 900_000 + number, 1, stdout, "otheruser")
    end(scene, 910_000, 10, golden.text("pilot-output/job.4711.0.out"))
    log = next((scene.base / "client").glob("user_otheruser/*/*/condor_activity_*"))
    for data in hostile_values.EVENTS.values():
        with log.open("ab") as out:
            out.write(data)
    scene.cycle()
    served(scene)
    learned = scene.daemon.learner.db
    assert {"900000.0", "910000.0"} <= {pilot.id for pilot in learned.finished("A", 0)}
    assert Reason.UNREADABLE in scene.status()["refused"]
    scene.world.clock.advance(OUTPUT_WAIT)
    scene.cycle()
    assert learned.pending(9) == []


def test_any_command_of_an_operator(scene: FactoryHarness) -> None:
    scene.cycle()
    folder = scene.base / "work/state/requests"
    for number, text in enumerate(hostile_values.JSON.values()):
        (folder / f"bad{number}.json").write_bytes(text)
    for number, time in enumerate(("NaN", "1e999", "-5", "1" + "0" * 400, '"now"', "null", "1e15")):
        text = f'{{"id": "t{number}", "verb": "approve", "args": {{"id": "x"}}, "who": "", "time": {time}}}'
        (folder / f"time{number}.json").write_text(text)
    (folder / "directory.json").mkdir()
    (folder / ("n" * 249 + ".json")).write_text("{")
    (folder / "dangling.json").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.json")
    good = operator_commands.put(folder, "remove", {"entry": "A", "n": "0"})
    scene.cycle()
    served(scene)
    assert operator_commands.wait_answer(folder, good, 1.0).ok
    left = {path.name for path in folder.iterdir() if not path.name.endswith(".answer.json")}
    assert left == {"directory.json"}
    scene.cycle()
    served(scene)


def test_a_request_that_cannot_be_decided_on_is_found_and_refused(
    scene: FactoryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = EntryDecision.plan

    def broken(self: EntryDecision) -> Any:
        if any(r.client == "fe.evil1" and r.refusal is None for r in self.given.requests):
            raise ArithmeticError
        return real(self)

    monkeypatch.setattr(decide.EntryDecision, "plan", broken)
    put(scene, hostile_request(scene, 1))
    put(scene, hostile_request(scene, 2))
    scene.cycle()
    served(scene)
    assert scene.schedd.count('GlideinClient =?= "fe.evil2"') == 1
    [refusal] = [row.refusal for row in scene.row("A").requests if row.refusal]
    assert refusal.text.startswith("unexpected ArithmeticError")
