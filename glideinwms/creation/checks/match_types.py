"""Find comparisons in a match expression that can never hold, from the declared types of what it reads.

A match_attr has a type, so `job["RequestCpus"] <= glidein["attrs"]["GLIDEIN_CPUS"]` is known beforehand to compare a
number with text. In Python that is an error, and an error matches nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TEXT, NUMBER, LIST, UNKNOWN = "text", "a number", "a list", ""
KIND_OF_TYPE = {"string": TEXT, "int": NUMBER, "real": NUMBER, "bool": NUMBER}
NUMBERS = frozenset({"int", "float", "len", "round", "abs", "sum", "getGlideinCpusNum"})
KIND_OF_CALL = {**dict.fromkeys(NUMBERS, NUMBER), "str": TEXT}
OF_TEXT = {
    **dict.fromkeys(("lower", "upper", "strip", "lstrip", "rstrip", "replace", "join"), TEXT),
    **dict.fromkeys(("find", "count", "index"), NUMBER),
    **dict.fromkeys(("split", "rsplit"), LIST),
    **dict.fromkeys(("startswith", "endswith", "isdigit"), NUMBER),
}
GLIDEIN_PARTS = frozenset({"attrs", "params", "monitor"})


@dataclass(frozen=True, slots=True)
class Declared:
    """The types of match_attrs by name, and the Frontend's own attrs."""

    job: Mapping[str, str]
    glidein: Mapping[str, str]
    attr_dict: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a part of an expression never holds, and what to write instead."""

    what: str
    hint: str


def mismatches(text: str, declared: Declared) -> list[Mismatch]:
    """Every mismatch in a valid expression."""
    tree = ast.parse(text.strip().replace("\n", " "), mode="eval")
    return list(dict.fromkeys(m for node in ast.walk(tree) for m in _of(node, declared)))


def _of(node: ast.AST, declared: Declared) -> Iterator[Mismatch]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
            yield from _comparison(node, left, op, right, declared)
    elif isinstance(node, ast.BinOp):
        kinds = {_kind(node.left, declared), _kind(node.right, declared)}
        if kinds == {TEXT, NUMBER} or (TEXT in kinds and not isinstance(node.op, ast.Add)):
            what = f"{ast.unparse(node)} calculates with text"
            yield Mismatch(what, 'write int(...), or give the match_attr type="int"')
    elif isinstance(node, ast.Call):
        yield from _call(node, declared)
    elif isinstance(node, ast.Subscript):
        yield from _without_part(node.value, node.slice, node)


def _comparison(
    whole: ast.expr, left: ast.expr, op: ast.cmpop, right: ast.expr, declared: Declared
) -> Iterator[Mismatch]:
    text = ast.unparse(whole)
    one = _kind(left, declared)
    if isinstance(op, ast.In | ast.NotIn):
        if isinstance(right, ast.Name) and right.id == "glidein" and isinstance(left, ast.Constant):
            yield from _without_part(right, left, whole)
        if isinstance(right, ast.List | ast.Tuple | ast.Set):
            others = {_kind(item, declared) for item in right.elts}
            if one in (TEXT, NUMBER) and others == {NUMBER if one == TEXT else TEXT}:
                yield _told(text, one, others.pop())
        elif _kind(right, declared) == NUMBER:
            yield Mismatch(
                f"{text} looks into a number",
                'compare with ==, or give the match_attr type="string"',
            )
        elif one == NUMBER and _kind(right, declared) == TEXT:
            yield _told(text, one, TEXT)
        return
    if isinstance(op, ast.Is | ast.IsNot):
        return
    other = _kind(right, declared)
    if one and other and one != other:
        yield _told(text, one, other)


def _told(text: str, one: str, other: str) -> Mismatch:
    hint = "write int(...) or str(...) around one side, or correct the type of the match_attr"
    return Mismatch(f"{text} compares {one} with {other}, which never matches", hint)


def _call(node: ast.Call, declared: Declared) -> Iterator[Mismatch]:
    func = node.func
    if not isinstance(func, ast.Attribute):
        return
    if func.attr in OF_TEXT and _kind(func.value, declared) == NUMBER:
        hint = 'write str(...) around it, or give the match_attr type="string"'
        yield Mismatch(f"{ast.unparse(node)} treats a number as text, which never matches", hint)
    if func.attr == "get" and node.args:
        yield from _without_part(func.value, node.args[0], node)
        named = _declared(func.value, node.args[0], declared)
        default = _kind(node.args[1], declared) if len(node.args) > 1 else UNKNOWN
        if named and default and named != default:
            what = f"{ast.unparse(node)} is {named}, but its default is {default}"
            yield Mismatch(
                what, "write a default of the same type, or correct the type of the match_attr"
            )


def _without_part(base: ast.expr, key: ast.expr, whole: ast.expr) -> Iterator[Mismatch]:
    """`glidein["X"]`: what entries publish is in `glidein["attrs"]`."""
    if not (isinstance(base, ast.Name) and base.id == "glidein" and isinstance(key, ast.Constant)):
        return
    if isinstance(key.value, str) and key.value not in GLIDEIN_PARTS:
        what = (
            f"{ast.unparse(whole)} never finds {key.value}: a glidein has attrs, params and monitor"
        )
        yield Mismatch(what, f'write glidein["attrs"]["{key.value}"]')


def _kind(node: ast.expr, declared: Declared) -> str:
    """Text, a number, a list, or unknown."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return TEXT
        return NUMBER if isinstance(node.value, int | float) else UNKNOWN
    if isinstance(node, ast.Subscript):
        return _declared(node.value, node.slice, declared)
    if isinstance(node, ast.UnaryOp):
        return NUMBER
    if isinstance(node, ast.IfExp):
        kinds = {_kind(node.body, declared), _kind(node.orelse, declared)}
        return kinds.pop() if len(kinds) == 1 else UNKNOWN
    if isinstance(node, ast.BinOp):
        kinds = {_kind(node.left, declared), _kind(node.right, declared)}
        return kinds.pop() if len(kinds) == 1 else UNKNOWN
    if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.ListComp | ast.SetComp):
        return LIST
    return _kind_of_call(node, declared) if isinstance(node, ast.Call) else UNKNOWN


def _kind_of_call(node: ast.Call, declared: Declared) -> str:
    func = node.func
    if isinstance(func, ast.Name):
        return KIND_OF_CALL.get(func.id, UNKNOWN)
    if not isinstance(func, ast.Attribute):
        return UNKNOWN
    if func.attr != "get":
        return OF_TEXT.get(func.attr, UNKNOWN)
    kind = _declared(func.value, node.args[0], declared) if node.args else UNKNOWN
    default = _kind(node.args[1], declared) if len(node.args) > 1 else kind
    return kind if default == kind else UNKNOWN


def _declared(base: ast.expr, key: ast.expr, declared: Declared) -> str:
    """The kind of `job["X"]`, `glidein["attrs"]["X"]`, `attr_dict["X"]`, or unknown."""
    if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
        return UNKNOWN
    if isinstance(base, ast.Name) and base.id in ("job", "attr_dict"):
        types = declared.job if base.id == "job" else declared.attr_dict
    elif isinstance(base, ast.Subscript) and ast.unparse(base) == "glidein['attrs']":
        types = declared.glidein
    else:
        return UNKNOWN
    return KIND_OF_TYPE.get(types.get(key.value, ""), UNKNOWN)
