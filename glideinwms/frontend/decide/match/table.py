"""One match expression over all entries, evaluated once per distinct pair of the values that it reads (decision 20)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glideinwms.frontend.decide.match.budget import StepBudget
from glideinwms.frontend.decide.match.builtins import NO_LIMIT, Budget, ClassBound
from glideinwms.frontend.decide.match.cache import Key, KnownEntries, MatchCache
from glideinwms.frontend.decide.match.expression import (
    GLIDEIN_PARTS,
    Conjunct,
    ExpressionReads,
    stepping,
)
from glideinwms.frontend.decide.match.vectorize import Parts, VectorizedMatch, fast
from glideinwms.frontend.plan import Failing
from glideinwms.frontend.policy import GroupPolicy
from glideinwms.frontend.snapshot import Value
from glideinwms.lib.bounded import reason

Values = Sequence[Value | None]
Glidein = Mapping[str, Mapping[str, Any]]
# parts of an entry that seldom change
LASTING = ("attrs", "params")
# types whose equality is exact. True == 1 == 1.0, so other values carry their type in a key.
EXACT = (str, int, type(None))
UNANSWERED = -1
ABSENT = "\0absent"
OVER_BUDGET = "these classes of jobs match nothing: their evaluation exceeds the steps that a group may take in a cycle"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one conjunct for one class: entries that pass, entries for which it fails, and
    the steps that it took.
    """

    passed: int
    failed: int
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchTable:
    """One conjunct over the distinct entries: `samples` are (entry, bits of the entries equal to
    it).

    `fast` is its vectorised form where it has one, with `quick` (parts of the entry, bits), and
    `slow` for the entries whose parts fail. `strict`: the result must equal True. `changes`: the
    same over the entries that changed. `failed`: the classes that the conjunct failed for in this
    cycle, with the attributes of the first one. `charged` and `refused`: the expensive classes
    within and beyond the budget of steps. `counted`: whether it takes steps.
    """

    conjunct: Conjunct
    attrs: Mapping[str, Value]
    strict: bool
    known: KnownEntries
    budget: StepBudget
    samples: Sequence[tuple[Glidein, int]]
    counted: bool = False
    quick: Sequence[tuple[Parts, int]] = ()
    slow: Sequence[tuple[Glidein, int]] = ()
    fast: VectorizedMatch | None = None
    changes: MatchTable | None = None
    failed: dict[Key, Mapping[str, Value]] = field(default_factory=dict)
    charged: set[Key] = field(default_factory=set)
    refused: set[Key] = field(default_factory=set)

    def bind(self, names: Sequence[str]) -> Callable[[Values], int]:
        """Return a function from the values of a class, in the order of `names`, to the entries
        that pass.
        """
        reads = self.conjunct.reads.job
        wanted = sorted(set(names) if reads is None else set(reads) & set(names))
        places = [names.index(n) for n in wanted]
        masks, some_absent = self.known.masks, reads is None or len(wanted) < len(reads)
        failing, failed, counted, costs = (
            self.known.failing,
            self.failed,
            self.counted,
            self.known.costs,
        )
        cheap = self.budget.cheap

        def look_up(values: Values) -> int:
            key: Key = tuple([v if type(v := values[i]) in EXACT else exact(v) for i in places])
            key = (*wanted, *key) if some_absent else key
            mask = masks.get(key)
            if mask is None or (counted and costs[key] > cheap):
                mask = self.answer(key, lambda: job_of(values))
                if mask == UNANSWERED:
                    return 0
            if failing and key in failing and key not in failed:
                failed[key] = {} if failed else job_of(values)
            return mask

        def job_of(values: Values) -> dict[str, Value]:
            return {
                n: v for n, i in zip(wanted, places, strict=True) if (v := values[i]) is not None
            }

        return look_up

    def answer(self, key: Key, job: Callable[[], Mapping[str, Value]]) -> int:
        """The entries that pass for a class that is new in this cycle, or expensive; UNANSWERED if
        it has to wait, or exceeds the budget.
        """
        if not self.counted:
            return self._keep(key, self._new_or_changed(key, job(), NO_LIMIT))
        budget, cost = self.budget, self.known.costs.get(key)
        if cost is None:
            try:
                return self._keep(key, self._new_or_changed(key, job(), budget.cheap))
            except ClassBound:
                cost = self.known.costs[key] = budget.cheap + 1
        if budget.deferring:
            budget.deferred = True
            return UNANSWERED
        if key in self.refused:
            return UNANSWERED
        if key in self.charged:
            return self.known.masks[key]
        if key not in self.known.masks and cost <= budget.limit:
            limit = budget.limit
            try:
                self._keep(key, self.evaluate(job(), limit))
            except ClassBound:
                self.known.costs[key] = limit + 1
            cost = self.known.costs[key]
        if budget.charge(cost):
            self.charged.add(key)
            return self.known.masks[key]
        self.refused.add(key)
        return UNANSWERED

    def _keep(self, key: Key, answer: Answer) -> int:
        self.known.masks[key] = answer.passed
        if answer.failed:
            self.known.failing[key] = answer.failed
        if self.counted:
            self.known.costs[key] = answer.cost
        return answer.passed

    def _new_or_changed(self, key: Key, job: Mapping[str, Value], limit: int) -> Answer:
        """Evaluate all entries, or only those that changed since the last cycle."""
        old, changes = self.known.before, self.changes
        if old is None or changes is None or key not in old.masks:
            return self.evaluate(job, limit)
        old_cost = old.costs.get(key, 0)
        if old_cost > limit:
            return self.evaluate(job, limit)
        try:
            new = changes.evaluate(job, limit - old_cost)
        except ClassBound:
            return self.evaluate(job, limit)
        kept = ~self.known.changed
        return Answer(
            old.masks[key] & kept | new.passed,
            old.failing.get(key, 0) & kept | new.failed,
            old_cost + new.cost,
        )

    def evaluate(self, job: Mapping[str, Value], limit: int) -> Answer:
        """Evaluate the conjunct for all entries. Raises ClassBound if that takes more than `limit`
        steps.
        """
        Budget.total = limit
        try:
            passed, failed = self._passes(job)
        finally:
            left, Budget.total = Budget.total, NO_LIMIT
        if left < 0:
            raise ClassBound
        return Answer(passed, failed, limit - left if self.counted else 0)

    def _passes(self, job: Mapping[str, Value]) -> tuple[int, int]:
        if self.fast is None:
            return self._one_by_one(job, self.samples)
        try:
            parts = self.fast.of_job(job, self.attrs)
            mask = self.fast.run(parts, self.quick, self.attrs)
        except ClassBound:
            raise
        except Exception:  # noqa: BLE001 - some part fails: each entry decides whether that matters
            return self._one_by_one(job, self.samples)
        passed, failed = self._one_by_one(job, self.slow)
        return mask | passed, failed

    def _one_by_one(
        self, job: Mapping[str, Value], samples: Sequence[tuple[Glidein, int]]
    ) -> tuple[int, int]:
        mask, failed, test, attrs, strict = 0, 0, self.conjunct.test, self.attrs, self.strict
        for glidein, bits in samples:
            try:
                result = test(job, glidein, attrs)
                passed = result == True if strict else bool(result)  # noqa: E712 - as GlideinWMS 3.10 does
            except ClassBound:
                raise
            except Exception:  # noqa: BLE001 - an expression that fails matches nothing (protocol 5.3)
                failed |= bits
                continue
            if passed:
                mask |= bits
        return mask, failed

    def problems(self) -> list[Failing]:
        """How the conjunct failed in this cycle, with the error of the first job and entry."""
        conjunct = self.conjunct
        problems = []
        if self.failed:
            error = self._first_error()
            problems.append(Failing(conjunct.text, conjunct.origin, len(self.failed), error))
        if self.refused:
            problems.append(Failing(conjunct.text, conjunct.origin, len(self.refused), OVER_BUDGET))
        return problems

    def _first_error(self) -> str:
        for key, job in self.failed.items():
            for glidein, bits in self.samples:
                if bits & self.known.failing[key]:
                    return self._error(job, glidein)
        return ""

    def _error(self, job: Mapping[str, Value], glidein: Glidein) -> str:
        try:
            self.conjunct.test(job, glidein, self.attrs)
        except Exception as error:  # noqa: BLE001 - the error that is looked for
            return reason(f"{type(error).__name__}: {error}")
        return ""


