"""The command tree: every verb's target exists, help loads none of them, errors become exit codes."""

from __future__ import annotations

import subprocess
import sys

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
        [sys.executable, "-m", "glideinwms.cli", *words.split(), "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


def test_help_loads_no_room() -> None:
    code = (
        "import sys\nfrom glideinwms.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith(('glideinwms.factory', 'glideinwms.creation', 'htcondor2'))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
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
