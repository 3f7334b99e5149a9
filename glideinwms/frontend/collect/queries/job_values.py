"""Values of job ads, which users write, as plain bounded values that can be counted.

No value of one job may cost the jobs of others their reading. A value that is not what it should be is replaced by a
default, and counted in `Oddities`, which the status shows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.collect.answers import OddJobs
from glideinwms.lib.bounded import count_or, moment_or, reason
from glideinwms.lib.condor import htc

Value = str | int | float | bool | None
Values = tuple[Value, ...]

ENTERED = "EnteredCurrentStatus"
SERVER_TIME = "ServerTime"
MAX_VALUE = 16_384  # characters of one attribute's value
MAX_EXPRESSION = 4096  # characters of an expression that is evaluated
MAX_EVALUATION_SECONDS = 5.0  # CPU of this process, for all expressions of one reading
MAX_JOBS = 10**9
MAX_INTEGER = 2**63 - 1
MAX_REASONS = 20
EXACT = frozenset({int, bool, type(None)})


@dataclass(slots=True)
class Oddities:
    """Jobs of one reading whose values were replaced, by reason. `evaluating`: CPU seconds spent on
    expressions.
    """

    jobs: dict[str, int] = field(default_factory=dict)
    evaluating: float = 0.0

    def note(self, why: str, jobs: int = 1) -> None:
        """Count jobs under a reason; reasons beyond `MAX_REASONS` are counted together."""
        key = why if why in self.jobs or len(self.jobs) < MAX_REASONS else "other odd values"
        self.jobs[key] = self.jobs.get(key, 0) + jobs

    def summary(self) -> tuple[OddJobs, ...]:
        """The reasons with their numbers of jobs."""
        return tuple(OddJobs(reason=why, jobs=jobs) for why, jobs in self.jobs.items())


def jobs_of(row: Mapping[str, Any]) -> int:
    """How many jobs a row of a grouping stands for; 1 for a single job."""
    return count_or(row.get("JobCount", 1), 0, high=MAX_JOBS)


def age_of(row: Mapping[str, Any], clock: float | None, odd: Oddities) -> float:
    """Seconds that a job has been in its status by the schedd's clock (the job's own ServerTime
    without one), not below
    0. Age 0 where the job does not say since when, or does not say it as a time.
    """
    if ENTERED not in row:
        return 0.0
    entered = moment_or(row[ENTERED], None)
    now = clock if clock is not None else moment_or(row.get(SERVER_TIME), None)
    if entered is None or now is None:
        odd.note(
            f"{ENTERED if entered is None else SERVER_TIME} is no time, age 0 is taken",
            jobs_of(row),
        )
        return 0.0
    return max(0.0, now - entered)


def class_of(ad: Mapping[str, Any], names: Sequence[str], odd: Oddities | None = None) -> Values:
    """The values of a job's match attributes: expressions are evaluated on the ad itself, lists
    become their text. What has no value, or none that can be kept, is undefined (None).
    """
    values = tuple([ad.get(name) for name in names])
    for value in values:
        if not (type(value) in EXACT or (type(value) is str and len(value) <= MAX_VALUE)):
            return _replaced(ad, names, values, Oddities() if odd is None else odd)
    return values


def _replaced(
    ad: Mapping[str, Any], names: Sequence[str], values: Sequence[Any], odd: Oddities
) -> Values:
    return tuple(_one(ad, name, value, odd) for name, value in zip(names, values, strict=True))


def _one(ad: Mapping[str, Any], name: str, value: Any, odd: Oddities) -> Value:
    try:
        why, kept = (
            "",
            plain_value(_evaluated(ad, name, value, odd) if isinstance(value, htc.Expr) else value),
        )
    except ValueError as error:
        why, kept = str(error), None
    except Exception as error:  # noqa: BLE001 - the boundary of one attribute of one job
        why, kept = type(error).__name__, None
    if why:
        odd.note(reason(f"{name}: {why}, taken as undefined"), jobs_of(ad))
    return kept


def plain_value(value: Any) -> Value:
    """A value as it can be a key and be kept as JSON; a ValueError says why it cannot."""
    if isinstance(value, bool | None):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError("a number of more than 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number that is not finite")
        return value
    text = value if isinstance(value, str) else str(value)
    if len(text) > MAX_VALUE:
        raise ValueError(f"a text of more than {MAX_VALUE} characters")
    return text


def _evaluated(ad: Mapping[str, Any], name: str, expression: str, odd: Oddities) -> Any:
    """The value of an expression in its ad. Some functions of ClassAds are slow on purpose-made
    arguments, so all expressions of a reading share a budget of time.
    """
    import classad2

    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"an expression of more than {MAX_EXPRESSION} characters")
    if odd.evaluating > MAX_EVALUATION_SECONDS:
        raise ValueError("not evaluated, since other expressions took too long")
    began = time.process_time()
    try:
        value = htc.to_classad(ad).eval(name)
    finally:
        odd.evaluating += time.process_time() - began
    return None if isinstance(value, classad2.Value) else value
