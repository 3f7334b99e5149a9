"""The chain of the demo, doubled: three groups, two user schedds, two WMS pools with a Factory and a CE each."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from glideinwms.demo import jobs
from glideinwms.demo.chain import Chain
from glideinwms.lib.errors import DemoError
from glideinwms.lib.reasons import Reason
from tests.grid.frontend.frontend_rig import wait_for

SECOND = "second@user.demo"
# a second schedd under the user pool's master
SCHEDD2 = {
    "DAEMON_LIST": "MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, SCHEDD2",
    "DC_DAEMON_LIST": "+SCHEDD2",
    "SCHEDD2": "$(SCHEDD)",
    "SCHEDD2_ARGS": "-local-name SCHEDD2",
    "SCHEDD2.SCHEDD_NAME": SECOND,
    "SCHEDD2.SPOOL": "$(LOCAL_DIR)/spool2",
    "SCHEDD2.SCHEDD_LOG": "$(LOG)/Schedd2Log",
    "SCHEDD2.SCHEDD_ADDRESS_FILE": "$(SPOOL)/.schedd2_address",
    "SCHEDD2.SCHEDD_DAEMON_AD_FILE": "$(SPOOL)/.schedd2_ad",
    "SCHEDD2.HISTORY": "$(SPOOL)/history2",
}
POOLS = ("user", "wms", "wms2", "ce_a", "ce_b")
WORK = ("analysis", "production", "testing")
SITES = ("SiteA", "SiteB")
JOBS = """universe = vanilla
executable = {folder}/job.sh
arguments = {seconds}
log = {folder}/{tag}.log
log_xml = False
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
request_disk = 1MB
request_cpus = 1
request_memory = 400
My.WorkType = "{work}"
My.DESIRED_Sites = "{site}"
queue 1
"""


@dataclass
class Field(Chain):
    """Everything is at work; `submitted` counts the jobs by the log they write."""

    sides: Sequence[str] = ("factory", "factory2", "frontend")
    submitted: list[str] = field(default_factory=list, init=False)

    def configure(self) -> None:
        """The demo's files, each Factory with one of the entries, the Frontend with all there is."""
        super().configure()
        (self.grid["user"].home / "spool2").mkdir()
        wms, wms2 = self.grid["wms"], self.grid["wms2"]
        text = (self.etc / "factory.xml").read_text()
        alpha, beta = re.findall(r"<entry name=.*?</entry>", text, re.DOTALL)
        (self.etc / "factory.xml").write_text(text.replace(beta, ""))
        text = text.replace(alpha, "").replace(wms.collector, wms2.collector).replace(wms.schedd, wms2.schedd)
        text = text.replace("demo_factory", "demo_factory2").replace("frontend@wms.", "frontend@wms2.")
        (self.etc / "factory2.xml").write_text(text.replace("/factory/", "/factory2/"))
        self._second_of_all(wms.collector, wms2.collector)

    def _second_of_all(self, wms: str, wms2: str) -> None:
        path = self.etc / "frontend.xml"
        text = path.read_text()
        [pool] = re.findall(rf'<collector node="{wms}".*?/>', text)
        text = text.replace(pool, pool + pool.replace(wms, wms2).replace("@wms.", "@wms2."))
        [schedd] = re.findall(r"<schedd .*?/>", text)
        text = text.replace(schedd, schedd + schedd.replace(self.grid["user"].schedd, SECOND))
        group = re.findall(r"<group name=.*?</group>", text, re.DOTALL)[1]
        text = text.replace(group, group + group.replace("production", "testing"))
        path.write_text(text.replace('WorkType =!= "production"', 'WorkType =?= "analysis"'))

    def wave(self, seconds: int = 1, schedds: Sequence[str] = ("", SECOND)) -> None:
        """A job of each group into each of these schedds ("": the user pool's first), by turns at each site."""
        folder = jobs.jobs_dir(self.grid)
        folder.mkdir(exist_ok=True)
        (folder / "job.sh").write_text(jobs.SCRIPT)
        (folder / "job.sh").chmod(0o755)
        for schedd in schedds:
            for work in WORK:
                tag = f"{len(self.submitted)}"
                site = SITES[len(self.submitted) % 2]
                text = JOBS.format(folder=folder, seconds=seconds, tag=tag, work=work, site=site)
                (folder / f"{tag}.sub").write_text(text)
                self.grid.who.own(folder)
                self.submitted.append(tag)
                self._submit(folder / f"{tag}.sub", schedd)

    def _submit(self, path: object, schedd: str) -> None:
        name = ["-name", schedd] if schedd else []

        def taken() -> bool:
            try:
                return bool(self.grid.run(jobs.USER, "condor_submit", *name, "-terse", str(path)))
            except DemoError:  # its ad is not in the collector yet
                return False

        wait_for(f"a submit to {schedd or 'the first schedd'}", taken)

    def ended(self) -> Counter[str]:
        """How often each job has ended well, by its log."""
        found: Counter[str] = Counter()
        for tag in self.submitted:
            path = jobs.jobs_dir(self.grid) / f"{tag}.log"
            lines = path.read_text().splitlines() if path.exists() else []
            ends = [n for n, line in enumerate(lines) if line.startswith("005 ")]
            found[tag] = sum("return value 0" in "".join(lines[n : n + 3]) for n in ends)
        return found

    def all_done(self, seconds: float = 240) -> None:
        """Every job ends, and ends once."""
        wait_for(
            "all jobs", lambda: not (lack := [t for t, n in self.ended().items() if n == 0]) or print(lack), seconds
        )
        assert set(self.ended().values()) == {1}

    def removed(self) -> list[str]:
        """What the Factories removed or would, but for pilots that wait: those go rightly when others took the jobs."""
        found = []
        for side in ("factory", "factory2"):
            path = self.work(side) / "state/audit.jsonl"
            lines = path.read_text().splitlines() if path.exists() else []
            acts = [(line, json.loads(line)) for line in lines]
            found += [
                line for line, act in acts
                if act["act"] in ("remove", "park") and act.get("reasons") != [Reason.EXCESS_WAIT]
            ]  # fmt: skip
        return found

    def cycles(self, side: str = "frontend") -> int:
        """Cycles of a daemon until now."""
        found = self.status(side)
        return found.cycle if found is not None else 0

    def complaints(self) -> list[str]:
        """What the daemons say is wrong, now."""
        found = []
        for side in self.sides:
            status = self.status(side)
            if status is None or status.error:
                found.append(f"{side}: {status.error if status else 'no status'}")
                continue
            found += [f"{side}: {r.source}: {r.error}" for r in status.readings if r.error]
            for name, group in status.summary.get("groups", {}).items():
                found += [f"{side}: {name}: {text}" for text in (*group["held"], *group["frozen"], *group["problems"])]
            found += [f"{side}: {text}" for text in status.summary.get("failed", ())]
        return found

    def recovered(self) -> None:
        """Two cycles of every daemon from now on nobody complains any more."""
        began = {side: self.cycles(side) for side in self.sides}
        wait_for("two cycles", lambda: all(self.cycles(s) > n + 2 for s, n in began.items()), 90)
        first = time.monotonic()
        wait_for("no complaint", lambda: not (lack := self.complaints()) or print(lack), 5)
        assert time.monotonic() - first < 5
