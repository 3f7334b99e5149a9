"""Turn a request's placements into clusters that can be submitted, each with its id (decision 9)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from glideinwms.factory.plan import RequestPlan
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.factory.submit.arguments import merged_params
from glideinwms.factory.submit.check import check
from glideinwms.factory.submit.description import Description, SubmitSpec, describe, sub_entries
from glideinwms.factory.submit.log_tokens import with_log_tokens
from glideinwms.lib.errors import GwmsError
from glideinwms.lib.reasons import Reason, Refusal

OVERLOAD = "GLIDEIN_OVERLOAD_ENABLED"


@dataclass(frozen=True, slots=True)
class Cluster:
    """`n` pilots of one request, one transaction: at most cluster_size of them."""

    file: str
    n: int
    submit_id: str
    description: Description


@dataclass(slots=True)
class SubmitBatch:
    """What one request gets this cycle. `sleep` seconds lie between its clusters; `ready` is when
    the next may go.
    """

    schedd: str
    entry: str
    row: RequestPlan
    clusters: list[Cluster]
    sleep: float
    ready: float = 0.0


def batch_of(
    policy: FactoryPolicy,
    entry: EntryPolicy,
    row: RequestPlan,
    request: Request,
    now: float,
    new_id: Callable[[], str],
    rng: random.Random,
) -> SubmitBatch | Refusal:
    """The clusters of one request, or why there can be none."""
    lognr = time.strftime("%Y%m%d", time.localtime(now))
    subs = {s.submit_file: s for s in sub_entries(entry)}
    clusters: list[Cluster] = []
    try:
        request = with_log_tokens(policy, entry, with_overload(entry, request, rng), now)
        for placement in row.placements:
            for n in sizes(placement.n, entry.submit_cluster_size):
                order = SubmitSpec(policy, entry, subs[placement.file], request, new_id(), lognr)
                if not clusters and (refusal := check(order, now)):
                    return refusal
                clusters.append(Cluster(placement.file, n, order.submit_id, describe(order)))
    except (GwmsError, KeyError) as error:
        text = str(error) if isinstance(error, GwmsError) else f"there is no submit file {error}"
        return Refusal(Reason.SUBMIT_FAILED, row.request, text)
    return SubmitBatch(entry.schedd_name, entry.name, row, clusters, entry.submit_sleep)


def sizes(n: int, most: int) -> list[int]:
    """`n` in parts of at most `most`."""
    most = max(1, most)
    return [most] * (n // most) + ([n % most] if n % most else [])


def with_overload(entry: EntryPolicy, request: Request, rng: random.Random) -> Request:
    """A share `N%` of overloaded pilots is drawn anew for each submission (protocol 4.10)."""
    share = str(merged_params(entry, request).get(OVERLOAD, ""))
    if not share.endswith("%"):
        return request
    try:
        chosen = rng.random() * 100 < float(share[:-1])
    except ValueError:
        chosen = False
    return replace(request, params={**request.params, OVERLOAD: str(chosen)})
