"""When files act: the `time` of a file becomes points, a period and a place among the lists."""

from __future__ import annotations

import pytest

from glideinwms.creation.build.script_times import When, after_all, side, warn_of_versions, when
from glideinwms.creation.xml.common_model import File
from glideinwms.creation.xml.problems import Problems, Where


def a_file(**more: object) -> File:
    return File.model_validate({"absfname": "/vo/x", **more})


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        ("exec", {}, When()),
        ("exec", {"period": 60}, When("setup", 60)),
        ("exec", {"time": "periodic:90"}, When("setup", 90)),
        ("exec:s", {"time": "periodic", "period": "30"}, When("setup", 30)),
        ("exec", {"time": "cleanup"}, When("cleanup")),
        ("exec", {"time": "cleanup:5"}, When("cleanup")),
        ("exec", {"time": "prejob,postjob,prejob"}, When("prejob,postjob")),
        ("exec:s", {"time": "postjob"}, When("postjob")),
        ("exec", {"time": "setup:aebg,cleanup"}, When("setup,cleanup")),
        ("exec", {"time": "cleanup", "period": 60}, When("cleanup,setup", 60)),
        ("regular", {"type": "source"}, When("setup:source")),
        ("regular", {"type": "source", "time": "prejob,setup:neng"}, When("prejob,setup:source")),
        ("regular", {"type": "source", "time": "postjob"}, When("postjob")),
        ("regular", {"time": "setup"}, When()),
    ],
)
def test_what_acts_when(kind: str, given: dict[str, object], meant: When) -> None:
    problems = Problems()
    assert when(a_file(**given), kind, problems) == meant
    assert problems.found == []


@pytest.mark.parametrize(
    ("kind", "given", "word"),
    [
        ("exec", {"time": "prejb"}, "'prejb' has no effect"),
        ("exec", {"time": "periodic:soon"}, "'periodic:soon' has no effect"),
        ("exec", {"time": "periodic"}, "'periodic' has no effect"),
        ("wrapper", {"time": "prejob"}, "'prejob' has no effect"),
        ("regular", {"time": "cleanup"}, "'cleanup' has no effect"),
        ("regular", {"type": "source", "time": "periodic:60"}, "'periodic:60' has no effect"),
        ("exec", {"time": "setup:xeyg"}, "'setup:xeyg' has no effect"),
        ("nocache", {"type": "source", "time": "prejob"}, "not signed"),
    ],
)
def test_what_has_no_effect_is_said(kind: str, given: dict[str, object], word: str) -> None:
    problems = Problems()
    assert when(a_file(**given), kind, problems).points in ("setup", "setup:source")
    assert [word in str(p) for p in problems.found] == [True]
    assert problems.errors == []


@pytest.mark.parametrize(
    ("given", "entry", "group"),
    [
        ({}, None, None),
        ({"after_entry": False, "after_group": True}, False, True),
        ({"time": "setup:beag"}, False, True),
        ({"time": "setup:aebg,cleanup"}, True, False),
        ({"time": "setup:neog"}, None, None),
        ({"time": "setup:aeng", "after_entry": True, "after_group": True}, True, True),
    ],
)
def test_the_place_of_a_set_up_script(
    given: dict[str, object], entry: bool | None, group: bool | None
) -> None:
    problems = Problems()
    found = side(a_file(**given), problems)
    assert (found.after_entry, found.after_group) == (entry, group)
    assert problems.found == []


def test_places_that_contradict_are_refused() -> None:
    for given in (
        {"time": "setup:aebg", "after_entry": False},
        {"time": "setup:nebg", "after_group": True},
    ):
        problems = Problems()
        side(a_file(**given), problems)
        assert next(str(p.what) for p in problems.errors).startswith("'setup:")
    problems = Problems()
    after_all(a_file(time="setup:aebg"), problems)
    assert len(problems.errors) == 1


@pytest.mark.parametrize(
    ("given", "late"),
    [
        ({}, False),
        ({"after_entry": True}, True),
        ({"time": "setup:neag"}, True),
        ({"time": "setup:bebg"}, False),
    ],
)
def test_the_place_of_a_file_of_the_factory(given: dict[str, object], late: bool) -> None:
    problems = Problems()
    assert after_all(a_file(**given), problems) is late
    assert problems.found == []


@pytest.mark.parametrize(
    ("kind", "given", "factory", "words"),
    [
        ("exec", {"executable": True}, False, []),
        ("exec", {"executable": True, "time": "setup"}, False, []),
        ("regular", {"type": "regular"}, True, []),
        ("exec", {"type": "run"}, False, ["'run' acts here; GlideinWMS 3.10 only stores"]),
        ("exec", {"type": "run", "executable": True}, False, []),
        (
            "exec:s",
            {"type": "run:singularity"},
            True,
            ["only stores the file without executable=True"],
        ),
        ("wrapper", {"type": "wrapper"}, False, ["only stores the file without wrapper=True"]),
        ("untar", {"type": "untar"}, True, ["only stores the file without untar=True"]),
        ("untar", {"type": "untar", "untar": True}, True, []),
        ("regular", {"type": "source"}, False, ["is sourced here; GlideinWMS 3.10 only stores it"]),
        ("config:c", {"type": "config:condor"}, True, ["only stores such a file of a Factory"]),
        ("config:c", {"type": "config:condor"}, False, []),
        ("exec", {"executable": True, "time": "prejob"}, False, ["do not run it at all"]),
        ("exec", {"executable": True, "time": "cleanup"}, True, ["runs the file once, at set-up"]),
        ("exec", {"executable": True, "time": "periodic:60"}, False, ["passes over it"]),
        ("exec", {"executable": True, "time": "setup:beag"}, False, ["passes over it"]),
    ],
)
def test_what_3_10_does_otherwise_is_told_with_the_file_and_its_line(
    kind: str, given: dict[str, object], factory: bool, words: list[str]
) -> None:
    problems, file = Problems(), a_file(where=Where("/etc/frontend.xml", 7), **given)
    warn_of_versions(file, kind, when(file, kind, problems), problems, factory=factory)
    assert [w for w, p in zip(words, problems.warnings, strict=True) if w not in str(p)] == []
    assert all(
        str(p).startswith("warning: /etc/frontend.xml:7: file[/vo/x]@") for p in problems.warnings
    )
