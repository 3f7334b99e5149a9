"""A Factory's configuration made from the entries that changed is the one that is made from the whole file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.creation.build.resolved import Built, named
from glideinwms.creation.reconfig import incremental, xml_slices
from glideinwms.creation.reconfig.plan import make_plan
from glideinwms.creation.reconfig.run import build, reconfig
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from tests.support.configs import place

OPEN = '<entry name="{n}" gatekeeper="ce.example.org ce.example.org:9619"'
ENTRIES = (
    f"{OPEN}/>",
    f'{OPEN}><attrs><attr name="A" value="1"/></attrs></entry>',
    f'{OPEN}><attrs>\n <attr name="A" value="2"/>\n</attrs></entry>',
    '<entry gatekeeper="ce ce" comment=\'a name="x" > /entry\' name="{n}">\n</entry >',
    f'{OPEN}><!-- </entry><entry name="none"/> --><attrs></attrs></entry>',
    f"{OPEN}><![CDATA[  ]]></entry>",
    f'{OPEN} enabled="False"/>',
    f'{OPEN} unknown="1"/>',
    f'{OPEN}><attrs><attr name="GLIDEIN_Max_Walltime" value="9" type="int"/></attrs></entry>',
    f'{OPEN}>\n<allow_frontends><allow_frontend name="vo_frontent"/></allow_frontends></entry>',
    f'{OPEN}><files><file absfname="@DIR@/script.sh" executable="True"/></files></entry>',
    f'{OPEN} gridtype="gt2"/>',
    f'{OPEN}><attrs><attr name="A"/></attrs></entry>',
    f'{OPEN}><entries><entry name="inner"/></entries></entry>',
    f"{OPEN}>",
)
RESTS = (
    "",
    "<!-- <entries><entry/> -->",
    "\n\n",
    '<files><file absfname="@DIR@/plain.txt"/></files>',
    '<entry_sets><entry_set alias="S" enabled="True"><entries><entry name="s1" gatekeeper="c"/></entries>'
    "</entry_set></entry_sets>",
    "<entries/>",
    '<attrs><attr name="GLIDEIN_Max_Walltime" value="10" type="int"/></attrs>',
)
SIMPLE = st.integers(0, 6)
STEP = st.tuples(
    st.lists(
        st.tuples(st.integers(0, 3), st.one_of(SIMPLE, SIMPLE, st.integers(0, len(ENTRIES) - 1))),
        max_size=2,
    ),
    st.sampled_from(
        ["", "", "", "", "rename", "twice", "fewer", "more", "lost", "script", "config.d"]
    ),
    st.sampled_from([0, 0, 0, *range(len(RESTS))]),
    st.integers(0, 1),
)


def write(
    directory: Path, kinds: Sequence[int], names: Sequence[str], before: int, after: int
) -> Path:
    text = "\n<!-- <entry> -->".join(
        ENTRIES[k].format(n=n) for k, n in zip(kinds, names, strict=True)
    )
    place(directory, "factory.minimal.xml")
    whole = (directory / "factory.minimal.xml").read_text()
    start, end = whole.index("<entries>"), whole.index("</entries>")
    whole = f"{whole[:start]}{RESTS[before] if before else ''}<entries>{text}{whole[end:]}"
    whole = whole.replace("</glidein>", RESTS[after] + "</glidein>").replace(
        "@DIR@", str(directory)
    )
    (directory / "factory.minimal.xml").write_text(whole)
    return directory / "factory.minimal.xml"


def outcome(built: Built, problems: Problems) -> tuple[Any, ...]:
    """All that reconfig makes of it."""
    done, data = named(built)
    plan = make_plan(done, data)
    assert json.loads(done.text) == data
    blobs = {n: b.sha256 for n, b in done.work_files.items()}
    fixed = (
        plan.added,
        plan.removed,
        plan.changed,
        plan.changes,
        plan.removed_active,
        sorted(plan.files),
    )
    warnings = [str(p) for p in problems.warnings]
    return (
        done.text,
        sorted(done.files),
        sorted(done.subdirs),
        blobs,
        done.sources,
        set(done.inputs),
        fixed,
        warnings,
    )


def both(path: Path) -> tuple[Built | None, tuple[Any, ...] | str]:
    """What comes of the changed entries, None if all must be read; and of the whole file. They are
    equal.
    """
    some, every = Problems(), Problems()
    quick = incremental.build(path, xml_slices.read(path), some)
    try:
        full = outcome(build(path, "factory", every), every)
    except InvalidConfig as error:
        assert quick is None
        return None, str(error)
    if quick:
        assert outcome(quick, some) == full
    return quick, full


@given(st.lists(STEP, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_it_equals_the_whole_file_whatever_is_edited(steps: list[Any]) -> None:
    directory = Path(tempfile.mkdtemp(prefix="gwms-test-"))
    kinds, names, extra = [0, 1, 0, 2], ["A", "B", "C", "D"], directory / "config.d" / "10.xml"
    try:
        reconfig(write(directory, kinds, names, 0, 0), "factory")
        for edits, act, before, after in steps:
            for index, kind in edits:
                kinds[index % len(kinds)] = kind
            if act == "rename":
                names[1] += "x"
            elif act == "twice":
                names[-1] = names[0]
            elif act == "fewer" and len(kinds) > 1:
                kinds, names = kinds[1:], names[1:]
            elif act == "more":
                kinds, names = [*kinds, 1], [*names, f"M{len(names)}"]
            elif act == "lost":
                next(
                    (directory / "stage").glob(f"entry_{names[0]}*/description*"), directory / "no"
                ).unlink(True)
            elif act == "config.d":
                extra.parent.mkdir(exist_ok=True)
                extra.write_text(
                    f"<glidein><entries>{ENTRIES[kinds[0]].format(n='A')}</entries></glidein>"
                )
            path = write(directory, kinds, names, before, after)
            if act == "script":
                (directory / "script.sh").write_text("#!/bin/sh\nexit 1\n")
            _, full = both(path)
            if not isinstance(full, str):
                reconfig(path, "factory", force_delete=True)
                assert both(path)[1][0] == full[0]
    finally:
        shutil.rmtree(directory)


def test_one_changed_entry_is_the_only_one_that_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, [0, 1, 2, 3, 4, 5], "ABCDEF", 0, 0)
    reconfig(path, "factory")
    path = write(tmp_path, [0, 2, 2, 3, 4, 5], "ABCDEF", 0, 0)
    quick, _ = both(path)
    # text inside an element, as F has, is no problem to anybody
    assert quick and [t.subdir for t in quick.trees] == ["", "entry_B"]
    written = reconfig(path, "factory")
    assert written.plan.changed == ("B",) and [c.path for c in written.plan.changes][:1] == [
        "entries[B].attrs.A"
    ]


@pytest.mark.parametrize("kind", [7, 9, 10])
def test_an_entry_with_a_warning_or_files_is_read_each_time(tmp_path: Path, kind: int) -> None:
    path = write(tmp_path, [0, kind, 1], "ABC", 0, 0)
    first = reconfig(path, "factory").warnings
    path = write(tmp_path, [2, kind, 1], "ABC", 0, 0)
    quick, _ = both(path)
    assert quick and [t.subdir for t in quick.trees] == ["", "entry_A", "entry_B"]
    assert len(reconfig(path, "factory").warnings) == len(first) == (kind != 10)


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"schema": 0}'])
def test_without_what_is_remembered_all_is_read(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path, [0, 1], "AB", 0, 0)
    reconfig(path, "factory")
    place_ = tmp_path / "work" / "state" / "inputs.json"
    place_.write_text(damage) if damage else place_.unlink()
    path = write(tmp_path, [2, 1], "AB", 0, 0)
    quick, full = both(path)
    assert quick is None and reconfig(path, "factory").plan.changed == ("A",)
    assert both(path)[1][0] == full[0]
