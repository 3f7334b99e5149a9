"""Which entries each class of jobs matches, as one integer of E bits per class (decision 20).

Each conjunct is evaluated once per distinct pair of the values that it names; results stay known between cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glideinwms.frontend.decide.match import policy_files
from glideinwms.frontend.decide.match.expression import (
    GLIDEIN_PARTS,
    Conjunct,
    ExpressionReads,
    conjuncts,
)
from glideinwms.frontend.decide.match.vectorize import Parts, VectorizedMatch, fast
from glideinwms.frontend.decide.packed_sums import PLACES_KEPT, Places
from glideinwms.frontend.plan import Failing
from glideinwms.frontend.policy import Expression, GroupPolicy
from glideinwms.frontend.snapshot import EntryState, Value
from glideinwms.lib.bounded import reason
from glideinwms.lib.errors import ConfigError

Key = tuple[Any, ...]
Values = Sequence[Value | None]
Glidein = Mapping[str, Mapping[str, Any]]
# what of an entry changes seldom
LASTING = ("attrs", "params")
# values whose equality says all; True == 1 == 1.0, so others carry their type in a key
EXACT = (str, int, type(None))


@dataclass(frozen=True, slots=True)
class KnownEntries:
    """Masks by job values, and `failing`: the entries for which the conjunct fails, where there are
    any. `before` are
    those of the last cycle, where `changed` entries are to be asked anew.
    """

    masks: dict[Key, int]
    failing: dict[Key, int]
    before: KnownEntries | None = None
    changed: int = 0


@dataclass(slots=True)
class MatchCache:
    """What conjuncts said before: conjunct -> (what it was said of, job values -> mask). Bounded by
    `limit` job keys
    per conjunct; dropping it changes nothing but speed.
    """

    limit: int = 200_000
    known: dict[tuple[str, str, bool], tuple[Any, list[Key], KnownEntries]] = field(
        default_factory=dict
    )
    kept_places: Places = field(default_factory=dict)

    def places(self) -> Places:
        """The bits of masks that were met; emptied when there are too many, since masks change with
        the entries.
        """
        if len(self.kept_places) >= PLACES_KEPT:
            self.kept_places.clear()
        return self.kept_places

    def masks(
        self, group: str, conjunct: Conjunct, last: bool, about: Any, keys: list[Key]
    ) -> KnownEntries:
        """What a conjunct said. `about`: all that it sees beside jobs and entries; `keys`: what it
        sees of each entry.
        Where some entries changed, what it said of the others stands.
        """
        name = (group, f"{conjunct.origin}|{conjunct.text}", last)
        old_about, old_keys, old = self.known.get(name, (None, [], KnownEntries({}, {})))
        if old_about == about and old_keys == keys and len(old.masks) <= self.limit:
            return KnownEntries(old.masks, old.failing)
        found = KnownEntries({}, {})
        if old_about == about and len(old_keys) == len(keys) and old.masks:
            changed = [i for i, (a, b) in enumerate(zip(old_keys, keys, strict=True)) if a != b]
            found = KnownEntries(
                {}, {}, KnownEntries(old.masks, old.failing), sum(1 << i for i in changed)
            )
        self.known[name] = (about, keys, KnownEntries(found.masks, found.failing))
        return found


def law(group: GroupPolicy) -> list[Conjunct]:
    """The conjuncts of a group's match expressions, in textual order, then its policy files."""
    found: list[Conjunct] = []
    for expression in group.match:
        found.extend(_of(expression))
    return [*found, *(policy_files.conjunct(path) for path in group.policy_files)]


