"""Plan and reconfig: add-only, atomic, refused or done; killed anywhere it leaves the published generation whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glideinwms.creation.build.resolved import named
from glideinwms.creation.reconfig import fingerprint, rollback
from glideinwms.creation.reconfig.plan import make_plan, policy_path
from glideinwms.creation.reconfig.run import build, reconfig
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.daemon import status
from glideinwms.lib.errors import ConfigError, GwmsError, StateError
from glideinwms.lib.files import locked
from glideinwms.lib.stage import generations
from glideinwms.lib.stage.blobs import of_bytes
from glideinwms.lib.stage.formats import read_list, read_pairs, read_sums
from glideinwms.lib.stage.tree import Tree
from tests.support.configs import place
from tests.support.killed_reconfig import die_at

# calls that change something in a reconfig of the minimal file, roughly
POINTS = 40
SIDES = ["factory", "frontend"]


def tree_of(root: Path) -> dict[str, tuple[int, str]]:
    return {
        str(p.relative_to(root)): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in root.rglob("*")
        if p.is_file()
    }


def whole(work: Path) -> str:
    """Follow the pointer as a pilot does, through every list; the generation's name."""
    policy = json.loads(policy_path(work).read_text())
    triples = [("", policy["stage"])]
    triples += [(f"entry_{e['name']}", e["stage"]) for e in policy.get("entries", ())]
    triples += [(f"group_{g['name']}", g["stage"]) for g in policy.get("groups", ())]
    for subdir, triple in triples:
        folder = Path(policy["stage_dir"]) / subdir
        description = read_pairs((folder / triple["descript"]).read_text())
        for bits, key, want in (("1", "signature", "sign"), ("256", "signature_sha256", "sign256")):
            raw = (folder / description[key]).read_bytes()
            assert hashlib.new(f"sha{bits}", raw).hexdigest() == triple[want]
            for file, value in read_sums(raw.decode()).items():
                assert (
                    hashlib.new(f"sha{bits}", (folder / file).read_bytes()).hexdigest() == value
                ), file
        for key, name in description.items():
            if key.endswith("file_list"):
                for row in read_list((folder / name).read_text()):
                    assert (folder / row.infile).is_file(), row
    if "startup_script" in policy:
        assert Path(policy["startup_script"]).is_file()
    return str(policy["generation"])


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", SIDES)
def test_plan_then_reconfig_then_nothing(side: str, size: str, tmp_path: Path) -> None:
    path = place(tmp_path, f"{side}.{size}.xml")
    before = tree_of(tmp_path)
    plan = make_plan(*named(build(path, side, Problems())))
    assert tree_of(tmp_path) == before, "a plan touches nothing"
    assert plan.added and not plan.removed and not plan.previous
    outcome = reconfig(path, side)
    assert outcome.plan == plan
    work = rollback.Path(json.loads(next(tmp_path.rglob("policy.json")).read_text())["work_dir"])
    assert whole(work) == plan.generation
    after = tree_of(tmp_path)
    again = reconfig(path, side)
    assert again.plan.empty and not again.plan.changes and again.written == 0
    assert {k: v for k, v in tree_of(tmp_path).items() if "reconfig.lock" not in k} == {
        k: v for k, v in after.items() if "reconfig.lock" not in k
    }
    assert fingerprint.unchanged(path, side) == plan.generation


