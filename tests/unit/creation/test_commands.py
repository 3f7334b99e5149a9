"""The commands around a configuration: exit codes, JSON, show with origins, and the old spellings."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from glideinwms.cli.legacy import config as old
from glideinwms.cli.legacy.common import manage_factory_downtimes
from glideinwms.cli.legacy.frontend import manage_frontend_downtimes
from glideinwms.cli.main import main as gwms
from glideinwms.creation.checks import online
from glideinwms.creation.reconfig import fingerprint
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import Problems
from glideinwms.factory.plan import FactoryPlan as FactoryPlan
from glideinwms.factory.snapshot import (
    FactorySnapshot,
    PilotGroup,
    PilotQueue,
    RunningRemovals,
    ScheddState,
)
from glideinwms.lib import run_as_owner
from glideinwms.lib.daemon import status
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.daemon.records import Ring
from glideinwms.lib.daemon.status import Status
from glideinwms.lib.run_as_owner import name_of
from glideinwms.testing import World
from tests.support.configs import place

Out = pytest.CaptureFixture[str]


def run(*words: Any) -> int:
    """The exit code of one command."""
    try:
        gwms([str(w) for w in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_validate_has_exit_codes_and_json(tmp_path: Path, capsys: Out) -> None:
    good = place(tmp_path, "factory.minimal.xml")
    assert run("factory", "validate", good) == 0
    bad = place(
        tmp_path / "bad",
        "factory.minimal.xml",
        ('name="Alpha"', 'name="Alpha" enabled="x" glexec="1"'),
    )
    assert run("factory", "validate", bad) == 1
    assert f"{bad}: 1 errors, 1 warnings" in capsys.readouterr().out
    assert run("factory", "validate", "--xml", bad, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [(p["level"], p["line"], p["subject"]) for p in found] == [
        ("error", 17, "entry[Alpha]@enabled"),
        ("warning", 17, "entry[Alpha]@glexec"),
    ]


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_changes_reconfig_and_rollback(side: str, tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, f"{side}.maximal.xml")
    assert run(side, "plan", path) == 0
    assert "generation (none) -> " in capsys.readouterr().out
    assert run(side, "reconfig", "--xml", path) == 0
    assert "files written" in capsys.readouterr().out
    assert run(side, "reconfig", path) == 0
    assert capsys.readouterr().out.startswith("nothing changes")
    path.write_text(path.read_text().replace('loop_delay="30"', 'loop_delay="31"'))
    for words in (("plan", path), ("plan", "--xml", path), ("changes", path)):
        assert run(side, *words) == 0
        assert "loop_delay: 30.0 -> 31.0" in capsys.readouterr().out
    assert run(side, "upgrade", path) == 0
    assert run(side, "rollback", path) == 0
    capsys.readouterr()
    assert run(side, "rollback", path, "--list", "--json") == 0
    assert [k["current"] for k in json.loads(capsys.readouterr().out)] == [True, False]


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_what_changes_a_configuration_is_in_the_audit_trail(
    side: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, me = place(tmp_path, f"{side}.maximal.xml"), name_of(os.getuid())
    work = fingerprint.work_dir(path, side)
    assert work is not None and run(side, "reconfig", path) == 0
    path.write_text(path.read_text().replace('loop_delay="30"', 'loop_delay="31"'))
    assert run(side, "reconfig", path) == run(side, "reconfig", path) == 0
    assert run(side, "rollback", path) == 0
    (work / ("glidein.descript" if side == "factory" else "frontend.descript")).write_text("")
    capsys.readouterr()
    assert run("audit", "--work-dir", work, "--json", "--who", me) == 0
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [line["act"] for line in lines] == ["reconfig", "reconfig", "rollback"]
    first, second, back = lines
    assert (first["before"], second["before"], back["before"]) == (
        "",
        first["generation"],
        second["generation"],
    )
    assert back["generation"] == first["generation"] and first["file"] == str(path)
    assert run(side, "rollback", path, "--to-deployed") == 0
    [aside] = work.glob("gwms-state*/audit.jsonl")
    assert json.loads(aside.read_text().splitlines()[-1])["generation"] == "deployed program"


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_rollback_takes_the_work_directory(
    side: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, f"{side}.maximal.xml")
    work = fingerprint.work_dir(path, side)
    run(side, "reconfig", path)
    path.write_text(path.read_text().replace('loop_delay="30"', 'loop_delay="31"'))
    run(side, "reconfig", path)
    capsys.readouterr()
    assert run(side, "rollback", "--list", "--json", "--work-dir", work) == 0
    first = json.loads(capsys.readouterr().out)[0]["name"]
    monkeypatch.setenv(f"GWMS_{side.upper()}_DIR", str(work))
    assert run(side, "rollback") == 0
    assert f"generation {first} is active" in capsys.readouterr().out
    monkeypatch.setenv(f"GWMS_{side.upper()}_DIR", str(tmp_path))
    assert run(side, "rollback", path, "--list", "--json") == 0, (
        "the file that is named comes first"
    )
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_who_became_root_by_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_as_owner.os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "alice")
    assert run_as_owner.caller() == "root (sudo by alice)"
    monkeypatch.setattr(run_as_owner.os, "getuid", lambda: 12345678)
    assert run_as_owner.caller() == "uid 12345678", "whoever is not root may write anything there"


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_json_of_what_changes_a_configuration_has_one_shape(
    side: str, tmp_path: Path, capsys: Out
) -> None:
    def told(*words: Any) -> dict[str, Any]:
        capsys.readouterr()
        assert run(side, *words, "--json") == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    path = place(tmp_path, f"{side}.maximal.xml")
    first, same = told("reconfig", path), told("reconfig", path)
    assert (
        first.keys() == same.keys()
        and first["generation"] == same["generation"] == first["plan"]["generation"]
    )
    path.write_text(path.read_text().replace('loop_delay="30"', 'loop_delay="31"'))
    assert told("reconfig", path)["generation"] != first["generation"]
    assert told("rollback", path) == {"generation": first["generation"], "reloaded": ""}
    for name in ("glidein.descript", "frontend.descript"):
        (tmp_path / "work" / name).write_text("")
    assert told("rollback", "--to-deployed", path)["aside"]


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_a_daemon_that_refuses_is_exit_code_4(side: str, tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, f"{side}.maximal.xml")
    assert run(side, "reconfig", path) == 0
    path.write_text(path.read_text().replace('loop_delay="30"', 'loop_delay="31"'))
    with subprocess.Popen(["sleep", "60"]) as daemon:
        said = Status(
            1,
            side,
            daemon.pid,
            "old",
            1,
            0,
            time.time() + 60,
            0,
            0,
            1,
            policy_error="no such schedd",
        )
        status.write(tmp_path / "work/state/status.json", said)
        for verb in ("reconfig", "rollback"):
            capsys.readouterr()
            assert run(side, verb, path) == 4
            assert "the daemon did not take it: no such schedd" in capsys.readouterr().err
        daemon.kill()


def test_plan_without_a_file_is_of_a_cycle(tmp_path: Path, capsys: Out) -> None:
    for side in ("factory", "frontend"):
        assert run(side, "plan", "--work-dir", tmp_path) == 1
        assert "no cycle has been recorded" in capsys.readouterr().err
        assert run(side, "plan", tmp_path / "missing.xml") == 1
        assert "cannot be read" in capsys.readouterr().err
    assert run("factory", "plan", "--work-dir", tmp_path / "missing") == 1
    assert "is not a directory" in capsys.readouterr().err


def record(work: Path, *groups: tuple[str, int, int]) -> None:
    """A cycle with a queue of (entry, status, number) and a schedd that did not answer."""
    rows = tuple(
        PilotGroup(e, "fe.main", "fe:frontend", "frontend", "C", "", s, None, n)
        for e, s, n in groups
    )
    known: Reading[PilotQueue] = Reading("one", 0.0, PilotQueue(rows, ()), 5.0)
    silent: Reading[PilotQueue] = Reading("two", 0.0)
    schedds = (ScheddState("one", known), ScheddState("two", silent, "no answer"))
    snapshot = FactorySnapshot(
        5.0, Reading("requests", 0.0), schedds, (), RunningRemovals(), (), ()
    )
    data = {
        "cycle": 7,
        "began": 5.0,
        "seed": 1,
        "generation": "g",
        "snapshot": snapshot,
        "plan": FactoryPlan(()),
    }
    Ring(work / "state/cycles").append(7, data)


def test_plan_counts_the_pilots_of_changed_entries(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    assert run("factory", "reconfig", path) == 0
    work = fingerprint.work_dir(path, "factory")
    assert work is not None
    path.write_text(path.read_text().replace('name="Alpha"', 'name="Alpha" verbosity="fast"'))
    capsys.readouterr()
    assert run("factory", "plan", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["pilots"] is None
    record(work, ("Alpha", 1, 4), ("Alpha", 1, 2), ("Alpha", 2, 3), ("Alpha", 4, 9), ("Beta", 1, 5))
    assert run("factory", "plan", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changed"] == ["Alpha"]
    assert found["pilots"]["entries"] == {"Alpha": {"idle": 6, "running": 3, "held": 0}}
    assert (found["pilots"]["cycle"], found["pilots"]["unknown"]) == (7, ["two"])
    assert run("factory", "plan", path) == 0
    out = capsys.readouterr().out
    assert (
        "their pilots in cycle 7" in out
        and "Alpha     6        3     0" in out
        and "unknown then: two" in out
    )


def test_show_names_the_origin_of_each_value(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "factory.maximal.xml")
    assert run("factory", "show", path, "--name", "Alpha", "--json") == 0
    shown = {s["path"]: (s["value"], s["origin"]) for s in json.loads(capsys.readouterr().out)}
    line = 1 + path.read_text().splitlines().index(
        '        <stale_age idle="1000" running="2000" unclaimed="300"/>'
    )
    assert shown["config/stale_age@idle"] == (1000, f"{path}:{line}")
    assert shown["@bosco_dir"] == ("bosco", "default")
    assert shown["(global) attrs/Secret@value"][0] == "s"
    assert run("factory", "show", path, "--name", "Alph") == 1
    assert "did you mean Alpha?" in capsys.readouterr().err


def test_show_follows_what_a_group_or_entry_inherits(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "frontend.maximal.xml")
    assert run("frontend", "show", path, "--name", "off", "--json") == 0
    shown = {s["path"]: (s["value"], s["origin"]) for s in json.loads(capsys.readouterr().out)}
    lines = path.read_text().splitlines()
    security = next(n for n, line in enumerate(lines, 1) if "<security security_name" in line)
    config = next(n for n, line in enumerate(lines, 1) if line.startswith("  <config "))
    assert shown["security@security_name"] == ("Max_VO", f"{path}:{security}")
    assert shown["security@idtoken_lifetime"] == (12, f"{path}:{security}")
    assert shown["config@ignore_down_entries"] == (True, f"{path}:{config}")
    assert shown["config@ramp_up_attenuation"] == (2.0, f"{path}:{config}")
    assert shown["(global) match/job@query_expr"][0] == "JobUniverse==5"
    path = place(tmp_path, "factory.maximal.xml")
    assert run("factory", "show", path, "--name", "Beta", "--json") == 0
    shown = {s["path"]: (s["value"], s["origin"]) for s in json.loads(capsys.readouterr().out)}
    assert shown["config/max_jobs@num_factories"][0] == 2


def test_a_plan_of_expressions_shows_their_text(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "frontend.maximal.xml")
    assert run("frontend", "reconfig", path) == 0
    text = path.read_text()
    path.write_text("<!-- moved -->\n" + text)
    capsys.readouterr()
    assert run("frontend", "plan", path) == 0
    assert "  groups[main].match: only moved within the file\n" in capsys.readouterr().out
    path.write_text(
        text.replace("not job[&quot;Slow&quot;]", "True").replace(
            '<group name="off"', '<group name="new"'
        )
    )
    assert run("frontend", "plan", path) == 0
    out = capsys.readouterr().out
    assert (
        'not job["Slow"] -> ' in out and "1 groups added: new" in out and "groups[new]:" not in out
    )


def test_old_names(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    with pytest.raises(SystemExit) as end:
        old.reconfig_glidein(
            ["-xml", str(path), "-update_scripts", "yes", "-fix_rrd", "-writeback", "no"]
        )
    assert not end.value.code
    with pytest.raises(SystemExit) as end:
        old.gwms_factory(["reconfig", str(path), "-fix_rrd"])
    assert not end.value.code
    assert "nothing changes" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        old.gwms_frontend(["infosysdown"])
    assert end.value.code == old.UNIMPLEMENTED
    old.gwms_factory(["--help"])
    assert "statusdown info; see gwms factory --help" in capsys.readouterr().out
    for manage in (manage_factory_downtimes, manage_frontend_downtimes):
        with pytest.raises(SystemExit) as end:
            manage(["-cmd", "ress"])
        assert end.value.code == 2 and "choose from" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_only_online_asks_the_network(side: str, tmp_path: Path) -> None:
    path = place(tmp_path, f"{side}.maximal.xml", ("http://f", "http://127.0.0.1:9/f"))
    problems, asked = Problems(), []

    def resolve(host: str) -> object:
        asked.append(host)
        raise OSError("no such name")

    built = build(path, side, problems)
    assert not asked and not problems.found
    online.check(built, path, problems, World().pool("nobody@nowhere"), resolve)
    assert ("wms.example.org" if side == "factory" else "pool2.example.org") in asked
    assert {p.level for p in problems.found} == {"warning"}
    assert any("does not answer" in p.what for p in problems.found)


def test_a_stage_that_answers_whatever_it_says_is_there(tmp_path: Path) -> None:
    """A web server that lists no directory says 403 or 404; this one, which knows no HEAD at all,
    501.
    """
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/f"
        path, problems = place(tmp_path, "factory.maximal.xml", ("http://f", url)), Problems()
        online.check(
            build(path, "factory", problems),
            path,
            problems,
            World().pool("nobody@nowhere"),
            lambda host: host,
        )
    assert not [p for p in problems.found if p.subject == "stage@web_base_url"]


def test_dns_that_does_not_answer_costs_its_patience_once() -> None:
    over = threading.Event()

    def resolve(host: str) -> object:
        if host == "a..b":
            return host.encode("idna")
        if host.startswith("silent"):
            over.wait(600)
        return host

    began = time.monotonic()
    names = ["a..b", "known", *(f"silent{n}" for n in range(50))]
    found = online.unresolved(names, resolve, 2.0)
    over.set()
    assert time.monotonic() - began < 90
    assert "known" not in found and "label" in found.pop("a..b")
    assert set(found.values()) == {"no answer within 2 s"} and len(found) == 50


def test_warnings_of_disabled_entries_are_one_line(tmp_path: Path, capsys: Out) -> None:
    off = '<entry name="Off{0}" gatekeeper="ce ce" gridtype="cream" enabled="False" glexec="1"/>'
    more = "".join(off.format(n) for n in range(20))
    path = place(tmp_path, "factory.minimal.xml", ("<entries>", f"<entries>{more}"))
    assert run("factory", "validate", path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "40 warnings of disabled entries not shown" in lines[0]
    assert lines[1].endswith("0 errors, 40 warnings")
    assert run("factory", "validate", path, "--disabled") == 0
    assert len(capsys.readouterr().out.splitlines()) == 41


def test_plan_counts_the_warnings_that_stand(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "factory.minimal.xml", ('name="Alpha"', 'name="Alpha" glexec="1"'))
    assert run("factory", "plan", path) == 0
    told = capsys.readouterr()
    assert "glexec" not in told.out + told.err
    assert "1 warnings; gwms factory validate shows them" in told.err
    assert run("factory", "plan", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == 1


@pytest.mark.parametrize("command", ["plan", "reconfig"])
def test_all_that_is_wrong_is_told_where_one_thing_stops_it(
    command: str, tmp_path: Path, capsys: Out
) -> None:
    path = place(
        tmp_path, "factory.minimal.xml", ('name="Alpha"', 'name="Alpha" glexec="1" enabled="x"')
    )
    assert run("factory", command, path) == 1
    told = capsys.readouterr().err
    assert "entry[Alpha]@glexec" in told and "entry[Alpha]@enabled" in told


@pytest.mark.parametrize(
    ("side", "program", "name"),
    [
        ("factory", old.reconfig_glidein, "gfactory_instance"),
        ("frontend", old.reconfig_frontend, "vo_frontend"),
    ],
)
def test_force_name_refuses_the_file_of_another_instance(
    side: str, program: Any, name: str, tmp_path: Path, capsys: Out
) -> None:
    path = place(tmp_path, f"{side}.minimal.xml")
    with pytest.raises(SystemExit) as end:
        program(["-xml", str(path), "-force_name", "other"])
    assert end.value.code == 1
    told = capsys.readouterr().err
    assert "'other'" in told and f"{name!r}" in told
    assert not (tmp_path / "work").exists()
    with pytest.raises(SystemExit) as end:
        program(["-xml", str(path), "-force_name", name])
    assert not end.value.code
    assert "files written" in capsys.readouterr().out


def test_an_active_group_goes_only_with_force(tmp_path: Path, capsys: Out) -> None:
    more = '<groups><group name="old"/><group name="off" enabled="False"/>'
    path = place(tmp_path, "frontend.minimal.xml", ("<groups>", more))
    assert run("frontend", "reconfig", path) == 0
    path.write_text(path.read_text().replace(more, "<groups>"))
    assert run("frontend", "plan", path) == 0
    assert "needs --force-delete: old are enabled" in capsys.readouterr().out
    assert run("frontend", "reconfig", path) == 1
    assert "would remove the active groups old; set enabled=False" in capsys.readouterr().err
    assert run("frontend", "reconfig", path, "--force-delete") == 0
    assert "2 groups removed: old, off" in capsys.readouterr().out


def test_rollback_says_that_the_file_is_the_new_one(tmp_path: Path, capsys: Out) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    assert run("factory", "reconfig", path) == 0
    path.write_text(path.read_text().replace('value="86400"', 'value="86401"'))
    assert run("factory", "reconfig", path) == 0
    capsys.readouterr()
    assert run("factory", "rollback", path) == 0
    assert f"{path} is unchanged: the next reconfig applies it again" in capsys.readouterr().out


def test_a_piece_of_config_d_is_checked_as_part_of_the_main_file(
    tmp_path: Path, capsys: Out
) -> None:
    main = place(tmp_path, "factory.minimal.xml", ('name="Alpha"', 'name="Alpha" glexec="1"'))
    piece = tmp_path / "config.d" / "10.xml"
    piece.parent.mkdir()
    entry = '<entry name="Beta" gatekeeper="ce.example.org ce.example.org:9619"{0}/>'
    piece.write_text(f"<glidein><entries>\n{entry.format('')}</entries></glidein>")
    assert run("factory", "validate", piece) == 0
    told = capsys.readouterr()
    assert told.out == f"{piece}: 0 errors, 0 warnings\n"
    assert f"is a piece of {main}" in told.err
    wrong = entry.format(" enabled='x'")
    piece.write_text(f"<glidein><entries>\n{wrong}</entries></glidein>")
    assert run("factory", "validate", piece) == 1
    assert f"{piece}:2: entry[Beta]@enabled" in capsys.readouterr().out


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_an_unchanged_reconfig_counts_the_standing_warnings(
    side: str, tmp_path: Path, capsys: Out
) -> None:
    # GLIDEIN_Max_Walltme is nearly an attribute that pilots know
    slip = '<attrs><attr name="GLIDEIN_Max_Walltme" value="86400"/>'
    before = "<attrs>" if side == "factory" else "<groups>"
    after = slip if side == "factory" else f"{slip}</attrs><groups>"
    path = place(tmp_path, f"{side}.minimal.xml", (before, after))
    assert run(side, "reconfig", path) == 0
    capsys.readouterr()
    assert run(side, "reconfig", path) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("nothing changes")
    assert "the configuration still has 1 warning;" in shown.err


def test_a_piece_without_a_main_file_is_checked_by_itself(tmp_path: Path, capsys: Out) -> None:
    piece = tmp_path / "config.d" / "10-sites.xml"
    piece.parent.mkdir()
    entry = '<entry name="Beta" gatekeeper="ce.example.org ce.example.org:9619" enabled="{}"/>'
    text = f"<glidein><entries>\n{entry}</entries></glidein>\n"
    piece.write_text(text.format("True"))
    assert run("factory", "validate", piece) == 0
    shown = capsys.readouterr()
    assert "0 errors" in shown.out
    assert "only elements, types and values were checked" in shown.err
    piece.write_text(text.format("Treu"))
    assert run("factory", "validate", piece) == 1
    shown = capsys.readouterr()
    assert f"{piece}:2: entry[Beta]@enabled: must be True or False, not 'Treu'" in shown.out
    assert "is required" not in shown.out
    piece.write_text(text.format("True").replace('name="Beta" ', ""))
    assert run("factory", "validate", piece) == 1
    assert f"{piece}:2: " in capsys.readouterr().out