def exact(value: Any) -> Any:
    """A value as part of a key that only equal values of the same type share."""
    return value if type(value) in EXACT else (type(value).__name__, str(value))


def table_of(
    conjunct: Conjunct,
    glideins: Sequence[Glidein],
    group: GroupPolicy,
    cache: MatchCache,
    budget: StepBudget,
    *,
    strict: bool,
) -> MatchTable:
    """The table of one conjunct, with the answers that the cache still has."""
    reads, attrs = conjunct.reads, group.attrs
    keys = whole = [_entry_key(g, reads) for g in glideins]
    context = (
        dict(attrs) if conjunct.attr_dict else None,
        conjunct.version,
        conjunct.seen and conjunct.seen.monitor,
    )
    if conjunct.seen and not conjunct.seen.monitor:
        keys = [_entry_key(g, reads, LASTING) for g in glideins]
    known = cache.masks(group.name, conjunct, strict, context, keys)
    table = MatchTable(
        conjunct=conjunct,
        attrs=attrs,
        strict=strict,
        known=known,
        budget=budget,
        samples=_distinct(glideins, whole, reads, -1),
        counted=bool(conjunct.safe_text) and stepping(conjunct.safe_text),
    )
    if known.before is None:
        return _vectorized(table)
    changed = replace(table, samples=_distinct(glideins, whole, reads, known.changed))
    return replace(_vectorized(table), changes=_vectorized(changed))


