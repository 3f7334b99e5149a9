"""Which entries each class of jobs matches, as one integer with a bit per entry (decision 20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from glideinwms.frontend.decide.match import policy_file
from glideinwms.frontend.decide.match.budget import StepBudget
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.decide.match.classad_expression import classad_conjunct
from glideinwms.frontend.decide.match.expression import GLIDEIN_PARTS, Conjunct, conjuncts
from glideinwms.frontend.decide.match.table import MatchTable, Values, table_of
from glideinwms.frontend.decide.packed_sums import Places
from glideinwms.frontend.plan import Failing
from glideinwms.frontend.policy import Expression, GroupPolicy
from glideinwms.frontend.snapshot import EntryState, PolicyFile
from glideinwms.lib.errors import ConfigError


def match_rules(group: GroupPolicy, files: Sequence[PolicyFile] = ()) -> list[Conjunct]:
    """The conjuncts of a group's match expressions in textual order, then its policy files. `files`
    are the policy files as they were read for this cycle.
    """
    rules: list[Conjunct] = []
    for expression in group.match:
        rules.extend(_compiled(expression))
    return [*rules, *(policy_file.conjunct(path, files) for path in group.policy_files)]


def _compiled(expression: Expression) -> Sequence[Conjunct]:
    if expression.language == "python":
        return conjuncts(expression.text, expression.origin)
    if expression.language == "classad":
        return [classad_conjunct(expression)]
    raise ConfigError(f"unknown language {expression.language!r}", where=expression.origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One group's match rules over one set of entries. `everything`: the entries that may match at
    all, as bits.
    """

    rules: Sequence[Conjunct]
    tables: Sequence[MatchTable]
    everything: int
    budget: StepBudget
    places: Places = field(default_factory=dict)

    def bind(self, names: Sequence[str]) -> Callable[[Values], list[int]]:
        """Return a function for job tables of these columns: from the values of a class to the
        entries that pass, for each conjunct.
        """
        looks = [table.bind(names) for table in self.tables]
        return lambda values: [look(values) for look in looks]

    def entries(self, names: Sequence[str], values: Values) -> int:
        """The entries that one class matches."""
        mask, self.budget.deferring = self.everything, False
        for passed in self.bind(names)(values):
            mask &= passed
        return mask

    def failing(self) -> tuple[Failing, ...]:
        """The conjuncts that failed for some job and entry, which match nothing then."""
        return tuple(problem for table in self.tables for problem in table.problems())


def matcher(
    group: GroupPolicy,
    entries: Sequence[EntryState],
    blocked: int,
    cache: MatchCache,
    rules: Sequence[Conjunct],
) -> Matcher:
    """Prepare matching. `blocked` are entries that match nothing (in downtime, where that is
    configured).
    """
    glideins = [{part: getattr(entry, part) for part in GLIDEIN_PARTS} for entry in entries]
    budget = StepBudget.of(len(entries))
    tables = [
        table_of(rule, glideins, group, cache, budget, strict=must_be_true(rules, index))
        for index, rule in enumerate(rules)
    ]
    return Matcher(
        rules=rules,
        tables=tables,
        everything=((1 << len(entries)) - 1) & ~blocked,
        budget=budget,
        places=cache.places(),
    )


def must_be_true(rules: Sequence[Conjunct], index: int) -> bool:
    """Whether a conjunct must equal True, not only be true (protocol 5.3). This applies to the last
    expression and to each policy file.
    """
    return any(c.seen is not None for c in rules[index : index + 2]) or index == len(rules) - 1
