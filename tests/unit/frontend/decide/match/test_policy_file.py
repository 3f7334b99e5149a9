"""Policy files in the decision: their answers count, and are asked for no more often than needed."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend import policy_files
from glideinwms.frontend.decide import MatchCache, decide
from glideinwms.frontend.decide.explain import explain_class
from glideinwms.frontend.snapshot import (
    EntryState,
    FrontendSnapshot,
    GroupInput,
    JobClassRow,
    JobTable,
)
from glideinwms.lib.errors import ConfigError
from glideinwms.lib.jsondata import dumps, from_json
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


def snapshot(path: str = "") -> FrontendSnapshot:
    files = (policy_files.read(path),) if path else ()
    entries = (EntryState("E1", "p", {"Site": "A"}), EntryState("E2", "p", {"Site": "B"}))
    jobs = JobTable(
        "s", ("Wants", "RequestCpus"), (JobClassRow(("A", 1), 5), JobClassRow((None, 1), 2))
    )
    return FrontendSnapshot(
        0.0,
        (
            GroupInput("main", (jobs,), entries, policy_files=files),
            GroupInput("other", (jobs,), entries),
        ),
    )


def run(path: str, cache: MatchCache | None = None) -> Any:
    return decide(
        snapshot(path),
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
    [_, verdict] = explain_class(
        snapshot(path).groups[0], group(policy_files=(path,)), {"Wants": "A"}
    )
    assert verdict.origin == f"policy {path}:match" and not verdict.matches
    assert verdict.returned == "False"


def monitored(path: str, *idle: int) -> FrontendSnapshot:
    [main, *_] = snapshot(path).groups
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
        decide(
            monitored(path, *idle),
            policy(group(policy_files=(path,))),
            0.0,
            random.Random(1),
            cache,
        )
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


def test_the_same_snapshot_gives_the_same_plan_whatever_is_on_disk(tmp_path: Path) -> None:
    text = "def match(job, glidein):\n    return glidein['attrs']['Site'] == 'A'\n"
    path = write(tmp_path, text)
    taken, rules = snapshot(path), policy(group(policy_files=(path,)), group("other"))
    recorded = decide(taken, rules, 0.0, random.Random(1))
    assert [e.jobs["Idle"].count for e in recorded.groups[0].entries] == [7, 0]
    read_back = from_json(FrontendSnapshot, json.loads(dumps(taken)))
    write(tmp_path, text.replace("'A'", "'B'"))
    assert decide(read_back, rules, 0.0, random.Random(1)) == recorded
    Path(path).unlink()
    assert decide(read_back, rules, 0.0, random.Random(1)) == recorded


def test_a_snapshot_without_the_file_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "def match(job, glidein):\n    return True\n")
    rules = policy(group(policy_files=(path,)), group("other"))
    found, other = decide(snapshot(), rules, 0.0, random.Random(1)).groups
    assert "does not contain this policy file" in found.problems[0]
    assert not other.problems


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_what_others_can_write_is_not_run(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')", mode)
    found, other = run(path)
    assert "chmod go-w" in found.problems[0] and not other.problems
    with pytest.raises(ConfigError):
        policy_files.try_out(path)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found, other = run(str(tmp_path / "none.py"))
    assert "cannot be read" in found.problems[0] and not other.problems
