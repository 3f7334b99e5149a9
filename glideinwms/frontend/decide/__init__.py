"""The Frontend's decision: pure, from a Snapshot and a policy to a Plan (decision 18).

from glideinwms.frontend.decide import decide plan = decide(snapshot, policy, now,
random.Random(seed))
"""

from __future__ import annotations

import random

from glideinwms.frontend.decide.group import decide_group
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.plan import FrontendPlan, GroupPlan
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.frontend.snapshot import FrontendSnapshot
from glideinwms.lib.errors import GwmsError

__all__ = ["MatchCache", "decide"]


def decide(
    snapshot: FrontendSnapshot,
    policy: FrontendPolicy,
    now: float,
    rng: random.Random,
    cache: MatchCache | None = None,
) -> FrontendPlan:
    """What every group asks of every entry. `cache` keeps match results between cycles; it changes
    no answer. A group whose decision fails is shown with its problem and asks for nothing new; the
    others go on.
    """
    known = cache if cache is not None else MatchCache()
    inputs = {g.name: g for g in snapshot.groups}
    groups = []
    for group in policy.groups:
        if not group.enabled or group.name not in inputs:
            continue
        try:
            groups.append(decide_group(snapshot, inputs[group.name], policy, group, rng, known))
        except GwmsError as error:
            groups.append(GroupPlan(group.name, (), (), problems=(str(error),)))
        except Exception as error:  # noqa: BLE001 - the boundary of one group
            groups.append(
                GroupPlan(group.name, (), (), problems=(f"{type(error).__name__}: {error}",))
            )
    return FrontendPlan(tuple(groups))
