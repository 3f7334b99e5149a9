"""`gwms factory|entry|downtime|audit` over what a daemon left, with their exit codes and JSON."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glideinwms.cli.commands import factory
from glideinwms.cli.legacy import common, config, daemons
from glideinwms.cli.main import main
from glideinwms.factory.policy import Limits
from glideinwms.lib.daemon import operator_commands
from glideinwms.lib.errors import StateError
from tests.scenario.factory.factory_harness import FactoryHarness, entry


class Shell:
    """Runs a command on the scene's work directory; (exit code, stdout, stderr)."""

    def __init__(self, scene: FactoryHarness, capsys: pytest.CaptureFixture[str]) -> None:
        self.place, self.capsys = str(scene.base / "work"), capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        try:
            main([*words, "--work-dir", self.place])
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out = self.capsys.readouterr()
        return code, out.out, out.err

    def json(self, *words: str) -> Any:
        """What --json prints."""
        return json.loads(self(*words, "--json")[1])


@pytest.fixture
def scene(tmp_path: Path) -> FactoryHarness:
    s = FactoryHarness(
        tmp_path, entry(limits=Limits(100, 7, 100)), entry("B", enabled=False), entry("C")
    )
    s.ask(idle=12)
    s.ask(idle=2, client="fe.bad", web_url="")
    s.cycle()
    return s


