"""Lists of finished pilots, and the old names that stand for them: entry_ls, find_logs, gwms-logcat, analyze_*."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from glideinwms.cli.legacy import pilots
from glideinwms.cli.main import main as gwms
from glideinwms.factory.inspect import queue_stats
from glideinwms.factory.pilot_history import completed_jobs_log
from glideinwms.factory.pilot_history.pilot import FinishedPilot
from glideinwms.factory.pilot_history.store import PilotStore
from glideinwms.factory.plan import (
    FactoryEntryPlan,
    FactoryPlan,
    Placement,
    RequestPlan,
    StatusCounts,
)
from glideinwms.lib.errors import StateError
from tests.unit.cli.commands.test_pilot_log import err, factory, run
from tests.unit.factory.builders import policy

__all__ = ["factory"]
DAY = "20261122"
AT = datetime(2026, 11, 22, 23, 10).astimezone().isoformat()
DEPLOYED = (
    f'<job terminated="{AT}" client="fe.two" username="feuser" id="99.000" duration="7200"'
    ' condor_started="True" condor_duration="7100"><user jobsnr="3" duration="6000" goodput="5000" terminated="1"/>'
    '<wastemill validation="1" idle="2" nosuccess="0" badput="3"/></job>\n'
)
Call = Callable[[Sequence[str]], None]


@pytest.fixture
def ask(factory: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What a command prints; of `-json` or `--json` the data."""

    def asked(call: Call | str, *words: str, code: int = 0) -> Any:
        where = str(factory / "work")
        line = (
            [call, *words, "--work-dir", where]
            if isinstance(call, str)
            else [*words, "-dir", where]
        )
        capsys.readouterr()
        assert run(lambda: gwms(line) if isinstance(call, str) else call(line)) == code
        out = capsys.readouterr()
        text = out.out or out.err
        return json.loads(text) if "-json" in " ".join(words) else text

    return asked


def test_pilots_by_entry_and_day(factory: Path, ask: Callable[..., Any]) -> None:
    rows = ask("pilot", "list", "A", "--date", DAY, "--json")
    assert [(r["id"], r["condor_started"], r["jobs"]) for r in rows] == [
        ("4711.0", True, 1),
        ("4711.1", False, 0),
    ]
    assert rows[0]["err"] == err(factory, 0) and Path(rows[0]["out"]).exists()
    assert (
        ask("pilot", "list", "--date", DAY, "--failed", "--files", "err") == err(factory, 1) + "\n"
    )
    assert ask("pilot", "list", "--date", "20261121", "--json") == []
    assert len(ask("pilot", "list", "--date", "20261124", "--days", "3", "--json")) == 2
    assert "never" in ask("pilot", "list", "--date", DAY)
    assert "not a date" in ask("pilot", "list", "--date", "yesterday", code=1)
    assert "no entry X" in ask("pilot", "list", "X", code=1)


