"""What a Factory costs: a steady cycle, the schedd it asks, event logs, submissions.

Rows: `cycle_cpu_s`, `rss_mb` (PSS of the process tree), `processes`, `open_files`, `cycle_wall_s` with `entries`;
`exponent` of the CPU in entries; `schedd_cpu_s` with `pilots`; `event_ms` with `log_mb`; `parse_events_per_s`;
`submit_ratio` with `cluster_size`. Two Frontends with 100 pilots each per entry and their event logs. Full size: 1000
entries; else a tenth.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.collect import INPUTS, NO_LIMITS, cpu_of
from benchmarks.inputs import mklog
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import default_cache, ensure_condor
from glideinwms.factory.pilot_history.event_log import EventClock, LogPosition, read_new
from glideinwms.factory.pilot_history.follow import PilotFollower
from glideinwms.factory.policy import (
    SCHEMA,
    EntryPolicy,
    FactoryPolicy,
    FrontendTrust,
    Limits,
    StageTriple,
)
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.daemon import log
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.wire import GlideClient, GlideClientGlobal, Seal
from glideinwms.lib.wire.crypto import FactoryKey

FACTORY, FRONTEND = "factory@wms.demo", "frontend@wms.demo"
NAMES = ("fe00", "fe01")
EACH = 100
write_log: Callable[..., tuple[int, int]] = mklog.write_log
CYCLES = 5
ROOMY = Limits(10**6, 10**6, 10**6)
PILOT = """+GlideinFactory = "factory"
+GlideinName = "inst"
+GlideinEntryName = "{entry}"
+GlideinClient = "{fe}.main"
+GlideinFrontendName = "{fe}:frontend"
+GlideinSecurityClass = "frontend"
+GlideinCredentialIdentifier = "ABCDEFGH"
+GlideinEntrySubmitFile = "entry_{entry}/job.condor"
+GlideinCountKey = "factory|inst|{entry}|{fe}.main|{fe}:frontend|frontend|ABCDEFGH|entry_{entry}/job.condor"
{grid}queue {n}
"""


def run(full: bool) -> Iterator[dict[str, Any]]:
    """The rows."""
    log.setup("bench", level="ERROR")
    yield from parsing()
    sizes = (10, 100, 500, 1000) if full else (10, 50, 100)
    seen: list[tuple[int, float]] = []
    with wms_pool() as g:
        rig = Rig(g, sizes[-1])
        for entries in sizes:
            rig.grow(entries)
            rows = list(rig.steady())
            seen.append((entries, rows[0]["value"]))
            yield from rows
        yield {"name": "exponent", "value": exponent(seen), "unit": "", "entries": list(sizes)}
    with wms_pool() as g:
        yield from submitting(g)


@contextlib.contextmanager
def wms_pool() -> Iterator[Grid]:
    """A collector and a schedd that takes pilots by the 100,000 and forwards none of them."""
    above = default_cache() / "run"
    above.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="bench", dir=above))
    base.chmod(0o755)
    options = {**NO_LIMITS, "GRIDMANAGER": "/bin/false"}
    try:
        with Grid(
            base,
            ensure_condor().prefix,
            ("wms",),
            {"wms": ("COLLECTOR", "SCHEDD")},
            {"wms": options},
        ) as made:
            yield made
    finally:
        shutil.rmtree(base, ignore_errors=True)


def exponent(points: list[tuple[int, float]]) -> float:
    """Slope of log(CPU) in log(entries)."""
    xs, ys = [math.log(n) for n, _ in points], [math.log(max(v, 0.001)) for _, v in points]
    return statistics.linear_regression(xs, ys).slope


def parsing() -> Iterator[dict[str, Any]]:
    """A 75 MB log: all of it, and one event more."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "client/user_u/glidein_inst/entry_A")
        place.mkdir(parents=True)
        path = place / "condor_activity_20260101_fe00.main.log"
        events, size = write_log(str(path), 100_000)
        best = 0.0
        for _ in range(3):
            cpu = time.process_time()
            found = sum(
                len(part) for part in read_new(LogPosition(path), EventClock(time.time()), size + 1)
            )
            best = max(best, found / (time.process_time() - cpu))
            assert found == events, f"{found} of {events} events"
        yield {"name": "parse_events_per_s", "value": best, "unit": "1/s", "events": events}
        state = Path(folder, "state")
        state.mkdir()
        policy = made(Path(folder), [])
        learn_all(PilotFollower(state), policy)
        learner = PilotFollower(state)
        learner.update(policy, time.time())
        times = []
        for n in range(20):
            with path.open("a") as out:
                stamp = time.strftime("%m/%d %H:%M:%S")
                out.write(
                    f"001 (99{n}.000.000) {stamp} Job executing on host: x\n\tSlotName: \n...\n"
                )
            wall = time.perf_counter()
            learner.update(policy, time.time())
            times.append(1000 * (time.perf_counter() - wall))
        yield {
            "name": "event_ms",
            "value": statistics.median(times),
            "unit": "ms",
            "log_mb": round(size / 1e6),
        }


