"""Policy files: who may have written them, what they may do to us, and that their word counts."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.decide import MatchCache, decide
from glideinwms.frontend.decide.explain import explain_class
from glideinwms.frontend.decide.match import policy_files
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.lib.errors import ConfigError
from tests.unit.frontend.build_frontend import group, policy

FILE = """
job_query_expr = "Big =?= True"
factory_match_attrs = {"Site": {"type": "string", "comment": "x"}}
calls = []
def match(job, glidein):
    calls.append(job["Wants"])
    open(COUNT, "a").write("x")
    return job["Wants"] == glidein["attrs"]["Site"]
"""


def write(folder: Path, text: str, mode: int = 0o644) -> str:
    path = folder / "policy.py"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def snapshot() -> FrontendSnapshot:
    entries = (EntryState("E1", "p", {"Site": "A"}), EntryState("E2", "p", {"Site": "B"}))
    jobs = JobTable(
        "s", ("Wants", "RequestCpus"), (JobClassRow(("A", 1), 5), JobClassRow((None, 1), 2))
    )
    return FrontendSnapshot(
        0.0, (GroupInput("main", (jobs,), entries), GroupInput("other", (jobs,), entries))
    )


def run(path: str, cache: MatchCache | None = None) -> Any:
    return decide(
        snapshot(),
        policy(group(policy_files=(path,)), group("other")),
        0.0,
        random.Random(1),
        cache,
    ).groups


def test_its_word_counts_and_is_asked_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    path = write(tmp_path, FILE.replace("COUNT", repr(str(count))))
    cache = MatchCache()
    for _ in range(3):
        found, other = run(path, cache)
        assert [e.jobs["Idle"].count for e in found.entries] == [5, 0] and found.unmatched_jobs == 2
        assert [e.jobs["Idle"].count for e in other.entries] == [7, 7]
    assert len(count.read_text()) == 2, (
        "once per (class, entry); a job without the attribute fails before"
    )
    [_, verdict] = explain_class(snapshot().groups[0], group(policy_files=(path,)), {"Wants": "A"})
    assert verdict.origin == f"policy {path}:match" and not verdict.matches
    assert verdict.returned == "False"


def monitored(*idle: int) -> FrontendSnapshot:
    [main, *_] = snapshot().groups
    entries = [replace(e, monitor={"Idle": n}) for e, n in zip(main.entries, idle, strict=True)]
    return FrontendSnapshot(0.0, (replace(main, entries=tuple(entries)),))


@pytest.mark.parametrize(
    "looks",
    [
        'glidein["attrs"]["Site"]',
        'glidein["monitor"]["Idle"]',
        'dict(glidein)["monitor"]["Idle"]',
        "{**glidein}",
        "list(glidein.items())",
        'glidein.get("monitor")',
    ],
)
def test_it_is_asked_again_only_of_entries_whose_values_it_looks_at_have_changed(
    tmp_path: Path, looks: str
) -> None:
    count = tmp_path / "count"
    said = f"    open({str(count)!r}, 'a').write(glidein['attrs']['Site'])\n"
    path = write(tmp_path, f"def match(job, glidein):\n    {looks}\n{said}    return True\n")
    cache, seen = MatchCache(), [""]
    # each cycle asks of two classes; what a file looks at is known after the first
    for idle in [(1, 1), (2, 2), (2, 2), (2, 3)]:
        decide(monitored(*idle), policy(group(policy_files=(path,))), 0.0, random.Random(1), cache)
        seen.append(count.read_text())
    new = [b[len(a) :] for a, b in itertools.pairwise(seen)]
    assert new == ["AB" * 2, *(["", "", ""] if "attrs" in looks else ["AB" * 2, "", "B" * 2])]


def test_a_changed_file_is_asked_anew(tmp_path: Path) -> None:
    cache, text = (
        MatchCache(),
        "def match(job, glidein):\n    return glidein['attrs']['Site'] == 'A'\n",
    )
    found = [
        [e.jobs["Idle"].count for e in run(write(tmp_path, t), cache)[0].entries]
        for t in (text, text.replace("'A'", "'B'"))
    ]
    assert found == [[7, 0], [0, 7]]


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_what_others_can_write_is_not_run(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')", mode)
    found, other = run(path)
    assert "chmod go-w" in found.problems[0] and not other.problems
    with pytest.raises(ConfigError):
        policy_files.try_out(path)
    assert not (tmp_path / "ran").exists()


def test_declarations_are_told_by_a_child(tmp_path: Path) -> None:
    found = policy_files.try_out(write(tmp_path, FILE))
    assert found == {
        "factory_query_expr": "TRUE",
        "job_query_expr": "Big =?= True",
        "factory_match_attrs": {"Site": "string"},
        "job_match_attrs": {},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = 1 / 0", "policy.py:2: ZeroDivisionError"),
        ("def match(", "policy.py:1: SyntaxError"),
        ("match = 7", "no function"),
        ("job_match_attrs = [1]", "job_match_attrs"),
        ("job_query_expr = 7", "job_query_expr"),
        ("import os; os._exit(3)", "ended the process with code 3"),
        ("while True: pass", "has not ended"),
    ],
)
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        policy_files.try_out(write(tmp_path, text), 3.0)
    assert "policy.py" in caught.value.where


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found, other = run(str(tmp_path / "none.py"))
    assert "cannot be read" in found.problems[0] and not other.problems
