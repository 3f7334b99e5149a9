"""What operators and time do to a Frontend: removal, downtime, new policies, credentials, a master and its slave."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from glideinwms.frontend.policy import SCHEMA, Expression, HaPolicy
from glideinwms.lib.daemon.policy_file import Retention
from glideinwms.lib.daemon.retention import DAY
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.downtimes.downtime_file import Downtime
from glideinwms.lib.run_as_owner import name_of
from tests.scenario.frontend.frontend_harness import USER, WMS, WMS2, FrontendHarness, at


def test_waiting_pilots_are_given_back_after_six_cycles_without_jobs(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    levels = []
    for _ in range(13):
        s.cycle()
        levels.append(s.requests()["A"][2])
    assert levels == ["NO"] * 5 + ["WAIT"] * 5 + ["ALL"] * 3, "no slots for long: everything may go"


def test_counters_survive_a_restart(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.cycle(5)
    s.start()
    s.cycle()
    assert s.requests()["A"][2] == "WAIT"


def test_an_operators_removal_lasts_one_cycle(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(100)
    s.cycle()
    before = s.requests()
    word = s.say("remove", level="idle", excess="true", who="else", act="x")
    s.cycle()
    during = s.requests()
    assert (
        all(r == (0, before[e][1], "IDLE") for e, r in during.items())
        and s.main()["action"] == "removeIdleExcess"
    )
    answer = json.loads((tmp_path / f"work/state/requests/{word}.answer.json").read_text())
    assert answer["ok"] and "main" in answer["text"]
    [line] = [json.loads(t) for t in (tmp_path / "work/state/audit.jsonl").read_text().splitlines()]
    assert (
        line["act"] == "remove"
        and line["args"]["level"] == "idle"
        and line["who"] == name_of(os.getuid())
    )
    s.cycle()
    assert s.requests() == before


def test_a_downtime_asks_for_nothing_and_says_why(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(100)
    s.cycle()
    before = s.requests()
    path = tmp_path / "work/frontenddowntime"
    path.write_text(downtime_file.render([Downtime(s.world.clock() - 1, s.world.clock() + 90)]))
    s.cycle()
    assert {r[:2] for r in s.requests().values()} == {(0, 0)} and s.status().summary["downtime"]
    assert s.main()["entries"][0]["clips"][-1]["reason"] == "FrontendDowntime"
    s.cycle(2)
    assert s.requests() == before


def test_a_downtime_stays_while_its_file_cannot_be_read(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(100)
    path = tmp_path / "work/frontenddowntime"
    path.write_text(downtime_file.render([Downtime(s.world.clock() - 1, None)]))
    s.cycle()
    path.write_bytes(b"\xff\xfe")
    s.cycle()
    assert s.status().summary["downtime"]
    path.unlink()
    s.cycle()
    assert not s.status().summary["downtime"] and s.requests()["A"][0] > 0


def test_the_audit_trail_of_days_past_is_put_aside_and_goes_after_a_month(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    trail = tmp_path / "work/state/audit.jsonl"
    trail.write_text('{"act": "remove"}\n')
    for path, days in ((trail, 2), (trail.with_name("audit.jsonl.2023-10-01"), 40)):
        path.touch()
        os.utime(path, (s.world.clock() - days * 86400,) * 2)
    s.cycle()
    assert [p.name for p in trail.parent.glob("audit*")] == ["audit.jsonl.2023-11-12"]


def test_a_bad_policy_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(10)
    s.cycle()
    (tmp_path / "work/policy.json").write_text(f'{{"schema": {SCHEMA}}}')
    s.runner.reload()
    s.cycle()
    assert "missing field" in s.status().policy_error and s.requests()["A"][0] > 0
    s.write(generation="g2")
    s.runner.reload()
    s.cycle()
    assert s.status().policy_error == "" and s.status().generation == "g2"


def test_what_expressions_said_goes_with_their_policy(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(3)
    for cpus in range(1, 4):
        law = (Expression(f'int(glidein["attrs"]["GLIDEIN_CPUS"]) < {cpus + 1}', "frontend.xml:1"),)
        s.write(groups=(s.group(match=law),))
        s.runner.reload()
        s.cycle(2)
        assert [name.partition("< ")[2] for _, name, _ in s.daemon.cache.known] == [str(cpus + 1)]


def test_an_expired_token_stops_requests_with_a_reason(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(10)
    s.cycle()
    good = (tmp_path / "token").read_text()
    (tmp_path / "token").write_text("no.token.here")
    s.cycle()
    shown = s.main()
    assert "token" in shown["problems"][0] and not shown["entries"][0]["requested"]
    assert shown["entries"][0]["refusals"][0]["reason"] == "CredentialUnusable"
    (tmp_path / "token").write_text(good)
    s.cycle()
    assert s.main()["entries"][0]["requested"] and not s.main()["problems"]


def test_a_pilot_token_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(10)
    (tmp_path / "keys/FRONTEND").unlink()
    s.cycle()
    [problem] = s.main()["problems"]
    assert (
        problem.startswith(f"no pilot token for {at('A')} and 2 more: there is no signing key")
        and s.requests()["A"][0]
    )


def test_secrets_are_only_in_the_envelope(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(10)
    s.cycle(2)
    secret = (tmp_path / "token").read_text()
    seen = "".join(str(ad) for pool in (*s.pools.values(), s.user) for ad in pool.ads())
    import gzip

    for path in (tmp_path / "work").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            seen += (gzip.decompress(data) if path.suffix == ".gz" else data).decode(
                errors="replace"
            )
    assert secret not in seen and len(seen) > 10_000


def test_entries_known_only_by_their_pilots_are_shown(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.pilots("Gone", busy=2)
    s.cycle()
    assert s.main()["down"] == [at("Gone")] and s.main()["slots"]["total"] == 2


def test_schedds_of_the_whole_pool(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.write(groups=(s.group(schedds=("ALL",)),))
    s.runner.reload()
    s.jobs(10)
    s.jobs(20, "schedd2")
    s.cycle()
    assert s.main()["jobs"]["idle"] == 30
    s.user.schedds.clear()
    s.user.restart()
    s.cycle()
    assert s.main()["jobs"]["idle"] == 30 and "schedd ads" in str(s.main()["held"])


def test_an_overloaded_schedds_idle_jobs_do_not_count(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(50)
    s.jobs(20, "schedd2")
    s.schedds["schedd1"].extra = {"MaxJobsRunning": 0}
    s.cycle()
    assert s.main()["jobs"]["idle"] == 20 and "MaxJobsRunning" in s.main()["schedds"]["schedd1"]


class Pair:
    """A master and its slave in one world; `cycle` runs both, the slave's clock is the same."""

    def __init__(self, base: Path) -> None:
        self.master, self.slave = FrontendHarness(base / "master"), FrontendHarness(base / "slave")
        self.slave.world, self.slave.user = self.master.world, self.master.user
        self.slave.pools, self.slave.schedds = self.master.pools, self.master.schedds
        self.slave.write(frontend_name="fe2", high_availability=HaPolicy("fe", 120))
        self.slave.start()
        self.master.jobs(100)
        self.alive = True

    def cycle(self, n: int = 1) -> None:
        for _ in range(n):
            self.master.world.clock.advance(60)
            for scene in (self.master, self.slave)[0 if self.alive else 1 :]:
                scene.tell()
                assert scene.runner.once(), scene.status().error

    def modes(self) -> dict[str, int]:
        self.master.world.clock.advance(0.5)
        ads = [ad for pool in self.master.pools.values() for ad in pool.ads("glideclient")]
        return {m: sum(a["FrontendHAMode"] == m for a in ads) for m in ("master", "slave")}


