"""Makes a conjunct fast over many entries: what depends on the job alone is computed once per class, what depends on
the entry alone once per entry, and only the rest in the loop.

Expressions have no effects, so this changes no answer; where any part fails, `matching` asks the plain test instead.
"""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glideinwms.frontend.decide.match.builtins import SCOPE
from glideinwms.frontend.decide.match.expression import stepping

Parts = tuple[Any, ...]
LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class VectorizedMatch:
    """`of_job` and `of_glidein` compute parts; `run(parts of the job, [(parts of an entry, bits)],
    attr_dict)` is the mask of the entries that pass.
    """

    of_job: Callable[[Mapping[str, Any], Mapping[str, Any]], Parts]
    of_glidein: Callable[[Mapping[str, Any], Mapping[str, Any]], Parts]
    run: Callable[[Parts, Sequence[tuple[Parts, int]], Mapping[str, Any]], int]


@functools.lru_cache(maxsize=1000)
def fast(safe_text: str, last: bool) -> VectorizedMatch:
    """Of a checked expression's text. `last`: it must equal True, not only be true (protocol 5.3)."""
    hoister = _Hoister()
    body = hoister.visit(ast.parse(safe_text, mode="eval").body)
    test = f"({ast.unparse(body)}) == True" if last else ast.unparse(body)
    job, glidein = _names("h", len(hoister.job)), _names("g", len(hoister.glidein))
    start = "_begin(); " if stepping(safe_text) else ""
    source = (
        f"def of_job(job, attr_dict): {start}return ({_texts(hoister.job)})\n"
        f"def of_glidein(glidein, attr_dict): {start}return ({_texts(hoister.glidein)})\n"
        f"def run(parts, samples, attr_dict):\n"
        f"    ({job}) = parts\n"
        f"    mask = 0\n"
        f"    for ({glidein}), bits in samples:\n"
        f"        {start}\n"
        f"        if {test}: mask |= bits\n"
        f"    return mask\n"
    )
    made = [
        types.FunctionType(c, SCOPE)
        for c in compile(source, "match_expr", "exec").co_consts
        if isinstance(c, types.CodeType)
    ]
    return VectorizedMatch(*made)


def _names(letter: str, n: int) -> str:
    return "".join(f"_{letter}{i}," for i in range(n))


def _texts(nodes: Sequence[ast.expr]) -> str:
    return "".join(f"({ast.unparse(n)})," for n in nodes)


class _Hoister(ast.NodeTransformer):
    """Replaces the largest parts that name only the job, or only the glidein, by variables."""

    def __init__(self) -> None:
        self.job: list[ast.expr] = []
        self.glidein: list[ast.expr] = []

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, ast.expr) or isinstance(node, ast.Constant | ast.Slice):
            return self.generic_visit(node)  # a slice is no value by itself
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & {"job", "glidein"}
        if isinstance(node, ast.GeneratorExp):
            return node  # it can be gone through once only
        if names == {"job"}:
            return self._variable(self.job, "h", node)
        if names == {"glidein"}:
            return self._variable(self.glidein, "g", node)
        if isinstance(node, LOOPS) or not names:
            return node
        if isinstance(node, ast.Compare):
            node = _with_set(node)
        return self.generic_visit(node)

    def _variable(self, parts: list[ast.expr], letter: str, node: ast.expr) -> ast.expr:
        parts.append(node)
        return ast.Name(f"_{letter}{len(parts) - 1}", ast.Load())


def _with_set(node: ast.Compare) -> ast.Compare:
    """`x in job["Sites"].split(",")`: looked up in a set."""
    [*_, right] = node.comparators
    if (
        len(node.ops) == 1
        and isinstance(node.ops[0], ast.In | ast.NotIn)
        and isinstance(right, ast.Call)
        and isinstance(right.func, ast.Attribute)
        and right.func.attr == "split"
    ):
        return ast.Compare(
            node.left, node.ops, [ast.Call(ast.Name("_frozen", ast.Load()), [right], [])]
        )
    return node
