"""`gwms pilot run`: the Factory's command line, the script for elsewhere, and what is said where something lacks."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from glideinwms.cli import manual_start
from glideinwms.cli.legacy import pilot_run as legacy_pilot_run
from glideinwms.cli.main import main as gwms
from glideinwms.cli.manual_pilot import ManualPilot
from glideinwms.demo.web import server
from glideinwms.factory.inspect import replay
from glideinwms.factory.snapshot import Request, Web
from glideinwms.lib.errors import StageError, StateError
from tests.support.pilot_stage import Setup, tarball


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """A Factory and a Frontend with their policies; nothing serves their stage."""
    out = tmp_path_factory.mktemp("stage")
    tarball(out / "condor.tgz")
    made = Setup(
        out,
        "http://127.0.0.1:9",
        [out / "condor.tgz"],
        params={"VO_Param": "a b"},
        collector="user.demo:9618",
    )
    made.words()
    return made


@pytest.fixture
def say(setup: Setup, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            gwms(["pilot", "run", *words, "--work-dir", str(setup.out / "factory/work")])
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def request_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Request:
    """A request that the Factory has recorded."""
    (tmp_path / "token").write_text("secret")
    row = Request(
        "r",
        "Alpha",
        "vo.main",
        "vo",
        "main",
        web=Web("http://127.0.0.1:9/w", "sha1", "d", "s"),
        params={"GLIDEIN_Collector": "pool"},
        files={"idtoken": str(tmp_path / "token")},
    )
    found = SimpleNamespace(snapshot=SimpleNamespace(requests=SimpleNamespace(value=(row,))))
    monkeypatch.setattr(replay, "read", lambda state: found)
    return row


def words_of(script: str) -> list[str]:
    line = next(x for x in script.splitlines() if x.startswith("exec bash"))
    out = subprocess.run(
        ["bash", "-c", line.replace("exec bash", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
    )
    return out.stdout.splitlines()[1:]


def test_the_script_has_the_words_that_the_factory_gives(setup: Setup, say: Say) -> None:
    code, script, err = say(
        "Alpha", "--frontend", str(setup.out / "frontend/work"), "--print", "--param", "X=1,2"
    )
    assert (code, err) == (0, "")
    words = words_of(script)
    made = dict(zip(words[::2], words[1::2], strict=True))
    factory = (setup.out / "args").read_text().splitlines()
    expected = dict(zip(factory[::2], factory[1::2], strict=True))
    own = {"-cluster": "0", "-subcluster": "0", "-submitcredid": "by-hand", "-param_X": "1.comma,2"}
    other = {"-param_GLIDECLIENT_ReqNode": made["-param_GLIDECLIENT_ReqNode"]}
    assert made == {**expected, **own, **other}
    assert made["-param_VO_Param"] == "a.nbsp,b" and made["-dir"] == "."
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_from_a_recorded_request_and_without_its_token(say: Say, request_seen: Request) -> None:
    code, script, _ = say("Alpha", "--client", "vo.main", "--print", "--verbosity", "check")
    assert code == 0 and "secret" not in script and "credential_vo.main.idtoken" in script
    words = words_of(script)
    assert (
        words[:2] == ["-v", "check"]
        and words[words.index("-clientweb") + 1] == "http://127.0.0.1:9/w"
    )


def test_what_is_missing_is_said(
    setup: Setup, say: Say, request_seen: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("X509_USER_PROXY", raising=False)
    front = ("--frontend", str(setup.out / "frontend/work"))
    for words, texts in (
        (("Beta",), ["there is no entry Beta"]),
        (
            ("Alpha", "--client", "other.main"),
            ["no recorded request of other.main; recorded are vo.main", "--frontend"],
        ),
        (("Alpha", *front, "--group", "x"), ["there is no group x; there are main"]),
        (("Alpha", *front, "--param", "X"), ["NAME=VALUE"]),
        (("Alpha", *front), ["there is no token", "--token FILE"]),
        (
            ("Alpha",),
            ["the stage area does not answer: ", "http://127.0.0.1:9/factory/stage/description."],
        ),
    ):
        code, _, err = say(*words)
        assert code == 1 and all(text in err for text in texts), err
    Path(request_seen.files["idtoken"]).unlink()
    code, _, err = say("Alpha")
    assert code == 1 and "cannot read the token" in err
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "root cannot start a pilot" in say("Alpha", *front)[2]


def manual_pilot(tmp_path: Path, *, url: str, sha256: str = "") -> ManualPilot:
    """A pilot whose start-up script is only at the URL."""
    return ManualPilot(
        words=[],
        stage=[],
        startup=tmp_path / "none",
        startup_url=url,
        client="vo.main",
        token="t",
        startup_sha256=sha256,
    )


def test_without_the_executable_at_hand_the_stage_must_have_it(
    setup: Setup, tmp_path: Path
) -> None:
    pilot = manual_pilot(tmp_path, url="http://127.0.0.1:9/glidein_startup.sh", sha256="0" * 64)
    with pytest.raises(StageError, match="cannot download the start-up script"):
        manual_start.start(pilot, tmp_path, keep=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def altered(setup: Setup, tmp_path: Path) -> Iterator[tuple[ManualPilot, Path]]:
    """A pilot whose stage area serves another start-up script than the Factory made; the mark that
    it would leave.
    """
    served, mark = tmp_path / "served", tmp_path / "mark"
    served.mkdir()
    (served / "glidein_startup.sh").write_text(f"touch {mark}\n")
    httpd = server({"/": served})
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    policy = json.loads((setup.out / "factory/work/policy.json").read_text())
    url = f"http://127.0.0.1:{httpd.server_address[1]}/glidein_startup.sh"
    yield (
        manual_pilot(tmp_path, url=url, sha256=policy["startup_sha256"]),
        mark,
    )
    httpd.shutdown()


def test_a_startup_script_with_another_sum_is_not_run(
    altered: tuple[ManualPilot, Path], tmp_path: Path
) -> None:
    pilot, mark = altered
    with pytest.raises(StageError, match="does not have the checksum"):
        manual_start.start(pilot, tmp_path, keep=False)
    assert not mark.exists()


def test_the_printed_script_runs_no_startup_script_with_another_sum(
    altered: tuple[ManualPilot, Path], tmp_path: Path
) -> None:
    pilot, mark = altered
    (tmp_path / "token").write_text("t")
    env = {"PATH": "/usr/bin:/bin", "GWMS_TOKEN": str(tmp_path / "token")}
    done = subprocess.run(
        ["bash"],
        input=manual_start.script(pilot),
        env=env,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert "glidein_startup.sh: FAILED" in done.stderr
    assert not mark.exists()


def test_a_policy_without_the_sum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no checksum of the start-up script"):
        manual_start.script(manual_pilot(tmp_path, url="http://127.0.0.1:9/x"))


def test_old_names(setup: Setup, request_seen: Request, capsys: pytest.CaptureFixture[str]) -> None:
    work = ["-dir", str(setup.out / "factory/work")]
    with pytest.raises(SystemExit):
        legacy_pilot_run.manual_glidein_startup(
            ["--entry-name", "Alpha", "--fe-name", "vo", "--group-name", "main", *work]
        )
    assert capsys.readouterr().out.startswith("#!/bin/bash")
    with pytest.raises(SystemExit):
        legacy_pilot_run.local_start(["Gamma", *work])
    assert "there is no entry Gamma" in capsys.readouterr().err
