"""How many steps the match expressions of one group may take in one cycle.

One evaluation is bounded by `builtins.MAX_STEPS`. A user whose jobs form very many expensive classes could still cost
the Frontend minutes, so the classes of a group also share a budget. A class is *cheap* for an expression if all its
entries together take few steps. Cheap classes are evaluated first and are not charged. The others are evaluated
afterwards, the classes with most jobs first, until the budget is used up. What is left over matches nothing in this
cycle and is named in the status.

Steps are counted, not seconds, and a cached answer is charged like a new one. So the same snapshot gives the same plan
on any machine, with any cache.
"""

from __future__ import annotations

from dataclasses import dataclass

CHEAP_STEPS = 1000  # of one class and expression, for all entries together
CHEAP_STEPS_PER_ENTRY = 2
MAX_CLASS_STEPS = 5_000_000  # of one class and expression
MAX_GROUP_STEPS = 100_000_000  # of all expensive classes of one group in one cycle


@dataclass(slots=True)
class StepBudget:
    """The steps that a group may still take in this cycle.

    While `deferring`, expensive classes are only noted: `deferred` is set and the caller asks again
    later.
    """

    cheap: int
    left: int
    deferring: bool = True
    deferred: bool = False

    @staticmethod
    def of(entries: int) -> StepBudget:
        """The budget of a group with this number of entries."""
        return StepBudget(CHEAP_STEPS + CHEAP_STEPS_PER_ENTRY * entries, MAX_GROUP_STEPS)

    def take_deferred(self) -> bool:
        """Return whether a class was deferred since the last call."""
        deferred, self.deferred = self.deferred, False
        return deferred

    @property
    def limit(self) -> int:
        """The steps that the next expensive class may take."""
        return min(self.left, MAX_CLASS_STEPS)

    def charge(self, cost: int) -> bool:
        """Charge an expensive class that takes `cost` steps, or more. Return whether it may be
        used.
        """
        if cost > MAX_CLASS_STEPS:
            self.left = max(self.left - MAX_CLASS_STEPS, 0)
            return False
        if cost > self.left:
            self.left = 0
            return False
        self.left -= cost
        return True