def _of(expression: Expression) -> Sequence[Conjunct]:
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
        raise ConfigError(
            f"is not a ClassAd expression: {error}", where=expression.origin
        ) from error

    def test(
        job: Mapping[str, Any], glidein: Mapping[str, Any], attr_dict: Mapping[str, Any]
    ) -> bool:
        result: Any = tree.eval(
            classad2.ClassAd(dict(job)), classad2.ClassAd(dict(glidein["attrs"]))
        )
        return result is True

    return Conjunct(expression.text, expression.origin, ExpressionReads(None, None), test)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One group's law over one set of entries. `everything`: the entries that may match at all, as
    bits.
    """

    law: Sequence[Conjunct]
    tables: Sequence[MatchTable]
    everything: int
    places: Places = field(default_factory=dict)

    def bind(self, names: Sequence[str]) -> Callable[[Values], list[int]]:
        """For job tables of these columns: values of a class -> for each conjunct the entries that
        pass it.
        """
        looks = [t.bind(names) for t in self.tables]
        return lambda values: [look(values) for look in looks]

    def entries(self, names: Sequence[str], values: Values) -> int:
        """The entries that one class matches."""
        mask = self.everything
        for passed in self.bind(names)(values):
            mask &= passed
        return mask

    def failing(self) -> tuple[Failing, ...]:
        """The conjuncts that failed for some job and entry, which match nothing then."""
        return tuple(found for table in self.tables if (found := table.failure()) is not None)


def matcher(
    group: GroupPolicy,
    entries: Sequence[EntryState],
    blocked: int,
    cache: MatchCache,
    conj: Sequence[Conjunct],
) -> Matcher:
    """Prepare matching. `blocked` are entries that match nothing (in downtime, where that is
    configured).
    """
    glideins = [{p: getattr(e, p) for p in GLIDEIN_PARTS} for e in entries]
    everything = ((1 << len(entries)) - 1) & ~blocked
    tables = [
        _table(c, glideins, group, cache, last=must_be_true(conj, i)) for i, c in enumerate(conj)
    ]
    return Matcher(conj, tables, everything, cache.places())


def must_be_true(conj: Sequence[Conjunct], index: int) -> bool:
    """Whether a conjunct must equal True, not only be true (protocol 5.3): the last of the
    expressions, and each policy
    file.
    """
    return any(c.seen is not None for c in conj[index : index + 2]) or index == len(conj) - 1


def _exact(value: Any) -> Any:
    return value if type(value) in EXACT else (type(value).__name__, str(value))


def _entry_key(
    glidein: Glidein, reads: ExpressionReads, parts: Sequence[str] = GLIDEIN_PARTS
) -> Key:
    if reads.glidein is None:
        return tuple(
            (p, tuple((n, _exact(v)) for n, v in sorted(glidein[p].items()))) for p in parts
        )
    return tuple(_exact(glidein[part].get(name, _ABSENT)) for part, name in reads.glidein)


_ABSENT = "\0absent"


def _reduced(glidein: Glidein, reads: ExpressionReads) -> Glidein:
    if reads.glidein is None:
        return glidein
    return {
        p: {n: glidein[p][n] for q, n in reads.glidein if q == p and n in glidein[p]}
        for p in GLIDEIN_PARTS
    }


@dataclass(frozen=True, slots=True)
class MatchTable:
    """One conjunct over distinct entries: (glidein, bits), with its fast form where it has one
    (`quick`: parts of the
    entry, bits; `slow`: entries whose parts fail). `news`: the same over the entries that changed;
    `failed`: the
    classes that the conjunct failed for in this cycle, with the attributes of the first.
    """

    conjunct: Conjunct
    attrs: Mapping[str, Value]
    last: bool
    known: KnownEntries
    all: Sequence[tuple[Glidein, int]]
    quick: Sequence[tuple[Parts, int]] = ()
    slow: Sequence[tuple[Glidein, int]] = ()
    fast: VectorizedMatch | None = None
    news: MatchTable | None = None
    failed: dict[Key, Mapping[str, Value]] = field(default_factory=dict)

    def bind(self, names: Sequence[str]) -> Callable[[Values], int]:
        """Values of a class, in the order of `names`, -> the entries that pass."""
        reads = self.conjunct.reads.job
        wanted = sorted(set(names) if reads is None else set(reads) & set(names))
        where = [names.index(n) for n in wanted]
        known, whole = self.known.masks, reads is None or len(wanted) < len(reads)
        failing, failed = self.known.failing, self.failed

        def look_up(values: Values) -> int:
            key: Key = tuple([v if type(v := values[i]) in EXACT else _exact(v) for i in where])
            key = (*wanted, *key) if whole else key
            mask = known.get(key)
            if mask is None:
                job = job_of(values)
                known[key], fails = self.anew(key, job)
                mask = known[key]
                if fails:
                    failing[key] = fails
            if failing and key in failing and key not in failed:
                failed[key] = {} if failed else job_of(values)
            return mask

        def job_of(values: Values) -> dict[str, Value]:
            return {
                n: v for n, i in zip(wanted, where, strict=True) if (v := values[i]) is not None
            }

        return look_up

    def anew(self, key: Key, job: Mapping[str, Value]) -> tuple[int, int]:
        """The masks of a class that this cycle has not met yet: entries that pass, entries that
        fail.
        """
        old = self.known.before
        if old is None or self.news is None or key not in old.masks:
            return self.passes(job)
        passed, failed = self.news.passes(job)
        kept = ~self.known.changed
        return old.masks[key] & kept | passed, old.failing.get(key, 0) & kept | failed

    def passes(self, job: Mapping[str, Value]) -> tuple[int, int]:
        """Evaluate anew."""
        if self.fast is None:
            return self._one_by_one(job, self.all)
        try:
            parts = self.fast.of_job(job, self.attrs)
            mask = self.fast.run(parts, self.quick, self.attrs)
        except Exception:  # noqa: BLE001 - some part fails: each entry decides whether that matters
            return self._one_by_one(job, self.all)
        passed, failed = self._one_by_one(job, self.slow)
        return mask | passed, failed

    def _one_by_one(
        self, job: Mapping[str, Value], samples: Sequence[tuple[Glidein, int]]
    ) -> tuple[int, int]:
        mask, failed, test, attrs, last = 0, 0, self.conjunct.test, self.attrs, self.last
        for glidein, bits in samples:
            try:
                result = test(job, glidein, attrs)
                passed = result == True if last else bool(result)  # noqa: E712 - the deployed test is == True
            except Exception:  # noqa: BLE001 - an expression that fails matches nothing (protocol 5.3)
                failed |= bits
                continue
            if passed:
                mask |= bits
        return mask, failed

    def failure(self) -> Failing | None:
        """How the conjunct failed in this cycle, with the error of the first job and entry."""
        for key, job in self.failed.items():
            for glidein, bits in self.all:
                if bits & self.known.failing[key]:
                    return Failing(
                        self.conjunct.text,
                        self.conjunct.origin,
                        len(self.failed),
                        self._error(job, glidein),
                    )
        return None

    def _error(self, job: Mapping[str, Value], glidein: Glidein) -> str:
        try:
            self.conjunct.test(job, glidein, self.attrs)
        except Exception as error:  # noqa: BLE001 - what is looked for
            return reason(f"{type(error).__name__}: {error}")
        return ""


def _table(
    conjunct: Conjunct,
    glideins: Sequence[Glidein],
    group: GroupPolicy,
    cache: MatchCache,
    *,
    last: bool,
) -> MatchTable:
    reads, attrs = conjunct.reads, group.attrs
    keys = whole = [_entry_key(g, reads) for g in glideins]
    about = (
        dict(attrs) if conjunct.attr_dict else None,
        conjunct.version,
        conjunct.seen and conjunct.seen.monitor,
    )
    if conjunct.seen and not conjunct.seen.monitor:
        keys = [_entry_key(g, reads, LASTING) for g in glideins]
    known = cache.masks(group.name, conjunct, last, about, keys)
    table = _over(conjunct, attrs, last, known, _distinct(glideins, whole, reads, -1))
    if known.before is None:
        return table
    news = _distinct(glideins, whole, reads, known.changed)
    return replace(table, news=_over(conjunct, attrs, last, known, news))


def _distinct(
    glideins: Sequence[Glidein], keys: Sequence[Key], reads: ExpressionReads, among: int
) -> list[tuple[Glidein, int]]:
    """The entries of a mask that differ in what is read, each with the bits of those that equal it."""
    bits: dict[Key, int] = {}
    samples: dict[Key, Glidein] = {}
    for index, key in enumerate(keys):
        if not among >> index & 1:
            continue
        bits[key] = bits.get(key, 0) | 1 << index
        if key not in samples:
            samples[key] = _reduced(glideins[index], reads)
    return [(samples[k], b) for k, b in bits.items()]


def _over(
    conjunct: Conjunct,
    attrs: Mapping[str, Value],
    last: bool,
    known: KnownEntries,
    distinct: Sequence[tuple[Glidein, int]],
) -> MatchTable:
    if not conjunct.safe_text:
        return MatchTable(conjunct, attrs, last, known, distinct)
    try:
        made = fast(conjunct.safe_text, last)
    except Exception:  # noqa: BLE001 - the fast form is only faster: without it each entry is asked by itself
        return MatchTable(conjunct, attrs, last, known, distinct)
    quick, slow = [], []
    for glidein, mask in distinct:
        try:
            quick.append((made.of_glidein(glidein, attrs), mask))
        except Exception:  # noqa: BLE001 - this entry's own parts fail, which need not matter
            slow.append((glidein, mask))
    return MatchTable(conjunct, attrs, last, known, distinct, quick, slow, made)
