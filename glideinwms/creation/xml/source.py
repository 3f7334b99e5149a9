"""XML files as located nodes; config.d files merged over the main Factory file (config 1).

Entities are refused. Merged lists keep file order: a later item with an equal key replaces the earlier in
its place, new ones are appended (the deployed program sorts such a list).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from glideinwms.creation.xml.problems import InvalidConfig, Problem, Problems, Where
from glideinwms.creation.xml.well_formed import OpenTag, explain

Read = Callable[[Path], bytes]
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
# what stray text looks like; a > within a value looks the same, and the parser tells them apart
MAYBE_TEXT = re.compile(rb">\s*[^\s<]|<!\[CDATA\[")
# characters of stray text that a message repeats
MAX_SHOWN = 40
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


def parse(path: Path, read: Read = Path.read_bytes, problems: Problems | None = None) -> Node:
    """The tree of one file; InvalidConfig with file:line if it is not well-formed or declares
    entities.

    Text inside elements, which has no meaning in these files, is an error in `problems`.
    """
    try:
        data = read(path)
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise InvalidConfig([Problem(Where(str(path), 0), "XML", what)]) from error
    reader = expat.ParserCreate()
    # a comment that is not closed would be searched to the end of the file at each "<!--"
    closed = data.rfind(b"-->") + 3
    code = COMMENT.sub(b"", data[:closed]) + data[closed:]
    grower = _Grower(str(path), reader, with_text=bool(MAYBE_TEXT.search(code)))
    try:
        reader.Parse(data, True)
    except expat.ExpatError as error:
        still_open = [OpenTag(n.tag, n.where.line) for n in grower.open[1:]]
        raise InvalidConfig(
            [explain(str(path), data, error, reader.ErrorByteIndex, still_open)]
        ) from error
    except (LookupError, ValueError) as error:
        what = f"is in an encoding that cannot be read: {error}"
        raise InvalidConfig(
            [Problem(Where(str(path), 1), "XML", what, "save it as UTF-8")]
        ) from error
    if problems is not None:
        problems.found += grower.stray
    return grower.root


class _Grower:
    """Builds nodes from the parser's events; equal attribute names and values share one string."""

    def __init__(self, file: str, reader: expat.XMLParserType, *, with_text: bool) -> None:
        self.file, self.reader = file, reader
        self.root = Node("", {}, Where(file, 0))
        self.open = [self.root]
        self.words: dict[str, str] = {}
        self.stray: list[Problem] = []
        reader.StartElementHandler, reader.EndElementHandler = self.start, self.end
        reader.EntityDeclHandler = self.entity
        reader.ordered_attributes = False
        # a call for the blanks of every line would take a fifth of the time
        if with_text:
            reader.CharacterDataHandler = self.text
            # without a handler, the text on both sides of a comment would come as one
            reader.CommentHandler = self.comment
            reader.buffer_text = True

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

    def text(self, data: str) -> None:
        if data.isspace():
            return
        # the reader stands at what comes after the text
        line = self.reader.CurrentLineNumber - data.lstrip().count("\n")
        word = " ".join(data.split())
        word = word if len(word) <= MAX_SHOWN else f"{word[:MAX_SHOWN]}..."
        what = f"{word!r} is text, which has no meaning here"
        hint = "write it as an attribute or element, or as <!-- a comment -->"
        self.stray.append(Problem(Where(self.file, line), self.open[-1].tag, what, hint))

    def comment(self, text: str) -> None:
        pass

    def entity(self, name: str, *_: object) -> None:
        where = Where(self.file, self.reader.CurrentLineNumber)
        raise InvalidConfig(
            [Problem(where, "XML", f"declares the entity {name}", "write its text instead")]
        )


def inputs(path: Path) -> list[Path]:
    """The XML files that make up a Factory configuration, in merge order."""
    return [path, *sorted((path.parent / "config.d").glob("*.xml"))]


def parse_factory(path: Path, problems: Problems, read: Read = Path.read_bytes) -> Node:
    """The main file with `config.d/*.xml` beside it merged over it."""
    roots: list[Node] = []
    broken: list[Problem] = []
    for file in inputs(path):
        try:
            roots.append(parse(file, read, problems))
        except InvalidConfig as error:
            broken += error.problems
    if broken:
        raise InvalidConfig([*broken, *problems.errors])
    root = roots[0]
    for other in roots[1:]:
        if other.tag != root.tag:
            problems.error(other.where, other.tag, f"the root element must be <{root.tag}>")
            continue
        _merge(root, other, problems)
    return root


def _merge(into: Node, other: Node, problems: Problems) -> None:
    into.attrs |= other.attrs
    for child in other.children:
        mine = next((c for c in into.children if c.tag == child.tag), None)
        if child.tag in LIST_KEYS:
            _repeated(child, problems)
        if mine is None:
            into.children.append(child)
        elif child.tag in LIST_KEYS:
            _merge_list(mine, child, LIST_KEYS[child.tag])
        else:
            _merge(mine, child, problems)


def _key(node: Node, keys: tuple[str, ...]) -> tuple[str, ...]:
    return (node.tag, *(node.attrs.get(k, "default") for k in keys))


def _repeated(node: Node, problems: Problems) -> None:
    """An item that is twice in one file would replace the first without a word."""
    seen: dict[tuple[str, ...], Where] = {}
    for child in node.children:
        key = _key(child, LIST_KEYS[node.tag])
        first = seen.setdefault(key, child.where)
        if first is child.where:
            continue
        name = "-".join(key[1:])
        if node.tag in ("entries", "entry_sets"):
            problems.error(
                child.where, f"entry[{name}]@name", f"is also the name of the entry at {first}"
            )
        else:
            problems.warn(
                child.where, f"{child.tag}[{name}]", f"is also at {first}; this one counts"
            )


def _merge_list(into: Node, other: Node, keys: tuple[str, ...]) -> None:
    places = {_key(c, keys): n for n, c in enumerate(into.children)}
    for child in other.children:
        if _key(child, keys) in places:
            into.children[places[_key(child, keys)]] = child
        else:
            places[_key(child, keys)] = len(into.children)
            into.children.append(child)
