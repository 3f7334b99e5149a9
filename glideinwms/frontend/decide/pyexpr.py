"""Match expressions in Python: a listed subset, checked node by node before anything of it can run (decision 21).

What passes the check cannot reach anything but `job`, `glidein`, `attr_dict` and harmless built-ins; it is then
compiled to code. What does not is refused with file:line and what to write instead.
"""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from glideinwms.lib.errors import ConfigError

MAX_SIZE, MAX_DEPTH = 20_000, 50
NAMES = frozenset({"job", "glidein", "attr_dict", "getGlideinCpusNum", "re", "True", "False", "None"})
CALLS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "len": len, "abs": abs, "min": min, "max": max, "sum": sum,
    "round": round, "sorted": sorted, "set": set, "list": list, "tuple": tuple, "dict": dict, "any": any, "all": all,
    "range": range, "isinstance": isinstance,
}  # fmt: skip
METHODS = frozenset(
    [
        "get",
        "keys",
        "values",
        "items",
        "split",
        "rsplit",
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "startswith",
        "endswith",
        "find",
        "count",
        "replace",
        "join",
        "index",
        "isdigit",
    ]
)
RE_FUNCTIONS = frozenset({"match", "search", "fullmatch"})
NODES = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not,
    ast.USub, ast.UAdd, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is,
    ast.IsNot, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.IfExp, ast.Subscript,
    ast.Slice, ast.Call, ast.keyword, ast.Attribute, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.comprehension,
)  # fmt: skip
GLIDEIN_PARTS = ("attrs", "params", "monitor")


@dataclass(frozen=True, slots=True)
class Reads:
    """What a conjunct looks at: job attributes, and (part, name) pairs of the glidein; None means all of it."""

    job: tuple[str, ...] | None
    glidein: tuple[tuple[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One factor of the match law, ready to run: `test(job, glidein, attr_dict)`."""

    text: str
    origin: str
    reads: Reads
    test: Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Any]


def cpus(attrs: Mapping[str, Any]) -> int:
    """CPUs of an entry (protocol 5.5): a positive GLIDEIN_CPUS, else GLIDEIN_ESTIMATED_CPUS, else 1."""
    try:
        number = int(attrs.get("GLIDEIN_CPUS", 1))
    except (TypeError, ValueError):
        number = 0
    if number > 0:
        return number
    try:
        return int(attrs.get("GLIDEIN_ESTIMATED_CPUS", 1))
    except (TypeError, ValueError):
        return 1


def cpus_of_glidein(glidein: Mapping[str, Any]) -> int:
    """`getGlideinCpusNum(glidein)` of the expressions."""
    return cpus(glidein["attrs"])


def conjuncts(text: str, origin: str) -> list[Conjunct]:
    """Split an expression at its top-level ANDs and compile each part; a ConfigError names what is not allowed."""
    if len(text) > MAX_SIZE:
        raise ConfigError(f"expression of {len(text)} characters", where=origin, hint=f"{MAX_SIZE} are allowed")
    try:
        tree = ast.parse(text.strip().replace("\n", " "), mode="eval")
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ConfigError(f"is not a Python expression: {error}", where=origin) from error
    _check(tree, origin)
    return [_compile(part, origin) for part in _factors(tree.body)]


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [factor for value in node.values for factor in _factors(value)]
    return [node]


def _check(tree: ast.Expression, origin: str) -> None:
    bound = {
        n.id for c in ast.walk(tree) if isinstance(c, ast.comprehension) for n in ast.walk(c.target)
        if isinstance(n, ast.Name)
    }  # fmt: skip
    stack: list[tuple[ast.AST, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ConfigError("expression is nested too deeply", where=origin, hint=f"{MAX_DEPTH} levels are allowed")
        problem = _problem(node, bound)
        if problem:
            raise ConfigError(problem[0], where=origin, hint=problem[1])
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))


def _problem(node: ast.AST, bound: set[str]) -> tuple[str, str] | None:
    if not isinstance(node, NODES):
        return f"{type(node).__name__} is not allowed in a match expression", "put it into a policy file"
    if isinstance(node, ast.Name) and node.id not in NAMES | set(CALLS) | bound:
        return f"unknown name {node.id!r}", "use job, glidein, attr_dict or getGlideinCpusNum(glidein)"
    if isinstance(node, ast.Name) and node.id in bound & (NAMES | set(CALLS)):
        return f"{node.id!r} may not be bound anew", "choose another name"
    if isinstance(node, ast.Attribute):
        of_re = isinstance(node.value, ast.Name) and node.value.id == "re"
        if node.attr not in (RE_FUNCTIONS if of_re else METHODS):
            return f".{node.attr} is not allowed", 'read attributes as job.get("X") or glidein["attrs"].get("X")'
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and not _numbers(node):
        return "only numbers may be multiplied by a literal", "write the value out"
    if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name | ast.Attribute):
        return "only named functions and methods can be called", ""
    return None


def _numbers(node: ast.BinOp) -> bool:
    sides = [s.value for s in (node.left, node.right) if isinstance(s, ast.Constant)]
    return all(isinstance(s, int | float) and abs(s) < 1e12 for s in sides)


def _compile(node: ast.expr, origin: str) -> Conjunct:
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg("job"), ast.arg("glidein"), ast.arg("attr_dict")], kwonlyargs=[], kw_defaults=[],
        defaults=[],
    )  # fmt: skip
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, node)))
    code = compile(tree, origin or "match_expr", "eval")
    body = next(c for c in code.co_consts if isinstance(c, types.CodeType))
    scope = {"__builtins__": {}, **CALLS, "re": re, "getGlideinCpusNum": cpus_of_glidein}
    return Conjunct(ast.unparse(node), origin, _reads(node), types.FunctionType(body, scope))


def _reads(node: ast.expr) -> Reads:
    finder = _Finder()
    finder.visit(node)
    job = None if finder.whole_job else tuple(sorted(finder.job))
    return Reads(job, None if finder.whole_glidein else tuple(sorted(finder.glidein)))


class _Finder(ast.NodeVisitor):
    """Collects what is read as job["X"], job.get("X"), "X" in job, glidein["attrs"]["X"], glidein["attrs"].get("X")."""

    def __init__(self) -> None:
        self.job: set[str] = set()
        self.glidein: set[tuple[str, str]] = set()
        self.whole_job = self.whole_glidein = False

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "getGlideinCpusNum":
            self.glidein |= {("attrs", "GLIDEIN_CPUS"), ("attrs", "GLIDEIN_ESTIMATED_CPUS")}
            return
        func = node.func
        is_get = isinstance(func, ast.Attribute) and func.attr == "get"
        if isinstance(func, ast.Attribute) and is_get and node.args and self._key(func.value, node.args[0]):
            for rest in node.args[1:]:
                self.visit(rest)
            return
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not self._key(node.value, node.slice):
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        simple = len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn)
        if simple and self._key(node.comparators[0], node.left):
            return
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.whole_job |= node.id == "job"
        self.whole_glidein |= node.id == "glidein"

    def _key(self, base: ast.expr, key: ast.expr) -> bool:
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            return False
        if isinstance(base, ast.Name) and base.id == "job":
            self.job.add(key.value)
            return True
        part = _part(base)
        if part:
            self.glidein.add((part, key.value))
            return True
        return False


def _part(node: ast.expr) -> str:
    """The part that `glidein["attrs"]` names, or nothing."""
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "glidein"
        and isinstance(node.slice, ast.Constant)
        and node.slice.value in GLIDEIN_PARTS
    ):
        return str(node.slice.value)
    return ""
