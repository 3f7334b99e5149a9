"""Items of the stage lists: the pilot's own files (glidein/manifest.toml), generated tables, the operator's files."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from glideinwms.creation.build.script_times import RUN, When, warn_of_versions, when
from glideinwms.creation.xml.common_model import File
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.errors import StageError
from glideinwms.lib.stage.blobs import Blob, of_bytes, of_file
from glideinwms.lib.stage.formats import VariableRow, read_vars, write_pairs, write_vars
from glideinwms.lib.stage.tree import Item

GLIDEIN = Path(__file__).parents[2] / "glidein"
SYSTEM_VARS = Path(__file__).parents[1] / "data" / "condor_vars.lst"
RUN_TYPES = {
    "run": "exec",
    "run:singularity": "exec:s",
    "run:s": "exec:s",
    "wrapper": "wrapper",
    "untar": "untar",
}
TYPES = {
    "": "",
    "regular": "",
    "source": "",
    "config": "config:c",
    "config:condor": "config:c",
    **RUN_TYPES,
}
# as check_name in glidein/glidein_trees.source
REFUSED_NAME = re.compile(r'^-|["\\\x00-\x1f]|^(signature\.sha(1|256)|lib)$')
TREES = ("main", "entry", "client", "client_group")
BLACKLIST = "# One node a line, in single quotes, without blanks before it: 'wn01.example.org' or '192.0.2.7'\n"


@dataclass(frozen=True, slots=True)
class PilotFile:
    """A file of the pilot, and the list it belongs to; `generated` marks a place for generated rows
    instead.
    """

    tree: str
    list: str
    item: Item | None
    generated: str = ""
    untar_dir: str = ""


@dataclass(frozen=True, slots=True)
class PilotFiles:
    """What creation needs of the pilot: files, ids of the main description, startup script, system
    variables.
    """

    files: tuple[PilotFile, ...]
    ids: Mapping[str, str]
    startup: Blob
    vars: tuple[VariableRow, ...]

    def of(self, tree: str, name: str) -> list[PilotFile]:
        """The files of one list of a tree, in order."""
        return [f for f in self.files if f.tree == tree and f.list == name]


@cache
def load_pilot(root: Path = GLIDEIN) -> PilotFiles:
    """Read `manifest.toml`; a StageError says what is missing."""
    path = root / "manifest.toml"
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StageError(
            f"the pilot's manifest cannot be read: {error}", where=str(path)
        ) from error
    files = [f for row in data.get("file", []) for f in _pilot_files(root, row)]
    startup = data.get("startup", {})
    own = root / "condor_vars.lst"
    return PilotFiles(
        tuple(files),
        {k: str(v) for k, v in data.get("ids", {}).items()},
        _startup(root, startup.get("script", "glidein_startup.sh"), startup.get("payload", [])),
        tuple(read_vars((own if own.exists() else SYSTEM_VARS).read_text())),
    )


def _pilot_files(root: Path, row: Mapping[str, Any]) -> Iterable[PilotFile]:
    trees = row.get("tree", "main")
    for tree in [trees] if isinstance(trees, str) else trees:
        if tree not in TREES:
            raise StageError(
                f"{tree!r} is none of {', '.join(TREES)}", where=str(root / "manifest.toml")
            )
        name = row.get("list", "preentry_file_list" if tree.startswith("client") else "file_list")
        if "generated" in row:
            yield PilotFile(tree, name, None, generated=str(row["generated"]))
            continue
        blob = (
            _joined(root, row["parts"])
            if "parts" in row
            else of_file(root / row.get("source", row["name"]))
        )
        options = {
            k: row[k] for k in ("kind", "period", "prefix", "condition", "config_out") if k in row
        }
        yield PilotFile(
            tree, name, Item(row["name"], blob, **options), untar_dir=str(row.get("untar_dir", ""))
        )


def _joined(root: Path, parts: Iterable[str]) -> Blob:
    """One file of several: VO scripts copy and source it as one."""
    return of_bytes(b"".join(of_file(root / part).read() for part in parts))


def startup_with(deployed: bytes, root: Path = GLIDEIN) -> Blob:
    """The startup script with that of GlideinWMS 3.10 in its tar, to which it hands over for pilots
    of 3.10.
    """
    startup = tomllib.loads((root / "manifest.toml").read_text())["startup"]
    return _startup(root, startup["script"], startup["payload"], {"deployed_startup.sh": deployed})


def _startup(
    root: Path, script: str, payload: Iterable[str], more: Mapping[str, bytes] | None = None
) -> Blob:
    """The executable of pilots: the script, then a gzip tar that it unpacks from itself (protocol
    6.1).
    """
    try:
        text = (root / script).read_bytes().rstrip(b"\n")
        members = [(name, (root / name).read_bytes()) for name in payload]
        members += (more or {}).items()
    except OSError as error:
        raise StageError(f"cannot be read: {error}", where=str(root / script)) from error
    if not members:
        return of_bytes(text + b"\n")
    packed = pack((Path(name).name, data, 0o644) for name, data in members)
    return of_bytes(text + b"\nexit 0\n#EOF\n" + packed)


def pack(members: Iterable[tuple[str, bytes, int]]) -> bytes:
    """A reproducible tar.gz of (name, content, mode)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data, mode in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 6, mtime=0)


