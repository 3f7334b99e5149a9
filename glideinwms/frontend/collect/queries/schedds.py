"""Which user schedds there are and how loaded they say they are, read inside a reader process
(protocol 5.2, decision 48).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from glideinwms.frontend.collect.answers import ScheddAd, ScheddAds
from glideinwms.frontend.collect.queries.slots import collector_started
from glideinwms.lib.bounded import count_or, text_or
from glideinwms.lib.condor import htc

SHARE = 0.95
MAX_NAME = 4096  # an address names every network of its host


def read_loads(collector: str) -> ScheddAds:
    """Read all schedd ads. CurbMatchmaking is an expression over the whole ad: the collector
    evaluates it.
    """
    curbed = {
        str(ad.get("Name"))
        for ad in htc.query_ads(collector, "CurbMatchmaking =?= true", ["Name"], "Schedd")
    }
    ads = [schedd_ad(ad, curbed) for ad in htc.locate_schedds(collector)]
    return ScheddAds(
        ads=tuple(ad for ad in ads if ad is not None), started=collector_started(collector)
    )


def schedd_ad(ad: Mapping[str, Any], curbed: Collection[str]) -> ScheddAd | None:
    """One schedd; None for an ad without a name or an address."""
    name, address = (text_or(ad.get(n), "", longest=MAX_NAME) for n in ("Name", "MyAddress"))
    if not name or not address:
        return None
    return ScheddAd(name=name, address=address, overload=overloaded(ad, name in curbed))


def overloaded(ad: Mapping[str, Any], curbed: bool) -> str:
    """The bad-schedd rule (protocol 5.2); an ad without these numbers is not bad."""
    running, most = (count_or(ad.get(n), None) for n in ("TotalRunningJobs", "MaxJobsRunning"))
    if running is not None and most is not None and running >= int(SHARE * most + 0.5):
        return f"runs {running} of at most {most} jobs (MaxJobsRunning)"
    uploading, queue = (
        count_or(ad.get(n), None)
        for n in ("TransferQueueNumUploading", "TransferQueueMaxUploading")
    )
    if uploading is not None and queue and uploading >= int(SHARE * queue + 0.5):
        return f"uploads {uploading} of at most {queue} at a time (TransferQueueMaxUploading)"
    return "curbs matchmaking (CurbMatchmaking)" if curbed else ""
