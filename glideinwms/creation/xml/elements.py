"""The base of the typed configuration, and loading a node tree into it with every problem placed.

A model's field is an XML attribute, a child element (another model) or, made by `items`, a container element whose
children are models. The field's description is its help text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from glideinwms.creation.xml.problems import NOWHERE, Problems, Where, did_you_mean
from glideinwms.creation.xml.source import Node

M = TypeVar("M", bound="Element")
Known = Mapping[str, tuple[str, "type[Element] | None"]]
ROUNDS = 4
# places that a hint names
NAMED = 4
ENTRIES = ("entry", "entry_set")
# names of old Factory files, and what to do
LEGACY = {
    "downtimes": "give downtimes by `gwms downtime add`",
    "glexec": "pilots use no glexec: remove it",
    "use_condor_g": "pilots always go through it: remove it",
    "allowed_job_proxy_source": "every credential comes with its request: remove it",
}
# placeholders of the templates, those of GlideinWMS 3.10 included
PLACEHOLDER = re.compile(r"\b(FACTORY|FRONTEND|CE|POOL|SCHEDD)_(HOST|HOSTNAME|NAME)\b|CHANGEME")
SHORTEST_PLACEHOLDER = len("CE_HOST")
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
# how nearly all files write them
USUAL = {"True": True, "False": False}
# of an XML name: it is an attribute
ATTRIBUTE: tuple[str, None] = ("", None)


class Element(BaseModel):
    """One XML element; `where` is its place."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    where: Any = Field(NOWHERE, exclude=True, repr=False)


def _bool(value: Any) -> Any:
    if isinstance(value, str):
        if value in USUAL:
            return USUAL[value]
        word = value.strip().lower()
        if word in TRUE:
            return True
        if word in FALSE:
            return False
        raise ValueError(f"must be True or False, not {value!r}")
    return value


def _number(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _unset(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip() in ("", "None") else _number(value)


def _unset_bool(value: Any) -> Any:
    return _bool(_unset(value))


def _one_line(value: Any) -> Any:
    return re.sub(r"[\r\n]+", " ", value) if isinstance(value, str) else value


# an expression may be written on several lines
Expr = Annotated[str, BeforeValidator(_one_line)]
Bool = Annotated[bool, BeforeValidator(_bool)]
OptBool = Annotated[bool | None, BeforeValidator(_unset_bool)]
Int = Annotated[int, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0)]
Number = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
OptCount = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_unset)]
OptNumber = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, BeforeValidator(_unset)
]


def opt(default: Any, text: str) -> Any:
    """An attribute or element with a default and its help."""
    return Field(default, description=text)


def req(text: str) -> Any:
    """An attribute that must be given and not be empty."""
    return Field(min_length=1, description=text)


def items(tag: str, text: str) -> Any:
    """A container element: its children are `tag` elements."""
    return Field(default_factory=tuple, description=text, json_schema_extra={"item": tag})


@functools.cache
def shape(model: type[Element]) -> dict[str, tuple[str, type[Element] | None]]:
    """XML name -> ("", None) for an attribute, ("", model) for a child, (item tag, model) for a
    container.
    """
    out: dict[str, tuple[str, type[Element] | None]] = {}
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        item = str(extra.get("item", ""))
        if item:
            out[name] = (item, info.annotation.__args__[0])  # type: ignore[union-attr]
        elif isinstance(info.annotation, type) and issubclass(info.annotation, Element):
            out[name] = ("", info.annotation)
        elif name != "where":
            out[name] = ATTRIBUTE
    return out


