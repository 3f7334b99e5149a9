"""Run the demo's chain twice: three groups, two user schedds, two WMS pools with a Factory and CE.

Every group wants one pilot at each entry all the time, so any pilot that is removed was removed
wrongly.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.demo import jobs
from glideinwms.demo.full_stack import IDENTITY, Chain
from glideinwms.lib.errors import DemoError
from tests.grid.waiting import wait_for

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
# matches every entry for the Frontend and no slot for HTCondor: its group wants pilots all the time
KEEPER = """universe = vanilla
executable = {folder}/job.sh
arguments = 1
log = {folder}/keepers.log
requirements = TARGET.NoSuchSlot =?= True
request_disk = 1MB
request_cpus = 1
request_memory = 400
My.WorkType = "{work}"
queue 1
"""
# one pilot of each group at each entry, which stays; the moment a group seems to want nothing, all
# above its request go
LASTING = (
    ('name="GLIDEIN_Max_Idle" value="20"', 'name="GLIDEIN_Max_Idle" value="900"'),
    ('name="GLIDEIN_Max_Tail" value="5"', 'name="GLIDEIN_Max_Tail" value="900"'),
    ('glideins="3" idle="2"', 'glideins="3" idle="3"'),
)
EAGER = (
    ('<running_glideins_per_entry max="10"', '<running_glideins_per_entry max="1"'),
    ('reserve="0"/>', 'reserve="0"/><glideins_removal type="ALL" wait="0"/>'),
)
# a job that ran and was taken away, removed, held or lost by its pilot
TAKEN = ("004 ", "007 ", "009 ", "012 ", "024 ")


@dataclass
class DoubledChain(Chain):
    """Everything is at work; `submitted` counts the jobs by the log they write."""

    sides: Sequence[str] = ("factory", "factory2", "frontend")
    submitted: list[str] = field(default_factory=list, init=False)

    def configure(self) -> None:
        """The demo's files, each Factory with one of the entries, the Frontend with all there is."""
        super().configure()
        (self.grid["user"].home / "spool2").mkdir()
        wms, wms2 = self.grid["wms"], self.grid["wms2"]
        text = changed((self.etc / "factory.xml").read_text(), LASTING)
        alpha, beta = re.findall(r"<entry name=.*?</entry>", text, re.DOTALL)
        (self.etc / "factory.xml").write_text(text.replace(beta, ""))
        text = (
            text.replace(alpha, "")
            .replace(wms.collector, wms2.collector)
            .replace(wms.schedd, wms2.schedd)
        )
        text = text.replace("demo_factory", "demo_factory2").replace(
            "frontend@wms.", "frontend@wms2."
        )
        (self.etc / "factory2.xml").write_text(text.replace("/factory/", "/factory2/"))
        self._second_of_all(wms.collector, wms2.collector)

    def _second_of_all(self, wms: str, wms2: str) -> None:
        path = self.etc / "frontend.xml"
        text = changed(path.read_text(), EAGER)
        [pool] = re.findall(rf'<collector node="{wms}".*?/>', text)
        text = text.replace(pool, pool + pool.replace(wms, wms2).replace("@wms.", "@wms2."))
        [schedd] = re.findall(r"<schedd .*?/>", text)
        text = text.replace(schedd, schedd + schedd.replace(self.grid["user"].schedd, SECOND))
        group = re.findall(r"<group name=.*?</group>", text, re.DOTALL)[1]
        text = text.replace(group, group + group.replace("production", "testing"))
        path.write_text(text.replace('WorkType =!= "production"', 'WorkType =?= "analysis"'))

    def keep(self) -> None:
        """A job of each group, in one schedd or the other, that waits for ever; returns when the
        Frontend sees a pilot of every group at every entry.
        """
        folder = self._folder()
        for work, schedd in zip(WORK, ("", SECOND, ""), strict=True):
            path = folder / f"{work}.sub"
            path.write_text(KEEPER.format(folder=folder, work=work))
            self.grid.who.own(path)
            self._submit(path, schedd)
        wait_for(
            "a pilot of each group at each entry",
            lambda: len(self.served()) == len(WORK) * len(SITES),
            120,
        )

    def served(self) -> list[str]:
        """ "<group> <entry>" where the Frontend sees slots."""
        status = self.status("frontend")
        groups = status.summary["groups"].items() if status else ()
        return [
            f"{n} {e['entry']}" for n, g in groups for e in g["entries"] if e["slots"].get("total")
        ]

    def pilots(self) -> set[str]:
        """Pilots that run, by what their Factories' schedds say: "<side> <cluster>.<process>"."""
        found = set()
        for side in ("factory", "factory2"):
            words = ("condor_q", "-allusers", "-constraint", "JobUniverse == 9 && JobStatus == 2")
            with suppress(DemoError):  # its schedd is away
                out = self.grid.run(
                    IDENTITY[side],
                    *words,
                    "-format",
                    "%d.",
                    "ClusterId",
                    "-format",
                    "%d\n",
                    "ProcId",
                )
                found |= {f"{side} {line}" for line in out.split()}
        return found

    def _folder(self) -> Path:
        folder = jobs.jobs_dir(self.grid)
        folder.mkdir(exist_ok=True)
        (folder / "job.sh").write_text(jobs.SCRIPT)
        (folder / "job.sh").chmod(0o755)
        self.grid.who.own(folder)
        return folder

    def wave(self, seconds: int = 1, schedds: Sequence[str] = ("", SECOND)) -> None:
        """A job of each group into each of these schedds ("": the user pool's first), by turns at
        each site.
        """
        folder = self._folder()
        for schedd in schedds:
            for work in WORK:
                tag = f"{len(self.submitted)}"
                site = SITES[len(self.submitted) % 2]
                text = JOBS.format(folder=folder, seconds=seconds, tag=tag, work=work, site=site)
                (folder / f"{tag}.sub").write_text(text)
                self.grid.who.own(folder / f"{tag}.sub")
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

    def events(self, tag: str) -> list[str]:
        """The events of a job's log, each with the lines that follow it as one string."""
        path = jobs.jobs_dir(self.grid) / f"{tag}.log"
        return path.read_text().split("...\n") if path.exists() else []

    def running(self, tags: Sequence[str]) -> bool:
        """Whether all these jobs have started."""
        return all(any(e.startswith("001 ") for e in self.events(t)) for t in tags)

    def ended(self) -> Counter[str]:
        """How often each job has ended well, by its log."""
        ends = {t: [e for e in self.events(t) if e.startswith("005 ")] for t in self.submitted}
        return Counter({t: sum("return value 0" in e for e in found) for t, found in ends.items()})

    def all_done(self, seconds: float = 240) -> None:
        """Every job ends, ends once, and no pilot was taken from under it."""
        wait_for(
            "all jobs",
            lambda: not (lack := [t for t, n in self.ended().items() if n == 0]) or print(lack),
            seconds,
        )
        assert set(self.ended().values()) == {1}
        assert [e for t in self.submitted for e in self.events(t) if e.startswith(TAKEN)] == []

    def removed(self) -> list[str]:
        """What the Factories removed, and the groups and entries of which the Frontend asks to
        remove pilots.
        """
        found = []
        for side in ("factory", "factory2"):
            path = self.work(side) / "state/audit.jsonl"
            lines = path.read_text().splitlines() if path.exists() else []
            found += [line for line in lines if json.loads(line)["act"] in ("remove", "park")]
        status = self.status("frontend")
        for name, group in status.summary["groups"].items() if status else ():
            found += [
                f"{name}: {e['entry']}: {e['removal']}"
                for e in group["entries"]
                if e["removal"] != "NO"
            ]
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
                found += [
                    f"{side}: {name}: {text}"
                    for text in (*group["held"], *group["frozen"], *group["problems"])
                ]
            found += [f"{side}: {text}" for text in status.summary.get("failed", ())]
        return found

    def recovered(self) -> None:
        """Two cycles of every daemon from now on nobody complains any more."""
        began = {side: self.cycles(side) for side in self.sides}
        wait_for("two cycles", lambda: all(self.cycles(s) > n + 2 for s, n in began.items()), 90)
        wait_for("no complaint", lambda: not (lack := self.complaints()) or print(lack))


def changed(text: str, changes: Sequence[tuple[str, str]]) -> str:
    """The text with each old string, which must be there, replaced."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text
