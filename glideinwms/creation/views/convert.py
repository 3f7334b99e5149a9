"""The shortest file that means the same: what equals its default is left out, and so is what has no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from glideinwms.creation.build import factory, frontend
from glideinwms.creation.xml.elements import Element, shape
from glideinwms.creation.xml.problems import Problems

INDENT = "  "
WIDTH = 110
READERS: dict[str, tuple[str, Callable[[Path, Problems], Element]]] = {
    "factory": ("glidein", factory.read),
    "frontend": ("frontend", frontend.read),
}


def convert(xml: Path, side: str, problems: Problems) -> str:
    """The file at `xml` (config.d merged) anew; InvalidConfig if it has an error."""
    tag, read = READERS[side]
    model = read(xml, problems)
    problems.check()
    return write(tag, model)


def write(tag: str, model: Element) -> str:
    """A model as XML that loads as an equal model."""
    return "\n".join(_lines(tag, model, "", always=True)) + "\n"


def _lines(tag: str, model: Element, indent: str, *, always: bool = False) -> Iterator[str]:
    words = [f"{name}={quoteattr(text)}" for name, text in _attributes(model)]
    inner = list(_children(model, indent + INDENT))
    if not words and not inner and not always:
        return
    head = _wrapped(f"{indent}<{tag}", words, indent)
    if not inner:
        yield f"{head}/>"
        return
    yield f"{head}>"
    yield from inner
    yield f"{indent}</{tag}>"


def _wrapped(head: str, words: list[str], indent: str) -> str:
    lines = [head]
    for word in words:
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append(indent + INDENT * 2 + word)
        else:
            lines[-1] += f" {word}"
    return "\n".join(lines)


def _attributes(model: Element) -> Iterator[tuple[str, str]]:
    for name, (_, kind) in shape(type(model)).items():
        field = type(model).model_fields[name]
        value = getattr(model, name)
        if (
            kind is None
            and value is not None
            and (field.is_required() or field.default is ... or value != field.default)
        ):
            yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _children(model: Element, indent: str) -> Iterator[str]:
    for name, (item, kind) in shape(type(model)).items():
        value = getattr(model, name)
        if kind is None:
            continue
        if not item:
            # a child that is required by its parent's default (the stage) differs from its own
            # defaults
            if value != type(model).model_fields[name].default:
                yield from _lines(name, value, indent, always=True)
        elif value:
            yield f"{indent}<{name}>"
            for child in value:
                yield from _lines(item, child, indent + INDENT, always=True)
            yield f"{indent}</{name}>"