@dataclass(slots=True)
class Tables:
    """The generated files of one tree."""

    consts: Mapping[str, object]
    vars: Iterable[VariableRow]
    untar: dict[str, str] = field(default_factory=dict)

    def items(self) -> list[Item]:
        """Their rows, in the deployed order."""
        made = {
            "constants.cfg": (write_pairs(self.consts, "constants.cfg"), "CONSTS_FILE"),
            "condor_vars.lst": (write_vars(self.vars), "CONDOR_VARS_FILE"),
            "untar.cfg": (write_pairs(self.untar, "untar.cfg"), "UNTAR_CFG_FILE"),
        }
        return [Item(name, of_bytes(text), config_out=out) for name, (text, out) in made.items()]


def gridmap(names: Mapping[str, str]) -> Item:
    """The whitelist of GSI peers: DN -> name; empty where tokens are used."""
    text = "".join(f'"{dn}" {name}\n' for dn, name in names.items() if dn)
    return Item("grid-mapfile", of_bytes(text), config_out="GRIDMAP")


def blacklist() -> Item:
    """nodes.blacklist, which belongs to the operator once it is there."""
    return Item(
        "nodes.blacklist", of_bytes(BLACKLIST), "nocache", config_out="BLACKLIST_FILE", once=True
    )


def expanded(
    pilot: PilotFiles, tree: str, name: str, tables: Tables, generated: Mapping[str, list[Item]]
) -> list[Item]:
    """A list of the pilot's files with the generated rows in their places (`constants` first if it
    has no place).
    """
    out: list[Item] = []
    rows = pilot.of(tree, name)
    placed = {r.generated for r in rows}
    for kind, items in generated.items():
        if kind not in placed and kind == "constants":
            out += items
    for row in rows:
        if row.item is None:
            out += generated.get(row.generated, [])
        else:
            out.append(row.item)
            if row.untar_dir:
                tables.untar[row.item.outfile] = row.untar_dir
    for kind, items in generated.items():
        if kind not in placed and kind != "constants":
            out += items
    return out


def user_items(
    files: Iterable[File],
    tables: Tables,
    blobs: dict[str, Blob],
    problems: Problems,
    *,
    preentry: bool = False,
    factory: bool = True,
) -> list[Item]:
    """The rows of an operator's files in one list; what cannot be is left out, with the reason in
    `problems`.
    """
    found: dict[str, tuple[File, Item]] = {}
    for file in files:
        item = _user_item(file, tables, blobs, problems, preentry)
        if item is None:
            continue
        acts = When(item.points, item.period)
        warn_of_versions(file, item.kind, acts, problems, factory=factory)
        if item.outfile in found:
            what = f"{item.outfile} is also the name of the file at {found[item.outfile][0].where} in the same list"
            problems.error(
                file.where,
                f"file[{file.absfname}]@relfname",
                what,
                "give one of them another relfname",
            )
        else:
            found[item.outfile] = (file, item)
    return [item for _, item in found.values()]


