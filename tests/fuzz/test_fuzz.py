"""Every parser of what others write: it takes any input, or raises its documented error, in bounded time.

A short run is in the default suite; `scripts/test --all tests/fuzz` tries a million inputs of each. `corpus/` holds
what was found: each file is given to its target again. See README.md in this directory.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import saved
from tests.fuzz.tape import RandomChoices, TapeChoices
from tests.fuzz.target import Target, load_all

TARGETS = load_all()
CORPUS = Path(__file__).with_name("corpus")
FOUND = sorted(CORPUS.glob("*/*"))
SIZE = 64 * 1024
SECONDS = 1.0
GROWING = [
    pytest.param(target, unit, id=f"{target.name}-{number}")
    for target in TARGETS.values()
    for number, unit in enumerate(target.units)
]
EXAMPLES = 20


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_short_run(target: Target) -> None:
    choices = RandomChoices(1)
    for _ in range(target.short):
        attempt(target, target.make(choices))


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_what_hypothesis_tries(target: Target) -> None:
    @settings(
        max_examples=min(EXAMPLES, target.short),
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(max_size=200))
    def run(tape: bytes) -> None:
        attempt(target, target.make(TapeChoices(tape)))

    run()


@pytest.mark.parametrize("file", FOUND, ids=[f"{p.parent.name}-{p.name}" for p in FOUND])
def test_what_was_found_before(file: Path) -> None:
    TARGETS[file.parent.name].run(saved.load(file.read_bytes()))


@pytest.mark.parametrize(("target", "unit"), GROWING)
def test_time_does_not_grow_faster_than_the_input(target: Target, unit: str | bytes) -> None:
    seconds = took(target, unit, SIZE)
    if seconds > SECONDS:  # the machine may be slow: a quarter takes a quarter of the time then
        seconds = min(took(target, unit, SIZE) for _ in range(3))
        quarter = min(took(target, unit, SIZE // 4) for _ in range(3))
        assert quarter > 0.12 * seconds


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_million_inputs(target: Target) -> None:
    choices = RandomChoices(int(os.environ.get("GWMS_FUZZ_SEED", "2")))
    for _ in range(int(os.environ.get("GWMS_FUZZ_INPUTS", target.million))):
        attempt(target, target.make(choices))


def attempt(target: Target, item: object) -> None:
    """Run one input; one that fails is kept for the corpus, if GWMS_FUZZ_KEEP names a directory."""
    try:
        target.run(item)
    except BaseException:
        if keep := os.environ.get("GWMS_FUZZ_KEEP"):
            path = Path(keep, target.name, "found")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(saved.dump(item))
        raise


def took(target: Target, unit: str | bytes, size: int) -> float:
    """CPU seconds that a repeated unit of this size takes."""
    item: str | bytes = unit * (size // len(unit))
    before, after = target.around
    if isinstance(item, str):
        item = before + item + after
    else:
        item = before.encode() + item + after.encode()
    began = time.process_time()
    target.run(item)
    return time.process_time() - began
