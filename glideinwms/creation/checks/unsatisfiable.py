"""Match expressions that no job can fulfil: constants that are false, and conjuncts that contradict each other.

Only what is plain to see: an expression compared with literals. Values are those of ClassAds (text, numbers, booleans).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from glideinwms.frontend.decide.match.builtins import CALLS
from glideinwms.frontend.decide.match.expression import conjuncts, factors
from glideinwms.lib.errors import ConfigError

Test = Callable[[Any, Any], Any]
TESTS: dict[type[ast.cmpop], Test] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
ABOVE, BELOW = (ast.Gt, ast.GtE), (ast.Lt, ast.LtE)


@dataclass(frozen=True, slots=True)
class ValueBound:
    """A conjunct `what` that compares the expression `of` with a literal."""

    what: str
    of: str
    op: type[ast.cmpop]
    literal: Any

    def admits(self, value: Any) -> bool:
        """Whether the expression may have this value; what raises is no match."""
        try:
            return bool(TESTS[self.op](value, self.literal))
        except TypeError:
            return False


def never(expressions: Iterable[str]) -> Iterator[str]:
    """Why the conjunction of valid expressions is never true: one text for each cause, none if no
    cause is seen.
    """
    parts = [
        f
        for text in expressions
        for f in factors(ast.parse(text.strip().replace("\n", " "), mode="eval").body)
    ]
    for factor in parts:
        if _false(factor):
            yield f"{ast.unparse(factor)} is never true"
    bounds = [b for f in parts for b in _bounds(f)]
    for subject in dict.fromkeys(b.of for b in bounds):
        rows = [b for b in bounds if b.of == subject]
        if pair := _contradiction(rows):
            first, second = sorted(pair, key=rows.index)
            yield f"{first.what} and {second.what} exclude each other"


def _false(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return (
            all(map(_false, node.values))
            if isinstance(node.op, ast.Or)
            else any(map(_false, node.values))
        )
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
        inside = node.comparators[0]
        if isinstance(inside, ast.List | ast.Tuple | ast.Set) and not inside.elts:
            return True
    if any(isinstance(n, ast.Name) and n.id not in CALLS for n in ast.walk(node)):
        return False
    try:
        return not conjuncts(ast.unparse(node), "constant")[0].test({}, {}, {})
    except ConfigError:
        return False
    except Exception:  # noqa: BLE001 - of an expression: what raises is no match
        return True


def _bounds(node: ast.expr) -> Iterator[ValueBound]:
    if not isinstance(node, ast.Compare):
        return
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        kind = type(op)
        if kind not in TESTS:
            continue
        if (found := _literal(right)) and not _literal(left):
            yield ValueBound(ast.unparse(node), ast.unparse(left), kind, found[0])
        elif kind in MIRRORED and (found := _literal(left)) and not _literal(right):
            yield ValueBound(ast.unparse(node), ast.unparse(right), MIRRORED[kind], found[0])


def _literal(node: ast.expr) -> tuple[Any] | None:
    try:
        return (ast.literal_eval(node),)
    except (ValueError, TypeError, SyntaxError):
        return None


def _contradiction(rows: Sequence[ValueBound]) -> tuple[ValueBound, ValueBound] | None:
    for one in rows:
        if one.op is ast.Eq or (one.op is ast.In and isinstance(one.literal, list | tuple | set)):
            values = [one.literal] if one.op is ast.Eq else list(one.literal)
            for other in rows:
                if other is not one and values and not any(other.admits(v) for v in values):
                    return one, other
    for one in rows:
        for other in rows:
            if one.op in ABOVE and other.op in BELOW and not _overlap(one, other):
                return one, other
    return None


def _overlap(low: ValueBound, high: ValueBound) -> bool:
    strict = low.op is ast.Gt or high.op is ast.Lt
    try:
        return bool(low.literal < high.literal if strict else low.literal <= high.literal)
    except TypeError:
        return True