def _entry_key(
    glidein: Glidein, reads: ExpressionReads, parts: Sequence[str] = GLIDEIN_PARTS
) -> Key:
    if reads.glidein is None:
        return tuple(
            (part, tuple((n, exact(v)) for n, v in sorted(glidein[part].items()))) for part in parts
        )
    return tuple(exact(glidein[part].get(name, ABSENT)) for part, name in reads.glidein)


def _reduced(glidein: Glidein, reads: ExpressionReads) -> Glidein:
    if reads.glidein is None:
        return glidein
    return {
        part: {n: glidein[part][n] for p, n in reads.glidein if p == part and n in glidein[part]}
        for part in GLIDEIN_PARTS
    }


def _distinct(
    glideins: Sequence[Glidein], keys: Sequence[Key], reads: ExpressionReads, among: int
) -> list[tuple[Glidein, int]]:
    """The entries in the mask `among` that differ in what is read, each with the bits of its
    equals.
    """
    bits: dict[Key, int] = {}
    samples: dict[Key, Glidein] = {}
    for index, key in enumerate(keys):
        if not among >> index & 1:
            continue
        bits[key] = bits.get(key, 0) | 1 << index
        if key not in samples:
            samples[key] = _reduced(glideins[index], reads)
    return [(samples[key], mask) for key, mask in bits.items()]


def _vectorized(table: MatchTable) -> MatchTable:
    """The table with its fast form, if the expression has one."""
    if not table.conjunct.safe_text:
        return table
    try:
        vectorized = fast(table.conjunct.safe_text, table.strict)
    except Exception:  # noqa: BLE001 - only speed is lost: each entry is evaluated by itself
        return table
    quick, slow = [], []
    for glidein, bits in table.samples:
        try:
            quick.append((vectorized.of_glidein(glidein, table.attrs), bits))
        except Exception:  # noqa: BLE001 - this entry's own parts fail, which need not matter
            slow.append((glidein, bits))
    return replace(table, quick=quick, slow=slow, fast=vectorized)