def load(node: Node, model: type[M], problems: Problems, *, strict: bool) -> M | None:
    """The model of a tree, or None with the reasons in `problems`. With `strict` an unknown name is
    an error.

    What is wrong is left out (an attribute, or the list item that lacks one) and the rest loaded,
    so that all that is wrong with the file is found in one run.
    """
    data = _convert(node, model, problems, strict)
    for turn in range(ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            findings = error.errors(include_url=False)
        for finding in findings:
            # what is missing only now was left out by us
            if turn == 0 or finding["type"] != "missing":
                _place(data, node.tag, finding, model, problems)
        for loc in sorted({_faulty(data, f["loc"]) for f in findings}, key=_from_behind):
            if not loc:
                return None
            _leave_out(data, loc)
    return None


def _faulty(data: Any, loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where to cut: the attribute that is there, else the innermost list item or child that lacks
    it.
    """
    here, depth = data, 0
    for depth, step in enumerate(loc, 1):
        if isinstance(here, dict) and step not in here:
            return tuple(loc[: depth - 1])
        here = here[step]
        if not isinstance(here, dict | list):
            break
    return tuple(loc[:depth])


def _from_behind(loc: tuple[Any, ...]) -> tuple[int, str, int]:
    """Deepest first, and within a list from its end, so that indexes stay true while items go."""
    return (-len(loc), str(loc[:-1]), -loc[-1] if loc and isinstance(loc[-1], int) else 0)


def _leave_out(data: Any, loc: tuple[Any, ...]) -> None:
    here = data
    for step in loc[:-1]:
        here = here[step]
    del here[loc[-1]]


def _convert(node: Node, model: type[Element], problems: Problems, strict: bool) -> dict[str, Any]:
    known = shape(model)
    out: dict[str, Any] = {"where": node.where}
    for name, value in node.attrs.items():
        if known.get(name) is ATTRIBUTE:
            out[name] = value
            if len(value) >= SHORTEST_PLACEHOLDER and (match := PLACEHOLDER.search(value)):
                what = f"{match[0]} is a placeholder of the template"
                problems.warn(node.where, f"{title(node)}@{name}", what, "write the real name")
        elif name != "comment":
            subject = f"{title(node)}@{name}"
            _unknown(
                node.where, subject, name, known, problems, strict, _place_of_attribute(name, known)
            )
    for child in node.children:
        tag, kind = known.get(child.tag, ("", None))
        if kind is None:
            subject = f"{title(node)}/{child.tag}"
            _unknown(
                child.where,
                subject,
                child.tag,
                known,
                problems,
                strict,
                _place_of_child(child.tag, known),
            )
        elif not tag:
            if child.tag in out:
                what = f"is also at {out[child.tag]['where']}; this one alone counts"
                problems.warn(child.where, f"{title(node)}/{child.tag}", what, "write one element")
            out[child.tag] = _convert(child, kind, problems, strict)
        else:
            out.setdefault(child.tag, []).extend(_items(child, tag, kind, problems, strict, known))
    return out


def _place_of_attribute(name: str, known: Known) -> str:
    """Which child has such an attribute."""
    tags = [
        t
        for t, (item, kind) in known.items()
        if kind and not item and shape(kind).get(name) == ("", None)
    ]
    return (
        f"it is an attribute of {' or '.join(f'<{t}>' for t in tags)}"
        if 0 < len(tags) <= NAMED
        else ""
    )


def _place_of_child(tag: str, known: Known) -> str:
    """Which child may have such a child, or which list such an item."""
    if known.get(tag) == ("", None):
        return "it is an attribute, not an element"
    for name, (item, kind) in known.items():
        if item == tag:
            return f"it belongs into <{name}>"
        if kind and not item and tag in shape(kind) and shape(kind)[tag] != ("", None):
            return f"it belongs into <{name}>"
    return ""


def _disabled(node: Node) -> bool:
    return node.tag in ENTRIES and node.attrs.get("enabled", "").strip().lower() in FALSE


def _items(
    node: Node, tag: str, kind: type[Element], problems: Problems, strict: bool, outer: Known
) -> list[dict[str, Any]]:
    for name in node.attrs:
        if name != "comment":
            _unknown(node.where, f"{node.tag}@{name}", name, (), problems, strict)
    items = []
    for child in node.children:
        if child.tag == tag and not _disabled(child):
            items.append(_convert(child, kind, problems, strict))
        elif child.tag == tag:
            with problems.about(disabled=True):
                items.append(_convert(child, kind, problems, strict))
        else:
            belongs = f"it belongs beside <{node.tag}>, not into it" if child.tag in outer else ""
            _unknown(
                child.where, f"{node.tag}/{child.tag}", child.tag, (tag,), problems, strict, belongs
            )
    return items


def _unknown(
    where: Where,
    subject: str,
    name: str,
    known: Any,
    problems: Problems,
    strict: bool,
    belongs: str = "",
) -> None:
    hint = belongs or did_you_mean(name, known)
    if strict:
        problems.error(where, subject, "unknown name", hint)
    else:
        problems.warn(where, subject, "unknown name, ignored", hint or LEGACY.get(name, ""))


def title(node: Node) -> str:
    """`entry[X]` where the element has a name, else its tag."""
    name = next(
        (node.attrs[k] for k in ("name", "alias", "absfname", "group_name") if node.attrs.get(k)),
        "",
    )
    return f"{node.tag}[{name}]" if name else node.tag


def _place(
    data: dict[str, Any], tag: str, finding: Any, model: type[Element], problems: Problems
) -> None:
    where, subject, here, kind = data["where"], tag, data, model
    path = list(finding["loc"])
    while path and isinstance(here, dict) and isinstance(here.get(path[0]), dict | list):
        name = cast(str, path.pop(0))
        item, inner = shape(kind)[name]
        here = here[name]
        if item and path:
            here, name = here[path.pop(0)], item
        kind = inner or kind
        if isinstance(here, dict):
            where = here.get("where", where)
            label = next((here[k] for k in ("name", "alias", "absfname") if here.get(k)), "")
            subject = f"{subject}/{name}[{label}]" if label else f"{subject}/{name}"
    if path:
        attribute = "/".join(str(p) for p in path)
        is_child = shape(kind).get(str(path[0]), ("", None))[1] is not None
        subject += f"/{attribute}" if is_child else f"@{attribute}"
    problems.error(where, subject.partition("/")[2] or subject, _words(finding))


def _words(finding: Any) -> str:
    given, kind = finding.get("input"), finding["type"]
    if kind == "missing":
        return "is required"
    if kind == "string_too_short":
        return "may not be empty"
    text = {
        "int_parsing": "must be an integer",
        "int_from_float": "must be an integer",
        "float_parsing": "must be a number",
        "greater_than_equal": f"must be at least {finding.get('ctx', {}).get('ge', 0):g}",
        "literal_error": f"must be one of {finding.get('ctx', {}).get('expected', '')}",
    }.get(kind)
    if text:
        return f"{text}, not {given!r}"
    return str(finding["msg"]).removeprefix("Value error, ")