@pytest.fixture
def gwms(
    scene: FactoryHarness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.setattr(factory, "time", SimpleNamespace(time=scene.world.clock))
    return Shell(scene, capsys)


def test_status(scene: FactoryHarness, gwms: Shell) -> None:
    code, out, _ = gwms("factory", "status")
    assert code == 0
    assert "requests 2, submitted 7" in out and "StageParametersIncomplete" in out
    row = next(line.split() for line in out.splitlines() if line.startswith("A "))
    assert row[5:8] == ["2", "12", "7"]
    assert gwms.json("factory", "status")["status"]["summary"]["submitted"] == 7


def test_status_of_a_daemon_that_is_gone_or_failing(scene: FactoryHarness, gwms: Shell) -> None:
    path = scene.base / "work/state/status.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "error": "no disk"}))
    assert gwms("factory", "status")[0] == 1
    path.write_text(json.dumps({**data, "pid": 2**22 + 1}))
    assert gwms("factory", "status")[0] == 3
    path.unlink()
    code, _, err = gwms("factory", "status")
    assert code == 1 and "has the daemon run here?" in err


def test_plan_and_explain(scene: FactoryHarness, gwms: Shell) -> None:
    _, out, _ = gwms("factory", "plan")
    assert "12 -> 7 by GlideFactoryLimitIdleGlideinsPerEntry (0 of 7)" in out
    _, out, _ = gwms("factory", "explain", "A", "--client", "fe.main")
    assert (
        "asks for 12 idle" in out and "submits 7 through job.condor" in out and "fe.bad" not in out
    )
    _, out, _ = gwms("factory", "explain")
    assert "refused: StageParametersIncomplete" in out and "entry C" in out and "entry B" not in out
    code, _, err = gwms("factory", "explain", "Z")
    assert code == 1 and "no such entry: Z" in err
    assert [e["entry"] for e in gwms.json("factory", "explain", "A")["entries"]] == ["A"]


def test_the_answers_to_programs_are_of_what_was_asked(scene: FactoryHarness, gwms: Shell) -> None:
    def clients(*words: str) -> set[str]:
        return {
            r["client"]
            for e in gwms.json("factory", "explain", *words)["entries"]
            for r in e["requests"]
        }

    assert clients() == {"fe.main", "fe.bad"} and clients("--client", "fe.main") == {"fe.main"}
    code, _, err = gwms("entry", "stats", "nosuch")
    assert code == 1 and "there is no entry nosuch" in err


def test_replay_finds_the_same_plan_and_a_changed_policy(
    scene: FactoryHarness, gwms: Shell, tmp_path: Path
) -> None:
    scene.cycle(2)
    scene.write(generation="g2", entries=(entry(limits=Limits(100, 3, 100)),))
    scene.runner.reload()
    scene.cycle()
    code, out, _ = gwms("factory", "replay")
    assert code == 0 and out.count("same plan") == 4
    changed = str(scene.base / "work/state/policies/g2.json")
    code, out, _ = gwms("factory", "replay", "--cycle", "1", "--config", changed)
    assert code == 1 and "A" in out
    assert gwms("factory", "replay", "--cycle", "77")[0] == 1


def test_entries(scene: FactoryHarness, gwms: Shell) -> None:
    rows = {r["entry"]: r for r in gwms.json("entry", "list")}
    assert {n: r["state"] for n, r in rows.items()} == {"A": "up", "B": "disabled", "C": "up"}
    _, out, _ = gwms("entry", "show", "A")
    assert "gridtype: condor" in out
    _, out, _ = gwms("entry", "show", "A", "--submit")
    assert "grid_resource = condor ce.example.org" in out and "-submitcredid TOKENIDX" in out
    _, out, _ = gwms("entry", "show", "C", "--submit")
    assert "-submitcredid CREDENTIAL" in out
    assert gwms("entry", "show", "Z")[0] == 1


def test_entry_log(scene: FactoryHarness, gwms: Shell) -> None:
    folder = scene.base / "client/user_feuser/glidein_inst/entry_A"
    (folder / "condor_activity_20261124_fe.main.log").write_text("000 (1.0.0) submitted\n...\n")
    _, out, _ = gwms("entry", "log", "A")
    assert "000 (1.0.0) submitted" in out


def test_downtimes(scene: FactoryHarness, gwms: Shell) -> None:
    assert gwms("downtime", "check")[0] == 0
    assert gwms("downtime", "add", "--entry", "A", "--comment", "power  cut")[0] == 0
    code, out, _ = gwms("downtime", "check")
    assert code == 1 and "power cut" in out
    assert {n: d["down"] for n, d in gwms.json("downtime", "check").items()} == {
        "factory": False,
        "A": True,
        "C": False,
    }
    text = (scene.base / "work/glideinWMS.downtimes").read_text().splitlines()
    assert text[0].startswith("#Start") and text[1].split()[1:5] == ["None", "A", "All", "All"]
    assert gwms.json("downtime", "check", "--entry", "All").keys() == {"factory", "A", "C"}
    assert gwms("downtime", "end", "--entry", "C")[0] == 1
    assert gwms("downtime", "end", "--entry", "A")[0] == 0
    # times in the file are whole seconds
    deadline = time.monotonic() + 60
    while gwms("downtime", "check")[0] != 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert gwms("downtime", "list", "--all")[1].count("power cut") == 1
    assert gwms("downtime", "vacuum")[0] == 0
    assert gwms.json("downtime", "list", "--all") == []
    assert [line["what"] for line in scene.audit("downtime")] == ["add", "end"]


def test_downtime_of_one_class(scene: FactoryHarness, gwms: Shell) -> None:
    gwms(
        "downtime",
        "add",
        "--entry",
        "All",
        "--frontend",
        "fe",
        "--security",
        "special",
        "--end",
        "+2h",
    )
    assert gwms("downtime", "check", "--entry", "A")[0] == 0
    assert (
        gwms("downtime", "check", "--entry", "A", "--frontend", "fe", "--security", "special")[0]
        == 1
    )
    assert (
        gwms("downtime", "check", "--entry", "A", "--frontend", "fe", "--security", "frontend")[0]
        == 0
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--entry", "Z"),
        ("--frontend", "Z"),
        ("--frontend", "fe", "--security", "Z"),
        ("--start", "yesterday"),
        ("--end", "2001-01-01T00:00"),
    ],
)
def test_wrong_downtimes_change_nothing(
    words: tuple[str, ...], scene: FactoryHarness, gwms: Shell
) -> None:
    code, _, err = gwms("downtime", "add", *words)
    assert code == 1 and err.startswith("gwms: ")
    assert not (scene.base / "work/glideinWMS.downtimes").exists()


def test_a_broken_line_is_not_lost_by_a_change(scene: FactoryHarness, gwms: Shell) -> None:
    path = scene.base / "work/glideinWMS.downtimes"
    path.write_text("whenever None A\n")
    code, _, err = gwms("downtime", "add", "--entry", "A")
    assert code == 1 and f"{path}:1" in err
    assert path.read_text() == "whenever None A\n"
    code, _, err = gwms("downtime", "check")
    assert code == 0 and f"{path}:1: bad time 'whenever'" in err


def test_audit(scene: FactoryHarness, gwms: Shell) -> None:
    lines = [json.loads(t) for t in gwms("audit", "--act", "submit", "--json")[1].splitlines()]
    assert [(r["n"], r["entry"]) for r in lines] == [(7, "A")]
    _, out, _ = gwms("audit", "--entry", "A")
    assert "submit" in out and "reasons=GlideFactoryLimitIdleGlideinsPerEntry" in out
    assert gwms("audit", "--entry", "C")[1] == ""
    assert gwms("audit", "--since", "soon")[0] == 2
    (scene.base / "empty").mkdir()
    code, out, err = gwms("audit", "--work-dir", str(scene.base / "empty"))  # and the scene's
    assert (
        code == 0
        and "submit" in out
        and f"{scene.base / 'empty'}/state/audit.jsonl: there is no audit trail yet" in err
    )