def test_a_plan_says_old_and_new(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.maximal.xml")
    reconfig(path, "factory")
    text = (
        path.read_text()
        .replace('glideins="400"', 'glideins="800"')
        .replace('name="Delta"', 'name="Epsilon"')
    )
    path.write_text(text)
    plan = make_plan(*named(build(path, "factory", Problems())))
    assert (plan.added, plan.removed, plan.removed_active) == (("Epsilon",), ("Delta",), ("Delta",))
    assert "Alpha" in plan.changed and "Beta" not in plan.changed
    assert ("entries[Alpha].limits.glideins", 100, 200) in [
        (c.path, c.old, c.new) for c in plan.changes
    ]


def test_an_active_entry_goes_by_force_only_a_disabled_one_freely(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.maximal.xml")
    reconfig(path, "factory")
    first = path.read_text()
    i = first.index('<entry name="Gamma"')
    path.write_text(first[:i] + first[first.index("/>", i) + 2 :])
    assert reconfig(path, "factory").plan.removed == ("Gamma",)
    second = path.read_text()
    i = second.index('<entry name="Delta"')
    path.write_text(second[:i] + second[second.index("/>", i) + 2 :])
    with pytest.raises(ConfigError, match="would remove the active entries Delta"):
        reconfig(path, "factory")
    assert reconfig(path, "factory", force_delete=True).plan.removed == ("Delta",)


def test_the_stage_does_not_move(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    reconfig(path, "factory")
    path.write_text(path.read_text().replace("/stage", "/stage2", 1))
    with pytest.raises(ConfigError, match="would move the stage"):
        reconfig(path, "factory")


def test_hooks(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    for when, code in (("pre", 0), ("post", 3)):
        folder = tmp_path / f"hooks.reconfig.{when}"
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "10-say").write_text(f"#!/bin/sh\necho {when} >> {tmp_path}/said\nexit {code}\n")
        (folder / "10-say").chmod(0o755)
        (folder / "20-not-a-program").write_text("exit 1")
    outcome = reconfig(path, "factory")
    assert (tmp_path / "said").read_text() == "pre\npost\n"
    assert [w.what for w in outcome.warnings] == ["ended with 3"]
    (tmp_path / "hooks.reconfig.pre" / "10-say").write_text("#!/bin/sh\nexit 7\n")
    path.write_text(path.read_text().replace("min_factory", "other_factory"))
    with pytest.raises(ConfigError, match="ended with 7"):
        reconfig(path, "factory")
    assert json.loads(policy_path(tmp_path / "work").read_text())["factory_name"] == "min_factory"


@pytest.mark.parametrize("who", ["file", "directory"])
def test_a_hook_that_others_can_write_does_not_run(tmp_path: Path, who: str) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    hook = tmp_path / "hooks.reconfig.pre" / "10-say"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.parent.chmod(0o775 if who == "directory" else 0o755)
    hook.chmod(0o775 if who == "file" else 0o755)
    with pytest.raises(ConfigError, match="can be written by others") as caught:
        reconfig(path, "factory")
    assert caught.value.where == str(hook if who == "file" else hook.parent)
    assert not (tmp_path / "ran").exists() and not policy_path(tmp_path / "work").exists()


def test_two_at_once_the_second_hears_who_has_the_lock(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    with (
        locked(tmp_path / "work" / "state" / "reconfig.lock", "reconfig"),
        pytest.raises(StateError, match=f"is held by reconfig, pid {os.getpid()}"),
    ):
        reconfig(path, "factory")
    assert reconfig(path, "factory").written


def test_old_files_stay_and_going_back_needs_no_new_ones(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    foreign = tmp_path / "stage" / "description.abc123.cfg"
    foreign.parent.mkdir()
    foreign.write_text("of the deployed program")
    first = reconfig(path, "factory").plan.generation
    old = {k for k in tree_of(tmp_path / "stage")}
    path.write_text(path.read_text().replace('"86400"', '"3600"'))
    second = reconfig(path, "factory").plan.generation
    assert old <= set(tree_of(tmp_path / "stage"))
    work = tmp_path / "work"
    assert [(k.name, k.current) for k in rollback.listed(work)] == [(first, False), (second, True)]
    assert rollback.rollback(work) == first
    assert whole(work) == first
    with pytest.raises(StateError, match="there is no earlier generation"):
        rollback.rollback(work)
    assert rollback.rollback(work, second) == second
    assert foreign.read_text() == "of the deployed program"


def test_each_entry_has_a_blacklist_of_its_own(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.maximal.xml")
    reconfig(path, "factory")
    lists = sorted(tmp_path.glob("stage/entry_*/nodes.blacklist"))
    with lists[0].open("a") as file:
        file.write("'bad.node'\n")
    assert ["bad.node" in p.read_text() for p in lists] == [True] + [False] * (len(lists) - 1)
    path.write_text(path.read_text().replace('loop_delay="30"', 'loop_delay="31"'))
    reconfig(path, "factory")
    assert "bad.node" in lists[0].read_text()
    assert oct(lists[0].stat().st_mode & 0o777) == "0o644"


def test_a_generation_that_lost_a_file_is_not_gone_back_to(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    reconfig(path, "factory")
    lost = generations.all_of(tmp_path / "work")[0].files[0]
    path.write_text(path.read_text().replace('"86400"', '"3600"'))
    reconfig(path, "factory")
    os.unlink(tmp_path / "stage" / lost)
    if lost not in generations.all_of(tmp_path / "work")[1].files:
        with pytest.raises(StateError, match=lost):
            rollback.rollback(tmp_path / "work")
    assert (
        reconfig(path, "factory").written
        or lost not in generations.all_of(tmp_path / "work")[1].files
    )


def test_plainly_named_files_come_back_too(tmp_path: Path) -> None:
    script = tmp_path / "site.cfg"
    script.write_text("one")
    path = place(tmp_path, "factory.minimal.xml")
    listing = f'<files><file absfname="{script}" const="False"/></files>'
    path.write_text(path.read_text().replace("<entries>", f"{listing}<entries>", 1))
    first = reconfig(path, "factory").plan.generation
    script.write_text("two")
    path.write_text(path.read_text().replace('"86400"', '"3600"'))
    second = reconfig(path, "factory").plan.generation
    work, staged = tmp_path / "work", tmp_path / "stage" / "site.cfg"
    assert staged.read_text() == "two" and first != second
    assert rollback.rollback(work) == first
    assert staged.read_text() == "one" and whole(work) == first
    assert rollback.rollback(work, second) == second and staged.read_text() == "two"
    kept = {p.name: p for p in (work / "generations" / "plain").iterdir()}
    [one] = [p for p in kept.values() if p.read_bytes() == b"one"]
    one.write_text("broken")
    with pytest.raises(StateError, match=r"is not what site\.cfg held"):
        rollback.rollback(work, first)
    one.unlink()
    with pytest.raises(StateError, match=r"lacks site\.cfg"):
        rollback.rollback(work, first)
    assert staged.read_text() == "two" and whole(work) == second


def test_what_plain_files_held_goes_with_the_last_generation(tmp_path: Path) -> None:
    work, stage = tmp_path / "work", tmp_path / "stage"
    work.mkdir()
    stage.mkdir()
    for n, content in enumerate((b"one", b"two", b"two")):
        tree = Tree("", "d", "s", "t", plain={"site.cfg": of_bytes(content)})
        plain = generations.keep_plain(work, [tree])
        path = generations.save(work, generations.Generation(f"g{n}", float(n), {}, (), (), plain))
        os.utime(path, (n, n))
    assert len(list((work / "generations" / "plain").iterdir())) == 2
    generations.prune(stage, work, current="g2", named=(), now=100.0, keep=10.0)
    [left] = (work / "generations" / "plain").iterdir()
    assert left.read_bytes() == b"two"


def test_a_generation_of_a_frontend_stays_for_its_pilots_when_it_goes(tmp_path: Path) -> None:
    work, stage = (tmp_path / area / "frontend_vo_frontend" for area in ("work", "stage"))

    def in_force(days: int) -> generations.Generation:
        """A new generation, as it looks when it has been in force for so long."""
        path = place(
            tmp_path, "frontend.minimal.xml", ("<match>", f'<match start_expr="Days != {days}">')
        )
        manifest = work / "generations" / f"{reconfig(path, 'frontend').plan.generation}.json"
        os.utime(manifest, (time.time() - days * 86400,) * 2)
        return generations.load(manifest)

    def there(generation: generations.Generation) -> bool:
        return all((stage / f).exists() for f in generation.files)

    first = in_force(60)
    second = in_force(40)
    assert there(first), "it went out of force just now"
    assert rollback.rollback(work, first.name) == first.name
    third = in_force(20)
    assert there(first) and there(second) and there(third)
    os.utime(work / "generations" / f"{second.name}.json", (0, 0))
    in_force(0)
    assert there(first) and not there(second) and there(third)


def test_back_to_the_deployed_program(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    work = tmp_path / "work"
    work.mkdir()
    theirs = {"glidein.descript": "x", "rsa.key": "key", "glideinWMS.downtimes": "#Start\n"}
    for name, text in theirs.items():
        (work / name).write_text(text)
    reconfig(path, "factory")
    assert sorted(rollback.to_deployed(work, "factory")) == [
        "gwms-generations",
        "gwms-policy.json",
        "gwms-state",
    ]
    assert {n: (work / n).read_text() for n in theirs} == theirs
    assert not policy_path(work).exists()


def test_a_second_takeover_takes_up_what_the_last_return_put_aside(tmp_path: Path) -> None:
    path, work = place(tmp_path, "factory.minimal.xml"), tmp_path / "work"
    work.mkdir()
    (work / "glidein.descript").write_text("x")
    first = reconfig(path, "factory").plan.generation
    (work / "state" / "learned").write_text("1")
    (work / "state" / "requests").mkdir()
    (work / "state" / "requests" / "old").write_text("a command of that time")
    rollback.to_deployed(work, "factory")
    path.write_text(path.read_text().replace('loop_delay="', 'loop_delay="1'))
    reconfig(path, "factory")
    assert (work / "state" / "learned").read_text() == "1"
    assert not (work / "state" / "requests" / "old").exists()
    assert first in [g.name for g in generations.all_of(work)]
    assert list(work.glob("gwms-*")) == []
    # of several times the last one; what is there already is not replaced
    rollback.to_deployed(work, "factory")
    (work / "gwms-state").rename(work / "gwms-state.2")
    (work / "gwms-state").mkdir()
    reconfig(path, "factory")
    assert (work / "state" / "learned").exists() and (work / "gwms-state").is_dir()


def test_machines_of_clouds_boot_what_they_were_queued_for_before_and_after_a_takeover(
    tmp_path: Path,
) -> None:
    path, work = place(tmp_path, "factory.minimal.xml"), tmp_path / "work"
    work.mkdir()
    (work / "glidein.descript").write_text("x")
    stage = Path(build(path, "factory", Problems()).stage_dir)
    stage.mkdir(parents=True, exist_ok=True)
    script = stage / "glidein_startup.sh"
    theirs = b'#!/bin/bash\necho "of 3.10: $*"\nexit 0\n#EOF\n\0'
    script.write_bytes(theirs)

    def boots(*words: str) -> str:
        command = ["bash", str(script), *words]
        return subprocess.run(
            command, cwd=tmp_path, text=True, capture_output=True, env=quick
        ).stdout

    quick = {"PATH": "/usr/bin:/bin", "GLIDEIN_HOLD_DOWN": "0"}
    queued_by_them = ("-name", "a  b", "-descript", "x")
    outcome = reconfig(path, "factory")
    assert boots(*queued_by_them) == "of 3.10: -name a  b -descript x\n"
    assert "of 3.10" not in boots("-name", "x", "-sign256", "0" * 64)
    assert reconfig(path, "factory").plan.generation == outcome.plan.generation
    assert boots(*queued_by_them).startswith("of 3.10")
    # what pilots of batch systems run has none of it
    plain = Path(json.loads(policy_path(work).read_text())["startup_script"]).read_bytes()
    assert b"deployed_startup.sh" not in gzip.decompress(plain.split(b"#EOF\n")[-1])
    rollback.to_deployed(work, "factory")
    assert script.read_bytes() == theirs
    newer = theirs.replace(b"3.10", b"3.10.18")
    script.write_bytes(newer)
    reconfig(path, "factory")
    assert boots(*queued_by_them).startswith("of 3.10.18")
    rollback.to_deployed(work, "factory")
    assert script.read_bytes() == newer


def test_back_needs_what_the_deployed_program_left(tmp_path: Path) -> None:
    work = tmp_path
    with pytest.raises(StateError, match=r"has no frontend\.descript"):
        rollback.to_deployed(work, "frontend")


@pytest.mark.parametrize("side", SIDES)
def test_every_input_is_looked_at(side: str, tmp_path: Path) -> None:
    path = place(tmp_path, f"{side}.maximal.xml")
    generation = reconfig(path, side).plan.generation
    assert fingerprint.unchanged(path, side) == generation
    os.utime(path)
    assert fingerprint.unchanged(path, side) == generation, "another time, the same content"
    (tmp_path / "script.sh").write_text("#!/bin/sh\nexit 1\n")
    assert fingerprint.unchanged(path, side) == ""
    generation = reconfig(path, side).plan.generation
    assert fingerprint.unchanged(path, side) == generation
    (tmp_path / "gwms.toml").write_text("")
    assert fingerprint.unchanged(path, side) == ""
    reconfig(path, side)
    next((tmp_path / "stage").glob("description.*")).unlink()
    assert fingerprint.unchanged(path, side) == ""


@pytest.mark.parametrize("side", SIDES)
def test_a_file_that_is_saved_meanwhile_has_changed(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, f"{side}.minimal.xml")
    real = fingerprint.remember

    def late(*args: Any, **options: Any) -> None:
        path.write_text(f"{path.read_text()}<!-- saved -->")
        real(*args, **options)

    monkeypatch.setattr(fingerprint, "remember", late)
    reconfig(path, side)
    assert fingerprint.unchanged(path, side) == ""


def test_config_d_is_looked_at(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    reconfig(path, "factory")
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "a.xml").write_text("<glidein loop_delay='1'/>")
    assert fingerprint.unchanged(path, "factory") == ""
    generation = reconfig(path, "factory").plan.generation
    assert fingerprint.unchanged(path, "factory") == generation


def test_an_unwritable_stage_leaves_what_is_in_force(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    first = reconfig(path, "factory").plan.generation
    path.write_text(path.read_text().replace('"86400"', '"3600"'))
    # root writes everywhere: a file in the place of the entry's directory refuses root too
    stage = tmp_path / "stage"
    shutil.move(stage / "entry_Alpha", tmp_path / "aside")
    (stage / "entry_Alpha").write_text("in the way")
    with pytest.raises(GwmsError):
        reconfig(path, "factory")
    (stage / "entry_Alpha").unlink()
    shutil.move(tmp_path / "aside", stage / "entry_Alpha")
    assert whole(tmp_path / "work") == first
    assert reconfig(path, "factory").plan.previous == first


def test_killed_at_a_hundred_points_the_published_generation_is_whole(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    first = reconfig(path, "factory").plan.generation
    original = path.read_text()
    context = multiprocessing.get_context("fork")
    killed, kept = 0, 0
    for n in range(100):
        # all of it changes, or one entry alone, which is read by itself
        if n % 2:
            path.write_text(
                original.replace('"86400"', f'"{4000 + n}"').replace("min_factory", f"factory_{n}")
            )
        else:
            path.write_text(
                original.replace(
                    ':9619"/>', f':9619"><attrs><attr name="A" value="{n}"/></attrs></entry>'
                )
            )
            reconfig(path, "factory")
            path.write_text(path.read_text().replace(f'value="{n}"', f'value="new{n}"'))
        before = whole(tmp_path / "work")
        wanted = named(build(path, "factory", Problems()))[0].policy.generation
        child = context.Process(target=die_at, args=(n % POINTS + 1, path, "factory"))
        child.start()
        child.join(60)
        assert child.exitcode in (0, -signal.SIGKILL)
        killed += child.exitcode != 0
        now = whole(tmp_path / "work")
        assert now in (before, wanted)
        kept += now == before
    assert killed >= 80 and kept >= 40
    path.write_text(original)
    assert reconfig(path, "factory").plan.generation == first == whole(tmp_path / "work")


FULL = """
import sys
from pathlib import Path
from typing import Any
from glideinwms.creation.reconfig.run import reconfig
from glideinwms.lib.errors import GwmsError
try:
    reconfig(Path(sys.argv[1]), "factory")
except GwmsError as error:
    print("refused:", error)
"""


def test_a_full_disk_leaves_what_is_in_force(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no user and mount namespaces here")
    path = place(tmp_path, "factory.minimal.xml")
    script = tmp_path / "run.py"
    script.write_text(FULL)
    (tmp_path / "disk").mkdir()
    text = path.read_text()
    for name in ("stage", "work", "log", "client", "proxies"):
        text = text.replace(f'"{tmp_path}/{name}"', f'"{tmp_path}/disk/{name}"')
    path.write_text(text)
    (tmp_path / "condor.tgz").write_bytes(os.urandom(200_000))
    steps = f"""
mount -t tmpfs -o size=2M tmpfs {tmp_path}/disk
{sys.executable} {script} {path}
cp {tmp_path}/disk/work/policy.json {tmp_path}/first.json
sed -i s/86400/3600/ {path}
head -c 2000000 /dev/urandom > {tmp_path}/disk/filler 2>/dev/null
{sys.executable} {script} {path}
cmp {tmp_path}/disk/work/policy.json {tmp_path}/first.json && echo unchanged
rm {tmp_path}/disk/filler
{sys.executable} {script} {path}
cmp -s {tmp_path}/disk/work/policy.json {tmp_path}/first.json || echo changed
"""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", steps], capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["refused", "unchanged", "changed"], done
    assert "the file system is full" in lines[0]


def test_the_daemon_is_told_and_waited_for(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    reconfig(path, "factory")
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(tmp_path / "work")], stdout=subprocess.PIPE
    )
    assert daemon.stdout is not None
    try:
        assert daemon.stdout.readline() == b"up\n"
        path.write_text(path.read_text().replace('"86400"', '"3600"'))
        began = time.monotonic()
        outcome = reconfig(path, "factory")
        assert outcome.reloaded == outcome.plan.generation
        assert time.monotonic() - began < 60
    finally:
        daemon.terminate()
        daemon.wait(30)


def test_the_daemon_that_runs_is_told_whatever_the_status_of_the_one_before_says(
    tmp_path: Path,
) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    reconfig(path, "factory")
    shown = tmp_path / "work/state/status.json"
    bystander = subprocess.Popen(["sleep", "600"])
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(tmp_path / "work")], stdout=subprocess.PIPE
    )
    assert daemon.stdout is not None
    try:
        assert daemon.stdout.readline() == b"up\n"
        for pid in (bystander.pid, daemon.pid):
            status.write(
                shown,
                replace(status.read(shown), pid=pid, policy_error="an old error", cycle_began=1.0),
            )
            text = path.read_text()
            path.write_text(
                text.replace('"86400"', '"3600"')
                if '"86400"' in text
                else text.replace("3600", "7200")
            )
            outcome = reconfig(path, "factory")
            assert outcome.reloaded == outcome.plan.generation
        assert bystander.poll() is None
    finally:
        for process in (bystander, daemon):
            process.terminate()
            process.wait(30)


# its cycle takes a while
DAEMON = """
import json, os, signal, sys, time
from dataclasses import replace
from pathlib import Path
from typing import Any
from glideinwms.lib.daemon import status
from glideinwms.lib.files import locked
work = Path(sys.argv[1])
def now():
    return json.loads((work / "policy.json").read_text())["generation"]
state = status.Status(status.SCHEMA, "factory", os.getpid(), now(), 1, 0, 0, 0, 0, 0.1)
def taken(*_):
    time.sleep(0.3)
    status.write(work / "state/status.json", replace(state, generation=now()))
signal.signal(signal.SIGHUP, taken)
with locked(work / "state" / status.LOCK, "daemon"):
    taken()
    print("up", flush=True)
    while True:
        signal.pause()
"""