def unique(
    lists: Mapping[str, list[Item]], files: Iterable[File], problems: Problems
) -> dict[str, list[Item]]:
    """The lists of a tree without a second row of a name: an operator's file that is named as one
    of ours.
    """
    named = {Path(f.absfname).name if f.relfname is None else f.relfname: f for f in files}
    out: dict[str, list[Item]] = {}
    for name, rows in lists.items():
        found = out[name] = list[Item]()
        for row in rows:
            file = named.get(row.outfile)
            if file is None or row.outfile not in {r.outfile for r in found}:
                found.append(row)
                continue
            what = f"{row.outfile} is also the name of another file of {name}"
            problems.error(
                file.where, f"file[{file.absfname}]@relfname", what, "give it another relfname"
            )
    return out


def _user_item(
    file: File, tables: Tables, blobs: dict[str, Blob], problems: Problems, preentry: bool
) -> Item | None:
    subject, found = f"file[{file.absfname}]", len(problems.errors)
    name = Path(file.absfname).name if file.relfname is None else file.relfname
    if not name:
        problems.error(file.where, f"{subject}@relfname", "may not be empty")
    elif re.search(r"[\s/]", name) or name in (".", ".."):
        problems.error(
            file.where, f"{subject}@relfname", f"{name!r} may not contain blanks or slashes"
        )
    _words(file, subject, problems)
    kind = _kind(file, problems, subject)
    if REFUSED_NAME.search(name) or (kind.startswith("config") and name.startswith("00-gwms-")):
        problems.error(
            file.where, f"{subject}@relfname", f"pilots refuse {name!r} as the name of a file"
        )
    acts = when(file, kind, problems)
    if kind == "exec:s" and preentry and "setup" in acts.points.split(","):
        problems.error(
            file.where,
            f"{subject}@type",
            "run:singularity is not possible before the entry's files",
        )
    if acts.period and kind not in RUN:
        problems.error(file.where, f"{subject}@period", "only an executable can run periodically")
    blob = blobs.get(file.absfname)
    if blob is None:
        try:
            blob = blobs[file.absfname] = of_file(Path(file.absfname))
        except StageError as error:
            problems.error(file.where, f"{subject}@absfname", f"the file {error.message}")
    if len(problems.errors) > found or blob is None:
        return None
    options = file.untar_options
    if kind == "untar":
        tables.untar[name] = options.dir or name.partition(".")[0]
        return Item(
            name,
            blob,
            kind,
            0,
            file.prefix,
            options.cond_attr or "TRUE",
            options.absdir_outattr or "FALSE",
        )
    return Item(name, blob, kind, acts.period, file.prefix or "NOPREFIX", points=acts.points)


def _words(file: File, subject: str, problems: Problems) -> None:
    """A row of a list is columns of one word each."""
    options = file.untar_options
    for name, word in {
        "@prefix": file.prefix,
        "/untar_options@cond_attr": options.cond_attr,
        "/untar_options@dir": options.dir,
        "/untar_options@absdir_outattr": options.absdir_outattr,
    }.items():
        if re.search(r"\s", word):
            problems.error(file.where, f"{subject}{name}", f"{word!r} may not contain blanks")


def _kind(file: File, problems: Problems, subject: str) -> str:
    flags = {"executable": "exec", "wrapper": "wrapper", "untar": "untar", "config": "config:c"}
    given = [n for n in flags if getattr(file, n)]
    typed = TYPES.get(file.type)
    if typed is None:
        problems.error(
            file.where,
            f"{subject}@type",
            f"{file.type!r} is none of {', '.join(t for t in TYPES if t)}",
        )
        return "regular"
    if len(given) > 1:
        problems.error(file.where, subject, f"{' and '.join(given)} exclude each other")
    kind = flags[given[0]] if given else typed
    if given and typed and not kind.startswith(typed.split(":")[0]):
        problems.error(file.where, f"{subject}@type", f"{file.type!r} does not fit {given[0]}=True")
    if typed == "exec:s" and kind == "exec":
        kind = typed
    if kind in ("exec", "exec:s", "wrapper", "untar") and not file.const:
        problems.error(file.where, f"{subject}@const", f"must be True for a file of kind {kind}")
    return kind or ("regular" if file.const else "nocache")
