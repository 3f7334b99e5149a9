"""The XML files of a Factory cut at their entries, by their bytes: an entry whose text is as it was is not read again.

Only `entry` elements of the root's first `entries` are cut out. What cannot be cut with certainty stays in its file.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from glideinwms.creation.xml import source
from glideinwms.creation.xml.problems import Problem

# inside `entries` a < begins one of these; there is none in the value of an attribute
TOKEN = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</?entries(?=[\s/>])"
    rb"|</entry\s*>|<entry(?=[\s/>])(?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Slice:
    """One entry: bytes `start` to `end` of `file`, its first and last line, its start tag, and a
    sum of its text.
    """

    file: str
    start: int
    end: int
    line: int
    last: int
    tag: bytes
    digest: str

    @property
    def name(self) -> str:
        """The value of `name`, "" if it cannot be read."""
        found: dict[str, str] = {}
        reader = expat.ParserCreate()
        reader.StartElementHandler = lambda tag, attrs: found.update(attrs)
        try:
            reader.Parse(self.tag if self.tag.endswith(b"/>") else self.tag + b"</entry>", True)
        except expat.ExpatError:
            return ""
        return found.get("name", "")


@dataclass(frozen=True, slots=True)
class Cut:
    """The files of one configuration as they were read, and the entries in them, in their order."""

    texts: Mapping[Path, bytes]
    slices: tuple[Slice, ...]

    def read(self, path: Path) -> bytes:
        """The bytes of one of the files."""
        return self.texts[path] if path in self.texts else path.read_bytes()

    def only(self, kept: Collection[int]) -> Cut:
        """The same without the entries that are not in `kept`; every line keeps its number."""
        gone = [s for n, s in enumerate(self.slices) if n not in kept]
        texts = {
            p: _blanked(t, [s for s in gone if s.file == str(p)]) for p, t in self.texts.items()
        }
        return Cut(texts, self.slices)

    @property
    def rest(self) -> str:
        """A sum of all that is in no entry, and of the files' names."""
        total = hashlib.sha256()
        for path, text in self.texts.items():
            total.update(str(path).encode() + b"\0")
            at = 0
            for one in self.slices:
                if one.file == str(path):
                    total.update(text[at : one.start])
                    at = one.end
            total.update(text[at:] + b"\0")
        return total.hexdigest()

    def concerned(self, problems: Iterable[Problem]) -> tuple[set[int], list[Problem]]:
        """The entries that problems are placed in, and the problems that are in no entry."""
        lines: dict[str, dict[int, list[Problem]]] = {}
        for problem in problems:
            lines.setdefault(problem.where.file, {}).setdefault(problem.where.line, []).append(
                problem
            )
        ordered = {file: sorted(found) for file, found in lines.items()}
        marked, inside = set[int](), set[tuple[str, int]]()
        for n, one in enumerate(self.slices):
            numbers = ordered.get(one.file, [])
            at = bisect.bisect_left(numbers, one.line)
            for line in numbers[at : bisect.bisect_right(numbers, one.last)]:
                marked.add(n)
                inside.add((one.file, line))
        return marked, [
            p
            for f, rows in lines.items()
            for n, found in rows.items()
            for p in found
            if (f, n) not in inside
        ]


def read(path: Path) -> Cut:
    """Cut the main file and those of config.d; a file that cannot be read, or not be cut, has no
    slices.
    """
    texts: dict[Path, bytes] = {}
    found: list[Slice] = []
    for file in source.inputs(path):
        try:
            texts[file] = file.read_bytes()
        except OSError:
            continue
        found += _slices(str(file), texts[file])
    return Cut(texts, tuple(found))


def _slices(file: str, text: bytes) -> list[Slice]:
    at = _entries_at(text)
    # lines are counted by newlines alone
    if at < 0 or b"\r" in text:
        return []
    found: list[Slice] = []
    begun: re.Match[bytes] | None = None
    line, counted = 1, 0
    for token in TOKEN.finditer(text, at + 1):
        word = token[0]
        if word.startswith((b"</entries", b"<entries")):
            break
        if word.startswith(b"</entry") != (begun is not None) and word.startswith(
            (b"</entry", b"<entry")
        ):
            return []
        if word.startswith(b"<entry"):
            begun = token
        elif not word.startswith(b"</entry"):
            continue
        if begun and (word.startswith(b"</entry") or word.endswith(b"/>")):
            line += text.count(b"\n", counted, begun.start())
            last = line + text.count(b"\n", begun.start(), token.end())
            body = text[begun.start() : token.end()]
            found.append(
                Slice(
                    file,
                    begun.start(),
                    token.end(),
                    line,
                    last,
                    begun[0],
                    hashlib.sha256(body).hexdigest()[:32],
                )
            )
            line, counted, begun = last, token.end(), None
    return [] if begun else found


class _Found(Exception):
    """The rest of a file is not needed."""


def _entries_at(text: bytes) -> int:
    """Where the first `entries` child of the root begins, -1 if there is none before what is not
    well-formed.
    """
    reader, depth, at = expat.ParserCreate(), 0, -1

    def start(tag: str, attrs: dict[str, str]) -> None:
        nonlocal depth, at
        depth += 1
        if depth == 2 and tag == "entries":
            at = reader.CurrentByteIndex
            raise _Found

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1

    reader.StartElementHandler, reader.EndElementHandler = start, end
    with contextlib.suppress(_Found, expat.ExpatError):
        reader.Parse(text, True)
    return at


def _blanked(text: bytes, gone: list[Slice]) -> bytes:
    parts, at = list[bytes](), 0
    for one in gone:
        parts += (text[at : one.start], b"\n" * (one.last - one.line))
        at = one.end
    return b"".join((*parts, text[at:]))
