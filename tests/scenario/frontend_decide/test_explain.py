"""`gwms frontend plan|explain|replay` and `gwms job explain` on what a daemon recorded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.policy import MatchAttribute
from glideinwms.lib.condor import workers
from glideinwms.lib.condor.calls import Workers
from glideinwms.lib.jsondata import to_json
from tests.scenario.frontend.frontend_harness import ME, WMS, FrontendHarness, at
from tests.scenario.frontend.test_commands import gwms, place
from tests.unit.frontend.decide.golden import expression

LAW = 'glidein["attrs"]["GLIDEIN_Site"] in job["Wants"].split(",")'


@pytest.fixture
def scene(tmp_path: Path) -> FrontendHarness:
    s = FrontendHarness(tmp_path)
    s.write(groups=(s.group(match=expression(LAW)),))
    s.runner.reload()
    s.jobs(100, wants="A,B")
    s.jobs(7, wants="nowhere")
    s.pilots("A", busy=3, idle=1)
    s.cycle(2)
    return s


Capture = pytest.CaptureFixture[str]


def test_a_class_is_explained(scene: FrontendHarness, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "job", "explain", "--class", "Wants=A", *place(scene))
    assert code == 0
    for text in (
        "matches 1 of 3 entries",
        LAW.replace('"', "'"),
        "frontend.xml:1",
        "GLIDEIN_Site='B'",
        "Wants='A'",
        f"main at {at('A')}",
        "RampUpAttenuation",
        "credential",
        "pilots: 4 slots, 3 running, 1 idle",
    ):
        assert text in out, text
    code, out, _ = gwms(
        capsys, "job", "explain", "--class", "Wants=nowhere", "--json", *place(scene)
    )
    data: dict[str, Any] = json.loads(out)
    assert code == 1 and not any(e["matches"] for e in data["groups"]["main"]["entries"])
    assert gwms(capsys, "job", "explain", *place(scene))[0] == 1
    assert "ATTRIBUTE=VALUE" in gwms(capsys, "job", "explain", "--class", "x", *place(scene))[2]
    both = gwms(capsys, "frontend", "explain", "A", "--class", "Wants=A", *place(scene))
    assert both[0] == 1 and "takes entries or --class, not both" in both[2]


def test_an_entry_is_explained(scene: FrontendHarness, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert (
        code == 0
        and "100 idle jobs match" in out
        and "7 jobs rejected by" in out
        and at("B") not in out
    )
    code, out, _ = gwms(capsys, "frontend", "explain", "--json", *place(scene))
    assert {r["entry"]["entry"] for r in json.loads(out)} == {at("A"), at("B"), at("C")}
    assert gwms(capsys, "frontend", "explain", "nobody", *place(scene))[0] == 1


def test_a_plan_with_another_policy(
    scene: FrontendHarness, tmp_path: Path, capsys: Capture
) -> None:
    code, out, _ = gwms(capsys, "frontend", "plan", *place(scene))
    assert code == 0 and at("A") in out
    group = scene.policy.groups[0]
    changed = replace(
        scene.policy, groups=(replace(group, limits=replace(group.limits, max_running=1)),)
    )
    path = tmp_path / "new.json"
    path.write_text(json.dumps(to_json(changed)))
    code, out, _ = gwms(
        capsys,
        "frontend",
        "plan",
        "--config",
        str(path),
        "--snapshot",
        "last",
        "--json",
        *place(scene),
    )
    found = json.loads(out)["changes"]["main"][at("A")]
    assert code == 1 and found[0]["idle"] > 0 and found[1]["idle"] == 0
    code, _, err = gwms(
        capsys, "frontend", "plan", "--config", str(path), "--group", "nobody", *place(scene)
    )
    assert code == 1 and "no group nobody in this cycle" in err
    one = sorted((tmp_path / "work/state/cycles").iterdir())[0]
    code, out, _ = gwms(
        capsys, "frontend", "explain", "--snapshot", str(one), "--config", str(path), *place(scene)
    )
    assert code == 0 and "TotalGlideinsPerEntry" in out


def test_replay_decides_the_same(scene: FrontendHarness, tmp_path: Path, capsys: Capture) -> None:
    code, out, _ = gwms(capsys, "frontend", "replay", *place(scene))
    assert code == 0 and out.count("same plan") == 2
    path = tmp_path / "work/policy.json"
    path.write_text(path.read_text().replace('"reserve_idle": 5', '"reserve_idle": 0'))
    code, out, _ = gwms(
        capsys, "frontend", "replay", str(tmp_path / "work/state/cycles"), "--config", str(path)
    )
    assert code == 1 and f"differ: main/{at('A')} (21/60/NO -> 16/60/NO)" in out
    text = path.read_text().replace('"reserve_idle": 0', '"reserve_idle": 5')
    path.write_text(text.replace('"idle_lifetime": 0', '"idle_lifetime": 60'))
    _, out, _ = gwms(
        capsys, "frontend", "replay", str(tmp_path / "work/state/cycles"), "--config", str(path)
    )
    assert f"{at('A')} (21/60/NO, other reasons or credentials)" in out
    assert gwms(capsys, "frontend", "replay", str(tmp_path))[0] == 1


def test_what_the_factory_says_is_shown(scene: FrontendHarness, capsys: Capture) -> None:
    ad = {
        "MyType": "glidefactoryclient",
        "GlideinMyType": "glidefactoryclient",
        "Name": f"{at('A')}@fe.main",
        "FactoryName": "factory",
        "GlideinName": "inst",
        "EntryName": "A",
        "ReqGlidein": at("A"),
        "ReqClientName": "fe.main",
        "ReqName": at("A"),
        "ReqClientReqName": at("A"),
        "GlideinMonitorStatus_Reason": "CredentialMissing",
        "GlideinMonitorStatus_ReasonText": "no token",
    }
    scene.pools[WMS].put(ad, identity="factory@wms.demo")
    scene.cycle()
    _, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert "the Factory reports Status_Reason: CredentialMissing" in out and "no token" in out


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FrontendHarness:
    """Two groups over the same entries: `big` reads schedd1 only, jobs that are Big only, and no
    Wants; a job query of schedd2 is never answered by overload.
    """
    s = FrontendHarness(tmp_path)
    big = s.group(
        "big", job_query="Big =?= true", job_attrs=(MatchAttribute("Big"),), schedds=("schedd1",)
    )
    s.write(groups=(s.group(match=expression(LAW)), big))
    s.runner.reload()

    @contextlib.contextmanager
    def pool() -> Iterator[Workers]:
        yield s.world.pool(ME)

    monkeypatch.setattr(workers, "ProcessWorkers", pool)
    return s


def test_a_job_of_the_queue_is_explained(queue: FrontendHarness, capsys: Capture) -> None:
    queue.jobs(3, wants="A,B", Big=True)
    queue.jobs(2, wants="A")
    queue.cycle()
    code, out, _ = gwms(capsys, "job", "explain", "1.0", *place(queue))
    assert code == 0
    for text in (
        "job 1.0 of schedd1",
        ": idle",
        "matches 2 of 3 entries, each of them counts 1/2 of it",
        "matches 3 of 3 entries, each of them counts 1/3",
        "Wants is not used",
        "groups main, big each count it",
        f"{at('C')}: ",
    ):
        assert text in out, text
    code, out, _ = gwms(capsys, "job", "explain", "2.1", *place(queue))
    assert code == 0 and "not counted: its job query does not match the job: Big =?= true" in out
    code, out, _ = gwms(capsys, "job", "explain", "2.1", "--json", *place(queue))
    found: dict[str, Any] = json.loads(out)
    assert (found["schedd"], found["state"], found["counted_by"]) == ("schedd1", "idle", ["main"])
    assert gwms(capsys, "job", "explain", "2.1", "--group", "big", *place(queue))[0] == 1
    assert (
        "groups are main, big"
        in gwms(capsys, "job", "explain", "2.1", "--group", "x", *place(queue))[2]
    )


def test_what_keeps_a_job_from_being_counted(queue: FrontendHarness, capsys: Capture) -> None:
    queue.schedds["schedd2"].extra = {"CurbMatchmaking": True}
    queue.jobs(1, "schedd2", wants="A", Big=True)
    queue.jobs(1, wants="A")
    queue.schedds["schedd1"].set("true", JobStatus=5, HoldReason="disk quota")
    queue.cycle()
    code, out, err = gwms(capsys, "job", "explain", "1.0", *place(queue))
    assert code == 1 and "schedd1, schedd2 each have a job 1.0" in err
    code, out, _ = gwms(capsys, "job", "explain", "1.0", "--schedd", "schedd2", *place(queue))
    assert code == 1
    for text in (
        "idle jobs of schedd2 do not count",
        "CurbMatchmaking",
        "schedd2 is not among its schedds: schedd1",
    ):
        assert text in out, text
    _, out, _ = gwms(capsys, "job", "explain", "1.0", "--schedd", "schedd1", *place(queue))
    assert "held (disk quota)" in out and "only idle jobs request pilots" in out
    assert (
        "there are schedd1, schedd2"
        in gwms(capsys, "job", "explain", "1.0", "--schedd", "s", *place(queue))[2]
    )
    queue.schedds["schedd2"].down = True
    code, _, err = gwms(capsys, "job", "explain", "7.0", *place(queue))
    assert code == 1 and "in no schedd that answers; no answer from schedd2" in err
    assert "is not ClusterId.ProcId" in gwms(capsys, "job", "explain", "x", *place(queue))[2]


def test_what_other_groups_ask_of_an_entry_is_shown(
    queue: FrontendHarness, capsys: Capture
) -> None:
    queue.write(groups=(*queue.policy.groups, queue.group("twin", match=expression(LAW))))
    queue.runner.reload()
    queue.jobs(30, wants="A", Big=True)
    queue.cycle()
    _, out, _ = gwms(capsys, "frontend", "explain", "A", "--group", "main", *place(queue))
    lines = [line for line in out.splitlines() if "asks there too" in line]
    assert len(lines) == 2 and "the same jobs" not in lines[0] and "group big" in lines[0]
    assert (
        "group twin" in lines[1] and "share of 30 idle jobs, part of them the same jobs" in lines[1]
    )
    _, out, _ = gwms(capsys, "frontend", "explain", "A", "--group", "big", "--json", *place(queue))
    [row] = json.loads(out)
    assert [(o["group"], o["same_jobs"]) for o in row["others"]] == [
        ("main", False),
        ("twin", False),
    ]


def test_a_group_that_cannot_decide_is_said(queue: FrontendHarness, capsys: Capture) -> None:
    queue.jobs(1, wants="A")
    broken = queue.group("broken", match=expression("job.__class__"))
    queue.write(groups=(queue.policy.groups[0], broken))
    queue.runner.reload()
    queue.cycle()
    code, out, _ = gwms(capsys, "job", "explain", "1.0", *place(queue))
    assert code == 0 and "group broken: matches 0 of 0 entries" in out and "not counted: " in out


def test_what_removal_goes_by_is_shown(scene: FrontendHarness, capsys: Capture) -> None:
    scene.cycle(6)
    _, out, _ = gwms(capsys, "frontend", "explain", "B", *place(scene))
    assert "consecutive cycles" not in out
    for schedd in scene.schedds.values():
        schedd.forget("true")
    scene.cycle(7)
    _, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert "remove WAIT" in out and "without idle jobs for it: 7, with all its slots idle: 0" in out
    scene.schedds["schedd2"].down = True
    scene.cycle()
    _, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert "remove NO" in out and "nothing is removed on old answers: schedd schedd2" in out
    scene.schedds["schedd2"].down = False
    scene.say("remove", level="idle")
    scene.cycle()
    _, out, _ = gwms(capsys, "frontend", "explain", "A", *place(scene))
    assert "removal by an operator's command" in out
