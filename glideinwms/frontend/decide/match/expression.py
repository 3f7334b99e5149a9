"""Match expressions in Python: a listed subset, checked node by node before anything of it can run (decision 21).

What passes the check cannot reach anything but `job`, `glidein`, `attr_dict` and harmless built-ins; it is then
compiled to code. What does not is refused with file:line and what to write instead.
"""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from glideinwms.frontend.decide.match.builtins import (
    BOUNDED,
    CALLS,
    MAKING,
    PATTERN_HINT,
    RE_FUNCTIONS,
    SCOPE,
    STEPPING,
    SizeBound,
    pattern,
)
from glideinwms.lib.bounded import shown
from glideinwms.lib.errors import ConfigError

MAX_SIZE, MAX_DEPTH, MAX_LOOPS = 20_000, 50, 2
NAMES = frozenset({"job", "glidein", "attr_dict", "getGlideinCpusNum", "re"})
METHODS = frozenset(
    "get keys values items split rsplit strip lstrip rstrip lower upper startswith endswith find count replace join "
    "index isdigit".split()
)
NODES = (
    ast.Expression,
    ast.Constant,
    ast.Name,
    ast.Load,
    ast.Store,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.Compare,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.Is,
    ast.IsNot,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.IfExp,
    ast.Subscript,
    ast.Slice,
    ast.Call,
    ast.keyword,
    ast.Attribute,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.comprehension,
)
GLIDEIN_PARTS = ("attrs", "params", "monitor")


@dataclass(frozen=True, slots=True)
class ExpressionReads:
    """What a conjunct looks at: job attributes, and (part, name) pairs of the glidein; None means
    all of it.
    """

    job: tuple[str, ...] | None
    glidein: tuple[tuple[str, str], ...] | None


@dataclass(slots=True)
class SeenNames:
    """What a policy file has looked at until now: the monitoring values, which change every cycle,
    or not.
    """

    monitor: bool = False


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One factor of the match rules, ready to run: `test(job, glidein, attr_dict)`. `safe_text`:
    the same with bounded operations, empty if it is no Python; `attr_dict`: whether it looks at the
    Frontend's attributes; `version`: which state of a policy file it is, `seen` what that has
    looked at.
    """

    text: str
    origin: str
    reads: ExpressionReads
    test: Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Any]
    safe_text: str = ""
    attr_dict: bool = True
    version: str = ""
    seen: SeenNames | None = None


@functools.lru_cache(maxsize=1000)
def conjuncts(text: str, origin: str) -> tuple[Conjunct, ...]:
    """Split an expression at its top-level ANDs and compile each part; a ConfigError names what is
    not allowed.
    """
    if len(text) > MAX_SIZE:
        raise ConfigError(
            f"expression of {len(text)} characters", where=origin, hint=f"{MAX_SIZE} are allowed"
        )
    try:
        tree = ast.parse(text.strip().replace("\n", " "), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"is not a Python expression: {error}", where=origin) from error
    _check(tree, origin)
    return tuple(_compile(part, origin) for part in factors(tree.body))


def factors(node: ast.expr) -> list[ast.expr]:
    """The parts of an expression that are joined by AND."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [factor for value in node.values for factor in factors(value)]
    return [node]


def _check(tree: ast.Expression, origin: str) -> None:
    bound = {
        n.id
        for c in ast.walk(tree)
        if isinstance(c, ast.comprehension)
        for n in ast.walk(c.target)
        if isinstance(n, ast.Name)
    }
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    stack: list[tuple[ast.AST, int, int]] = [(tree, 0, 0)]
    while stack:
        node, depth, loops = stack.pop()
        loops += len(getattr(node, "generators", ()))
        if depth > MAX_DEPTH:
            raise ConfigError(
                "expression is nested too deeply",
                where=origin,
                hint=f"{MAX_DEPTH} levels are allowed",
            )
        if loops > MAX_LOOPS:
            raise ConfigError(
                "loops within loops",
                where=origin,
                hint=f"{MAX_LOOPS} are allowed; use a policy file",
            )
        problem = _problem(node, bound, id(node) in called)
        if problem:
            raise ConfigError(problem[0], where=origin, hint=problem[1])
        stack.extend((child, depth + 1, loops) for child in ast.iter_child_nodes(node))


def _problem(node: ast.AST, bound: set[str], called: bool) -> tuple[str, str] | None:
    """What is wrong with one node, and what to write instead."""
    if not isinstance(node, NODES):
        return (
            f"{type(node).__name__} is not allowed in a match expression",
            "put it into a policy file",
        )
    if isinstance(node, ast.Name):
        return _name_problem(node, bound)
    if isinstance(node, ast.Attribute):
        of_re = isinstance(node.value, ast.Name) and node.value.id == "re"
        if node.attr not in (RE_FUNCTIONS if of_re else METHODS) or not called:
            return (
                f".{node.attr} is not allowed",
                'read attributes as job.get("X") or glidein["attrs"].get("X")',
            )
    if isinstance(node, ast.Call):
        return _call_problem(node)
    if isinstance(node, ast.Tuple) and any(isinstance(n, ast.Slice) for n in node.elts):
        return "a slice among other indexes is not allowed", "use one slice, like x[1:3]"
    return None


