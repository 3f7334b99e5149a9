"""A collector in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import classad2
import htcondor2

from glideinwms.lib.condor import htc
from glideinwms.testing import ads as fake_ads
from glideinwms.testing.clock import FakeClock, HungCall

if TYPE_CHECKING:
    from glideinwms.testing.schedd import FakeSchedd

DELAY = 0.2
LIFETIME = 900.0
# command -> (table, permission level)
UPDATES = {
    "UPDATE_AD_GENERIC": ("Generic", "DAEMON"),
    "UPDATE_LICENSE_AD": ("License", "DAEMON"),
    "UPDATE_MASTER_AD": ("Master", "ADVERTISE_MASTER"),
    "UPDATE_STARTD_AD": ("Startd", "ADVERTISE_STARTD"),
    "UPDATE_SCHEDD_AD": ("Schedd", "ADVERTISE_SCHEDD"),
}
INVALIDATES = {
    "INVALIDATE_ADS_GENERIC": "UPDATE_AD_GENERIC",
    "INVALIDATE_LICENSE_ADS": "UPDATE_LICENSE_AD",
    "INVALIDATE_MASTER_ADS": "UPDATE_MASTER_AD",
    "INVALIDATE_STARTD_ADS": "UPDATE_STARTD_AD",
    "INVALIDATE_SCHEDD_ADS": "UPDATE_SCHEDD_AD",
}
Key = tuple[str, ...]


@dataclass(slots=True)
class FakeCollector:
    """What a condor_collector does that matters to us.

    `grants`: identity -> levels (READ, DAEMON, ADVERTISE_MASTER ...), None: everybody has all.
    `delay`: seconds until what was advertised can be seen (decision 28). An ad lives
    ClassAdLifetime or `lifetime` seconds and is dropped by a sweep every `lifetime` seconds, so up
    to twice as long (decision 26). `down`, `hung`: refuses, or never answers.
    """

    address: str
    clock: FakeClock
    grants: dict[str, set[str]] | None = None
    delay: float = DELAY
    lifetime: float = LIFETIME
    down: bool = False
    hung: bool = False
    schedds: list[FakeSchedd] = field(default_factory=list)
    started: float = field(init=False)
    _tables: dict[str, dict[Key, Any]] = field(default_factory=dict)
    _coming: list[tuple[float, str, Any]] = field(default_factory=list)
    _swept: float = -1.0

    def __post_init__(self) -> None:
        self.started = self.clock()

    def restart(self) -> None:
        """Come up again as a new process that has heard of nobody; the ads of `schedds` are there
        at once.
        """
        self._tables.clear()
        self._coming.clear()
        self.started, self.down, self.hung = self.clock(), False, False

    def put(
        self,
        ad: Mapping[str, Any],
        command: str = "UPDATE_AD_GENERIC",
        identity: str = "condor@fake",
    ) -> None:
        """Store one ad at once, as a test does: no permission, no delay."""
        self._settle()
        self._store(command, self._stamped(ad, identity))

    def ads(self, my_type: str = "", constraint: str = "true") -> list[dict[str, Any]]:
        """All ads of a MyType ("": all) as plain data, for assertions."""
        self._settle()
        expression = fake_ads.parse(constraint, self.clock())
        found = [
            ad
            for table in self._tables.values()
            for ad in table.values()
            if fake_ads.matches(ad, expression)
        ]
        return [ad for ad in htc.plain_ads(found) if not my_type or ad.get("MyType") == my_type]

    def query(
        self, kind: Any, constraint: str, projection: Sequence[str], identity: str
    ) -> list[Any]:
        """As htcondor2.Collector.query; `kind` is an AdType. Our own kinds of ads are found under
        Any only.
        """
        self._admit("READ", identity, "Failed communication with collector.")
        self._settle()
        try:
            expression = fake_ads.parse(constraint, self.clock())
        except classad2.ClassAdException:
            raise htcondor2.HTCondorException("Unknown error from collector query.") from None
        return [
            fake_ads.project(ad, projection, {})
            for ad in self._all(kind.name)
            if fake_ads.matches(ad, expression)
        ]

    def advertise(self, ads: Iterable[Any], command: str, identity: str) -> None:
        """As htcondor2.Collector.advertise: returns before the ads can be seen, and tells of none
        that is dropped.
        """
        update = INVALIDATES.get(command, command)
        if update not in UPDATES:
            raise ValueError(f"invalid command {command}")
        self._admit(UPDATES[update][1], identity, "Failed to advertise to collector.")
        self._settle()
        for ad in ads:
            if command in UPDATES and key_of(UPDATES[command][0], ad) is None:
                return  # the connection ends at a malformed ad
            stamped = ad if command in INVALIDATES else self._stamped(ad, identity)
            self._coming.append((self.clock() + self.delay, command, fake_ads.copy(stamped)))

    def _admit(self, level: str, identity: str, refusal: str) -> None:
        if self.hung:
            raise HungCall(self.address)
        if self.down or (self.grants is not None and level not in self.grants.get(identity, ())):
            raise htcondor2.HTCondorException(refusal)

    def _stamped(self, ad: Mapping[str, Any], identity: str) -> Any:
        stamps = {
            "LastHeardFrom": int(self.clock()),
            "UpdatesTotal": 1,
            "UpdatesLost": 0,
            "UpdatesSequenced": 0,
            "UpdatesHistory": "0" * 32,
            "AuthenticatedIdentity": identity,
            "AuthenticationMethod": "IDTOKENS",
        }
        return fake_ads.project(fake_ads.of(ad), (), stamps)

    def _settle(self) -> None:
        """What has arrived by now, then the housekeeper."""
        now = self.clock()
        arrived = [c for c in self._coming if c[0] <= now]
        self._coming = [c for c in self._coming if c[0] > now]
        for _, command, ad in arrived:
            if command in INVALIDATES:
                self._drop(UPDATES[INVALIDATES[command]][0], ad)
            else:
                self._store(command, ad)
        if self._swept < 0 or now - self._swept >= self.lifetime:
            self._swept = now
            for table in self._tables.values():
                for key in [
                    k for k, ad in table.items() if now - ad["LastHeardFrom"] >= self._life(ad)
                ]:
                    del table[key]

    def _life(self, ad: Any) -> float:
        return float(ad["ClassAdLifetime"]) if "ClassAdLifetime" in ad else self.lifetime

    def _store(self, command: str, ad: Any) -> None:
        table = UPDATES[command][0]
        key = key_of(table, ad)
        if key is not None:
            self._tables.setdefault(table, {})[key] = ad

    def _drop(self, table: str, query: Any) -> None:
        """Generic ads only of the kind that TargetType names; other tables by the constraint alone."""
        ads = self._tables.get(table, {})
        for key, ad in list(ads.items()):
            if table == "Generic" and ad.get("MyType") != query.get("TargetType"):
                continue
            if fake_ads.matches(ad, query["Requirements"]):
                del ads[key]

    def _all(self, kind: str) -> list[Any]:
        found: list[Any] = []
        for table in ("Generic", "License", "Master", "Startd", "Schedd"):
            if kind in ("Any", table) or (kind == "Slot" and table == "Startd"):
                ads = self._tables.get(table, {}).values()
                found += (
                    ads if kind != "Generic" else [a for a in ads if a.get("MyType") == "Generic"]
                )
        if kind in ("Any", "Schedd"):
            found += [s.ad() for s in self.schedds if not s.down]
        if kind in ("Any", "Collector"):
            found.append(self._own())
        return found

    def _own(self) -> Any:
        now, hosts = int(self.clock()), len(self._tables.get("Startd", {}))
        plain = {
            "MyType": "Collector",
            "Name": f"pool@{self.address}",
            "MyAddress": f"<{self.address}>",
            "HostsTotal": hosts,
            "MyCurrentTime": now,
            "LastHeardFrom": now,
            "StatsLastUpdateTime": now,
            "StatsLifetime": int(now - self.started),
        }
        return fake_ads.of(plain)


def key_of(table: str, ad: Any) -> Key | None:
    """Under what an ad is kept; None: it is malformed and dropped without a word. A licence ad
    needs MyAddress (decision 6).
    """
    name, address = ad.get("Name"), ad.get("MyAddress")
    if table == "Master" and name is None:
        name = ad.get("Machine")
    if not isinstance(name, str):
        return None
    if table == "Generic":
        return (str(ad.get("MyType", "")), name)
    if table == "Master":
        return (name,)
    if not isinstance(address, str):
        return None
    return (name,) if table == "License" else (name, address.split("?")[0])
