"""Our stage read as a deployed pilot reads it (protocol 6), by a reader of its own; it takes the deployed stage too."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glideinwms.creation.reconfig.run import build, reconfig
from glideinwms.creation.xml.problems import Problems
from tests.support.configs import place

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "golden-wire" / "golden-wire.tgz"
BOTH = ("signature", "file_list")
IDS = {
    # condor_config and its kin are of the deployed startup script alone, which never meets our main
    # tree
    "main": (*BOTH, "precvmfs_file_list", "at_file_list", "after_file_list", "last_script"),
    "entry": BOTH,
    "client": (
        *BOTH,
        "preentry_file_list",
        "aftergroup_preentry_file_list",
        "aftergroup_file_list",
    ),
    "client_group": (*BOTH, "preentry_file_list"),
}
KINDS = {"regular", "nocache", "exec", "exec:s", "wrapper", "untar", "config:c"}
TABLES = ["constants.cfg", "condor_vars.lst", "untar.cfg"]


@dataclass(frozen=True)
class Row:
    outfile: str
    infile: str
    kind: str
    period: str
    prefix: str
    condition: str
    config_out: str


def lines(path: Path) -> Iterator[str]:
    """Data lines: those that do not begin with #."""
    text = path.read_text()
    assert not text or text.endswith("\n"), f"{path} does not end a line"
    return (line for line in text.split("\n")[:-1] if not line.startswith("#"))


def field(description: Path, name: str) -> str:
    """As `grep "^<id> " | cut -f 2`."""
    found = [line for line in lines(description) if line.startswith(f"{name} ")]
    assert len(found) == 1, f"{description} has {len(found)} lines of {name}"
    return found[0].split("\t")[1]


def sums(folder: Path, name: str) -> dict[str, str]:
    """As `sha1sum -c` reads the file."""
    out = {}
    for line in lines(folder / name):
        match = re.fullmatch(r"([0-9a-f]{40})  (\S+)", line)
        assert match, line
        out[match[2]] = match[1]
    return out


def rows(folder: Path, name: str) -> list[Row]:
    """Seven fields apart by blanks; more of them are passed over."""
    found = []
    for line in lines(folder / name):
        words = line.split()
        assert len(words) >= 7, line
        row = Row(*words[:7])
        assert row.kind in KINDS and row.period.isdigit(), line
        assert "/" not in row.outfile + row.infile, line
        found.append(row)
    return found


def read(
    folder: Path, kind: str, descript: str, sign: str, *, whole: bool = True
) -> dict[str, list[Row]]:
    """What a pilot does with one tree: each id, each signature, each list, each file, each table.
    Not `whole`: scripts may be missing.
    """
    signed = field(folder / descript, "signature")
    assert hashlib.sha1((folder / signed).read_bytes()).hexdigest() == sign
    known = sums(folder, signed)
    for name in known if whole else [n for n in known if (folder / n).exists()]:
        assert hashlib.sha1((folder / name).read_bytes()).hexdigest() == known[name], name
    assert descript in known
    out: dict[str, list[Row]] = {}
    for name in IDS[kind]:
        value = field(folder / descript, name)
        if name.endswith("file_list"):
            assert value in known, f"{name} is not signed"
            out[name] = rows(folder, value)
    assert (
        field(folder / descript, "last_script") == "condor_startup.sh" if kind == "main" else True
    )
    for row in (r for found in out.values() for r in found):
        assert not whole or (folder / row.infile).is_file(), row
        assert (row.infile in known) == (row.kind != "nocache"), row
    tables = {
        r.outfile: r
        for r in out["preentry_file_list" if kind.startswith("client") else "file_list"]
    }
    for name, key in zip(
        TABLES, ("CONSTS_FILE", "CONDOR_VARS_FILE", "UNTAR_CFG_FILE"), strict=True
    ):
        assert (tables[name].kind, tables[name].config_out) == ("regular", key)
    assert all(re.match(r"\S+ \t", line) for line in lines(folder / tables["constants.cfg"].infile))
    for line in lines(folder / tables["condor_vars.lst"].infile):
        words = line.split()
        assert len(words) == 7 and words[1] in "ISC" and words[4] in "YN" and words[5] in "YN", line
    unpacked = {
        line.split()[0]: line.split()[1] for line in lines(folder / tables["untar.cfg"].infile)
    }
    order = [r for found in out.values() for r in found]
    for row in (r for r in order if r.kind == "untar"):
        assert row.outfile in unpacked, row
        assert order.index(tables["untar.cfg"]) < order.index(row)
    if kind.startswith("client"):
        assert [r.outfile for r in out["preentry_file_list"]][:3] == TABLES
    return out


def trees(policy: object, stage: Path, side: str) -> Iterator[tuple[Path, str, str, str]]:
    main, named, key = (
        ("main", "entry", "entries") if side == "factory" else ("client", "client_group", "groups")
    )
    top = policy.stage  # type: ignore[attr-defined]
    yield stage, main, top.descript, top.sign
    for one in getattr(policy, key):
        yield (
            stage / f"{'entry' if side == 'factory' else 'group'}_{one.name}",
            named,
            one.stage.descript,
            one.stage.sign,
        )


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_ours_is_read(side: str, size: str, tmp_path: Path) -> None:

    path = place(tmp_path, f"{side}.{size}.xml")
    reconfig(path, side)
    policy = build(path, side, Problems()).policy
    found = {
        folder.name: read(folder, *rest)
        for folder, *rest in trees(policy, Path(policy.stage_dir), side)
    }
    assert len(found) >= 2 and all(any(rows for rows in lists.values()) for lists in found.values())
    if size == "maximal":
        kinds = {r.kind for lists in found.values() for rows in lists.values() for r in rows}
        assert {"regular", "nocache", "exec", "wrapper"} <= kinds and ("untar" in kinds) == (
            side == "factory"
        )


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(GOLDEN) as tar:
        tar.extractall(folder, [m for m in tar.getmembers() if m.name.startswith("stage/")])
    return folder / "stage"


def test_the_reader_takes_the_deployed_stage(golden: Path) -> None:
    seen = 0
    for work, stage, side in (
        ("factory-workdir", "factory", "factory"),
        ("frontend-workdir", "frontend_vofe-1", "frontend"),
    ):
        for line in lines(golden / work / "signatures.sha1"):
            sign, descript, key = line.split()
            kind, folder = {
                "main": ("main" if side == "factory" else "client", golden / stage)
            }.get(key, ("entry" if side == "factory" else "client_group", golden / stage / key))
            # the golden data have some of the entries
            if not folder.is_dir() or not (folder / descript).exists():
                continue
            read(folder, kind, descript, sign, whole=False)
            seen += 1
    assert seen == 5


@pytest.mark.parametrize("harm", ["constants", "signature.*sha1", "file_list"])
def test_the_reader_takes_no_harmed_stage(harm: str, tmp_path: Path) -> None:

    path = place(tmp_path, "factory.minimal.xml")
    reconfig(path, "factory")
    policy = build(path, "factory", Problems()).policy
    victim = next((tmp_path / "stage" / "entry_Alpha").glob(f"{harm}*"))
    victim.write_bytes(victim.read_bytes() + b"x y\n")
    with pytest.raises(AssertionError):
        for folder, *rest in trees(policy, Path(policy.stage_dir), "factory"):
            read(folder, *rest)
