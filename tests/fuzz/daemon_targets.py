"""Fuzz targets of lib.daemon and lib.jsondata: files of a daemon's state that others may write too."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from glideinwms.factory import policy as factory_policy
from glideinwms.factory.plan import FactoryPlan
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import FactorySnapshot
from glideinwms.frontend import policy as frontend_policy
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.frontend.snapshot import FrontendSnapshot
from glideinwms.lib import jsondata
from glideinwms.lib.daemon import audit, heartbeat, operator_commands, policy_file, records, status
from glideinwms.lib.errors import (
    ConfigError,
    StateError,
)
from glideinwms.lib.jsondata import to_json
from tests.fuzz.lib_targets import FOLDER, octets, texts
from tests.fuzz.target import target
from tests.unit.factory import builders
from tests.unit.frontend import build_frontend

JSONS = (
    '{"id": "a", "verb": "pause", "args": {"x": "y"}, "who": "me", "time": 1800000000.0}',
    '[1, 2.5, null, "\\u00e9"]',
)
NESTED = ("[", '{"a":', '"', "\\", "9", '{"a":1,', "1,")


@target(make=texts(*JSONS), allowed=(StateError,), units=NESTED)
def json_text(text: Any) -> None:
    jsondata.parse(text, "here")


def _raw(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogatepass")


@target(make=texts(JSONS[0]), units=NESTED)
def operator_command(text: Any) -> None:
    box = FOLDER / "requests"
    box.mkdir(exist_ok=True)
    (box / "x.json").write_bytes(_raw(text))
    done = operator_commands.consume(box, operator_commands.unhandled)
    answer = operator_commands.wait_answer(box, "x", 1.0)
    assert not answer.ok
    assert len(answer.text) <= 300
    assert all(len(word.who) < 300 for word, _ in done)
    assert not list(box.iterdir())


@target(make=texts('{"ok": true, "text": "done"}'), allowed=(StateError,), units=NESTED)
def operator_answer(text: Any) -> None:
    (FOLDER / "y.answer.json").write_bytes(_raw(text))
    operator_commands.wait_answer(FOLDER, "y", 0.5)


_STATUS = json.dumps(to_json(status.Status("factory", "4", 1, "g", 1, 1.0, 1.0, 1.0, 0.1, 60.0)))


@target(make=texts(_STATUS), allowed=(StateError,), units=NESTED)
def status_file(text: Any) -> None:
    path = FOLDER / "status.json"
    path.write_bytes(_raw(text))
    status.read(path)


@target(
    make=texts('{"pid": 1, "cycle": 3, "began": 1.0, "step": "collect"}'),
    units=NESTED,
    allowed=(StateError,),
)
def heartbeat_file(text: Any) -> None:
    (FOLDER / heartbeat.NAME).write_bytes(_raw(text))
    heartbeat.read(FOLDER)


@target(
    make=texts('{"act": "submit", "time": 1800000000.0, "cycle": 1}\n{"act": "hold"}\n'),
    units=NESTED,
    allowed=(StateError,),
)
def audit_trail(text: Any) -> None:
    path = FOLDER / "audit.jsonl"
    path.write_bytes(_raw(text))
    for record in audit.read(path):
        assert isinstance(record, dict)


_POLICIES = (
    json.dumps(to_json(builders.policy(Path("/base")))),
    json.dumps(to_json(build_frontend.policy())),
)


@target(make=texts(*_POLICIES), allowed=(StateError, ConfigError), units=NESTED)
def policy_json(text: Any) -> None:
    path = FOLDER / "policy.json"
    path.write_bytes(_raw(text))
    if "frontend_name" in text:
        policy_file.load(FrontendPolicy, path, frontend_policy.SCHEMA, "frontend")
    else:
        policy_file.load(FactoryPolicy, path, factory_policy.SCHEMA, "factory")


_SNAPSHOTS = (
    '{"cycle": 1, "began": 1.0, "seed": 2, "generation": "g", "snapshot": {"now": 1.0}, "plan": {"entries": []}}',
    '{"now": 1.0, "groups": {}}',
)


@target(make=texts(*_SNAPSHOTS), allowed=(StateError,), units=NESTED)
def cycle_record(text: Any) -> None:
    path = FOLDER / "00000001.json.gz"
    path.write_bytes(gzip.compress(_raw(text), 1))
    data = records.load(path)
    for kind in (FactorySnapshot, FrontendSnapshot):
        records.parse(data, "here", kind, FactoryPlan((), 1.0))  # type: ignore[type-var]


@target(make=octets(gzip.compress(b'{"now": 1.0}')), allowed=(StateError,))
def packed_record(data: Any) -> None:
    path = FOLDER / "00000002.json.gz"
    path.write_bytes(data)
    records.load(path)
