"""The Factory prunes its stage by what the queues name (decision 10)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.collect.schedd_memory import UnknownSubmit
from glideinwms.factory.housekeeping.prune import named
from glideinwms.lib.files import locked
from glideinwms.lib.stage import generations
from glideinwms.lib.stage.generations import Generation
from tests.scenario.factory.factory_harness import FactoryHarness, entry

DAY = 86400.0
PILOT = {"GlideinFactory": "fact", "GlideinName": "inst", "GlideinEntryName": "A", "JobUniverse": 9}


class Stage:
    """A FactoryHarness with generations of some age; each has a stage file of its name, and one
    that all share.
    """

    def __init__(self, base: Path, *schedds: str) -> None:
        names = schedds or ("schedd@factory",)
        self.scene = FactoryHarness(
            base, *(entry(f"E{n}", schedd_name=s) for n, s in enumerate(names)), schedds=names
        )
        self.work, self.stage = base / "work", base / "stage"
        self.stage.mkdir()
        (self.stage / "shared").write_text("")
        self.put("g1", 40, *names)

    def put(self, name: str, days: float, *schedds: str, young_file: bool = False) -> None:
        made = self.scene.world.clock() - days * DAY
        (self.stage / name).write_text("")
        policy = {"entries": [{"schedd_name": s} for s in schedds or ("schedd@factory",)]}
        path = generations.save(
            self.work, Generation(name, made, policy, ("shared", name), (f"{name}.sh",))
        )
        (self.work / f"{name}.sh").write_text("")
        if not young_file:
            os.utime(path, (made, made))

    def hour(self) -> set[str]:
        """A cycle, an hour later another; what the stage has left."""
        self.scene.cycle()
        self.scene.world.clock.advance(3600)
        self.scene.cycle()
        return {p.name for p in self.stage.iterdir()}

    def queue(self, generation: str, schedd: str = "", **more: Any) -> None:
        found = self.scene.schedds[schedd] if schedd else self.scene.schedd
        found.add(**{**PILOT, "GlideinStageGeneration": generation, **more})


def test_what_no_pilot_names_goes(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.put("waiting", 30)
    s.put("running", 30)
    s.put("old", 30)
    s.put("young", 3)
    s.queue("waiting")
    s.queue("running", JobStatus=2)
    s.queue("old", GlideinName="another")
    assert s.hour() == {"shared", "g1", "waiting", "running", "young"}
    assert not (s.work / "old.sh").exists() and (s.work / "waiting.sh").exists()
    [line] = s.scene.audit("prune")
    assert line["generations"] == ["old"] and line["n"] == 1
    s.scene.schedd.jobs.clear()
    assert s.hour() == {"shared", "g1", "young"}


def test_a_schedd_that_does_not_answer_keeps_what_was_submitted_there(tmp_path: Path) -> None:
    s = Stage(tmp_path, "one@factory", "two@factory")
    s.put("both", 30, "one@factory", "two@factory")
    s.put("one", 30, "one@factory")
    s.put("gone", 30, "three@factory")
    s.scene.cycle()
    s.scene.schedds["two@factory"].down = True
    assert s.hour() == {"shared", "g1", "both", "gone"}
    s.scene.schedds["two@factory"].down = False
    assert s.hour() == {"shared", "g1", "gone"}


def test_an_unknown_submit_keeps_all(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.scene.cycle()
    queue_reader = s.scene.daemon.queue_reader
    ask = frozenset(["schedd@factory"])
    assert named(queue_reader, s.scene.policy, ask) == {"schedd@factory": frozenset()}
    queue_reader.schedds["schedd@factory"].unknown.append(UnknownSubmit("id", "A", 1, 0.0))
    assert named(queue_reader, s.scene.policy, ask) == {"schedd@factory": None}


def test_not_beside_a_reconfig_nor_with_broken_manifests(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.put("old", 30)
    everything = {"shared", "g1", "old"}
    with locked(s.work / "state/reconfig.lock", "reconfig"):
        assert s.hour() == everything
    broken = generations.directory(s.work) / "broken.json"
    broken.write_text("{")
    os.utime(broken, (0, 0))
    assert s.hour() == everything, "its files are not known"
    assert not s.scene.audit("prune")
    broken.unlink()
    assert s.hour() == everything - {"old"}


@pytest.mark.parametrize("keep", [10 * DAY, 20 * DAY])
def test_the_age_is_configured_and_files_of_unasked_generations_stay(
    tmp_path: Path, keep: float
) -> None:
    s = Stage(tmp_path)
    s.scene.write(keep_generations=keep)
    s.scene.start()
    s.put("middle", 15)
    s.put("restored", 30, young_file=True)
    os.utime(generations.directory(s.work) / "restored.json", (s.scene.world.clock(),) * 2)
    assert s.hour() == {"shared", "g1", "restored"} | ({"middle"} if keep > 15 * DAY else set())


def test_a_generation_gone_back_to_stays(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.put("old", 30)
    s.put("before", 35)
    s.scene.cycle()
    s.scene.write(generation="before")
    # the daemon has not yet taken what is in force on disk
    s.scene.world.clock.advance(3600)
    s.scene.daemon.pruner.run(s.scene.runner.policy, s.scene.world.clock(), 1)
    assert {p.name for p in s.stage.iterdir()} == {"shared", "g1", "before"}
