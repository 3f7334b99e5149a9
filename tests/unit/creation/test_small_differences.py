"""Values that are published or staged otherwise than by GlideinWMS 3.10, without an effect (docs/differences.md)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from glideinwms.creation.build.stage_files import Tables, user_items
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.common_model import File
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.formats import read_pairs
from tests.support.configs import place


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ('rsl=""', "GLIDEIN_GlobusRSL", None),
        ('rsl="(queue=x)"', "GLIDEIN_GlobusRSL", "(queue=x)"),
        ('gridtype="batch slurm"', "GLIDEIN_BoscoDir", "bosco"),
        ('gridtype="condor"', "GLIDEIN_BoscoDir", None),
    ],
)
def test_what_an_entry_publishes(words: str, name: str, value: str | None, tmp_path: Path) -> None:
    path = place(
        tmp_path, "factory.minimal.xml", ('<entry name="Alpha"', f'<entry name="Alpha" {words}')
    )
    (entry,) = dataclasses.asdict(build(path, "factory", Problems()).policy)["entries"]
    assert entry["attrs"].get(name) == value


def test_the_prefix_of_a_file_is_the_one_that_is_written(tmp_path: Path) -> None:
    script = tmp_path / "wrapper.sh"
    script.write_text("# nothing\n")
    blobs: dict[str, Blob] = {}
    files = [
        File.model_validate({"absfname": str(script), "wrapper": True, "prefix": prefix})
        for prefix in ("P_", "")
    ]
    rows = [user_items([file], Tables({}, []), blobs, Problems())[0] for file in files]
    assert [row.prefix for row in rows] == ["P_", "NOPREFIX"]


def test_conditions_of_cvmfsexec_are_in_the_list_only(tmp_path: Path) -> None:
    main = build(place(tmp_path, "factory.minimal.xml"), "factory", Problems()).trees[0]
    constants = next(b.read().decode() for n, b in main.files.items() if n.startswith("constants."))
    assert not [key for key in read_pairs(constants) if key.startswith("CVMFSEXEC_PLATFORM")]
