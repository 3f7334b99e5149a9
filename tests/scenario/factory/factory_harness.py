"""Run a Factory daemon on HTCondor in memory and a virtual clock.

The test plays the Frontends, pilots and operators.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from glideinwms.factory.apply.applier import FactoryReport
from glideinwms.factory.daemon import FactoryDaemon
from glideinwms.factory.plan import FactoryEntryPlan, FactoryPlan
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
from glideinwms.lib.daemon import operator_commands
from glideinwms.lib.daemon.loop import CycleRecord
from glideinwms.lib.jsondata import to_json
from glideinwms.testing import FakeSchedd, World
from tests.unit.factory.builders import IDENTITY, entry, key, policy, request_ad, seal

WMS = "wms.demo:9618"
SECRETS = {
    "SecurityName": "fe",
    "SecurityClass": "frontend",
    "ScitokenId": "TOKENIDX",
    "frontend_scitoken": "a.b.c",
}


class FactoryHarness:
    """`cycle()` runs one; the clock moves on by the loop delay after each."""

    def __init__(
        self, base: Path, *entries: EntryPolicy, schedds: tuple[str, ...] = ("schedd@factory",)
    ) -> None:
        self.base, self.world = base, World()
        self.wms = self.world.collector(WMS)
        self.schedds: dict[str, FakeSchedd] = {n: self.world.schedd(n, self.wms) for n in schedds}
        self.schedd = self.schedds[schedds[0]]
        (base / "work/state").mkdir(parents=True)
        (base / "work/glidein_startup.0.sh").write_text("#!/bin/sh\n")
        key().save(base / "work/rsa.key")
        self.policy = policy(base, *entries, loop_delay=60.0)
        self.seal = seal()
        self.asked: dict[str, dict[str, Any]] = {}
        self.seed = 1
        self.write()
        self.start()

    def write(self, **changes: Any) -> None:
        """Change the policy on disk."""
        self.policy: FactoryPolicy = replace(self.policy, **changes)
        (self.base / "work/policy.json").write_text(json.dumps(to_json(self.policy)))

    def start(self) -> None:
        """A daemon that has just started: a second call is a restart."""
        self.pool = self.world.pool("factory@wms.demo")
        self.daemon = FactoryDaemon(self.base / "work", self.pool, self.world.clock())
        self.daemon.applier.clock, self.daemon.applier.sleep = (
            self.world.clock,
            self.world.clock.advance,
        )
        self.daemon.audit.clock = self.world.clock
        self.runner = CycleRecord(
            self.daemon, self.base / "work", clock=self.world.clock, seed=lambda: self.seed
        )

    def ask(
        self, idle: int, top: int = 1000, entry: str = "A", client: str = "fe.main", **changes: Any
    ) -> None:
        """A Frontend's request, kept alive from now on."""
        name = f"{entry}@inst@fact"
        secrets = {
            **SECRETS,
            "SecurityClass": changes.pop("security_class", "frontend"),
            "frontend_scitoken": changes.pop("token", "a.b.c"),
        }
        made = request_ad(
            secrets,
            self.seal,
            name=f"HASHHASH_{name}@{client}",
            client_name=client,
            req_name=name,
            req_glidein=name,
            idle=idle,
            max_glideins=top,
            **changes,
        )
        self.asked[f"{entry} {client}"] = {
            k: v for k, v in made.items() if k not in ("LastHeardFrom", "AuthenticatedIdentity")
        }

    def forget(self) -> None:
        """The Frontends fall silent: their ads expire."""
        self.asked.clear()
        self.world.clock.advance(2 * self.wms.lifetime + 1)

    def cycle(self, n: int = 1) -> FactoryPlan:
        """Requests are sent again, the Factory runs; the last plan."""
        for _ in range(n):
            for ad in self.asked.values():
                self.wms.put(ad, "UPDATE_MASTER_AD", IDENTITY)
            self.runner.once()
            self.seed += 1
            self.world.clock.advance(self.policy.loop_delay)
        assert self.daemon.plan is not None
        return self.daemon.plan

    def row(self, name: str = "A") -> FactoryEntryPlan:
        """The last plan of an entry."""
        assert self.daemon.plan is not None
        return next(e for e in self.daemon.plan.entries if e.entry == name)

    def status(self) -> dict[str, Any]:
        """What the last cycle left in status.json."""
        data: dict[str, Any] = json.loads((self.base / "work/state/status.json").read_text())
        assert not data["error"], data["error"]
        return data["summary"]  # type: ignore[no-any-return]

    def readings(self) -> list[dict[str, Any]]:
        """The inputs as status.json shows them."""
        return list(json.loads((self.base / "work/state/status.json").read_text())["readings"])

    def say(self, verb: str, **args: str) -> operator_commands.CommandAnswer:
        """An operator's word, and its answer after the next cycle."""
        folder = self.base / "work/state/requests"
        word = operator_commands.put(folder, verb, args)
        self.cycle()
        return operator_commands.wait_answer(folder, word, 1.0)

    def down(self, *lines: str) -> None:
        """Write the downtimes file."""
        (self.base / "work/glideinWMS.downtimes").write_text("".join(f"{line}\n" for line in lines))

    def run(self, constraint: str, limit: int = -1) -> int:
        """Pilots start to run."""
        return self.schedd.set(constraint, limit, JobStatus=2, GridJobStatus="RUNNING")

    def audit(self, act: str) -> list[dict[str, Any]]:
        """Lines of the audit trail."""
        path = self.base / "work/state/audit.jsonl"
        lines = [json.loads(t) for t in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if line["act"] == act]


__all__ = ["FactoryHarness", "FactoryReport", "entry"]
