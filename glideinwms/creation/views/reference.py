"""Views of the models: the reference of every option, RELAX NG for editors, JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, get_args, get_origin
from xml.sax.saxutils import quoteattr

from pydantic_core import PydanticUndefined

from glideinwms.creation.xml.elements import Element, shape
from glideinwms.creation.xml.factory_model import Factory
from glideinwms.creation.xml.frontend_model import Frontend
from glideinwms.creation.xml.gwms_toml import FactoryOwn, FrontendOwn

ROOTS: dict[str, tuple[str, type[Element]]] = {
    "factory": ("glidein", Factory),
    "frontend": ("frontend", Frontend),
}
HEAD = (
    "<!-- Written by `python -m glideinwms.creation.views.reference options`. -->\n# Every option\n"
)
BOOLEAN = (
    '<value>True</value><value>False</value><data type="token"><param name="pattern">'
    "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]</param></data>"
)
RNG = '<grammar xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">'


def options() -> str:
    """docs/reference/options.md: a table for each element, and one for gwms.toml."""
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
            default = "" if field.default in ("", None) else f"`{field.default}`"
            if required:
                default = "**required**"
            yield name, default, (field.description or "").replace("|", "\\|")


def relaxng(side: str) -> str:
    """A RELAX NG schema (XML syntax) for completion and checks in editors, of whole files and of
    config.d pieces.

    The order of elements is free, as in the parsers. It is written as a repeated choice, not as an
    interleave: of that validators report only that the outermost element fails.
    """
    tag, model = ROOTS[side]
    defines: dict[type[Element], str] = {}
    start = _reference(model, tag, False, defines)
    return "\n".join([RNG, f"<start>{start}</start>", *defines.values(), "</grammar>"]) + "\n"


def _reference(
    model: type[Element], tag: str, item: bool, defines: dict[type[Element], str]
) -> str:
    """<element> that refers to the content of `model`, which is defined once.

    Only an `item` of a list must be whole: of the other elements a piece of config.d may have a
    part.
    """
    if model not in defines:
        defines[model] = ""
        attributes, children = [], []
        for name, (inner, kind) in shape(model).items():
            if kind is None:
                attributes.append(_attribute(model, name, item))
            elif not inner:
                children.append(_reference(kind, name, False, defines))
            else:
                content = _reference(kind, inner, True, defines)
                children.append(
                    f'<element name="{name}"><optional><attribute name="comment"/></optional>'
                    f"<zeroOrMore>{content}</zeroOrMore></element>"
                )
        attributes += (
            ['<optional><attribute name="comment"/></optional>']
            if "comment" not in shape(model)
            else []
        )
        body = (
            f"<zeroOrMore><choice>{''.join(children)}</choice></zeroOrMore>"
            if len(children) > 1
            else ""
        )
        body = body or f"<zeroOrMore>{''.join(children)}</zeroOrMore>" * bool(children)
        defines[model] = (
            f'<define name="{model.__name__}"><interleave>{"".join(attributes)}</interleave>{body}</define>'
        )
    return f'<element name="{tag}"><ref name="{model.__name__}"/></element>'


def _attribute(model: type[Element], name: str, item: bool) -> str:
    field = model.model_fields[name]
    text = f"<a:documentation xmlns:a={quoteattr('http://relaxng.org/ns/compatibility/annotations/1.0')}>"
    help_text = text + _escaped(field.description or "") + "</a:documentation>"
    body = f'<attribute name="{name}">{help_text}{_content(field.annotation, field.metadata)}</attribute>'
    required = item and (field.is_required() or field.default is ...)
    return body if required else f"<optional>{body}</optional>"


def _content(annotation: Any, metadata: Iterable[Any]) -> str:
    """What a value may be."""
    if get_origin(annotation) is Literal:
        return f"<choice>{''.join(f'<value>{v}</value>' for v in get_args(annotation))}</choice>"
    kinds = {
        get_args(k)[0] if get_origin(k) is Annotated else k
        for k in get_args(annotation) or (annotation,)
    }
    optional = type(None) in kinds
    known = kinds & {bool, int, float}
    if not known:
        return "<text/>"
    kind = next(iter(known))
    if kind is bool:
        data = BOOLEAN
    else:
        least = next(
            (m.ge for m in metadata if getattr(m, "ge", None) is not None), 0 if optional else None
        )
        limit = "" if least is None else f'<param name="minInclusive">{least}</param>'
        data = f'<data type="{"integer" if kind is int else "double"}">{limit}</data>'
    empty = "<value></value><value>None</value>" if optional else ""
    return f"<choice>{empty}{data}</choice>" if optional or kind is bool else data


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
        sys.exit(
            "usage: python -m glideinwms.creation.views.reference options | rng SIDE | json SIDE"
        )


if __name__ == "__main__":
    main()
