"""Counting, finding and acting on pilots in a real schedd (decisions 2, 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.factory.apply import job_actions
from glideinwms.factory.collect import count_key
from glideinwms.factory.collect import queries as factory_queries
from glideinwms.factory.collect.pilot_queue import parse_queue
from glideinwms.factory.collect.queries import CountMethod, QueueAnswer
from glideinwms.factory.decide.pilot_states import count
from glideinwms.factory.plan import QUEUED, RUNNING, WAIT
from glideinwms.factory.policy import SubmitAttribute
from glideinwms.factory.submit.description import SubmitSpec, describe, sub_entries
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import Call
from glideinwms.lib.condor.htc import ScheddAddress, quoted
from glideinwms.lib.condor.workers import ProcessWorkers
from tests.unit.factory.builders import entry, policy, request

pytestmark = pytest.mark.condor
OURS = {
    "My.GlideinFactory": '"f"',
    "My.GlideinName": '"i"',
    "My.GlideinSecurityClass": '"frontend"',
    "My.GlideinFrontendName": '"fe:frontend"',
    "My.GlideinEntrySubmitFile": '"entry_A/job.condor"',
}


class Queue:
    """A schedd with jobs that stay as they are put; spoken to through readers, as the daemon does."""

    def __init__(self, pool: ProcessWorkers, schedd: ScheddAddress) -> None:
        self.pool, self.schedd = pool, schedd

    def ask(self, function: Callable[..., object], writer: bool = False, **args: object) -> object:
        answer = self.pool.one(
            Call(self.schedd.name, function, {"schedd": self.schedd, **args}, 60.0, writer=writer)
        )
        if answer.error is not None:
            raise answer.error
        return answer.value

    def put(self, n: int, entry: str = "A", client: str = "fe.main", **more: str) -> int:
        """Pilots on hold unless `more` says otherwise; their cluster."""
        attributes = {
            "My.GlideinEntryName": f'"{entry}"',
            "My.GlideinClient": f'"{client}"',
            "My.GlideinCredentialIdentifier": '"CRED"',
            **OURS,
        }
        job = {
            "universe": "grid",
            "grid_resource": "condor s c",
            "executable": "/bin/sleep",
            "hold": "True",
        }
        made = self.ask(
            htc.submit,
            True,
            description={**job, **attributes, **more},
            count=n,
        )
        assert isinstance(made, list)
        return int(made[0][0])

    def read(self, min_age: int = 100, **more: object) -> QueueAnswer:
        found = self.ask(
            factory_queries.read_queue,
            factory="f",
            glidein="i",
            min_age=min_age,
            **more,
        )
        assert isinstance(found, QueueAnswer)
        return found


@pytest.fixture
def queue(make_grid: Callable[..., Grid], client: Callable[[Grid, str], Path]) -> Queue:
    grid = make_grid(("wms",))
    client(grid, "factory@wms.demo")
    with ProcessWorkers() as pool:
        found = pool.one(Call("c", htc.locate_schedds, {"collector": "", "names": None}))
        ad = found.value[0]
        yield Queue(pool, ScheddAddress(ad["Name"], ad["MyAddress"]))


def test_counts_and_exceptions(queue: Queue) -> None:
    queue.put(30)
    queue.put(20, entry="B", client="fe.two")
    queue.put(5, **{"My.GlideinFactory": '"another"'})
    queue.put(4, **{"My.GlideinCredentialIdentifier": "undefined"})
    found = queue.read()
    assert found.method is CountMethod.GROUPED
    assert found.unreadable == 0
    seen = found.pilots
    assert Counter({(g.entry, g.client, g.status): g.count for g in seen.groups}) == Counter(
        {("A", "fe.main", 5): 30, ("B", "fe.two", 5): 20}
    )
    assert count(seen.groups).held == 50
    assert len(seen.exceptions) == 50 and all(
        p.hold_code is not None and p.timed for p in seen.exceptions
    )
    assert {p.submit_file for p in seen.exceptions} == {"job.condor"}


def test_counts_by_key(queue: Queue) -> None:
    """The same rows as by the attributes, for text of any kind; another Factory's jobs are left
    out.
    """
    odd = 'CN=Jo "x" |%41'
    for name, more in (
        ("A", {}),
        ("B", {"GlideinCredentialIdentifier": odd}),
        ("C", {"GlideinFactory": "another"}),
    ):
        fields = {
            "GlideinFactory": "f",
            "GlideinName": "i",
            "GlideinEntryName": name,
            "GlideinClient": "fe.main",
            "GlideinFrontendName": "fe:frontend",
            "GlideinSecurityClass": "frontend",
            "GlideinCredentialIdentifier": "CRED",
            "GlideinEntrySubmitFile": "entry_A/job.condor",
            **more,
        }
        text = {**fields, count_key.NAME: count_key.key_of(fields)}
        queue.put(11, **{f"My.{k}": quoted(v) for k, v in text.items()})
    found = queue.read()
    assert found.method is CountMethod.KEYED
    seen = found.pilots.groups
    assert {(g.entry, g.credential, g.count) for g in seen} == {("A", "CRED", 11), ("B", odd, 11)}
    columns = queue.read(keyed=False).pilots
    assert sorted(map(str, columns.groups)) == sorted(map(str, seen))
    queue.put(30)
    again = queue.read()
    assert again.method is CountMethod.GROUPED, "pilots without a key are in the queue"
    assert sum(g.count for g in again.pilots.groups) == 52


def test_slices_count_the_same(queue: Queue) -> None:
    queue.put(30)
    queue.put(12, entry="B")
    grouped = queue.read().pilots.groups
    rows = queue.ask(
        factory_queries.by_slices,
        constraint='GlideinFactory =?= "f"',
        total=42,
        size=10,
    )
    sliced = parse_queue(rows, []).queue.groups
    assert sorted(map(str, sliced)) == sorted(map(str, grouped))


KINDS = {
    "condor": ("ce ce:9619", "scitoken", {"scitoken": "t"}, {}),
    "batch slurm": (
        "ann@hpc:22",
        "key_pair",
        {"private_key": "k", "public_key": "k"},
        {"RemoteUsername": "joe"},
    ),
    "arc": ("https://arc/", "scitoken", {"scitoken": "t"}, {}),
    "ec2": (
        "https://ec2",
        "key_pair+vm_id+vm_type",
        {"private_key": "k", "public_key": "k", "glidein_proxy": "g"},
        {"VMId": "ami", "VMType": "big"},
    ),
    "gce": (
        "https://gce",
        "auth_file+vm_id+vm_type",
        {"auth_file": "a", "glidein_proxy": "g"},
        {"VMId": "img", "VMType": "n1"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedd_takes_every_grid_type(kind: str, queue: Queue, tmp_path: Path) -> None:
    """Through the bindings, as the daemon submits; the job ads themselves are compared in
    test_job_ads.
    """
    gatekeeper, method, files, extra = KINDS[kind]
    macros = tuple(SubmitAttribute(f"gce_{n}", n) for n in ("project_name", "availability_zone"))
    e = entry(
        gridtype=kind,
        gatekeeper=gatekeeper,
        auth_method=method,
        submit_attrs=macros if kind == "gce" else (),
    )
    for name in ("work", "client"):
        (tmp_path / name).mkdir()
    (tmp_path / "work/glidein_startup.0.sh").write_text("#!/bin/sh\n")
    row = request(files={role: str(tmp_path / name) for role, name in files.items()}, extra=extra)
    order = SubmitSpec(policy(tmp_path, e), e, sub_entries(e)[0], row, "uuid", "20261124")
    made = queue.ask(
        htc.submit,
        True,
        description={**describe(order), "hold": "True"},
        count=2,
    )
    assert isinstance(made, list) and made[0][2] == 2
    jobs = queue.ask(
        htc.query_jobs,
        constraint='GlideinSubmitId =?= "uuid"',
        projection=[],
    )
    assert isinstance(jobs, list) and len(jobs) == 2
    assert all(
        j["JobUniverse"] == 9 and j["GridResource"].split()[0] == kind.split()[0] for j in jobs
    )
    assert all(
        j["GlideinEntryName"] == "A" and j["Cmd"].endswith("glidein_startup.0.sh") for j in jobs
    )
    own = {
        "ec2": "EC2SecretAccessKey",
        "gce": "GceAuthFile",
        "condor": "ScitokensFile",
        "arc": "ScitokensFile",
    }
    assert kind == "batch slurm" or str(jobs[0][own[kind]]).startswith(str(tmp_path))


def test_a_submit_is_found_by_its_id(queue: Queue) -> None:
    queue.put(7, **{"My.GlideinSubmitId": '"abc"'})
    assert queue.ask(factory_queries.find_submit, submit_id="abc") == 7
    assert queue.ask(factory_queries.find_submit, submit_id="abd") == 0


def test_acting_on_ids(queue: Queue) -> None:
    first, second = queue.put(3), queue.put(3)
    picks = [
        ('GlideinEntryName =?= "A" && JobStatus == 5', 4),
        (job_actions.ids_constraint([f"{second}.2"]), 5),
    ]
    args = {"action": "Remove", "picks": picks, "cap": 5, "reason": "test"}
    done = queue.ask(job_actions.pick_and_act, True, **args)
    assert done.tried == [
        [f"{first}.0", f"{first}.1", f"{first}.2", f"{second}.0"],
        [f"{second}.2"],
    ]
    assert done.done == 5
    [hold] = done.holds
    assert hold.n == 5 and hold.code > 0 and hold.reason
    left = queue.ask(factory_queries.read_ids, constraint="JobStatus != 3", limit=9)
    assert list(left) == [f"{second}.1"]
    assert queue.ask(job_actions.pick_and_act, True, **{**args, "cap": 0}) == job_actions.Outcome(
        [[], []], 0
    )


@pytest.mark.parametrize(
    ("status", "grid", "states"),
    [
        (1, None, {WAIT}),
        (1, "PENDING", {QUEUED}),
        (1, "odd", {QUEUED}),
        (1, "", {QUEUED}),
        (2, None, {RUNNING}),
        (2, "inlrms: r", {RUNNING}),
        (2, "odd", {RUNNING, QUEUED}),
        (2, "Done", {RUNNING}),
        (5, None, set()),
    ],
)
def test_states_mean_the_same_to_the_schedd(
    status: int, grid: str | None, states: set[str]
) -> None:
    """`act.state_constraint` against the states of the protocol, in the ClassAd language itself."""
    import classad2

    ad = classad2.ClassAd(
        {"JobStatus": status, **({} if grid is None else {"GridJobStatus": grid})}
    )
    found = {
        s
        for s in (WAIT, QUEUED, RUNNING)
        if classad2.ExprTree(job_actions.state_constraint([s])).eval(ad) is True
    }
    assert found == states


def test_files_that_pilots_name(queue: Queue) -> None:
    queue.put(
        2,
        **{
            "My.SciTokensFile": '"/x/t.scitoken"',
            "transfer_input_files": "/etc/hostname, /etc/passwd",
            "log": "/tmp/a.log",
        },
    )
    found = queue.ask(factory_queries.files_in_use, factory="f", glidein="i")
    assert isinstance(found, set)
    assert {"/x/t.scitoken", "/etc/hostname", "/etc/passwd", "/tmp/a.log"} <= found


def test_generations_that_pilots_name(queue: Queue) -> None:
    queue.put(3, **{"My.GlideinStageGeneration": '"g1"'})
    queue.put(
        2, **{"My.GlideinStageGeneration": '"g2"', "My.GlideinCredentialIdentifier": "undefined"}
    )
    queue.put(2, **{"My.GlideinStageGeneration": '"g3"', "My.GlideinName": '"another"'})
    queue.put(1)
    assert queue.ask(factory_queries.generations, factory="f", glidein="i") == {"g1", "g2"}