def learn_all(learner: PilotFollower, policy: FactoryPolicy) -> None:
    """Read what there is, as a Factory does in its first minutes."""
    learner.update(policy, time.time())
    while learner.db.pending(1) or len(learner.sizes) < len(learner.live):
        learner.update(policy, time.time())
    learner.db.close()


def made(base: Path, entries: list[EntryPolicy]) -> FactoryPolicy:
    """A Factory below `base`, with two Frontends."""
    trust = tuple(FrontendTrust(f, FRONTEND, {"frontend": f}) for f in NAMES)
    return FactoryPolicy(
        SCHEMA,
        "g1",
        "bench",
        "factory",
        "inst",
        str(base / "work"),
        str(base / "stage"),
        str(base / "log"),
        str(base / "client"),
        str(base / "proxies"),
        "",
        "glidein_startup.0.sh",
        StageTriple("http://127.0.0.1:1/f", "description.a.cfg", "s" * 40),
        trust,
        tuple(entries),
        request_max_age=1e6,
    )


def entries_of(base: Path, n: int, schedd: str) -> list[EntryPolicy]:
    """The entries of mkfactory's configuration, with its attributes, without its limits."""
    argv = [sys.executable, str(INPUTS / "mkfactory.py"), str(base / "config"), str(n)]
    subprocess.run(argv, check=True, capture_output=True)
    found = []
    for e in ElementTree.parse(base / "config/glideinWMS.xml").iter("entry"):
        attrs = [(a.get("name", ""), a.get("value", ""), a) for a in e.iter("attr")]
        found.append(
            EntryPolicy(
                e.get("name", ""),
                True,
                schedd,
                e.get("gatekeeper", ""),
                "condor",
                "scitoken",
                "grid",
                StageTriple("http://127.0.0.1:1/f/entry", "description.b.cfg", "t" * 40),
                ROOMY,
                ROOMY,
                {},
                {n: v for n, v, a in attrs if a.get("publish") == "True"},
                {n: v for n, v, a in attrs if a.get("parameter") == "True"},
            )
        )
    return found


