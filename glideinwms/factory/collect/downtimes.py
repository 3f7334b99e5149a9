"""Read the Factory's downtimes file."""

from __future__ import annotations

from pathlib import Path

from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.errors import StateError
from glideinwms.lib.reasons import Reason, Refusal


def read_downtimes(policy: FactoryPolicy) -> tuple[tuple[Downtime, ...], tuple[Refusal, ...]]:
    """Return the active and coming downtimes, and the lines that cannot be read. Without the file
    there is no downtime.
    """
    path = Path(policy.work_dir, policy.downtimes_file)
    if not path.exists():
        return (), ()
    lines, wrong = downtime_file.load(path)
    refusals = (Refusal(Reason.MALFORMED_AD, error.where, error.message) for error in wrong)
    return tuple(lines), tuple(refusals)


def unreadable(error: StateError) -> Refusal:
    """Return the refusal that shows a file which cannot be read in the plan."""
    return Refusal(Reason.INPUT_UNKNOWN, error.where, error.message)
