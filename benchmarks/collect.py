"""What a Frontend's reading costs: job classes of a real schedd, slots of a real collector, and a
whole cycle.

Rows: `client_cpu_s`, `received_mb`, `rss_mb` with `jobs`, `classes`, `ages`, `asked`; `collector_cpu_s` with `slots`,
`groups`; `loop_wall_s`. Full size: 10^6 jobs, 50k slots; else a tenth.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._tap import Tap
from benchmarks.inputs import synth
from glideinwms.demo.grid import Grid
from glideinwms.demo.portable import default_cache, ensure_condor
from glideinwms.frontend.collect.reader import job_queries
from glideinwms.frontend.daemon import FrontendDaemon
from glideinwms.frontend.policy import (
    SCHEMA,
    CredentialPolicy,
    Expression,
    FrontendPolicy,
    GroupPolicy,
    MatchAttribute,
    StageTriple,
    WmsPool,
)
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call
from glideinwms.lib.condor.worker_process import resolve
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.daemon import log, status
from glideinwms.lib.daemon.loop import CycleRecord
from glideinwms.lib.jsondata import to_json
from glideinwms.lib.wire import GlideFactory, GlideFactoryGlobal
from glideinwms.lib.wire.crypto import FactoryKey

CLASSES, ENTRIES, GROUPS = 1000, 1000, 10
RUNS = 3
QUERY = "(JobUniverse==5)&&(GLIDEIN_Is_Monitor =!= TRUE)&&(JOB_Is_Monitor =!= TRUE)"
INPUTS = Path(__file__).parent / "inputs"
NO_LIMITS = {
    "MAX_JOBS_PER_OWNER": "10000000",
    "MAX_JOBS_PER_SUBMISSION": "10000000",
    "SYSTEM_SECURE_JOB_ATTRS": "none",
    "CLASSAD_LIFETIME": "86400",
}
# HTCondor's own; with a demo's the schedd would walk its whole queue every 5 s
INTERVALS = {"SCHEDD_INTERVAL": "300", "SCHEDD_MIN_INTERVAL": "5", "PERIODIC_EXPR_INTERVAL": "60"}
FRONTEND, FACTORY = "frontend@wms.demo", "factory@wms.demo"


def run(full: bool) -> Iterator[dict[str, Any]]:
    """The rows."""
    log.setup("bench", level="ERROR")
    jobs, slots = (1_000_000, 50_000) if full else (100_000, 5_000)
    with grid("user", "wms") as g:
        submit(g, jobs, distinct=False)
        yield from read_jobs(g, jobs, "shared")
        advertise_entries(g)
        yield from cycle(g, jobs)
    with grid("user") as g:
        submit(g, jobs, distinct=True)
        yield from read_jobs(g, jobs, "distinct")
    with grid("user", schedd=False) as g:
        advertise_slots(g, slots)
        yield from read_slots(g, slots)


@contextlib.contextmanager
def grid(*names: str, schedd: bool = True) -> Iterator[Grid]:
    """Pools for one measurement."""
    above = default_cache() / "run"
    above.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="bench", dir=above))
    base.chmod(0o755)
    daemons = {"user": ("COLLECTOR", "SCHEDD") if schedd else ("COLLECTOR",), "wms": ("COLLECTOR",)}
    options = {n: NO_LIMITS | INTERVALS for n in names}
    try:
        with Grid(
            base, ensure_condor().prefix, names, {n: daemons[n] for n in names}, options
        ) as made:
            yield made
    finally:
        shutil.rmtree(base, ignore_errors=True)


def submit(g: Grid, jobs: int, *, distinct: bool) -> None:
    """`jobs` idle jobs in 1000 classes; `distinct`: each has waited for another time, half of them
    less than 600 s.
    """
    n = jobs // CLASSES
    argv = [sys.executable, str(INPUTS / "mksubmit.py"), str(CLASSES), str(n), str(ENTRIES)]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    if distinct:
        rng, now = random.Random(1), int(time.time())
        ages = list(range(100, 100 + jobs))
        rng.shuffle(ages)
        parts = text.split(f"queue {n}\n")
        items = iter(now - (a % 550 if i % 2 else a + 700) for i, a in enumerate(ages))
        text = "".join(
            part
            + (
                "+EnteredCurrentStatus = $(T)\nqueue T from (\n"
                + "".join(f"{next(items)}\n" for _ in range(n))
                + ")\n"
                if part.strip()
                else ""
            )
            for part in parts
        )
    path = g.base / "jobs.sub"
    path.write_text(text)
    g.who.own(path)
    g.run("alice@user.demo", "condor_submit", "-terse", str(path), timeout=3600)
    path.unlink()


def ask(g: Grid, function: str, **args: Any) -> Any:
    """The value of one call as the Frontend."""
    with ProcessWorkers(env=g.client_env(FRONTEND)) as pool:
        answer = pool.one(Call("x", resolve(function), args, 600.0))
    if answer.error is not None:
        raise answer.error
    return answer.value


def measured(
    g: Grid, function: str, args: dict[str, Any], tap: Tap | None = None
) -> dict[str, Any]:
    """CPU, wall time, RSS and received MB of a call in a warm process."""
    env = {**os.environ, **g.client_env(FRONTEND)}
    client = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._client"],
        env=env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=INPUTS.parent.parent,
    )
    assert client.stdin and client.stdout
    client.stdin.write(json.dumps({"function": function, "args": to_json(args)}) + "\n")
    client.stdin.flush()
    assert client.stdout.readline() == "ready\n"
    before = tap.received if tap else 0
    client.stdin.write("go\n")
    client.stdin.flush()
    result: dict[str, Any] = json.loads(client.stdout.readline())
    client.wait(60)
    result["received_mb"] = (tap.received - before) / 1e6 if tap else 0.0
    return result


def groups(g: Grid, base: Path) -> tuple[GroupPolicy, ...]:
    """Ten groups of equal needs, each with its own name on every match."""
    path = base / "token"
    if not path.exists():
        shutil.copy(g.scitoken("any"), path)
    attrs = tuple(
        MatchAttribute(n, "string" if t == "s" else "int") for n, t in synth.JOB_MATCH_ATTRS
    )
    wms = (WmsPool(g["wms"].collector, FACTORY, FRONTEND),) if "wms" in g.pools else ()
    credential = CredentialPolicy(str(path), "scitoken", "demo", "frontend", absfname=str(path))
    return tuple(
        GroupPolicy(
            f"g{k}",
            True,
            "fe",
            StageTriple(f"http://fe/g{k}", "d", "s"),
            (Expression(synth.MATCH_EXPR, "bench"),),
            QUERY,
            "True",
            "True",
            attrs,
            (),
            (g["user"].schedd,),
            wms,
            (credential,),
            {},
            {},
        )
        for k in range(GROUPS)
    )


def read_jobs(g: Grid, jobs: int, ages: str) -> Iterator[dict[str, Any]]:
    """What one reading of the job classes costs the client, the median of some: the first, and
    those that know what worked before.
    """
    [ad] = ask(g, "glideinwms.lib.condor.htc:locate_schedds", collector=g["user"].collector)
    tap = Tap(g["user"].port)
    address = str(ad["MyAddress"]).replace(str(g["user"].port), str(tap.port))
    made = groups(g, g.base)
    function = "glideinwms.frontend.collect.queries.jobs:read_jobs"
    queries = [replace(query, extras=()) for query in job_queries(made)]
    args = {"name": ad["Name"], "address": address, "queries": queries}
    methods = [table.method for table in ask(g, function, **args).tables]
    again = {
        **args,
        "queries": [replace(q, method=m) for q, m in zip(queries, methods, strict=True)],
    }
    for asked, given in (("first", args), ("again", again)):
        runs = [measured(g, function, given, tap) for _ in range(RUNS)]
        found = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        with_ = {
            "jobs": jobs,
            "classes": CLASSES,
            "ages": ages,
            "asked": asked,
            "method": methods[0],
        }
        for name, key, unit in (
            ("client_cpu_s", "cpu_s", "s"),
            ("received_mb", "received_mb", "MB"),
            ("rss_mb", "rss_mb", "MB"),
            ("query_wall_s", "wall_s", "s"),
        ):
            yield {"name": name, "value": found[key], "unit": unit, **with_}
    tap.close()


def advertise_slots(g: Grid, slots: int) -> None:
    """Partitionable slots with eight dynamic ones each, which their Child arrays describe as a
    startd's do.
    """
    argv = [sys.executable, str(INPUTS / "mkslots.py"), str(slots), str(ENTRIES)]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    child = "".join(
        f"Child{n} = {{ {', '.join([v] * 8)} }}\n"
        for n, v in (
            ("State", '"Claimed"'),
            ("Activity", '"Busy"'),
            ("Cpus", "1"),
            ("Memory", "2000"),
        )
    )
    text = text.replace("PartitionableSlot = True\n", "PartitionableSlot = True\n" + child)
    text = text.replace(
        "PartitionableSlot = False\n", "PartitionableSlot = False\nDynamicSlot = True\n"
    )
    path = g.base / "slots.ads"
    path.write_text(text)
    g.who.own(path)
    g["user"].tool(
        "condor_advertise",
        "-tcp",
        "-multiple",
        "-pool",
        g["user"].collector,
        "UPDATE_STARTD_AD",
        str(path),
        timeout=900,
    )
    path.unlink()
    deadline = time.monotonic() + 300
    count = 'Name =!= undefined && DynamicSlot =!= true && State == "Unclaimed"'
    want = -(-slots // 9)
    while (
        seen := len(
            ask(
                g,
                "glideinwms.lib.condor.htc:query_ads",
                collector=g["user"].collector,
                constraint=count,
                projection=["Name"],
                ad_type="Startd",
            )
        )
    ) < want:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen} of {want} slots have arrived")
        time.sleep(0.5)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def read_slots(g: Grid, slots: int) -> Iterator[dict[str, Any]]:
    """What one cycle's questions for ten groups cost the user collector, and the client."""
    pid, collector = g["user"].pid("COLLECTOR"), g["user"].collector
    memory = {f"fe.g{k}": 2500 for k in range(GROUPS)}
    args = {"collector": collector, "frontend": "perffe", "min_memory": memory}
    function = "glideinwms.frontend.collect.queries.slots:read_slots"
    measured(g, function, args)
    time.sleep(2)
    before = cpu_of(pid)
    found = measured(g, function, args)  # asks twice
    loads = measured(
        g, "glideinwms.frontend.collect.queries.schedds:read_loads", {"collector": collector}
    )
    time.sleep(2)
    with_ = {"slots": slots, "groups": GROUPS}
    yield {"name": "collector_cpu_s", "value": (cpu_of(pid) - before) / 2, "unit": "s", **with_}
    yield {
        "name": "slots_client_cpu_s",
        "value": found["cpu_s"] + loads["cpu_s"],
        "unit": "s",
        **with_,
    }
    yield {"name": "slots_rss_mb", "value": found["rss_mb"], "unit": "MB", **with_}