class Rig:
    """A Factory whose entries, pilots, logs and requests grow."""

    def __init__(self, g: Grid, most: int) -> None:
        self.g, self.base, self.count = g, g.base / "factory", 0
        for name in ("work/state", "log", "client", "proxies"):
            (self.base / name).mkdir(parents=True)
        (self.base / "work/glidein_startup.0.sh").write_text("#!/bin/sh\n")
        self.key = FactoryKey.generate()
        self.key.save(self.base / "work/rsa.key")
        self.entries = entries_of(self.base, most, g["wms"].schedd)
        self.logs: list[Path] = []

    def write(self, entries: list[EntryPolicy]) -> None:
        """The policy with these entries."""
        text = json.dumps(to_json(made(self.base, entries)))
        (self.base / "work/policy.json").write_text(text)

    def grow(self, entries: int) -> None:
        """More entries, with all that belongs to them."""
        new = self.entries[self.count : entries]
        self.count = entries
        self.write(self.entries[:entries])
        text = "universe = vanilla\nexecutable = /bin/sleep\nshould_transfer_files = NO\nlog = /dev/null\n"
        for e in new:
            for fe in NAMES:
                for words, n in (
                    ("", EACH // 2),
                    ('+GridJobStatus = "PENDING"\n', EACH - EACH // 2),
                ):
                    text += PILOT.format(entry=e.name, fe=fe, grid=words, n=n)
                folder = self.base / f"client/user_{fe}/glidein_inst/entry_{e.name}"
                folder.mkdir(parents=True)
                path = folder / f"condor_activity_20260101_{fe}.main.log"
                write_log(str(path), EACH, seed=len(self.logs), outdir=str(folder), outfrac=0.02)
                self.logs.append(path)
        path = self.g.base / "pilots.sub"
        path.write_text(text)
        self.g.who.own(path)
        self.g.run(FACTORY, "condor_submit", "-terse", str(path), timeout=3600)
        for fe in NAMES:
            advertise(self.g, self.key, fe, [e.name for e in new], EACH)

    def events(self, rng: random.Random) -> None:
        """A minute's news: one event in a tenth of the logs."""
        for path in rng.sample(self.logs, max(1, len(self.logs) // 10)):
            with path.open("a") as out:
                stamp = time.strftime("%m/%d %H:%M:%S")
                out.write(
                    f"001 ({rng.randrange(10**6)}.000.000) {stamp} Job executing on host: x\n...\n"
                )

    def steady(self) -> Iterator[dict[str, Any]]:
        """What a cycle costs when there is nothing to submit."""
        rng, schedd = random.Random(1), self.g["wms"].pid("SCHEDD")
        learn_all(
            PilotFollower(self.base / "work/state"), made(self.base, self.entries[: self.count])
        )
        with Measured(self.g, self.base / "work") as daemon:
            for _ in range(2):
                daemon.cycle()
            rows, spent = [], []
            for _ in range(CYCLES):
                self.events(rng)
                before = cpu_of(schedd)
                rows.append(daemon.cycle())
                spent.append(cpu_of(schedd) - before)
        assert rows[-1]["requests"] == self.count * len(NAMES) and not rows[-1]["refused"], rows[-1]
        with_ = {"entries": self.count}
        for name, key, unit in (
            ("cycle_cpu_s", "cpu_s", "s"),
            ("rss_mb", "pss_mb", "MB"),
            ("processes", "processes", ""),
            ("open_files", "files", ""),
            ("cycle_wall_s", "wall_s", "s"),
        ):
            yield {
                "name": name,
                "value": statistics.median(r[key] for r in rows),
                "unit": unit,
                **with_,
            }
        pilots = self.count * len(NAMES) * EACH
        yield {
            "name": "schedd_cpu_s",
            "value": statistics.median(spent),
            "unit": "s",
            "pilots": pilots,
        }


class Measured:
    """The daemon of `_daemon`, in a process of its own."""

    def __init__(self, g: Grid, work: Path) -> None:
        argv = [sys.executable, "-m", "benchmarks._daemon", str(work)]
        self.process = subprocess.Popen(
            argv,
            env=g.client_env(FACTORY),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=INPUTS.parent.parent,
        )

    def __enter__(self) -> Measured:
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)

    def cycle(self) -> dict[str, Any]:
        """One."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        row: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert row["ok"], row["error"]
        return row


def advertise(g: Grid, key: FactoryKey, fe: str, entries: list[str], idle: int) -> None:
    """Requests of one Frontend for entries, with a token each."""
    seal, client = Seal.make(key.public, FRONTEND), f"{fe}.main"
    opened: dict[str, Any] = {
        "key_id": seal.key_id,
        "key_code": seal.key_code,
        "enc_identity": seal.enc_identity,
    }
    token = g.scitoken("wms").read_text()
    secrets = {
        "SecurityName": fe,
        "SecurityClass": "frontend",
        "ScitokenId": "ABCDEFGH",
        "frontend_scitoken": token,
    }
    shared = seal.params(secrets)
    ads: list[dict[str, Any]] = [
        GlideClientGlobal(
            name=f"inst@factory@{client}",
            frontend_name=fe,
            group_name="main",
            client_name=client,
            enc_params=seal.params(
                {"SecurityName": fe, "ABCDEFGH": "x", "SecurityClassABCDEFGH": "frontend"}
            ),
            **opened,
        ).to_ad()
    ]
    for entry in entries:
        name = f"{entry}@inst@factory"
        ads.append(
            GlideClient(
                name=f"ABCDEFGH_{name}@{client}",
                client_name=client,
                frontend_name=fe,
                group_name="main",
                req_name=name,
                req_glidein=name,
                web_url="http://127.0.0.1:1/fe",
                web_sign_type="sha1",
                web_descript="description.c.cfg",
                web_sign="u" * 40,
                web_group_url="http://127.0.0.1:1/fe/g",
                web_group_descript="description.d.cfg",
                web_group_sign="v" * 40,
                idle=idle,
                max_glideins=10**5,
                params={"GLIDEIN_Collector": "127.0.0.1:2"},
                enc_params=shared,
                monitor={"Idle": 7, "Running": 2},
                **opened,
            ).to_ad()
        )
    collector = g["wms"].collector
    with ProcessWorkers(env=g.client_env(FRONTEND)) as pool:
        args = {"collector": collector, "ads": ads, "command": "UPDATE_MASTER_AD"}
        answer = pool.one(Call("wms", htc.advertise, args, 120.0))
        if answer.error is not None:
            raise answer.error
        deadline = time.monotonic() + 60
        count = f'GlideinMyType =?= "glideclient" && ClientName =?= "{client}"'
        args = {
            "collector": collector,
            "constraint": count,
            "projection": ["Name"],
            "ad_type": "Any",
        }
        while len(pool.one(Call("wms", htc.query_ads, args, 60.0)).value_or([])) < len(entries):
            if time.monotonic() > deadline:
                raise TimeoutError("the requests have not arrived")
            time.sleep(0.2)


def submitting(g: Grid, n: int = 1000, rounds: int = 5) -> Iterator[dict[str, Any]]:
    """`n` pilots through a whole `apply`, against one submission of as many: medians, taken in
    turn.
    """
    kinds = {"bulk": (n, 0.0), "100": (100, 0.0)}
    speeds: dict[str, list[float]] = {label: [] for label in kinds}
    for number in range(rounds):
        for label, (size, sleep) in kinds.items():
            speeds[label].append(submitted_per_s(g, f"{label}{number}", n, size, sleep))
    bulk = statistics.median(speeds["bulk"])
    slow = submitted_per_s(g, "default", n, 10, 0.2)
    for speed, size, sleep in ((statistics.median(speeds["100"]), 100, 0.0), (slow, 10, 0.2)):
        yield {
            "name": "submit_ratio",
            "value": speed / bulk,
            "unit": "",
            "cluster_size": size,
            "sleep": sleep,
            "pilots_per_s": round(speed),
        }


def submitted_per_s(g: Grid, label: str, n: int, size: int, sleep: float) -> float:
    """`n` pilots by a Factory of its own, in clusters of `size` that are `sleep` seconds apart."""
    rig = Rig.__new__(Rig)
    rig.g, rig.base = g, g.base / f"submit_{label}"
    for name in ("work/state", "log", "client", "proxies", "stage"):
        (rig.base / name).mkdir(parents=True)
    script = rig.base / "work/glidein_startup.0.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    rig.key = FactoryKey.generate()
    rig.key.save(rig.base / "work/rsa.key")
    [entry] = entries_of(rig.base, 1, g["wms"].schedd)
    entry = replace(
        entry,
        name=f"E{label}",
        submit_cluster_size=size,
        submit_sleep=sleep,
        submit_max_per_cycle=n,
    )
    rig.write([entry])
    advertise(g, rig.key, NAMES[0], [entry.name], n)
    with Measured(g, rig.base / "work") as daemon:
        row = daemon.cycle()
    assert row["submitted"] == n, row
    return float(n / row["apply_s"])
