"""Explain why an XML file is not well-formed, at the line where the mistake was probably made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.parsers import expat

from glideinwms.creation.xml.problems import Problem, Where, did_you_mean

HEAD = "is not well-formed: "
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
CLOSING = re.compile(rb"</\s*([^\s>]+)")
# a start tag as far as it goes
BEGUN = re.compile(rb"<[^\s<>/!?][^<]*")
MISMATCHED, UNCLOSED, NO_ELEMENT = 7, 5, 3


class OpenTag(NamedTuple):
    """A start tag without its end tag."""

    tag: str
    line: int


def explain(
    file: str, data: bytes, error: expat.ExpatError, at: int, still_open: Sequence[OpenTag]
) -> Problem:
    """The problem of a parser's error at byte `at`; `still_open` are the open tags, the innermost
    last.
    """
    begun = _comment(data, at, error.code)
    if begun >= 0:
        line = _line(data, begun)
        end = "the end" if error.code in (UNCLOSED, NO_ELEMENT) else f"line {error.lineno}"
        what = f"the comment that begins here is not closed before {end}"
        return Problem(
            Where(file, line), "XML", HEAD + what, "close it with -->; a comment may not contain --"
        )
    inner = still_open[-1] if still_open else None
    if inner and error.code == MISMATCHED:
        return _mismatched(file, data, error, at, inner)
    if inner and error.code in (UNCLOSED, NO_ELEMENT):
        what = f"the file ends, but <{inner.tag}> of this line is not closed"
        return Problem(
            Where(file, inner.line), "XML", HEAD + what, f"write </{inner.tag}> where it ends"
        )
    line = _open_quote(data, at)
    if line:
        what = f"an attribute's value begun in the tag of this line runs into line {error.lineno}"
        return Problem(
            Where(file, line), "XML", HEAD + what, "a quote is probably missing; write &lt; for <"
        )
    text = expat.ErrorString(error.code)
    hint = _hint(data, at)
    return Problem(Where(file, error.lineno), "XML", f"{HEAD}{text}{_near(data, at)}", hint)


def _mismatched(
    file: str, data: bytes, error: expat.ExpatError, at: int, inner: OpenTag
) -> Problem:
    match = CLOSING.search(data, data.rfind(b"</", 0, at + 2))
    closing = match[1].decode(errors="replace") if match else "?"
    what = (
        f"</{closing}> of line {error.lineno}, but <{inner.tag}> of line {inner.line} is still open"
    )
    misspelt = bool(did_you_mean(closing, (inner.tag,)))
    where = Where(file, error.lineno if misspelt else inner.line)
    hint = (
        f"write </{inner.tag}>" if misspelt else f"close <{inner.tag}>, or remove the </{closing}>"
    )
    return Problem(where, "XML", f"{HEAD}mismatched tag {what}", hint)


def _comment(data: bytes, at: int, code: int) -> int:
    """Where a comment begins that is open at byte `at`, or -1."""
    end = len(data) if code in (UNCLOSED, NO_ELEMENT) else at + 1
    done = 0
    while (begun := data.find(b"<!--", done, max(end, done))) >= 0:
        match = COMMENT.match(data, begun)
        if match is None or match.end() > end:
            return begun
        done = match.end()
    return -1


def _open_quote(data: bytes, at: int) -> int:
    """The line of the tag in which a quoted value is open at byte `at` on a later line, or 0."""
    if data[at : at + 1] != b"<" and data[at - 1 : at] not in (b'"', b"'"):
        return 0
    tags = [m for m in BEGUN.finditer(data, max(0, at - 2000), at)]
    if not tags:
        return 0
    tag = tags[-1]
    line = _line(data, tag.start())
    return line if _quoted(data[tag.start() : at]) and line != _line(data, at) else 0


def _quoted(text: bytes) -> bool:
    """Whether a value is open at the end of a piece of a tag."""
    inside = b""
    for quote in re.findall(rb"[\"']", text):
        if not inside or quote == inside:
            inside = b"" if inside else quote
    return bool(inside)


def _near(data: bytes, at: int) -> str:
    """The text at the place, for a person who looks for it."""
    text = data[max(0, at - 20) : at + 20].decode(errors="replace").split("\n")
    return f" near {' '.join(' '.join(text).split())!r}" if "".join(text).strip() else ""


def _hint(data: bytes, at: int) -> str:
    before = data[max(0, at - 200) : at + 1]
    if b"&" in before[-3:]:
        return "write &amp; for &"
    if before[-1:] == b"<" or before[-2:-1] == b"<":
        return "write &lt; for <"
    return "look for a missing quote, blank, = or > there"


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
