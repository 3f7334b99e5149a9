"""Views of the models: the reference of every option, RELAX NG for editors, JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin
from xml.sax.saxutils import quoteattr

from pydantic_core import PydanticUndefined

from glideinwms.creation.elements import Element, shape
from glideinwms.creation.factory_model import Factory
from glideinwms.creation.frontend_model import Frontend
from glideinwms.creation.own import FactoryOwn, FrontendOwn

ROOTS: dict[str, tuple[str, type[Element]]] = {"factory": ("glidein", Factory), "frontend": ("frontend", Frontend)}
HEAD = "<!-- Written by `python -m glideinwms.creation.reference options`. -->\n# Every option\n"
RNG = (
    '<grammar xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">'
)


def options() -> str:
    """docs/options.md: a table for each element, and one for gwms.toml."""
    out = [HEAD]
    for side, (tag, model) in ROOTS.items():
        out.append(f"\n## The {side.capitalize()}'s file\n")
        for path, element in _elements(tag, model):
            out.append(f"\n### `{path}`\n\n{(element.__doc__ or '').strip()}\n")
            rows = list(_attributes(element))
            if rows:
                out.append("\n| attribute | default | meaning |\n|---|---|---|\n")
                out += [f"| {name} | {default} | {text} |\n" for name, default, text in rows]
    out.append("\n## gwms.toml\n")
    for side, own in (("factory", FactoryOwn), ("frontend", FrontendOwn)):
        out.append(f"\n### `[{side}]`\n\n| option | default | meaning |\n|---|---|---|\n")
        out += [f"| {n} | {f.default!r} | {f.description} |\n" for n, f in own.model_fields.items()]
    return "".join(out)


def _elements(path: str, model: type[Element]) -> Iterator[tuple[str, type[Element]]]:
    """(path, model) of an element and all below it."""
    yield path, model
    for name, (item, kind) in shape(model).items():
        if kind is not None:
            yield from _elements(f"{path}/{name}/{item}" if item else f"{path}/{name}", kind)


def _attributes(model: type[Element]) -> Iterator[tuple[str, str, str]]:
    for name, (_, kind) in shape(model).items():
        if kind is None:
            field = model.model_fields[name]
            required = field.default is PydanticUndefined or field.default is ...
            default = "**required**" if required else f"`{field.default}`" if field.default not in ("", None) else ""
            yield name, default, (field.description or "").replace("|", "\\|")


def relaxng(side: str) -> str:
    """A RELAX NG schema (XML syntax) for completion in editors; element order is free, as in the parsers."""
    tag, model = ROOTS[side]
    names: dict[type[Element], str] = {}
    defines: list[str] = []
    start = _reference(model, tag, names, defines)
    return "\n".join([RNG, f"<start>{start}</start>", *defines, "</grammar>"]) + "\n"


def _reference(model: type[Element], tag: str, names: dict[type[Element], str], defines: list[str]) -> str:
    """<element> that refers to the content of `model`, which is defined once."""
    if model not in names:
        names[model] = model.__name__
        parts = []
        for name, (item, kind) in shape(model).items():
            if kind is None:
                parts.append(_attribute(model, name))
            elif not item:
                parts.append(f"<optional>{_reference(kind, name, names, defines)}</optional>")
            else:
                inner = _reference(kind, item, names, defines)
                parts.append(
                    f'<optional><element name="{name}"><optional><attribute name="comment"/></optional>'
                    f"<zeroOrMore>{inner}</zeroOrMore></element></optional>"
                )
        parts.append('<optional><attribute name="comment"/></optional>' if "comment" not in shape(model) else "")
        defines.append(f'<define name="{names[model]}"><interleave>{"".join(parts)}</interleave></define>')
    return f'<element name="{tag}"><ref name="{names[model]}"/></element>'


def _attribute(model: type[Element], name: str) -> str:
    field = model.model_fields[name]
    values: Any = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    choice = "".join(f"<value>{v}</value>" for v in values)
    inner = f"<choice>{choice}</choice>" if choice else "<text/>"
    text = f"<a:documentation xmlns:a={quoteattr('http://relaxng.org/ns/compatibility/annotations/1.0')}>"
    help_text = text + _escaped(field.description or "") + "</a:documentation>"
    body = f'<attribute name="{name}">{help_text}{inner}</attribute>'
    return body if field.is_required() or field.default is ... else f"<optional>{body}</optional>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def json_schema(side: str) -> str:
    """JSON Schema of the typed configuration."""
    data = ROOTS[side][1].model_json_schema()
    for model in (data, *data["$defs"].values()):
        model["properties"].pop("where", None)
    return json.dumps(data, indent=1) + "\n"


def main() -> None:
    """`options`, `rng SIDE` or `json SIDE`, to standard output."""
    import sys

    what, side = (*sys.argv[1:], "", "")[:2]
    if what == "options":
        sys.stdout.write(options())
    elif what in ("rng", "json") and side in ROOTS:
        sys.stdout.write(relaxng(side) if what == "rng" else json_schema(side))
    else:
        sys.exit("usage: python -m glideinwms.creation.reference options | rng SIDE | json SIDE")


if __name__ == "__main__":
    main()