def test_audit_goes_by_the_environment_as_the_others_do(
    scene: FactoryHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GWMS_FACTORY_DIR", str(scene.base / "work"))
    with pytest.raises(SystemExit) as end:
        main(["audit", "--act", "submit"])
    assert end.value.code == 0 and " submit " in capsys.readouterr().out


def test_a_negative_number_removes_nothing(scene: FactoryHarness, gwms: Shell) -> None:
    with answering(scene):
        code, _, err = gwms("entry", "rm", "A", "--n", "-1")
    assert code == 2 and "--n" in err and scene.audit("remove") == []


def test_a_damaged_record_is_said(scene: FactoryHarness, gwms: Shell) -> None:
    [path] = (scene.base / "work/state/cycles").glob("*.json.gz")
    path.write_bytes(path.read_bytes()[:10] + b"\xff" * 50)
    for words in (("factory", "plan"), ("factory", "replay")):
        code, _, err = gwms(*words)
        assert code == 1 and err.startswith(f"gwms: {path}: cannot be read: Error")


def test_rm_and_approve_speak_to_the_daemon(scene: FactoryHarness, gwms: Shell) -> None:
    with answering(scene):
        code, out, _ = gwms("entry", "rm", "A", "--n", "3")
        assert code == 0 and "3 pilots of A removed\n" in out
        code, _, err = gwms("factory", "approve", "0123abcd")
        assert code == 1 and "no removal 0123abcd is parked" in err
    assert [(r["n"], r["reasons"]) for r in scene.audit("remove")] == [(3, ["OperatorRemoval"])]


def test_one_pilot_by_an_operators_word(
    scene: FactoryHarness, gwms: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry is at its limit of idle pilots; the trail says who wanted one more."""
    with answering(scene):
        code, out, _ = gwms("entry", "submit", "A", "--client", "fe.main")
        assert code == 0 and "1 pilots of fe.main submitted to A, cluster" in out
        code, _, err = gwms("entry", "submit", "A", "--client", "fe.bad")
        assert code == 1 and "'fe.bad' has no good request at A; it has: fe.main" in err
        (scene.base / "work/glidein_startup.0.sh").rename(scene.base / "work/aside")
        with pytest.raises(SystemExit) as end:
            common.manual_glidein_submit(
                ["--entry-name", "A", "--fe-name", "fe", "-dir", gwms.place]
            )
        assert (
            end.value.code == 1
            and "is missing; run gwms factory reconfig" in capsys.readouterr().err
        )
    assert len(scene.schedd.jobs) == 8
    assert [
        line["n"] for line in scene.audit("submit") if line["reasons"] == ["OperatorSubmission"]
    ] == [1]
    assert [bool(line["who"]) for line in scene.audit("operator_submit")] == [True]


def test_old_names(scene: FactoryHarness, gwms: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    def manage(*words: str) -> int:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            common.manage_factory_downtimes([*words, "-dir", gwms.place])
        return int(end.value.code or 0)

    assert manage("-cmd", "down", "-entry", "A", "-comment", "power cut") == 0
    assert manage("-cmd", "check", "-entry", "A") == 1
    assert manage("-cmd", "up", "-entry", "A") == 0
    assert manage("-cmd", "down", "-entry", "C", "-delay", "1h30m") == 0
    [later] = [d for d in gwms.json("downtime", "list") if d["entry"] == "C"]
    assert 5300 < later["start"] - time.time() < 5410
    capsys.readouterr()
    common.entry_q(["A", "-printschedd", "-dir", gwms.place])
    assert capsys.readouterr().out == "schedd@factory\n"


def test_a_comment_is_wanted_where_the_site_says_so(
    scene: FactoryHarness, gwms: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIDEIN_MANDATORY_COMMENTS", "True")
    code, _, err = gwms("downtime", "add", "--entry", "A")
    assert code == 1 and "--comment" in err and gwms.json("downtime", "list") == []
    assert gwms("downtime", "add", "--entry", "A", "--comment", "power cut")[0] == 0


def test_the_start_up_script_takes_a_daemon_down_and_up(scene: FactoryHarness, gwms: Shell) -> None:
    def service(*words: str) -> int:
        with pytest.raises(SystemExit) as end:
            config.gwms_factory([*words, "-dir", gwms.place])
        return int(end.value.code or 0)

    assert service("down", "-entry", "entries", "-comment", "power cut") == 0
    assert [d["entry"] for d in gwms.json("downtime", "list")] == ["All"]
    assert (
        service("statusdown", "-entry", "C") == 1
        and service("statusdown", "-entry", "factory") == 0
    )
    assert service("up", "-entry", "entries") == 0


def test_a_command_of_a_frontend_is_not_for_a_factory(scene: FactoryHarness, gwms: Shell) -> None:
    for words in (("frontend", "status"), ("frontend", "remove", "all")):
        code, _, err = gwms(*words)
        assert (
            code == 1
            and f"{gwms.place}: is a factory's work directory; the frontend's is wanted" in err
        )


def test_nobody_answers(scene: FactoryHarness, gwms: Shell) -> None:
    path = scene.base / "work/state/status.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": 2**22 + 1}))
    assert gwms("entry", "rm", "A")[0] == 3


class answering:
    """The daemon goes on with its cycles beside the block."""

    def __init__(self, scene: FactoryHarness) -> None:
        self.scene, self.over = scene, threading.Event()
        self.thread = threading.Thread(target=self._cycles)

    def _cycles(self) -> None:
        while not self.over.wait(0.05):
            self.scene.cycle()

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def test_check_and_stop_a_daemon(
    scene: FactoryHarness, gwms: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    def old(call: Any, *words: str) -> tuple[int, str]:
        capsys.readouterr()
        try:
            call([*words, gwms.place])
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, "".join(capsys.readouterr())

    with locking(scene.base / "work/state/daemon.lock") as daemon:
        assert old(daemons.check_factory)[0] == 0
        assert old(daemons.stop_factory) == (
            0,
            f"the factory of {gwms.place} has ended (pid {daemon.pid})\n",
        )
        assert daemon.wait(300) == -signal.SIGTERM
    assert old(daemons.check_factory)[0] == 3
    assert old(daemons.stop_factory) == (0, f"the factory of {gwms.place} does not run\n")


@pytest.mark.parametrize(
    ("end", "code"), [(StateError("no answer within 60 s"), 3), (KeyboardInterrupt(), 130)]
)
def test_a_word_that_is_not_answered_is_taken_back(
    end: BaseException,
    code: int,
    scene: FactoryHarness,
    gwms: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(*_: Any) -> None:
        raise end

    monkeypatch.setattr(operator_commands, "wait_answer", silent)
    with locking(scene.base / "work/state/daemon.lock"):
        found, _, err = gwms("entry", "rm", "A")
    assert found == code and ("the command was withdrawn" in err or code == 130)
    assert not list((scene.base / "work/state/requests").glob("*.json"))


def test_a_daemon_in_its_first_cycle_runs(
    scene: FactoryHarness, gwms: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has said nothing of itself yet."""
    (scene.base / "work/state/status.json").unlink()
    with locking(scene.base / "work/state/daemon.lock"):
        with pytest.raises(SystemExit) as end:
            main(["why", "--factory-work-dir", gwms.place])
        assert end.value.code == 0 and "is in its first cycle" in capsys.readouterr().out
        with answering(scene):
            assert gwms("entry", "rm", "nosuch")[0] == 1


def test_a_daemon_that_hears_no_word_is_killed_if_asked(
    scene: FactoryHarness,
    gwms: Shell,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemons, "STOP_TIMEOUT_SECONDS", 0.3)
    with locking(scene.base / "work/state/daemon.lock", deaf=True) as daemon:
        with pytest.raises(SystemExit) as end:
            daemons.stop_factory([gwms.place])
        assert (
            end.value.code == 1 and "still runs after 0 s; -f kills it" in capsys.readouterr().err
        )
        monkeypatch.setattr(daemons, "STOP_TIMEOUT_SECONDS", 5.0)
        daemons.stop_factory(["-f", gwms.place])
        assert daemon.wait(300) == -signal.SIGKILL


@contextlib.contextmanager
def locking(path: Path, deaf: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a daemon's lock."""
    code = (
        "import pathlib, signal, sys, time\nfrom glideinwms.lib.files import locked\n"
        f"if {deaf}: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "with locked(pathlib.Path(sys.argv[1]), 'factory'):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as run:
        try:
            assert run.stdout is not None and run.stdout.readline() == "held\n"
            yield run
        finally:
            run.kill()
