"""`gwms frontend plan|explain|replay` and `gwms job explain` on what a daemon recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.lib.jsondata import to_json
from tests.scenario.frontend.scene import WMS, Scene, at
from tests.scenario.frontend.test_commands import gwms, place
from tests.unit.frontend.decide.golden import expression

LAW = 'glidein["attrs"]["GLIDEIN_Site"] in job["Wants"].split(",")'


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    s = Scene(tmp_path)
    s.write(groups=(s.group(match=expression(LAW)),))
    s.runner.reload()
    s.jobs(100, wants="A,B")
    s.jobs(7, wants="nowhere")
    s.pilots("A", busy=3, idle=1)
    s.cycle(2)
    return s


Capture = pytest.CaptureFixture[str]


def test_a_class_is_explained(scene: Scene, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "job", "explain", "--class", "Wants=A", *place(scene))
    assert code == 0
    for text in ("fits 1 of 3 entries", LAW.replace('"', "'"), "frontend.xml:1", "GLIDEIN_Site='B'", "Wants='A'",
                 f"main at {at('A')}",
                 "RampUpAttenuation", "credential", "pilots: 4 slots, 3 running, 1 idle"):  # fmt: skip
        assert text in out, text
    code, out, _ = gwms(capsys, "job", "explain", "--class", "Wants=nowhere", "--json", *place(scene))
    data: dict[str, Any] = json.loads(out)
    assert code == 1 and not any(e["matches"] for e in data["groups"]["main"]["entries"])
    assert gwms(capsys, "job", "explain", *place(scene))[0] == 1
    assert "ATTRIBUTE=VALUE" in gwms(capsys, "job", "explain", "--class", "x", *place(scene))[2]


def test_an_entry_is_explained(scene: Scene, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert code == 0 and "100 idle jobs match" in out and "7 jobs rejected by" in out and at("B") not in out
    code, out, _ = gwms(capsys, "frontend", "explain", "--json", *place(scene))
    assert {r["entry"]["entry"] for r in json.loads(out)} == {at("A"), at("B"), at("C")}
    assert gwms(capsys, "frontend", "explain", "nobody", *place(scene))[0] == 1


def test_a_plan_with_another_policy(scene: Scene, tmp_path: Path, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "frontend", "plan", *place(scene))
    assert code == 0 and at("A") in out
    group = scene.policy.groups[0]
    changed = replace(scene.policy, groups=(replace(group, limits=replace(group.limits, max_running=1)),))
    path = tmp_path / "new.json"
    path.write_text(json.dumps(to_json(changed)))
    code, out, _ = gwms(
        capsys, "frontend", "plan", "--config", str(path), "--snapshot", "last", "--json", *place(scene)
    )
    found = json.loads(out)["changes"]["main"][at("A")]
    assert code == 1 and found[0]["idle"] > 0 and found[1]["idle"] == 0
    one = sorted((tmp_path / "work/state/cycles").iterdir())[0]
    code, out, _ = gwms(capsys, "frontend", "explain", "--snapshot", str(one), "--config", str(path), *place(scene))
    assert code == 0 and "TotalGlideinsPerEntry" in out


def test_replay_decides_the_same(scene: Scene, tmp_path: Path, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "frontend", "replay", *place(scene))
    assert code == 0 and out.count("same plan") == 2
    path = tmp_path / "work/policy.json"
    path.write_text(path.read_text().replace('"reserve_idle": 5', '"reserve_idle": 0'))
    code, out, _ = gwms(capsys, "frontend", "replay", str(tmp_path / "work/state/cycles"), "--config", str(path))
    assert code == 1 and "differ: main/" in out
    assert gwms(capsys, "frontend", "replay", str(tmp_path))[0] == 1


def test_what_the_factory_says_is_shown(scene: Scene, capsys: Capture) -> None:
    ad = {
        "MyType": "glidefactoryclient", "GlideinMyType": "glidefactoryclient", "Name": f"{at('A')}@fe.main",
        "FactoryName": "factory", "GlideinName": "inst", "EntryName": "A", "ReqGlidein": at("A"),
        "ReqClientName": "fe.main", "ReqName": at("A"), "ReqClientReqName": at("A"),
        "GlideinMonitorStatus_Reason": "CredentialMissing", "GlideinMonitorStatus_ReasonText": "no token",
    }  # fmt: skip
    scene.pools[WMS].put(ad, identity="factory@wms.demo")
    scene.cycle()
    _, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert "the Factory says Status_Reason: CredentialMissing" in out and "no token" in out
