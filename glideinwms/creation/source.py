"""XML files as located nodes; config.d files merged over the main Factory file (config 1).

Entities are refused. Merged lists keep file order: a later item with an equal key replaces the earlier in
its place, new ones are appended (the deployed program sorts such a list).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from glideinwms.creation.problems import InvalidConfig, Problem, Problems, Where

Read = Callable[[Path], bytes]
LIST_KEYS: dict[str, tuple[str, ...]] = {
    "attrs": ("name",),
    "files": ("absfname",),
    "allow_frontends": ("name",),
    "condor_tarballs": ("arch", "os", "version"),
    "entries": ("name",),
    "entry_sets": ("alias",),
    "frontends": ("name",),
    "monitoring_collectors": ("DN",),
    "per_frontends": ("name",),
    "process_logs": ("extension",),
    "security_classes": ("username",),
    "submit_attrs": ("name",),
    "infosys_refs": ("ref",),
    "monitorgroups": ("group_name",),
}


@dataclass(slots=True)
class Node:
    """One XML element with its place."""

    tag: str
    attrs: dict[str, str]
    where: Where
    children: list[Node] = field(default_factory=list)


def parse(path: Path, read: Read = Path.read_bytes) -> Node:
    """The tree of one file; InvalidConfig with file:line if it is not well-formed or declares entities."""
    reader = expat.ParserCreate()
    grower = _Grower(str(path), reader)
    try:
        reader.Parse(read(path), True)
    except expat.ExpatError as error:
        where, text = Where(str(path), error.lineno), expat.ErrorString(error.code)
        raise InvalidConfig([Problem(where, "XML", f"is not well-formed: {text}")]) from error
    except (LookupError, ValueError) as error:
        what = f"is in an encoding that cannot be read: {error}"
        raise InvalidConfig([Problem(Where(str(path), 1), "XML", what, "save it as UTF-8")]) from error
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise InvalidConfig([Problem(Where(str(path), 0), "XML", what)]) from error
    return grower.root


class _Grower:
    """Builds nodes from the parser's events; equal attribute names and values share one string."""

    def __init__(self, file: str, reader: expat.XMLParserType) -> None:
        self.file, self.reader = file, reader
        self.root = Node("", {}, Where(file, 0))
        self.open = [self.root]
        self.words: dict[str, str] = {}
        reader.StartElementHandler, reader.EndElementHandler = self.start, self.end
        reader.EntityDeclHandler = self.entity
        reader.ordered_attributes = False

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        share = self.words.setdefault
        found = {share(k, k): share(v, v) for k, v in attrs.items()}
        node = Node(share(tag, tag), found, Where(self.file, self.reader.CurrentLineNumber))
        if len(self.open) == 1:
            self.root = node
        else:
            self.open[-1].children.append(node)
        self.open.append(node)

    def end(self, tag: str) -> None:
        self.open.pop()

    def entity(self, name: str, *_: object) -> None:
        where = Where(self.file, self.reader.CurrentLineNumber)
        raise InvalidConfig([Problem(where, "XML", f"declares the entity {name}", "write its text instead")])


def inputs(path: Path) -> list[Path]:
    """The XML files that make up a Factory configuration, in merge order."""
    return [path, *sorted((path.parent / "config.d").glob("*.xml"))]


def parse_factory(path: Path, problems: Problems, read: Read = Path.read_bytes) -> Node:
    """The main file with `config.d/*.xml` beside it merged over it."""
    root = parse(path, read)
    for extra in inputs(path)[1:]:
        other = parse(extra, read)
        if other.tag != root.tag:
            problems.error(other.where, other.tag, f"the root element must be <{root.tag}>")
            continue
        _merge(root, other)
    return root


def _merge(into: Node, other: Node) -> None:
    into.attrs |= other.attrs
    for child in other.children:
        mine = next((c for c in into.children if c.tag == child.tag), None)
        if mine is None:
            into.children.append(child)
        elif child.tag in LIST_KEYS:
            _merge_list(mine, child, LIST_KEYS[child.tag])
        else:
            _merge(mine, child)


def _merge_list(into: Node, other: Node, keys: tuple[str, ...]) -> None:
    def key(node: Node) -> tuple[str, ...]:
        return (node.tag, *(node.attrs.get(k, "default") for k in keys))

    places = {key(c): n for n, c in enumerate(into.children)}
    for child in other.children:
        if key(child) in places:
            into.children[places[key(child)]] = child
        else:
            places[key(child)] = len(into.children)
            into.children.append(child)