def test_the_slave_takes_over_in_time_and_hands_back(tmp_path: Path) -> None:
    p = Pair(tmp_path)
    p.cycle(5)
    assert p.modes() == {"master": 3, "slave": 0}
    assert p.slave.status().summary["ha"] == {"working": False, "seen": "master alive"}
    p.alive = False
    p.cycle(5)
    assert p.slave.status().summary["ha"] == {"working": True, "seen": "master absent"}, (
        "120 s + 3 x 60 s"
    )
    assert p.modes()["slave"] == 3
    p.alive = True
    p.cycle(3)
    assert p.modes() == {"master": 3, "slave": 0}, "it has withdrawn what it advertised"
    assert not [
        a for a in p.master.user.ads("glideresource") if a["GlideFrontendHAMode"] == "slave"
    ]


def test_a_slave_that_sees_nothing_does_not_take_over(tmp_path: Path) -> None:
    p = Pair(tmp_path)
    p.cycle(3)
    p.alive = False
    for pool in p.master.pools.values():
        pool.down = True
    p.cycle(12)
    assert p.slave.status().summary["ha"] == {"working": False, "seen": "no WMS pool answered"}
    p.master.pools[WMS2].down = False
    p.cycle(2)
    assert p.slave.status().summary["ha"]["working"], (
        "one pool that answers and does not know the master is enough"
    )