def test_a_list_of_pilots_says_why_they_failed(factory: Path, ask: Callable[..., Any]) -> None:
    (factory / "work/state").mkdir(exist_ok=True)
    db = PilotStore(factory / "work/state/learned.db")
    why = "validation failed in check.sh (no disk)"
    ended = FinishedPilot("A", "fe.main", "feuser", "4711.1", 1.0, 2.0, 3.0, cause=why)
    db.ended(db.add_log("/x"), [ended], pending=False)
    db.close()
    rows = ask("pilot", "list", "A", "--date", DAY, "--json")
    assert [r["cause"] for r in rows] == ["", why]
    assert why in ask("pilot", "list", "A", "--date", DAY)


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--client", "fe"], ["4711.0", "4711.1", "99.0"]),
        (["--client", "fe.two"], ["99.0"]),
        (["--user", "nobody"], []),
        (["--longer", "7000"], ["99.0"]),
        (["--shorter", "7000"], ["4711.0", "4711.1"]),
        (["--after", "23.1"], ["99.0"]),
        (["--before", "23.1"], ["4711.0", "4711.1"]),
        (["--log", "StartdLog"], ["4711.0"]),
    ],
)
def test_pilots_by_what_they_were(
    words: list[str],
    ids: list[str],
    factory: Path,
    ask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also lines that a deployed Factory wrote; what is no line is passed over."""
    with (factory / f"log/entry_A/completed_jobs_{DAY}.log").open("a") as out:
        out.write("half a li\n" + DEPLOYED + DEPLOYED.replace("feuser", "../x") + DEPLOYED[:50])
    assert [r["id"] for r in ask("pilot", "list", "--date", DAY, *words, "--json")] == ids


def test_entry_ls(factory: Path, ask: Callable[..., Any]) -> None:
    both = f"{err(factory, 0)}\n{err(factory, 1)}\n"
    assert ask(pilots.entry_ls, "A", "feuser", DAY) == both
    assert ask(pilots.entry_ls, "-o", "A", "feuser", DAY) == both.replace(".err", ".out")
    assert ask(pilots.entry_ls, "-d", "0", "A", "feuser", DAY) == ""
    assert ask(pilots.entry_ls, "-D", "0", "A", "feuser", DAY) == both
    assert ask(pilots.entry_ls, "-D", "99999999", "A", "feuser", DAY) == ""
    assert ask(pilots.entry_ls, "-D", "99999999", "-d", "99999999", "A", "feuser", DAY) == both
    assert ask(pilots.entry_ls, "-f", "A", "feuser", DAY) == f"{err(factory, 1)}\n"
    started = both.replace(f"{err(factory, 1)}\n", "")
    assert ask(pilots.entry_ls, "-t", "A", "feuser", DAY) == started
    assert ask(pilots.entry_ls, "-t", "-f", "A", "feuser", DAY) == f"{err(factory, 1)}\n"
    assert ask(pilots.entry_ls, "-f", "-t", "A", "feuser", DAY) == started
    assert ask(pilots.entry_ls, "-E", "24", "A", "feuser", DAY) == ""
    assert ask(pilots.entry_ls, "-e", "0", "A", "feuser", DAY) == ""
    assert ask(pilots.entry_ls, "-e", "24", "A", "feuser", DAY) == both
    assert ask(pilots.entry_ls, "-e", "0", "-E", "0", "A", "feuser", DAY) == both
    long = ask(pilots.entry_ls, "-l", "-f", "A", "feuser", DAY)
    assert re.fullmatch(
        rf"\w{{3}} \w{{3}} +\d+ \d\d:\d\d:\d\d \d{{4}} +\d+ 100\d{{3}} {re.escape(err(factory, 1))}\n",
        long,
    )
    assert len(ask(pilots.entry_ls, "-json", "A", "", DAY)) == 2


def test_find_logs(factory: Path, ask: Callable[..., Any]) -> None:
    assert ask(pilots.find_startd_logs, "A", DAY) == f"{err(factory, 0)}\n"
    assert ask(pilots.find_logs, "A", DAY).count("\n") == 2
    assert [
        r["id"] for r in ask(pilots.find_logs, "-log", "MasterLog", "-days", "9", "-json", "A", DAY)
    ] == ["4711.0"]


def test_logcat(factory: Path, ask: Callable[..., Any], tmp_path: Path) -> None:
    names = ask(pilots.gwms_logcat, "-l", "-i", "4711.0", "A").split()
    assert {"MasterLog", "StartdLog", "GlideinLog"} <= set(names)
    text = ask(pilots.gwms_logcat, "-i", "4711.0", "A", "MasterLog")
    assert text.startswith("======== MasterLog ========\n") and "StartdLog ====" not in text
    assert ask(pilots.gwms_logcat, "-f", err(factory, 0), "MasterLog") == text
    told = ask(pilots.gwms_logcat, "-a", "-json", "-i", "4711.0", "A")
    assert list(told["logs"]) == names
    ask(pilots.gwms_logcat, "-c", str(tmp_path / "copies"), "-a", "-i", "4711.0", "A")
    assert (tmp_path / "copies/job.4711.0.MasterLog").read_text() == told["logs"]["MasterLog"]
    assert "has no NoLog" in ask(pilots.gwms_logcat, "-i", "4711.0", "A", "NoLog", code=1)
    assert "no pilot 1.0" in ask(pilots.gwms_logcat, "-i", "1.0", "A", code=1)


def test_analyze(ask: Callable[..., Any]) -> None:
    [row] = ask(pilots.analyze_entries, "-x", "1000000", "-json")
    assert (row["entry"], row["client"], row["pilots"]) == ("A", "", 2)
    [row] = ask(pilots.analyze_frontends, "-x", "1000000", "-f", "fe", "-s", "failed", "-json")
    assert (row["entry"], row["client"], row["failed"]) == ("", "fe.main", 1)
    assert ask(pilots.analyze_entries, "-x", "1000000", "-f", "other", "-json") == []
    assert "no column age" in ask(pilots.analyze_entries, "-s", "age", code=1)
    assert ask(pilots.analyze_queues, "-json") == []
    for option in ("-p", "-z", "--source"):
        assert f"{option}: there are no RRD files here" in ask(
            pilots.analyze_entries, option, "x", code=2
        )


def test_averages_over_cycles() -> None:
    def plan(entry: str, running: int, submitted: int, frozen: str = "") -> FactoryPlan:
        row = RequestPlan(
            "r", entry, "fe.main", "fe:x", "C", idle=4, placements=(Placement("f", submitted),)
        )
        return FactoryPlan(
            (
                FactoryEntryPlan(
                    entry, "s", StatusCounts(running=running), frozen=frozen, requests=(row,)
                ),
            )
        )

    found = queue_stats.table(
        [plan("A", 10, 1), plan("A", 20, 2), plan("A", 99, 0, "not known"), plan("B", 1, 0)]
    )
    assert [(r.entry, r.cycles, r.asked, r.running, r.submitted) for r in found] == [
        ("A", 2, 4, 15, 3),
        ("B", 1, 4, 1, 0),
    ]


def test_a_summary_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = tmp_path / f"log/entry_A/completed_jobs_{DAY}.log"
    folder.mkdir(parents=True)
    with pytest.raises(StateError, match="cannot be read"):
        completed_jobs_log.read(policy(tmp_path), [], [DAY], completed_jobs_log.WantedAttributes())
