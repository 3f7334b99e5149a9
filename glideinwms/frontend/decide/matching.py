"""Which entries each class of jobs matches, as one integer of E bits per class (decision 20).

Each conjunct is evaluated once per distinct pair of the values that it names; results stay known between cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.decide.pyexpr import GLIDEIN_PARTS, Conjunct, Reads, conjuncts
from glideinwms.frontend.decide.tables import Entry, Value
from glideinwms.frontend.policy import Expression, GroupPolicy
from glideinwms.lib.errors import ConfigError

Key = tuple[Any, ...]


@dataclass(slots=True)
class MatchCache:
    """What conjuncts said before: conjunct -> (entries they were said of, job values -> mask). Bounded by `limit`
    job keys per conjunct; dropping it changes nothing but speed."""

    limit: int = 200_000
    known: dict[tuple[str, str], tuple[list[Key], dict[Key, int]]] = field(default_factory=dict)

    def masks(self, group: str, conjunct: Conjunct, keys: list[Key]) -> dict[Key, int]:
        """The table of a conjunct for these entries; a new one if the entries changed."""
        name = (group, f"{conjunct.origin}|{conjunct.text}")
        old = self.known.get(name)
        if old is None or old[0] != keys or len(old[1]) > self.limit:
            old = (keys, {})
            self.known[name] = old
        return old[1]


def law(group: GroupPolicy) -> list[Conjunct]:
    """The conjuncts of a group's match expressions, in textual order."""
    found: list[Conjunct] = []
    for expression in group.match:
        found.extend(_of(expression))
    return found


def _of(expression: Expression) -> list[Conjunct]:
    if expression.language == "python":
        return conjuncts(expression.text, expression.origin)
    if expression.language == "classad":
        return [_classad(expression)]
    raise ConfigError(f"unknown language {expression.language!r}", where=expression.origin)


def _classad(expression: Expression) -> Conjunct:
    """A ClassAd expression: MY is the job, TARGET the entry's attributes; it must be true."""
    import classad2

    try:
        tree = classad2.ExprTree(expression.text)
    except classad2.ClassAdException as error:
        raise ConfigError(f"is not a ClassAd expression: {error}", where=expression.origin) from error

    def test(job: Mapping[str, Any], glidein: Mapping[str, Any], attr_dict: Mapping[str, Any]) -> bool:
        result: Any = tree.eval(classad2.ClassAd(dict(job)), classad2.ClassAd(dict(glidein["attrs"])))
        return result is True

    return Conjunct(expression.text, expression.origin, Reads(None, None), test)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One group's law over one set of entries."""

    law: Sequence[Conjunct]
    tables: Sequence[Callable[[Mapping[str, Value]], int]]
    everything: int

    def masks(self, job: Mapping[str, Value]) -> list[int]:
        """For each conjunct the entries that pass it, as bits in the order of the entries."""
        return [table(job) for table in self.tables]


def matcher(
    group: GroupPolicy, entries: Sequence[Entry], blocked: int, cache: MatchCache, conj: Sequence[Conjunct]
) -> Matcher:
    """Prepare matching. `blocked` are entries that match nothing (in downtime, where that is configured)."""
    glideins = [{p: getattr(e, p) for p in GLIDEIN_PARTS} for e in entries]
    everything = ((1 << len(entries)) - 1) & ~blocked
    tables = [_table(c, glideins, group, cache, last=i == len(conj) - 1) for i, c in enumerate(conj)]
    return Matcher(conj, tables, everything)


def _entry_key(glidein: Mapping[str, Mapping[str, Any]], reads: Reads) -> Key:
    if reads.glidein is None:
        return tuple((p, tuple(sorted(glidein[p].items()))) for p in GLIDEIN_PARTS)
    return tuple(glidein[part].get(name, _ABSENT) for part, name in reads.glidein)


_ABSENT = "\0absent"


def _reduced(glidein: Mapping[str, Mapping[str, Any]], reads: Reads) -> Mapping[str, Mapping[str, Any]]:
    if reads.glidein is None:
        return glidein
    return {p: {n: glidein[p][n] for q, n in reads.glidein if q == p and n in glidein[p]} for p in GLIDEIN_PARTS}


def _table(
    conjunct: Conjunct, glideins: Sequence[Mapping[str, Mapping[str, Any]]], group: GroupPolicy, cache: MatchCache,
    *, last: bool,
) -> Callable[[Mapping[str, Value]], int]:  # fmt: skip
    reads, test, attrs = conjunct.reads, conjunct.test, group.attrs
    keys = [_entry_key(g, reads) for g in glideins]
    bits: dict[Key, int] = {}
    samples: dict[Key, Mapping[str, Mapping[str, Any]]] = {}
    for index, key in enumerate(keys):
        bits[key] = bits.get(key, 0) | 1 << index
        samples.setdefault(key, _reduced(glideins[index], reads))
    distinct = [(samples[k], b) for k, b in bits.items()]
    known = cache.masks(group.name, conjunct, keys)
    names = reads.job

    def passes(job: Mapping[str, Value]) -> int:
        mask = 0
        for glidein, entry_bits in distinct:
            try:
                result = test(job, glidein, attrs)
                passed = result == True if last else bool(result)  # noqa: E712 - the deployed test is == True
            except Exception:  # noqa: BLE001 - an expression that fails matches nothing (protocol 5.3)
                continue
            if passed:
                mask |= entry_bits
        return mask

    def look_up(job: Mapping[str, Value]) -> int:
        key = tuple(sorted(job.items())) if names is None else tuple(job.get(n, _ABSENT) for n in names)
        mask = known.get(key)
        if mask is None:
            known[key] = mask = passes(job)
        return mask

    return look_up