def test_a_hibernating_slave_takes_no_removal(tmp_path: Path) -> None:
    p = Pair(tmp_path)
    p.cycle(5)
    word = p.slave.say("remove", level="wait")
    p.cycle()
    answer = json.loads((p.slave.base / f"work/state/requests/{word}.answer.json").read_text())
    assert not answer["ok"] and "say it to fe" in answer["text"]


def test_a_slave_that_works_goes_on_when_it_cannot_look(tmp_path: Path) -> None:
    p = Pair(tmp_path)
    p.alive = False
    p.cycle(5)
    assert p.slave.status().summary["ha"]["working"]
    p.master.pools[WMS].hung = p.master.pools[WMS2].hung = True
    p.cycle(6)
    assert p.slave.status().summary["ha"]["working"]


def test_stopping_withdraws_only_what_is_ours(tmp_path: Path) -> None:
    p = Pair(tmp_path)
    p.cycle(2)
    p.slave.daemon.stop(p.slave.policy)
    assert p.modes() == {"master": 3, "slave": 0}
    p.master.daemon.stop(p.master.policy)
    assert p.modes() == {"master": 0, "slave": 0}
    kinds = {a["MyType"] for pool in (*p.master.pools.values(), p.master.user) for a in pool.ads()}
    assert not kinds & {"glideclient", "glideclientglobal", "glideresource", "glidefrontendmonitor"}


def test_a_dead_pool_does_not_keep_the_others_from_being_cleared(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    s.jobs(5)
    s.cycle()
    s.pools[WMS].hung = True
    s.daemon.stop(s.policy)
    assert s.requests(WMS2) == {} and USER in s.world.collectors


def test_groups_go_their_own_ways(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path)
    own = [replace(s.group().match[0], text=f'job["Wants"] == "{n}"') for n in ("x", "y")]
    groups = (
        s.group("one", match=(own[0],)),
        s.group("two", match=(own[1],)),
        s.group("off", enabled=False),
    )
    s.write(groups=groups)
    s.runner.reload()
    s.jobs(30, wants="x")
    s.jobs(60, wants="y")
    shown = s.cycle()["groups"]
    assert set(shown) == {"one", "two"} and shown["one"]["jobs"] == {
        **shown["one"]["jobs"],
        "idle": 90,
        "unmatched": 60,
    }
    assert shown["two"]["request"]["idle"] > shown["one"]["request"]["idle"] > 0
    s.world.clock.advance(1)
    names = {a["ClientName"] for pool in s.pools.values() for a in pool.ads("glideclient")}
    assert names == {"fe.one", "fe.two"}


def test_its_own_logs_go_by_the_configured_retention(tmp_path: Path) -> None:
    s = FrontendHarness(tmp_path, log_dir=str(tmp_path / "log"), log_retention=Retention(2, 1, 100))
    (tmp_path / "log").mkdir()
    ages = {
        "frontend.log.2026-01-01": 3,
        "frontend.log.2026-01-03": 1,
        "frontend.log": 9,
        "notes": 9,
    }
    for name, days in ages.items():
        (tmp_path / "log" / name).write_text("x")
        os.utime(tmp_path / "log" / name, (s.world.clock() - days * DAY,) * 2)
    s.cycle()
    assert sorted(p.name for p in (tmp_path / "log").iterdir()) == [
        "frontend.log",
        "frontend.log.2026-01-03",
        "notes",
    ]
