"""High availability: the slave works only while the master is seen nowhere (protocol 5.1, decision 26)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Workers, call

MASTER, SLAVE = "master", "slave"
LOOPS = 3


class MasterSeen(StrEnum):
    """What one check found. Nobody answering is not the same as nobody there."""

    ALIVE = "master alive"
    ABSENT = "master absent"
    UNKNOWN = "no WMS pool answered"


@dataclass(frozen=True, slots=True)
class HaState:
    """Whether this Frontend works, why, and when it last looked (epoch seconds)."""

    working: bool
    seen: MasterSeen | None = None
    checked_at: float = 0.0


def mode(policy: FrontendPolicy) -> str:
    """What our ads say of us."""
    return SLAVE if policy.high_availability else MASTER


def master_ads(pool: str, master: str, within: float) -> int:
    """Runs in a reader: requests of the master heard within so many seconds, by the collector's own
    clock.
    """
    constraint = (
        '((GlideinMyType=?="glideclientglobal") || (GlideinMyType=?="glideclient"))'
        f" && (FrontendName=?={htc.quoted(master)}) && (FrontendHAMode=!={htc.quoted(SLAVE)})"
        f" && (time() - LastHeardFrom <= {within:g})"
    )
    return len(htc.query_ads(pool, constraint, ["Name"]))


def judge(counts: Sequence[int | None]) -> MasterSeen:
    """One answer per WMS pool, None where there was none."""
    if any(counts):
        return MasterSeen.ALIVE
    return MasterSeen.ABSENT if any(c is not None for c in counts) else MasterSeen.UNKNOWN


def check(pool: Workers, policy: FrontendPolicy, old: HaState, now: float) -> HaState:
    """Look for the master when it is time to. An unanswered check changes nothing."""
    ha = policy.high_availability
    if ha is None:
        return HaState(True)
    if old.seen is not None and now - old.checked_at < ha.check_interval:
        return old
    nodes = sorted({w.node for g in policy.groups if g.enabled for w in g.wms_pools})
    within = LOOPS * policy.loop_delay
    answers = pool.run(
        [call(n, master_ads, pool=n, master=ha.master, within=within) for n in nodes]
    )
    seen = judge([answer.value_or(None) for answer in answers])
    if seen is MasterSeen.UNKNOWN:
        return replace(old, seen=seen, checked_at=now)
    return HaState(seen is MasterSeen.ABSENT, seen, now)