def advertise_entries(g: Grid) -> None:
    """A thousand entries of one Factory."""
    key = FactoryKey.generate()
    ads = []
    for (_, name, _), entry in synth.gen_entries(ENTRIES).items():
        attrs = {
            k: v
            for k, v in entry["attrs"].items()
            if k
            not in (
                "AuthenticatedIdentity",
                "EntryName",
                "GlideinName",
                "FactoryName",
                "PubKeyType",
                "PubKeyID",
                "GLIDEIN_In_Downtime",
            )
        }
        attrs |= {
            "GLIDEIN_TrustDomain": "demo",
            "GLIDEIN_SupportedAuthenticationMethod": "scitoken",
        }
        ads.append(
            GlideFactory(
                name=name,
                factory_name=synth.FACTORY,
                glidein_name=synth.GLIDEIN,
                entry_name=name.split("@")[0],
                in_downtime=entry["attrs"]["GLIDEIN_In_Downtime"] == "True",
                params=entry["params"],
                attrs=attrs,
                monitor=entry["monitor"],
            ).to_ad()
        )
    ads.append(
        GlideFactoryGlobal(
            name=f"{synth.GLIDEIN}@{synth.FACTORY}",
            factory_name=synth.FACTORY,
            glidein_name=synth.GLIDEIN,
            key_id=key.public.key_id,
            key_pem=key.public.pem,
        ).to_ad()
    )
    with ProcessWorkers(env=g.client_env(FACTORY)) as pool:
        args = {"collector": g["wms"].collector, "ads": ads, "command": "UPDATE_AD_GENERIC"}
        answer = pool.one(Call("wms", htc.advertise, args, 60.0))
    if answer.error is not None:
        raise answer.error
    time.sleep(2)