def _name_problem(node: ast.Name, bound: set[str]) -> tuple[str, str] | None:
    known = NAMES | set(CALLS)
    if node.id in bound & known or node.id.startswith("_"):
        return (
            f"{node.id!r} may not be bound anew",
            "choose another name, without underscore in front",
        )
    if node.id not in known | bound:
        return (
            f"unknown name {node.id!r}",
            "use job, glidein, attr_dict or getGlideinCpusNum(glidein)",
        )
    return None


def _call_problem(node: ast.Call) -> tuple[str, str] | None:
    func = node.func
    if isinstance(func, ast.Name) and func.id not in {*CALLS, "getGlideinCpusNum"}:
        return f"{func.id!r} cannot be called", f"the functions are {', '.join(sorted(CALLS))}"
    if not isinstance(func, ast.Name | ast.Attribute):
        return "only named functions and methods can be called", "give the function its name"
    if (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Name)
        and func.value.id == "re"
    ):
        if len(node.args) != 2 or node.keywords:
            return (
                f"re.{func.attr} takes a pattern and a text here",
                "write flags into the pattern, like (?i)",
            )
        if isinstance(node.args[0], ast.Constant):
            try:
                pattern(str(node.args[0].value))
            except SizeBound as error:
                return f"pattern {shown(node.args[0].value)}: {error}", PATTERN_HINT
    return None


class _Bounded(ast.NodeTransformer):
    """Puts the bounded functions of `safe` in the place of operations that can grow or take long."""

    def __init__(self) -> None:
        self.loops = 0

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        name = {ast.Mult: "_times", ast.Mod: "_modulo", ast.Add: "_plus"}.get(type(node.op))
        return _call(name, node.left, node.right) if name else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        func = node.func
        if isinstance(func, ast.Name):
            name = f"_{func.id}" if func.id in BOUNDED else func.id
            return ast.Call(ast.Name(name, ast.Load()), node.args, node.keywords)
        if not isinstance(func, ast.Attribute):
            return node
        if isinstance(func.value, ast.Name) and func.value.id == "re":
            return ast.Call(ast.Name(f"_re_{func.attr}", ast.Load()), node.args, [])
        if func.attr in ("replace", "join"):
            node = ast.Call(
                ast.Name(f"_{func.attr}", ast.Load()), [func.value, *node.args], node.keywords
            )
            return self._made(node)
        return self._made(node) if func.attr in MAKING else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        return self._made(node) if isinstance(node.slice, ast.Slice) else node

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        self.generic_visit(node)
        node.iter = _call("_items", node.iter)
        return node

    def _loop(self, node: ast.expr) -> ast.expr:
        self.loops += 1
        self.generic_visit(node)
        self.loops -= 1
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _loop

    def _made(self, node: ast.expr) -> ast.expr:
        return _call("_made", node) if self.loops else node


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def stepping(safe_text: str) -> bool:
    """Whether an evaluation takes steps of the budget, which must be renewed then."""
    return any(
        isinstance(n, ast.Name) and n.id in STEPPING
        for n in ast.walk(ast.parse(safe_text, mode="eval"))
    )


def _compile(node: ast.expr, origin: str) -> Conjunct:
    text, reads = ast.unparse(node), _reads(node)
    try:
        safe_text = ast.unparse(ast.fix_missing_locations(_Bounded().visit(node)))
        whole = f"(_begin(), {safe_text})[1]" if stepping(safe_text) else f"({safe_text})"
        code = compile(f"lambda job, glidein, attr_dict: {whole}", origin or "match_expr", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"cannot be compiled: {error}", where=origin, hint="write it in a simpler way"
        ) from error
    body = next(c for c in code.co_consts if isinstance(c, types.CodeType))
    uses = any(isinstance(n, ast.Name) and n.id == "attr_dict" for n in ast.walk(node))
    return Conjunct(text, origin, reads, types.FunctionType(body, SCOPE), safe_text, uses)


def _reads(node: ast.expr) -> ExpressionReads:
    finder = _Finder()
    finder.visit(node)
    job = None if finder.whole_job else tuple(sorted(finder.job))
    return ExpressionReads(job, None if finder.whole_glidein else tuple(sorted(finder.glidein)))


class _Finder(ast.NodeVisitor):
    """Collects what is read as job["X"], job.get("X"), "X" in job, glidein["attrs"]["X"],
    glidein["attrs"].get("X").
    """

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
        if (
            isinstance(func, ast.Attribute)
            and is_get
            and node.args
            and self._key(func.value, node.args[0])
        ):
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
