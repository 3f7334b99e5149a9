"""Which user schedds there are and how loaded they say they are, read inside a reader process (5.2, decision 48)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glideinwms.frontend.fold_slots import collector_started
from glideinwms.lib import htc

SHARE = 0.95


def read_loads(collector: str) -> dict[str, Any]:
    """{"ads": one row per schedd ad, "started": when the collector was started}; a row is Name, MyAddress and `bad`
    (why its idle jobs do not count, or ""). CurbMatchmaking is an expression over the whole ad: the collector
    evaluates it."""
    curbed = {ad.get("Name") for ad in htc.query_ads(collector, "CurbMatchmaking =?= true", ["Name"], "Schedd")}
    rows = [
        {"Name": str(ad["Name"]), "MyAddress": str(ad["MyAddress"]), "bad": overloaded(ad, ad["Name"] in curbed)}
        for ad in htc.locate_schedds(collector)
        if "Name" in ad and "MyAddress" in ad
    ]
    return {"ads": rows, "started": collector_started(collector)}


def overloaded(ad: Mapping[str, Any], curbed: bool) -> str:
    """The bad-schedd rule (5.2); an ad without these numbers is not bad."""
    running, most = ad.get("TotalRunningJobs"), ad.get("MaxJobsRunning")
    if isinstance(running, int) and isinstance(most, int) and running >= int(SHARE * most + 0.5):
        return f"runs {running} of at most {most} jobs (MaxJobsRunning)"
    uploading, queue = ad.get("TransferQueueNumUploading"), ad.get("TransferQueueMaxUploading")
    if isinstance(uploading, int) and isinstance(queue, int) and queue > 0 and uploading >= int(SHARE * queue + 0.5):
        return f"uploads {uploading} of at most {queue} at a time (TransferQueueMaxUploading)"
    return "curbs matchmaking (CurbMatchmaking)" if curbed else ""