def cycle(g: Grid, jobs: int) -> Iterator[dict[str, Any]]:
    """Query, decide, advertise and record, all groups, with nothing known before and with
    everything.
    """
    work = g.base / "frontend"
    for name in ("state", "keys"):
        (work / name).mkdir(parents=True)
    (work / "keys/FRONTEND").write_bytes(b"k" * 32)
    policy = FrontendPolicy(
        SCHEMA,
        "g1",
        "v",
        "fe",
        str(work),
        "",
        "",
        "http://fe",
        g["user"].collector,
        g["user"].collector,
        "",
        str(work / "keys"),
        str(work / "tokens"),
        StageTriple("http://fe", "d", "s"),
        groups(g, work),
    )
    (work / "policy.json").write_text(json.dumps(to_json(policy)))
    with_ = {"jobs": jobs, "classes": CLASSES, "entries": ENTRIES, "groups": GROUPS}
    with ProcessWorkers(env=g.client_env(FRONTEND)) as pool:
        runner = CycleRecord(FrontendDaemon(work, pool), work, clock=time.time, seed=lambda: 1)
        for state in ("cold", "warm"):
            wall, cpu = time.monotonic(), time.process_time()
            if not runner.once():
                raise RuntimeError(status.read(work / "state/status.json").error)
            wall, cpu = time.monotonic() - wall, time.process_time() - cpu
            told = status.read(work / "state/status.json")
            shown = told.summary
            sent = shown["sent"]
            if sent.get("glideclient", 0) < GROUPS * ENTRIES * 0.9:
                raise RuntimeError(f"only {sent} were sent: {shown['failed']}")
            yield {
                "name": "loop_wall_s",
                "value": wall,
                "unit": "s",
                **with_,
                "cache": state,
                **told.took,
            }
            yield {"name": "loop_cpu_s", "value": cpu, "unit": "s", **with_, "cache": state}
