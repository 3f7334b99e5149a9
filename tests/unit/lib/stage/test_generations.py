"""Pruning by manifest only: never what we did not write, never what a pilot may come for (decision 10)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from glideinwms.lib.errors import StateError
from glideinwms.lib.stage import generations
from glideinwms.lib.stage.generations import Generation, all_of, prune

DAY = 86400.0
NOW = 100 * DAY


@pytest.fixture
def areas(tmp_path: Path) -> tuple[Path, Path]:
    stage, work = tmp_path / "stage", tmp_path / "work"
    stage.mkdir()
    work.mkdir()
    for name in ("shared", "one", "two", "three", "deployed"):
        (stage / name).write_text(name)
    for n, name in enumerate(("one", "two", "three")):
        made = (60 + 15 * n) * DAY
        path = generations.save(work, Generation(name, made, {}, ("shared", name), (f"{name}.sh",)))
        os.utime(path, (made, made))
        (work / f"{name}.sh").write_text("")
    return stage, work


def test_old_unnamed_generations_go_and_shared_files_stay(areas: tuple[Path, Path]) -> None:
    stage, work = areas
    assert prune(stage, work, current="three", named=(), now=NOW) == ["one", "two"]
    assert sorted(p.name for p in stage.iterdir()) == ["deployed", "shared", "three"]
    assert [g.name for g in all_of(work)] == ["three"]
    assert not (work / "one.sh").exists() and (work / "three.sh").exists()


def test_what_a_queued_pilot_names_stays(areas: tuple[Path, Path]) -> None:
    stage, work = areas
    assert prune(stage, work, current="three", named={"one"}, now=NOW) == ["two"]


def test_young_generations_stay(areas: tuple[Path, Path]) -> None:
    stage, work = areas
    assert prune(stage, work, current="three", named=(), now=NOW, keep=30 * DAY) == ["one"]


def test_what_was_in_force_until_now_stays(areas: tuple[Path, Path]) -> None:
    stage, work = areas
    generations.leave(work, "two")
    generations.leave(work, "none")
    now = time.time()
    assert prune(stage, work, current="three", named=(), now=now + 13 * DAY) == ["one"]
    assert prune(stage, work, current="three", named=(), now=now + 15 * DAY) == ["two"]


def test_a_manifest_cannot_lead_out_of_the_stage(areas: tuple[Path, Path]) -> None:
    stage, work = areas
    victim = stage.parent / "victim"
    victim.write_text("x")
    os.utime(
        generations.save(
            work, Generation("evil", 0, {}, ("../victim", str(victim)), ("../victim",))
        ),
        (0, 0),
    )
    prune(stage, work, current="three", named=(), now=NOW)
    assert victim.read_text() == "x"


def test_a_broken_manifest_is_named(areas: tuple[Path, Path]) -> None:
    _, work = areas
    (generations.directory(work) / "x.json").write_text("{")
    with pytest.raises(StateError, match=r"x\.json: is not (JSON|a generation manifest)"):
        all_of(work)
