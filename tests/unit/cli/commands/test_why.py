"""`gwms why` on the status files of both daemons as they are, over HTCondor in memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.cli import sides
from glideinwms.cli.main import main as gwms
from glideinwms.factory.policy import Limits
from glideinwms.frontend.policy import Expression, MaxCurb
from glideinwms.lib.daemon import policy_file, status
from glideinwms.lib.files import locked, write_atomic
from glideinwms.lib.jsondata import to_json
from tests.scenario.coupled_daemons import CoupledDaemons
from tests.support.small_disk import fill, small_disk

Why = Callable[..., tuple[int, str]]


@pytest.fixture
def pair(tmp_path: Path) -> CoupledDaemons:
    return CoupledDaemons(tmp_path)


@pytest.fixture
def why(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Why:
    def run(*words: str) -> tuple[int, str]:
        dirs = [
            "--factory-work-dir",
            str(tmp_path / "factory"),
            "--frontend-work-dir",
            str(tmp_path / "frontend"),
        ]
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            gwms(["why", *dirs, *words])
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out + out.err

    monkeypatch.setenv("COLUMNS", "200")
    return run


def kinds(why: Why) -> list[tuple[str, str]]:
    """(kind, daemon) of all that stands, in order."""
    return [
        (f["kind"], f["daemon"]) for f in json.loads(why("--json")[1])["findings"] if f["stands"]
    ]


def write(pair: CoupledDaemons, who: str, policy: Any) -> None:
    write_atomic(pair.base / who / policy_file.NAME, json.dumps(to_json(policy)))
    (pair.factory if who == "factory" else pair.frontend).reload()


def test_when_jobs_become_pilots_all_flows(pair: CoupledDaemons, why: Why) -> None:
    pair.jobs.add(3, Wants="x")
    for _ in range(6):
        pair.turn()
        pair.queue.set("JobStatus == 1", JobStatus=2, GridJobStatus="RUNNING")
    code, text = why()
    assert code == 0 and text.splitlines()[-1].startswith("no problems found: factory cycle "), text
    assert json.loads(why("--json")[1])["flows"] is True


def test_no_jobs_is_no_fault_but_is_said(pair: CoupledDaemons, why: Why) -> None:
    pair.turn(3)
    code, text = why()
    assert code == 0 and "(frontend: group main: no idle jobs)" in text
    assert "(factory: no Frontend requests pilots)" in text


def test_the_condition_that_rejects_is_named(pair: CoupledDaemons, why: Why) -> None:
    policy = pair.frontend.policy
    law = Expression(
        'glidein["attrs"]["GLIDEIN_Site"] == job["Wants"]', "frontend.xml:8: match@match_expr"
    )
    write(pair, "frontend", replace(policy, groups=(replace(policy.groups[0], match=(law,)),)))
    pair.jobs.add(4, Wants="SiteZ")
    pair.turn(3)
    code, text = why()
    assert code == 1 and kinds(why) == [("unmatched", "frontend")]
    assert "4 of 4 idle jobs match no entry, first 4 with Wants='SiteZ'" in text
    assert (
        'rejected by glidein["attrs"]["GLIDEIN_Site"] == job["Wants"] at 1 (frontend.xml:8'
        in text.replace("'", '"')
    )


def test_a_downtime_is_said_by_the_factory_and_to_the_frontend(
    pair: CoupledDaemons, why: Why
) -> None:
    folder = pair.base / "factory"
    with pytest.raises(SystemExit):
        gwms(
            ["downtime", "add", "--work-dir", str(folder), "--entry", "A", "--comment", "new disks"]
        )
    pair.jobs.add(4, Wants="x")
    pair.turn(4)
    code, text = why()
    assert code == 1 and "factory: A: in downtime: new disks  [gwms downtime list]" in text
    assert pair.queue.count() == 0


def test_what_a_peer_writes_commands_no_terminal(
    pair: CoupledDaemons, why: Why, capsys: pytest.CaptureFixture[str]
) -> None:
    """The comment of a downtime goes from the Factory's file by its ads to a Frontend's operator."""
    factory, frontend = (["--work-dir", str(pair.base / who)] for who in ("factory", "frontend"))
    with pytest.raises(SystemExit):
        gwms(["downtime", "add", *factory, "--entry", "A", "--comment", "new \x1b[2Jdisks"])
    pair.jobs.add(4, Wants="x")
    pair.turn(4)
    assert "in downtime: new \\x1b[2Jdisks" in why()[1] and "\x1b" not in why()[1]
    for words in (
        ["factory", "status", *factory],
        ["factory", "explain", *factory],
        ["factory", "plan", *factory],
        ["downtime", "list", *factory],
        ["downtime", "check", *factory],
        ["audit", *factory],
        ["frontend", "status", *frontend],
        ["frontend", "explain", *frontend],
        ["job", "explain", "--class", "Wants=x", *frontend],
    ):
        capsys.readouterr()
        with contextlib.suppress(SystemExit):
            gwms(words)
        out = capsys.readouterr().out
        assert out and "\x1b" not in out, words


def test_inputs_that_fail_come_with_age_and_cause_before_anything_else(
    pair: CoupledDaemons, why: Why
) -> None:
    pair.jobs.add(4, Wants="x")
    pair.turn(3)
    pair.jobs.down = True
    pair.queue.down = True
    pair.turn(2)
    code, text = why()
    lines = text.splitlines()
    assert code == 1 and {k for k, _ in kinds(why)[:2]} == {"input"}, text
    assert any(
        x.startswith("frontend: schedd jobs@user.demo: retained, ") and " old: " in x for x in lines
    ), text
    assert any(x.startswith("factory: schedd@factory: ") for x in lines), text
    assert "factory: A: frozen: queue of schedd@factory is not known" in lines, text
    causes = [x for x in lines if x.startswith("factory: ") and "Failed to fetch ads" in x]
    assert len(causes) == 1, "the cause once, not at each entry"


def test_a_refused_request_and_its_reason_are_seen_on_both_sides(
    pair: CoupledDaemons, why: Why
) -> None:
    write(pair, "factory", replace(pair.factory.policy, frontends=()))
    pair.jobs.add(4, Wants="x")
    pair.turn(4)
    code, text = why()
    assert code == 1 and ("refused", "factory") in kinds(why), text
    assert (
        "factory: " in text
        and "refused, EnvelopeNotOpened" in text
        and "must be configured here" in text
    )


def test_a_limit_that_lets_nothing_through_stands(tmp_path: Path, why: Why) -> None:
    pair = CoupledDaemons(tmp_path, limits=Limits(2, 2, 2))
    pair.jobs.add(9, Wants="x")
    for _ in range(6):
        pair.turn()
        pair.queue.set("JobStatus == 1", JobStatus=2, GridJobStatus="RUNNING")
    code, text = why()
    assert code == 1 and ("limit", "factory") in kinds(why), text
    assert (
        "factory: A: nothing submitted: GlideFactoryLimitTotalGlideinsPerEntry  [gwms factory explain A]"
        in text
    )


def test_a_limit_of_the_frontend_is_named_with_its_numbers(pair: CoupledDaemons, why: Why) -> None:
    policy = pair.frontend.policy
    full = replace(policy.groups[0].limits, running_total=MaxCurb(0, 0))
    write(pair, "frontend", replace(policy, groups=(replace(policy.groups[0], limits=full),)))
    pair.jobs.add(9, Wants="x")
    pair.turn(3)
    code, text = why()
    assert code == 1 and kinds(why) == [("limit", "frontend")], text
    said = "frontend: group main at A@inst@fact: requests no pilots: TotalGlideinsPerGroup (0 of 0)"
    assert f"{said}  [gwms frontend explain A@inst@fact]" in text


def test_held_pilots_are_counted(pair: CoupledDaemons, why: Why) -> None:
    pair.jobs.add(3, Wants="x")
    pair.turn(3)
    pair.queue.set("JobStatus == 1", JobStatus=5, HoldReasonCode=6, NumSystemHolds=1)
    pair.factory.once()
    code, text = why()
    assert code == 1 and " held pilots  [gwms entry q A]" in text, text


def test_a_policy_that_is_not_taken(pair: CoupledDaemons, why: Why) -> None:
    pair.turn()
    (pair.base / "frontend/policy.json").write_text("{")
    pair.frontend.reload()
    pair.frontend.once()
    code, text = why()
    assert code == 1 and kinds(why)[0] == ("policy", "frontend")
    assert "the new configuration was not loaded, g1 is active: " in text


def test_a_daemon_that_is_not_there(pair: CoupledDaemons, why: Why) -> None:
    pair.turn()
    (pair.base / "factory/state/daemon.lock").touch()
    (pair.base / "frontend/state/status.json").unlink()
    code, text = why()
    assert code == 1 and kinds(why) == [("daemon", "factory"), ("daemon", "frontend")]
    assert (
        "factory: does not run; its last cycle ended " in text
        and "frontend: has never run in " in text
    )
    assert "[gwms frontend run]" in text
    (pair.base / "frontend/policy.json").unlink()
    assert "which has no configuration  [gwms frontend reconfig]" in why()[1]


def test_a_daemon_that_hangs_is_named_with_its_step(pair: CoupledDaemons, why: Why) -> None:
    pair.turn()
    state = pair.base / "frontend/state"
    pair.frontend.clock = lambda: time.time() - 3600
    pair.frontend._beat("collect")
    os.utime(state / "heartbeat", (time.time() - 3600,) * 2)
    told = replace(status.read(state / "status.json"), cycle_ended=time.time() - 3600)
    status.write(state / "status.json", told)
    code, text = why()
    assert code == 1 and kinds(why)[0] == ("daemon", "frontend")
    assert re.search(
        r"frontend: hangs \(pid \d+\): no sign of life since .*, in step collect of cycle \d+", text
    )
    assert "all flows" not in text


def test_a_directory_that_cannot_be_written_is_named_on_its_side(
    pair: CoupledDaemons, why: Why, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "full", "64k") as disk:
        fill(disk)
        write(pair, "factory", replace(pair.factory.policy, client_log_dir=str(disk)))
        write(pair, "frontend", replace(pair.frontend.policy, log_dir=str(disk)))
        pair.turn()
        code, text = why()
    assert code == 1 and kinds(why)[:2] == [("storage", "factory"), ("storage", "frontend")]
    assert f"factory: the file system of {disk} is full: no pilot is submitted" in text
    assert f"frontend: the file system of {disk} is full: the Frontend's log is lost" in text


def test_what_the_site_said_of_held_pilots_is_shown(pair: CoupledDaemons, why: Why) -> None:
    pair.jobs.add(3, Wants="x")
    pair.turn(3)
    text = "Site says: your VO membership lapsed"
    assert pair.queue.set(
        "true", 1, JobStatus=5, HoldReasonCode=77, HoldReasonSubCode=0, HoldReason=text
    )
    pair.turn(3)
    code, told = why()
    assert (
        code == 1 and f"factory: A: 1 pilots were held in the last hour, code 77/0: {text}" in told
    ), told


def test_a_schedd_that_lost_its_queue_is_named(pair: CoupledDaemons, why: Why) -> None:
    pair.jobs.add(3, Wants="x")
    pair.turn(3)
    before = pair.queue.cluster
    pair.queue.jobs.clear()
    pair.queue.cluster = 0
    pair.turn(3)
    code, text = why()
    assert (
        code == 1
        and f"its job queue seems to be lost, perhaps with its spool: new pilots got cluster id 1 after {before}"
        in text
    ), text


def test_a_clock_that_differs_from_the_collectors_is_named(pair: CoupledDaemons, why: Why) -> None:
    pair.turn(2)
    now = pair.factory.clock
    pair.factory.clock = lambda: now() + 7200.0
    pair.turn()
    code, text = why()
    assert code == 1
    assert "factory: this host's clock is 2 h ahead of the collector's" in text


def test_the_first_cycle_after_a_restart_shows_no_old_numbers(
    pair: CoupledDaemons, why: Why
) -> None:
    pair.turn()
    path = pair.base / "factory/state/status.json"
    status.write(path, replace(status.read(path), pid=1, error="of the dead"))
    with locked(path.with_name(status.LOCK), "factory"):
        text = why()[1]
    assert "factory: is in its first cycle" in text and "of the dead" not in text


def test_where_nothing_lives_and_what_is_not_a_work_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {name: replace(side, work_dir=tmp_path / name) for name, side in sides.SIDES.items()}
    monkeypatch.setattr("glideinwms.cli.commands.why.SIDES", nowhere)
    for words in ([], ["--factory-work-dir", str(tmp_path / "no")]):
        with pytest.raises(SystemExit) as end:
            gwms(["why", *words])
        assert end.value.code == 1
    err = capsys.readouterr().err
    assert "no Factory or Frontend work directory found" in err and "is not a directory" in err
    assert len(err.splitlines()) == 2
