"""`gwms frontend status|downtime|remove` on what a daemon has left, and on one that runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glideinwms.cli.commands import frontend
from glideinwms.cli.legacy.config import gwms_frontend
from glideinwms.cli.legacy.frontend import manage_frontend_downtimes, remove_requested_glideins
from glideinwms.cli.main import main
from glideinwms.lib.downtimes import downtime_file
from tests.scenario.frontend.frontend_harness import FrontendHarness, at


def gwms(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command."""
    capsys.readouterr()
    code = 0
    try:
        main(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    out = capsys.readouterr()
    return code, out.out, out.err


def place(s: FrontendHarness) -> tuple[str, str]:
    return "--work-dir", str(s.base / "work")


def test_status_tells_what_is_asked_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s = FrontendHarness(tmp_path)
    monkeypatch.setattr(frontend, "time", SimpleNamespace(time=s.world.clock))
    one = s.group().match[0]
    law = type(one)('job["Wants"] == "x"', "frontend.xml:12")
    s.write(groups=(s.group(match=(law,)),))
    s.runner.reload()
    s.jobs(100)
    s.jobs(7, wants="nothing")
    s.schedds["schedd2"].down = True
    s.cycle()
    code, out, _ = gwms(capsys, "frontend", "status", *place(s))
    assert code == 0
    for text in (
        "107 idle jobs, 7 of them match no entry",
        "Wants='nothing'",
        "frontend.xml:12",
        at("A"),
        "RampUpAttenuation",
        "frozen: schedd schedd2",
        "schedd schedd2: last read never",
    ):
        assert text in out, text
    code, out, _ = gwms(capsys, "frontend", "status", *place(s), "--json", "--group", "main")
    data: dict[str, Any] = json.loads(out)
    assert data["running"] and data["groups"]["main"]["jobs"]["unmatched"] == 7
    code, _, err = gwms(capsys, "frontend", "status", *place(s), "--group", "nobody")
    assert code == 1 and "groups are main" in err


def test_status_and_explain_name_an_expression_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s = FrontendHarness(tmp_path)
    monkeypatch.setattr(frontend, "time", SimpleNamespace(time=s.world.clock))
    one = s.group().match[0]
    s.write(groups=(s.group(match=(type(one)('int(job["Wants"]) >= 0', "frontend.xml:12"),)),))
    s.runner.reload()
    s.jobs(3, wants="many")
    s.cycle()
    error = "invalid literal for int() with base 10: 'many'"
    _, out, _ = gwms(capsys, "frontend", "status", *place(s))
    assert "(frontend.xml:12) fails for 1 classes of jobs" in out
    assert error in out
    _, out, _ = gwms(capsys, "job", "explain", "--class", "Wants=many", *place(s))
    assert "(frontend.xml:12) fails for 1 classes of jobs" in out
    assert error in out


def test_status_of_a_daemon_that_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s = FrontendHarness(tmp_path)
    s.cycle()
    path = tmp_path / "work/state/status.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": 2**22 + 1}))
    code, out, _ = gwms(capsys, "frontend", "status", *place(s))
    assert code == 3 and "does not run" in out


def test_a_command_of_a_factory_is_not_for_a_frontend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s = FrontendHarness(tmp_path)
    s.cycle()
    for words in (("factory", "status"), ("entry", "rm", "A"), ("factory", "approve", "x")):
        code, _, err = gwms(capsys, *words, *place(s))
        assert code == 1 and "is a frontend's work directory; the factory's is wanted" in err


def test_a_downtime_from_begin_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s = FrontendHarness(tmp_path)
    assert gwms(capsys, "frontend", "downtime", "check", *place(s))[0] == 0
    assert gwms(capsys, "frontend", "downtime", "up", *place(s))[0] == 1
    code, out, _ = gwms(
        capsys, "frontend", "downtime", "down", *place(s), "--end", "+2h", "--comment", "power cut"
    )
    assert code == 0 and "power cut" in out
    assert gwms(capsys, "frontend", "downtime", "check", *place(s))[0] == 1
    text = (tmp_path / "work/frontenddowntime").read_text()
    assert [len(line.partition("#")[0].split()) for line in text.splitlines()[1:]] == [2], (
        "as the deployed one reads"
    )
    [line], wrong = downtime_file.load(tmp_path / "work/frontenddowntime")
    assert not wrong and line.end is not None and 7100 < line.end - line.start < 7300
    assert gwms(capsys, "frontend", "downtime", "up", *place(s))[0] == 0
    code, out, _ = gwms(capsys, "frontend", "downtime", "list", *place(s), "--json")
    assert (
        code == 0
        and gwms(capsys, "frontend", "downtime", "down", *place(s), "--end", "2001-01-01")[0] == 1
    )
    acts = [
        json.loads(t)["what"]
        for t in (tmp_path / "work/state/audit.jsonl").read_text().splitlines()
    ]
    assert acts == ["begin", "end"]


def test_the_deployed_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s = FrontendHarness(tmp_path)
    where = ["-dir", str(tmp_path / "work")]

    def downtimes_(*argv: str) -> int:
        with pytest.raises(SystemExit) as stop:
            manage_frontend_downtimes([*where, *argv])
        return int(stop.value.code or 0)

    assert downtimes_("-cmd", "check") == 0 and downtimes_("-cmd", "down") == 0
    assert downtimes_("-cmd", "check") == 1 and downtimes_("-cmd", "up") == 0
    for verb, code in (("down", 0), ("statusdown", 1), ("up", 0)):
        with pytest.raises(SystemExit) as stop:
            gwms_frontend([verb, *where])
        assert (stop.value.code or 0) == code, verb
    (tmp_path / "work/frontenddowntime").unlink()
    assert downtimes_("-cmd", "down") == 0 and downtimes_("-cmd", "up") == 0
    assert downtimes_("-cmd", "add", "-delay", "1h30m", "-end", "+3h") == 0
    lines, _ = downtime_file.load(tmp_path / "work/frontenddowntime")
    assert len(lines) == 2 and 5300 < lines[1].start - lines[0].start < 5500
    s.cycle()
    path = tmp_path / "work/state/status.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": 2**22 + 1}))
    with pytest.raises(SystemExit) as stop:
        remove_requested_glideins(["-d", where[1], "-t", "wait", "-c"])
    assert stop.value.code == 3 and "no daemon runs" in capsys.readouterr().err


def test_remove_waits_for_the_daemons_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(50)
    s.cycle()
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.1):
            s.cycle()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        code, out, _ = gwms(capsys, "frontend", "remove", "idle", "--excess", *place(s))
        assert code == 0 and "removeIdleExcess" in out
        code, _, err = gwms(capsys, "frontend", "remove", "all", "--group", "nobody", *place(s))
        assert code == 1 and "no enabled group" in err
    finally:
        stop.set()
        worker.join()
