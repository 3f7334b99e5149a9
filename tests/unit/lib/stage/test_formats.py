"""The stage's text formats: what is written reads back equal, the deployed program's files read, and what cannot be
carried is refused (protocol 6).
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideinwms.lib.errors import StageError
from glideinwms.lib.stage.blobs import content_name, of_bytes
from glideinwms.lib.stage.formats import (
    KINDS,
    FileListRow,
    VariableRow,
    read_list,
    read_pairs,
    read_sums,
    read_vars,
    write_list,
    write_pairs,
    write_sums,
    write_vars,
)
from glideinwms.lib.stage.tree import Item, build

GOLDEN = Path(__file__).resolve().parents[3] / "data" / "golden-wire" / "golden-wire.tgz"
word = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"),
    min_size=1,
    max_size=20,
)
text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.strip)


@pytest.fixture(scope="module")
def stages() -> dict[str, bytes]:
    """stage/... of the deployed program -> content."""
    with tarfile.open(GOLDEN) as tar:
        found = {}
        for member in tar.getmembers():
            file = (
                tar.extractfile(member)
                if member.isfile() and member.name.startswith("stage/")
                else None
            )
            if file:
                found[member.name] = file.read()
    assert len(found) > 20
    return found


@given(
    st.lists(
        st.builds(
            FileListRow, word, word, st.sampled_from(KINDS), st.integers(0, 9999), word, word, word
        )
    )
)
def test_lists_read_back(rows: list[FileListRow]) -> None:
    assert read_list(write_list(rows)) == rows


@pytest.mark.parametrize("kind", ["exec", "exec:s"])
@pytest.mark.parametrize(
    "points", ["prejob", "postjob,cleanup", "setup,prejob", "cleanup,setup", "setup"]
)
def test_a_program_that_is_not_for_set_up_is_a_regular_file_to_old_pilots(
    kind: str, points: str
) -> None:
    row = FileListRow("a.sh", "a.1.sh", kind, points=points)
    text = write_list([row])
    assert read_list(text) == [row]
    third_of_seven = text.splitlines()[-1].split()[2]
    assert third_of_seven == (kind if "setup" in points else "regular")


@given(st.dictionaries(word, text))
def test_pairs_read_back(pairs: dict[str, str]) -> None:
    assert read_pairs(write_pairs(pairs, "x")) == pairs


@given(
    st.lists(
        st.builds(
            VariableRow,
            word,
            st.sampled_from("ISC"),
            word,
            word,
            st.booleans(),
            st.booleans(),
            word,
        )
    )
)
def test_vars_read_back(rows: list[VariableRow]) -> None:
    assert read_vars(write_vars(rows)) == rows


@given(st.dictionaries(word, st.from_regex(r"[0-9a-f]{40}", fullmatch=True)))
def test_sums_read_back(sums: dict[str, str]) -> None:
    assert read_sums(write_sums(sums.items(), "x")) == sums


def test_what_a_format_cannot_carry_is_refused() -> None:
    with pytest.raises(StageError, match="one word"):
        write_list([FileListRow("a b", "c")])
    with pytest.raises(StageError, match="newline"):
        write_pairs({"A": "b\nc"}, "constants.cfg")
    with pytest.raises(StageError, match=r"file_list\.lst:3: not seven fields"):
        read_list("# x\n#\na b c\n")


def test_the_deployed_programs_files_read_and_write_back(stages: dict[str, bytes]) -> None:
    seen = set()
    for name, raw in stages.items():
        base = name.rpartition("/")[2]
        content = raw.decode("latin-1")
        lines = [
            line.rstrip()
            for line in content.splitlines()
            if line.strip() and not line.startswith("#")
        ]
        if re.match(r"\w*file_list\.\w+\.lst", base):
            again = write_list(read_list(content, base))
        elif base.startswith("condor_vars."):
            again = write_vars(read_vars(content, base))
        elif re.match(r"(description|constants|untar)\.\w+\.cfg", base):
            again = write_pairs(read_pairs(content, base), base)
        elif re.match(r"signature\.\w+\.sha1", base):
            again = write_sums(((f, v) for f, v in read_sums(content, base).items()), base)
        else:
            continue
        seen.add(base.partition(".")[0])
        mine = [
            line.rstrip()
            for line in again.splitlines()
            if line.strip() and not line.startswith("#")
        ]
        assert [line.split() for line in mine] == [line.split() for line in lines], name
    assert {"file_list", "condor_vars", "description", "constants", "untar", "signature"} <= seen


def test_heads_of_our_lists_are_the_deployed_ones(stages: dict[str, bytes]) -> None:
    name = next(n for n in stages if re.search(r"/file_list\.\w+\.lst$", n))
    theirs = [line for line in stages[name].decode().splitlines() if line.startswith("#")]
    ours = [line for line in write_list([]).splitlines() if line.startswith("#")]
    assert ours[2].split() == theirs[2].split()


def test_a_tree_signs_itself() -> None:
    tree = build(
        "entry_A",
        {"file_list": [Item("a.sh", of_bytes("x"), "exec"), Item("n", of_bytes("y"), "nocache")]},
    )
    description = read_pairs(tree.files[tree.descript].read().decode())
    for bits, key, root in (
        ("1", "signature", tree.sign),
        ("256", "signature_sha256", tree.sign256),
    ):
        raw = tree.files[description[key]].read()
        assert hashlib.new(f"sha{bits}", raw).hexdigest() == root
        sums = read_sums(raw.decode())
        assert {
            f: hashlib.new(f"sha{bits}", tree.files[f].read()).hexdigest() for f in sums
        } == sums
        assert tree.descript in sums and "n" not in sums
    assert list(tree.plain) == ["n"]
    for name, blob in tree.files.items():
        if not name.startswith("signature"):
            assert name.count(blob.sha256[:12]) == 1


@given(st.binary(max_size=50))
def test_names_follow_content(data: bytes) -> None:
    blob = of_bytes(data)
    assert content_name("a.tar.gz", blob.sha256) == f"a.tar.{blob.sha256[:12]}.gz"
    assert content_name("script", blob.sha256) == f"script.{blob.sha256[:12]}"


def test_a_name_twice_in_a_list_is_refused() -> None:
    with pytest.raises(StageError, match="twice"):
        build("", {"file_list": [Item("a", of_bytes("1")), Item("a", of_bytes("2"))]})


def test_a_name_that_would_be_read_as_a_comment_is_refused() -> None:
    for name in ("# File: x", "", " ", "a\nb"):
        with pytest.raises(StageError):
            write_pairs({name: "x"}, "x")
