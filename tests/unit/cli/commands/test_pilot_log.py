"""`gwms pilot` and the cat_* names, on outputs that the deployed tools read too (golden-wire)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glideinwms.cli import output
from glideinwms.cli.legacy import common, pilot_logs, pilots
from glideinwms.cli.main import main as gwms
from glideinwms.factory.pilot_history.follow import PilotFollower
from glideinwms.lib.jsondata import to_json
from tests.support import golden
from tests.unit.factory.builders import policy

EXPECTED = golden.data("pilot-output/expected.json")
BOTH = pytest.mark.parametrize("which", ["good", "validation-failure"])


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    """A Factory with two finished pilots."""
    folder = tmp_path / "client/user_feuser/glidein_inst/entry_A"
    folder.mkdir(parents=True)
    (tmp_path / "work/state").mkdir(parents=True)
    p = policy(tmp_path)
    (tmp_path / "work/policy.json").write_text(json.dumps(to_json(p)))
    events = ""
    for n in (0, 1):
        for end in ("out", "err"):
            (folder / f"job.4711.{n}.{end}").write_text(
                golden.text(f"pilot-output/job.4711.{n}.{end}")
            )
        events += f"005 (4711.{n:03d}.000) 2026-11-22 09:34:33 Job terminated.\n...\n"
    (folder / "condor_activity_20261122_fe.main.log").write_text(events)
    PilotFollower(tmp_path / "work/state").update(p, 1_795_341_000.0)
    return tmp_path


def run(call: Callable[[], None]) -> int:
    try:
        call()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def err(factory: Path, n: int) -> str:
    return str(factory / f"client/user_feuser/glidein_inst/entry_A/job.4711.{n}.err")


def test_a_pilot_by_its_id(factory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = ["--work-dir", str(factory / "work")]
    assert run(lambda: gwms(["pilot", "log", "4711.1", *work])) == 0
    assert "validation failed in client/fail.sh (VO_Config)" in capsys.readouterr().out
    assert run(lambda: gwms(["pilot", "log", "4711.0", "--json", *work])) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["logs"]) == [*EXPECTED["good"]["section_names_in_stderr"], "xml"]
    assert told["facts"]["condor"] == 5 and told["cause"] == ""
    assert run(lambda: gwms(["pilot", "log", "4711.0", "--part", "StartdLog", *work])) == 0
    assert capsys.readouterr().out == EXPECTED["good"]["condor_logs(stderr)"]["StartdLog"]


MISSING = [
    ["4711.9"],
    ["../../etc"],
    ["/nonexistent/job.4711.0.out"],
    ["x"],
    ["4711.0", "--part", "NoLog"],
]


@pytest.mark.parametrize("words", MISSING)
def test_what_is_not_there_is_said(
    factory: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(lambda: gwms(["pilot", "log", *words, "--work-dir", str(factory / "work")])) != 0
    assert capsys.readouterr().err


@BOTH
def test_cat_xml_result_prints_what_the_deployed_one_does(
    factory: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    pilot_logs.cat_xml_result([err(factory, 0 if which == "good" else 1)])
    assert capsys.readouterr().out == EXPECTED[which]["cat_XMLResult"]["stdout"]


def test_cat_names(factory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = EXPECTED["good"]["condor_logs(stderr)"]
    for call, name in (
        (pilot_logs.cat_master_log, "MasterLog"),
        (pilot_logs.cat_startd_log, "StartdLog"),
        (pilot_logs.cat_starter_log, "StarterLog.slot1"),
    ):
        call([err(factory, 0)])
        assert capsys.readouterr().out == logs[name]
    pilot_logs.cat_named_log(["StarterLog.slot1", err(factory, 0)])
    assert capsys.readouterr().out == logs["StarterLog.slot1"]
    pilot_logs.cat_logs([err(factory, 0)])
    assert "======== GlideinLog ========" in capsys.readouterr().out
    assert run(lambda: pilot_logs.cat_history_log([err(factory, 0)])) == 1
    assert run(lambda: pilot_logs.cat_startd_log(["-monitor", err(factory, 0)])) == 1


def test_report(factory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pilot", "report", "--hours", "1000000", "--work-dir", str(factory / "work"), "--json"]
    assert run(lambda: gwms(words)) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["entry"], row["client"], row["pilots"], row["failed"], row["jobs"]) == (
        "A",
        "fe.main",
        2,
        1,
        1,
    )
    assert row["causes"] == {"validation failed in client/fail.sh (VO_Config)": 1}
    assert run(lambda: gwms([*words, "--hours", "0.0001"])) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_report_by_client_tells_frontends_with_the_same_client_name_apart(
    factory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = factory / "client/user_otheruser/glidein_inst/entry_A"
    forged.mkdir(parents=True)
    (forged / "job.1.0.out").write_text(golden.text("pilot-output/job.4711.1.out"))
    (forged / "condor_activity_20261122_fe.main.log").write_text(
        "005 (1.000.000) 2026-11-22 09:34:33 Job terminated.\n...\n"
    )
    PilotFollower(factory / "work/state").update(policy(factory), 1_795_341_000.0)
    words = ["pilot", "report", "--by", "client", "--hours", "1000000", "--json"]
    work = ["--work-dir", str(factory / "work")]
    assert run(lambda: gwms([*words, *work])) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["frontend"], row["client"], row["pilots"]) for row in rows] == [
        ("fe", "fe.main", 2),
        ("other", "fe.main", 1),
    ]
    assert run(lambda: gwms([*words, "--client", "other", *work])) == 0
    assert [row["frontend"] for row in json.loads(capsys.readouterr().out)] == ["other"]


@pytest.mark.parametrize(
    ("call", "words", "said"),
    [
        (pilot_logs.cat_logs, ["{}"], "gwms: {}: cannot be read: Is a directory\n"),
        (pilot_logs.cat_master_log, ["{}/none.err"], "gwms: {}/none.err: no such file\n"),
        (pilot_logs.cat_xml_result, ["{}/none.err"], "gwms: {}/none.err: no such file\n"),
        (pilot_logs.cat_xml_result, ["{}"], "gwms: {}: cannot be read: Is a directory\n"),
        (
            common.entry_q,
            ["-printschedd", "X", "-dir", "{}/work"],
            "gwms: Factory fact: there is no entry X; gwms entry list\n",
        ),
        (
            pilots.gwms_logcat,
            ["X", "-dir", "{}/work"],
            "gwms: Factory fact: there is no entry X; gwms entry list\n",
        ),
    ],
)
def test_old_names_say_in_one_line_what_fails(
    call: Callable[..., None],
    words: list[str],
    said: str,
    factory: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lambda: call([w.replace("{}", str(factory)) for w in words])) == 1
    assert capsys.readouterr().err == said.replace("{}", str(factory))


@pytest.mark.parametrize("terminal", [True, False])
def test_a_pilots_log_does_not_command_the_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    output.raw("a\tb\n\x1b]0;PWNED\x07\x1b[2J\n")
    shown = "a\tb\n\\x1b]0;PWNED\\x07\\x1b[2J\n" if terminal else "a\tb\n\x1b]0;PWNED\x07\x1b[2J\n"
    assert capsys.readouterr().out == shown
