"""The command tree: every verb's target exists, help loads none of them, errors become exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from glideinwms.cli import main as cli
from glideinwms.cli.tree import TREE, Verb
from glideinwms.lib.errors import ConfigError

VERBS = [
    (f"{noun} {name}".strip(), verb)
    for noun, (_, verbs) in TREE.items()
    for name, verb in ({"": verbs} if isinstance(verbs, Verb) else verbs).items()
]


@pytest.mark.parametrize(("words", "verb"), VERBS, ids=[w for w, _ in VERBS])
def test_every_verb_loads_and_has_help(words: str, verb: Verb) -> None:
    assert callable(cli.load(verb.target))
    result = subprocess.run(
        [sys.executable, "-m", "glideinwms.cli", *words.split(), "--help"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


def test_every_name_that_is_installed_loads() -> None:
    with (Path(__file__).parents[3] / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    for name, target in scripts.items():
        assert callable(cli.load(target)), name
    assert {
        "manageFactoryDowntimes.py",
        "manageFrontendDowntimes.py",
        "checkFactory.py",
        "stopFactory.py",
    } <= {*scripts}


def test_help_loads_no_room_and_nothing_that_paints() -> None:
    code = (
        "import sys\nfrom glideinwms.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "rooms = ('glideinwms.factory', 'glideinwms.creation', 'htcondor2', 'rich')\n"
        "print([m for m in sys.modules if m.startswith(rooms)])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.strip().endswith("[]")


def test_our_errors_are_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ConfigError("no such entry", where="factory.xml:12", hint="did you mean Demo_A?")

    monkeypatch.setitem(TREE, "broken", ("Fails.", Verb("tests:broken", "Fails.")))
    monkeypatch.setattr(cli, "load", lambda target: broken)
    with pytest.raises(SystemExit) as ended:
        cli.main(["broken"])
    assert ended.value.code == cli.FAILED
    assert capsys.readouterr().err == "gwms: factory.xml:12: no such entry; did you mean Demo_A?\n"


def test_what_may_not_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shut() -> None:
        raise PermissionError(13, "Permission denied", "/var/lib/gwms-factory/work-dir/state")

    monkeypatch.setitem(TREE, "shut", ("Fails.", Verb("tests:shut", "Fails.")))
    monkeypatch.setattr(cli, "load", lambda target: shut)
    with pytest.raises(SystemExit) as ended:
        cli.main(["shut"])
    assert ended.value.code == cli.FAILED
    place = "gwms: /var/lib/gwms-factory/work-dir/state: Permission denied"
    said = f"{place}; run as root or as a member of the daemon's group\n"
    assert capsys.readouterr().err == said


def completions(*words: str) -> list[str]:
    env = {
        **os.environ,
        "_GWMS_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["gwms", *words]),
        "COMP_CWORD": str(len(words)),
    }
    run = [sys.executable, "-m", "glideinwms.cli"]
    return subprocess.run(run, env=env, capture_output=True, text=True, check=True).stdout.split()


def test_a_shell_completes_nouns_verbs_and_options() -> None:
    assert completions("fact") == ["factory"]
    assert set(completions("entry", "")) == {"list", "show", "q", "rm", "log", "stats", "submit"}
    assert {"--work-dir", "--json"} <= set(completions("factory", "status", "--"))


CODE = """
import sys
from glideinwms.cli import main as cli
from glideinwms.cli.tree import TREE, Verb
def act():
    {}
TREE["act"] = ("Acts.", Verb("tests:act", "Acts."))
cli.load = lambda target: act
cli.main(["act"])
"""


@pytest.mark.parametrize(
    ("act", "code", "said"),
    [
        ("print('x')", 1, ""),
        ("print('x' * 1_000_000)", 1, ""),
        ("raise KeyboardInterrupt", 130, ""),
        (
            "raise IsADirectoryError(21, 'Is a directory', '/tmp')",
            1,
            "gwms: /tmp: Is a directory\n",
        ),
        ("raise OSError(28, 'No space left on device')", 1, "gwms: No space left on device\n"),
    ],
)
def test_a_reader_that_went_away_or_a_file_that_fails_gives_no_traceback(
    act: str, code: int, said: str
) -> None:
    command = [sys.executable, "-c", CODE.format(act)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.close()
        assert (run.stderr.read(), run.wait(60)) == (said, code)


def test_a_letter_that_the_terminal_lacks_is_shown_by_its_code() -> None:
    command = [sys.executable, "-c", CODE.format("print('Gr\\xf6\\xdfe \\udcff')")]
    for encoding, shown in (
        ("ascii", b"Gr\\xf6\\xdfe \\udcff\n"),
        ("utf-8", b"Gr\xc3\xb6\xc3\x9fe \\udcff\n"),
    ):
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        assert subprocess.run(command, env=env, capture_output=True, check=True).stdout == shown
